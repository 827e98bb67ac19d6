/* Regular expressions by PCRE2, with fixed limits; see regex.h. */
#define _POSIX_C_SOURCE       200809L
#define PCRE2_CODE_UNIT_WIDTH 8
#include "ops/regex.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

/* What one name may take. An expression that stays linear takes a few thousand steps for a name of 4 KiB;
 * this many are a few tenths of a second, after which waiting longer would help nobody. */
enum { STEPS_MAX = 10000000 };
/* JIT counts fewer of its steps, so the same number would be minutes; what needs more is interpreted. */
enum { JIT_STEPS_MAX = 20000 };
/* Without JIT, or where its stack is too small, each repetition of a group takes two levels and two more for
 * each group in it: this is enough for three such groups in a fourth at every byte of the longest name, and
 * the heap for what these levels take. */
enum { DEPTH_MAX = 8 * (SNAP_STRING_MAX + 1), HEAP_KIB_MAX = 64 * 1024 };
/* How much of a name and of an expression a message shows. */
enum { SHOWN_MAX = 100, SHOWN_BEFORE_ERROR = 40 };

struct snap_regex {
	pcre2_code *code;
	pcre2_match_context *limits, *jit_limits; /* only read while matching */
	char *text;
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Where the last `max` bytes or less begin, not within a character. */
static size_t begin_of_last(const char *text, size_t size, size_t max)
{
	size_t begin = size > max ? size - max : 0;
	while (begin > 0 && begin < size && is_continuation(text[begin]))
		begin++;
	return begin;
}

/* How long the first `max` bytes or less are, not within a character. */
static size_t end_of_first(const char *text, size_t size, size_t max)
{
	size_t end = size < max ? size : max;
	while (end > 0 && end < size && is_continuation(text[end]))
		end--;
	return end;
}

static enum snap_status cannot_compile(const char *text, int code, size_t offset, struct snap_error *err)
{
	if (code == PCRE2_ERROR_HEAP_FAILED || code == PCRE2_ERROR_NOMEMORY)
		return out_of_memory(err);
	PCRE2_UCHAR reason[160] = "";
	(void)pcre2_get_error_message(code, reason, sizeof reason);
	size_t size = strlen(text), end = offset < size ? offset : size,
	       begin = begin_of_last(text, end, SHOWN_BEFORE_ERROR);
	return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
			 "the regular expression cannot be read: %s at offset %zu: '%s%.*s' <- here",
			 (const char *)reason, offset, begin > 0 ? "..." : "", (int)(end - begin),
			 text + begin);
}

enum snap_status snap_regex_new(struct snap_regex **out, const char *text, struct snap_error *err)
{
	struct snap_regex *r = calloc(1, sizeof *r);
	if (r == NULL)
		return out_of_memory(err);
	int code;
	PCRE2_SIZE offset;
	/* Names need not be UTF-8. \C would match within a character, and only slowly. */
	r->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
				PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset,
				NULL);
	if (r->code == NULL) {
		snap_regex_free(r);
		return cannot_compile(text, code, offset, err);
	}
	r->limits = pcre2_match_context_create(NULL);
	r->jit_limits = pcre2_match_context_create(NULL);
	r->text = strdup(text);
	if (r->limits == NULL || r->jit_limits == NULL || r->text == NULL) {
		snap_regex_free(r);
		return out_of_memory(err);
	}
	pcre2_set_match_limit(r->jit_limits, JIT_STEPS_MAX);
	pcre2_set_match_limit(r->limits, STEPS_MAX);
	pcre2_set_depth_limit(r->limits, DEPTH_MAX);
	pcre2_set_heap_limit(r->limits, HEAP_KIB_MAX);
	/* Where there is no JIT, or the system forbids it, the expression is interpreted. */
	(void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	*out = r;
	return SNAP_OK;
}

void snap_regex_free(struct snap_regex *r)
{
	if (r == NULL)
		return;
	pcre2_code_free(r->code);
	pcre2_match_context_free(r->limits);
	pcre2_match_context_free(r->jit_limits);
	free(r->text);
	free(r);
}

static enum snap_status runs_away(const struct snap_regex *r, struct snap_text name, struct snap_error *err)
{
	size_t size = strlen(r->text), end = end_of_first(r->text, size, SHOWN_MAX),
	       begin = begin_of_last(name.bytes, name.size, SHOWN_MAX);
	return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
			 "the regular expression '%.*s%s' takes too long or too much memory on '%s%.*s'",
			 (int)end, r->text, end < size ? "..." : "", begin > 0 ? "..." : "",
			 (int)(name.size - begin), name.bytes + begin);
}

enum snap_status snap_regex_find(const struct snap_regex *r, struct snap_text name, bool *found,
				 struct snap_error *err)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	if (data == NULL)
		return out_of_memory(err);
	PCRE2_SPTR bytes = (PCRE2_SPTR)(name.bytes != NULL ? name.bytes : "");
	int result = pcre2_match(r->code, bytes, name.size, 0, 0, data, r->jit_limits);
	/* The stack of JIT is small, too; what does not fit there has the heap. */
	if (result == PCRE2_ERROR_JIT_STACKLIMIT || result == PCRE2_ERROR_MATCHLIMIT)
		result = pcre2_match(r->code, bytes, name.size, 0, PCRE2_NO_JIT, data, r->limits);
	pcre2_match_data_free(data);
	if (result >= 0 || result == PCRE2_ERROR_NOMATCH) {
		*found = result >= 0;
		return SNAP_OK;
	}
	if (result == PCRE2_ERROR_NOMEMORY)
		return out_of_memory(err);
	/* Of all other errors only the limits can be met: those of matching, depth and heap, and the one of
	 * recursion that does not advance. */
	return runs_away(r, name, err);
}
