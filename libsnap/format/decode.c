/* Decodes the sections of members into append-only tables. */
#include "format/decode.h"

#include <stdlib.h>
#include <string.h>

#include "format/layout.h"

/* Sections that make one table together, in their order in a member. */
enum group { START, META, COLUMNS, RULE, STRINGS, FRAMES, PAIRS, NODES, STACKS, CHANGES, OLD_STACKS, FREQUENT, SITES, END };

/* Bits of a NODE token. */
enum { NODE_LAST = 1, NODE_CHILDREN = 2, NODE_STACK = 4, NODE_SHIFT = 3 };

/* A list of siblings that is being read. */
struct level {
	uint32_t parent; /* SNAP_NONE = the virtual root */
	uint32_t next;   /* the least callee number that the next sibling may have; for roots a frame */
	uint32_t callee, callees; /* where the callees of the parent's frame begin, and how many there are */
	bool closes;     /* the node that opened it was the last of its own list */
};

SNAP_VECTOR(levels, struct level);

struct snap_decoder {
	struct snap_snapshot *t;      /* the tables of the series; its metadata are those of this member */
	struct snap_meta *meta_before;
	bool started, continues, canonical;
	struct snap_stack_rule rule;
	struct snap_u16s room;        /* by node: how many frames a stack can have there */
	struct snap_u32s callee_begin; /* by frame, and one more: where its callees begin in `callee` */
	struct snap_u32s callee;
	uint32_t first_string, first_frame, first_node, first_stack, first_site;

	enum group group;
	uint32_t previous_tag, previous_index;
	bool member_is_whole;
	struct snap_end end;

	/* Columns of the present group, until all of them are there. All vectors are emptied, not freed. */
	struct snap_u32s lengths;     /* STRP: shared, suffix, shared, suffix … */
	uint64_t suffix_bytes;        /* their sum */
	struct snap_u8s suffixes;     /* STRB */
	struct snap_u32s files;       /* FRMF */
	size_t file_at;               /* FRML: the place in `files`, */
	uint32_t line;                /* and the line before */
	struct snap_u32s functions;   /* FRMU: codes */
	struct snap_u32s callers;     /* PRSC: caller << 1 | more */
	struct snap_u32s first_callees; /* PRSF */
	struct snap_u32s further_callees; /* PRST; see LAST_CALLEE */
	size_t caller_at;             /* PRST: the place in `callers`, */
	bool list_begun;              /* whether its list is begun, */
	uint32_t callee_before;       /* and the callee before */
	struct snap_u32s attach;      /* ATCH: codes */
	size_t attach_at;
	struct levels levels;
	struct snap_u32s root_depths; /* RDEP: as told */
	struct snap_u32s promoted;    /* STKD */
	struct snap_u32s extra;       /* STKX: node, length, total, node … */
	struct snap_u32s changed;     /* CHGI of the present group of sections */
	uint32_t next_changed;
	struct snap_i64s changes;     /* CHGV: residuals of the changed sites, site by site */
	uint64_t frequent[SNAP_FREQUENT_MAX]; /* SITD */
	uint32_t frequent_count;
	struct snap_u32s site_stacks; /* the stacks that new sites belong to, in turn */
	size_t site_stack_at;
	bool site_stacks_known;
	/* The present SITT: its first row, how many are explicit, their residuals column by column. */
	size_t rows_begin, rows_explicit;
	bool rows_open;
	bool stored[SNAP_COLUMNS_MAX];
	struct snap_u8s is_explicit;
	struct snap_i64s sizes;       /* SITT: differences, until the domains are known */
	struct snap_i64s residuals[SNAP_COLUMNS_MAX];
	size_t whole_sites;           /* sites whose values are known, for salvage */
	bool careful;                 /* totals are not known yet */
	size_t live;                  /* of them: not all values zero */
	bool loose_leaf;              /* a node has neither children nor the stack of the rule */
};

/* A section being read, and the first thing wrong with it. */
struct cursor {
	const uint8_t *at, *end;
	const struct snap_section *section;
	struct snap_error *err;
	enum snap_status status;
};

static void damaged(struct cursor *c, const char *what)
{
	if (c->status == SNAP_OK)
		c->status = snap_fail(c->err, SNAP_ERR_DAMAGED, c->section->offset, "section %c%c%c%c: %s",
		                      (int)(c->section->tag & 0xFF), (int)(c->section->tag >> 8 & 0xFF),
		                      (int)(c->section->tag >> 16 & 0xFF), (int)(c->section->tag >> 24), what);
}

/* The number at `at`, which is moved behind it; or `at` becomes NULL where there is none. */
struct uint_at {
	uint64_t value;
	const uint8_t *at;
};

static struct uint_at long_uint(const uint8_t *at, const uint8_t *end)
{
	uint64_t v = 0;
	for (unsigned shift = 0; at < end && shift < 70; shift += 7) {
		uint8_t byte = *at++;
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7F) << shift;
		if (byte >= 0x80)
			continue;
		if (byte == 0 && shift > 0)
			break;
		return (struct uint_at){v, at};
	}
	return (struct uint_at){0, NULL};
}

/* By value, so that hot loops keep it all in registers. */
static inline __attribute__((always_inline)) struct uint_at uint_at(const uint8_t *at, const uint8_t *end)
{
	if (end - at >= 2) {
		if (at[0] < 0x80)
			return (struct uint_at){at[0], at + 1};
		if (at[1] - 1u < 0x7F)
			return (struct uint_at){(at[0] & 0x7Fu) | (uint64_t)at[1] << 7, at + 2};
	}
	return long_uint(at, end);
}

static void bad_number(struct cursor *c)
{
	damaged(c, "a number is cut off or too long");
	c->at = c->end;
}

static uint64_t get_uint(struct cursor *c)
{
	struct uint_at v = uint_at(c->at, c->end);
	if (v.at == NULL) {
		bad_number(c);
		return 0;
	}
	c->at = v.at;
	return v.value;
}

static inline int64_t get_int(struct cursor *c)
{
	uint64_t v = get_uint(c);
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Whether another row begins; a section has at least one and at most 65,536. */
static inline bool more_rows(struct cursor *c, size_t rows)
{
	if (c->status < 0 || c->at == c->end)
		return false;
	if (rows == SNAP_SECTION_ROWS)
		damaged(c, "too many rows");
	return c->status == SNAP_OK;
}

/* A row has at least one byte. */
static inline size_t rows_at_most(const struct cursor *c)
{
	size_t bytes = (size_t)(c->end - c->at);
	return bytes < SNAP_SECTION_ROWS ? bytes : SNAP_SECTION_ROWS;
}

/* `before` + gap, which must stay below `limit`; before = what the smallest may be. */
static inline uint32_t next_number(struct cursor *c, uint64_t least, uint64_t limit, const char *what)
{
	uint64_t gap = get_uint(c);
	if (gap >= limit || least + gap >= limit) {
		damaged(c, what);
		return 0;
	}
	return (uint32_t)(least + gap);
}

#define PUSH(c, d, vector, value)                                                                           \
	do {                                                                                                \
		if ((c)->status == SNAP_OK)                                                                 \
			(c)->status = snap_vector_push((vector), (value), &(d)->t->budget, (c)->err);       \
	} while (0)

/* --- metadata, columns, rule ------------------------------------------------------------------------ */

static void decode_meta(struct snap_decoder *d, struct cursor *c)
{
	struct snap_error why = {SNAP_OK, 0, SNAP_NO_OFFSET, ""};
	uint64_t count = get_uint(c);
	if (count > SNAP_META_ENTRIES_MAX)
		damaged(c, "too many entries");
	for (uint64_t i = 0; i < count && c->status == SNAP_OK; i++) {
		char key[SNAP_META_KEY_MAX + 1];
		const char *value = NULL;
		size_t size = 0;
		uint64_t ref = get_uint(c);
		if (ref > 0) {
			if (!d->continues || ref > snap_meta_count(d->meta_before)) {
				damaged(c, "an entry refers to one that is not there");
				return;
			}
			const char *k = snap_meta_at(d->meta_before, (size_t)ref - 1, &value, &size);
			memcpy(key, k, strlen(k) + 1);
		} else {
			uint64_t length = get_uint(c);
			if (length == 0 || length > SNAP_META_KEY_MAX || length > (size_t)(c->end - c->at) ||
			    memchr(c->at, 0, (size_t)length) != NULL) {
				damaged(c, "a key of a bad length");
				return;
			}
			memcpy(key, c->at, (size_t)length);
			key[length] = '\0';
			c->at += length;
		}
		uint64_t length = get_uint(c);
		if (length > 0) {
			size = (size_t)length - 1;
			value = (const char *)c->at;
			if (size > (size_t)(c->end - c->at)) {
				damaged(c, "a value is cut off");
				return;
			}
			c->at += size;
		} else if (ref == 0) {
			damaged(c, "a new key without a value");
			return;
		}
		if (snap_meta_get(d->t->meta, key) != NULL) {
			damaged(c, "a key stands twice");
			return;
		}
		enum snap_status status = snap_meta_set(d->t->meta, key, value, size, &why);
		if (status == SNAP_ERR_NOMEM)
			c->status = snap_fail(c->err, status, SNAP_NO_OFFSET, "out of memory");
		else if (status < 0)
			damaged(c, why.message);
	}
}

static void decode_columns(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	uint64_t count = get_uint(c);
	if (count < 2 || count > SNAP_COLUMNS_MAX) {
		damaged(c, "a bad number of columns");
		return;
	}
	memset(t->columns, 0, sizeof t->columns);
	t->column_count = (uint32_t)count;
	for (uint32_t i = 0; i < count && c->status == SNAP_OK; i++) {
		struct snap_column_info *info = &t->columns[i];
		uint64_t length = get_uint(c);
		if (length == 0 || length > SNAP_COLUMN_NAME_MAX || length > (size_t)(c->end - c->at)) {
			damaged(c, "a column name of a bad length");
			return;
		}
		memcpy(info->name, c->at, (size_t)length);
		c->at += length;
		bool bad = strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length;
		for (uint32_t j = 0; j < i; j++)
			bad = bad || strcmp(info->name, t->columns[j].name) == 0;
		uint64_t unit = get_uint(c), predictor = get_uint(c), from = get_uint(c);
		bad = bad || unit > SNAP_UNIT_OTHER || predictor > SNAP_PREDICT_SIZE_TIMES ||
		      (predictor == SNAP_PREDICT_NOTHING ? from != 0 : from >= i);
		if (bad) {
			damaged(c, "a column has a bad name, unit or predictor");
			return;
		}
		info->unit = (enum snap_unit)unit;
		info->predictor = (enum snap_predictor)predictor;
		info->from = (uint32_t)from;
	}
	const struct snap_column_info *blocks = &t->columns[SNAP_COLUMN_BLOCKS], *bytes = &t->columns[SNAP_COLUMN_BYTES];
	if (strcmp(blocks->name, "blocks") != 0 || blocks->unit != SNAP_UNIT_BLOCKS ||
	    blocks->predictor != SNAP_PREDICT_NOTHING || strcmp(bytes->name, "bytes") != 0 ||
	    bytes->unit != SNAP_UNIT_BYTES || bytes->predictor != SNAP_PREDICT_SIZE_TIMES)
		damaged(c, "the first columns are not blocks and bytes");
}

static void decode_rule(struct snap_decoder *d, struct cursor *c)
{
	uint64_t limit = get_uint(c), known = get_uint(c);
	if (limit > SNAP_DEPTH_MAX || known > 1)
		damaged(c, "a bad rule for stacks");
	d->rule = (struct snap_stack_rule){(uint32_t)limit, known == 1};
}

/* --- strings ---------------------------------------------------------------------------------------- */

static void decode_string_lengths(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t shared = get_uint(c), suffix = get_uint(c);
		bool first = d->lengths.count == 0;
		uint64_t before = first ? 0 : (uint64_t)d->lengths.at[d->lengths.count - 2] +
		                                      d->lengths.at[d->lengths.count - 1];
		if (suffix > SNAP_STRING_MAX || shared > before || shared + suffix > SNAP_STRING_MAX ||
		    shared > SNAP_STRING_SHARED_FACTOR * (suffix + 2) || (suffix == 0 && !first))
			damaged(c, "bad lengths of a string");
		d->suffix_bytes += suffix;
		PUSH(c, d, &d->lengths, (uint32_t)shared);
		PUSH(c, d, &d->lengths, (uint32_t)suffix);
	}
}

static void decode_string_bytes(struct snap_decoder *d, struct cursor *c)
{
	size_t size = (size_t)(c->end - c->at);
	if (size > d->suffix_bytes - d->suffixes.count) {
		damaged(c, "more bytes of strings than their lengths say");
		return;
	}
	if (memchr(c->at, 0, size) != NULL) {
		damaged(c, "a NUL in a string");
		return;
	}
	c->status = snap_vector_reserve(&d->suffixes, d->suffixes.count + size, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	memcpy(d->suffixes.at + d->suffixes.count, c->at, size);
	d->suffixes.count += size;
	c->at = c->end;
}

static void finish_strings(struct snap_decoder *d, struct cursor *c)
{
	if (d->suffixes.count != d->suffix_bytes) {
		damaged(c, "bytes of strings are missing");
		return;
	}
	const uint8_t *suffix = d->suffixes.at;
	uint8_t bytes[SNAP_STRING_MAX];
	size_t size = 0;
	for (size_t i = 0; i < d->lengths.count && c->status == SNAP_OK; i += 2) {
		uint32_t shared = d->lengths.at[i], more = d->lengths.at[i + 1];
		if (i > 0) {
			size_t common = size - shared < more ? size - shared : more;
			int order = memcmp(bytes + shared, suffix, common);
			if (order > 0 || (order == 0 && more <= size - shared)) {
				damaged(c, "strings do not ascend");
				return;
			}
		}
		/* There may be none at all: then `suffix` is NULL. */
		if (more > 0) {
			memcpy(bytes + shared, suffix, more);
			suffix += more;
		}
		size = shared + more;
		c->status = snap_snapshot_push_string(d->t, bytes, size, c->err);
	}
}

/* --- frames ----------------------------------------------------------------------------------------- */

static void decode_frame_files(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->files.count == 0 ? 0 : (uint64_t)d->files.at[d->files.count - 1] + 1;
		uint32_t file = next_number(c, least, d->t->text_end.count, "a file that is not there");
		PUSH(c, d, &d->files, file);
	}
}

static void decode_frame_lines(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t frame = t->frame_file.count, file = d->file_at;
	uint32_t line = d->line;
	c->status = snap_snapshot_reserve_frames(t, frame + rows_at_most(c), c->err);
	for (size_t row = 0; more_rows(c, row); row++, frame++) {
		uint64_t token = get_uint(c);
		if (file == d->files.count || token >> 1 > UINT32_MAX - line) {
			damaged(c, "a line out of range or without a file");
			return;
		}
		line += (uint32_t)(token >> 1);
		t->frame_file.at[frame] = d->files.at[file];
		t->frame_line.at[frame] = line;
		t->frame_function.at[frame] = SNAP_NONE;
		if (token & 1) {
			file++;
			line = 0;
		}
	}
	t->frame_file.count = t->frame_line.count = t->frame_function.count = frame;
	d->file_at = file;
	d->line = line;
}

static void decode_frame_functions(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		int64_t before = d->functions.count == 0 ? 0 : d->functions.at[d->functions.count - 1];
		int64_t change = get_int(c), most = (int64_t)d->t->text_end.count;
		if (change < -before || change > most - before) {
			damaged(c, "a function that is not there");
			return;
		}
		PUSH(c, d, &d->functions, (uint32_t)(before + change));
	}
}

static void finish_frames(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t count = t->frame_file.count - d->first_frame;
	if (d->file_at != d->files.count || d->line != 0 ||
	    (d->functions.count != 0 && d->functions.count != count)) {
		damaged(c, "the columns of frames do not fit together");
		return;
	}
	for (size_t i = 0; i < d->functions.count; i++)
		if (d->functions.at[i] > 0)
			t->frame_function.at[d->first_frame + i] = d->functions.at[i] - 1;
	for (size_t i = (size_t)d->first_frame + 1; i < t->frame_file.count; i++) {
		/* SNAP_NONE + 1 is 0: no function comes first. */
		if (t->frame_file.at[i] == t->frame_file.at[i - 1] && t->frame_line.at[i] == t->frame_line.at[i - 1] &&
		    t->frame_function.at[i] + 1 <= t->frame_function.at[i - 1] + 1) {
			damaged(c, "frames do not ascend");
			return;
		}
	}
}

/* --- pairs ------------------------------------------------------------------------------------------ */

static void decode_callers(struct snap_decoder *d, struct cursor *c)
{
	uint64_t frames = d->t->frame_file.count;
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->callers.count == 0 ? 0 : (uint64_t)(d->callers.at[d->callers.count - 1] >> 1) + 1;
		uint64_t token = get_uint(c), gap = token >> 1;
		if (gap >= frames || least + gap >= frames) {
			damaged(c, "a caller that is not there");
			return;
		}
		PUSH(c, d, &d->callers, (uint32_t)(least + gap) << 1 | (token & 1));
	}
}

static void decode_first_callees(struct snap_decoder *d, struct cursor *c)
{
	int64_t frames = (int64_t)d->t->frame_file.count;
	for (size_t row = 0; more_rows(c, row); row++) {
		int64_t before = d->first_callees.count == 0 ? 0 : d->first_callees.at[d->first_callees.count - 1];
		int64_t change = get_int(c);
		if (change < -before || change >= frames - before || d->first_callees.count == d->callers.count) {
			damaged(c, "a callee that is not there or has no caller");
			return;
		}
		PUSH(c, d, &d->first_callees, (uint32_t)(before + change));
	}
}

/* Moves on to the next caller that has further callees. */
static size_t next_with_more(const struct snap_decoder *d, size_t caller)
{
	while (caller < d->callers.count && (d->callers.at[caller] & 1) == 0)
		caller++;
	return caller;
}

/* Ends the list of a caller in further_callees; frames have numbers below it. */
#define LAST_CALLEE (UINT32_C(1) << 31)

static void decode_further_callees(struct snap_decoder *d, struct cursor *c)
{
	uint64_t frames = d->t->frame_file.count;
	size_t count = d->further_callees.count;
	c->status = snap_vector_reserve(&d->further_callees, count + rows_at_most(c), &d->t->budget, c->err);
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t token = get_uint(c), gap = token >> 1;
		if (!d->list_begun) {
			d->caller_at = next_with_more(d, d->caller_at);
			if (d->caller_at >= d->first_callees.count) {
				damaged(c, "a callee without a caller");
				return;
			}
			d->callee_before = d->first_callees.at[d->caller_at];
		}
		if (gap >= frames || d->callee_before + 1 + gap >= frames) {
			damaged(c, "a callee that is not there");
			return;
		}
		d->callee_before += 1 + (uint32_t)gap;
		d->further_callees.at[count++] = d->callee_before | (token & 1 ? LAST_CALLEE : 0);
		d->list_begun = !(token & 1);
		d->caller_at += token & 1;
	}
	d->further_callees.count = count;
}

/* Appends the new callees of the caller in place `next`; *further is the place of its further ones. */
static void append_callees(const struct snap_decoder *d, size_t next, size_t *further, struct snap_u32s *callee)
{
	callee->at[callee->count++] = d->first_callees.at[next];
	for (bool more = d->callers.at[next] & 1; more; ++*further) {
		uint32_t callee_and_last = d->further_callees.at[*further];
		more = (callee_and_last & LAST_CALLEE) == 0;
		callee->at[callee->count++] = callee_and_last & ~LAST_CALLEE;
	}
}

/* Puts the new callees of each caller behind its old ones. */
static void finish_pairs(struct snap_decoder *d, struct cursor *c)
{
	size_t frames = d->t->frame_file.count, old = d->callee.count;
	size_t added = d->first_callees.count + d->further_callees.count;
	size_t old_frames = d->callee_begin.count == 0 ? 0 : d->callee_begin.count - 1;
	if (d->list_begun || next_with_more(d, d->caller_at) != d->callers.count ||
	    d->first_callees.count != d->callers.count) {
		damaged(c, "callers without callees");
		return;
	}
	if (frames == old_frames && added == 0)
		return;
	struct snap_u32s begin = {0}, callee = {0}, seen = {0};
	struct snap_budget *budget = &d->t->budget;
	if (old + added > SNAP_ROWS_MAX)
		damaged(c, "too many pairs");
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&begin, frames + 1, budget, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&callee, old + added, budget, c->err);
	/* By callee: the caller that was last found to have it, + 1. */
	if (c->status == SNAP_OK && old > 0) {
		c->status = snap_vector_reserve(&seen, frames, budget, c->err);
		if (c->status == SNAP_OK)
			memset(seen.at, 0, frames * sizeof *seen.at);
	}
	size_t next = 0, further = 0;
	for (size_t caller = 0; caller < frames && c->status == SNAP_OK; caller++) {
		begin.at[caller] = (uint32_t)callee.count;
		for (size_t i = caller < old_frames ? d->callee_begin.at[caller] : old;
		     i < (caller < old_frames ? d->callee_begin.at[caller + 1] : old); i++) {
			callee.at[callee.count++] = d->callee.at[i];
			seen.at[d->callee.at[i]] = (uint32_t)caller + 1;
		}
		if (next == d->callers.count || d->callers.at[next] >> 1 != caller)
			continue;
		size_t first = callee.count;
		append_callees(d, next++, &further, &callee);
		for (size_t i = first; i < callee.count && seen.at != NULL; i++)
			if (seen.at[callee.at[i]] == caller + 1)
				damaged(c, "a pair is repeated");
	}
	snap_vector_free(&seen, budget);
	if (c->status == SNAP_OK) {
		begin.at[frames] = (uint32_t)callee.count;
		begin.count = frames + 1;
		snap_vector_free(&d->callee_begin, budget);
		snap_vector_free(&d->callee, budget);
		d->callee_begin = begin;
		d->callee = callee;
	} else {
		snap_vector_free(&begin, budget);
		snap_vector_free(&callee, budget);
	}
}

/* --- nodes ------------------------------------------------------------------------------------------ */

static void decode_attachments(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->attach.count == 0 ? 0 : (uint64_t)d->attach.at[d->attach.count - 1] + 1;
		uint32_t code = next_number(c, least, (uint64_t)d->first_node + 1, "an attachment point that is not there");
		PUSH(c, d, &d->attach, code);
	}
}

/* Begins the list of the next attachment point. */
static void open_list(struct snap_decoder *d, struct cursor *c)
{
	size_t points = d->attach.count == 0 ? 1 : d->attach.count;
	if (d->attach_at == points) {
		damaged(c, "nodes behind the last list");
		return;
	}
	uint32_t code = d->attach.count == 0 ? 0 : d->attach.at[d->attach_at];
	d->attach_at++;
	struct level level = {code == 0 ? SNAP_NONE : code - 1, 0, 0, 0, false};
	if (code > 0) {
		uint32_t frame = d->t->node_frame.at[code - 1];
		level.callee = d->callee_begin.at[frame];
		level.callees = d->callee_begin.at[frame + 1] - level.callee;
	}
	PUSH(c, d, &d->levels, level);
}

static void decode_nodes(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	const uint32_t *begin = d->callee_begin.at, *callee = d->callee.at;
	uint32_t frames = (uint32_t)t->frame_file.count, node = (uint32_t)t->node_parent.count;
	size_t most = rows_at_most(c), stacks = t->stack_node.count;
	c->status = snap_snapshot_reserve_nodes(t, node + most, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_snapshot_reserve_stacks(t, stacks + most, c->err);
	if (c->status < 0)
		return;
	uint32_t *parents = t->node_parent.at, *node_frames = t->node_frame.at, *stack_nodes = t->stack_node.at;
	bool loose_leaf = false;
	const uint8_t *at = c->at, *end = c->end;
	for (size_t row = 0; at < end; row++, node++) {
		struct uint_at next = uint_at(at, end);
		if (row == most || next.at == NULL) {
			bad_number(c);
			break;
		}
		at = next.at;
		uint64_t token = next.value, difference = token >> NODE_SHIFT;
		if (d->levels.count == 0) {
			open_list(d, c);
			if (c->status < 0)
				break;
		}
		struct level *level = &d->levels.at[d->levels.count - 1];
		uint64_t number = difference >= SNAP_ROWS_MAX ? SNAP_ROWS_MAX : level->next + difference;
		if (level->parent == SNAP_NONE) {
			if (number >= frames) {
				damaged(c, "a root has a frame that is not there");
				break;
			}
			node_frames[node] = (uint32_t)number;
			level->next = (uint32_t)number;
		} else {
			if (number >= level->callees) {
				damaged(c, "a node has a callee that its caller does not have");
				break;
			}
			node_frames[node] = callee[level->callee + number];
			level->next = (uint32_t)number + 1;
		}
		parents[node] = level->parent;
		/* The stacks get their lengths, and their places, when the group is complete. */
		stack_nodes[stacks] = node;
		stacks += token >> 2 & 1;
		loose_leaf |= (token & (NODE_STACK | NODE_CHILDREN)) == 0;
		if (token & NODE_CHILDREN) {
			uint32_t frame = node_frames[node];
			struct level below = {node, 0, begin[frame], begin[frame + 1] - begin[frame], token & NODE_LAST};
			if (d->levels.count > SNAP_DEPTH_MAX)
				damaged(c, "a node lies too deep");
			PUSH(c, d, &d->levels, below);
			if (c->status < 0)
				break;
		} else if (token & NODE_LAST) {
			bool closes;
			do {
				closes = d->levels.at[--d->levels.count].closes;
			} while (closes && d->levels.count > 0);
		}
	}
	c->at = at;
	d->loose_leaf = d->loose_leaf || loose_leaf;
	t->node_parent.count = t->node_frame.count = t->node_depth.count = node;
	t->stack_node.count = stacks;
}

static void decode_root_depths(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t depth = get_uint(c);
		if (depth > SNAP_DEPTH_MAX)
			damaged(c, "a root lies too deep");
		PUSH(c, d, &d->root_depths, (uint32_t)depth);
	}
}

static void finish_nodes(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t nodes = t->node_parent.count, points = d->attach.count;
	if (points == 0 && nodes > d->first_node)
		points = 1;
	if (d->levels.count != 0 || d->attach_at != points) {
		damaged(c, "a list of nodes is not finished");
		return;
	}
	c->status = snap_vector_reserve(&d->room, nodes, &t->budget, c->err);
	if (c->status < 0)
		return;
	const uint32_t *parents = t->node_parent.at;
	uint16_t *depths = t->node_depth.at, *rooms = d->room.at;
	size_t root = 0;
	uint32_t root_before = SNAP_NONE, deepest = 0;
	for (uint32_t i = d->first_node; i < nodes; i++) {
		uint32_t parent = parents[i], depth = 1, room = 1;
		if (parent != SNAP_NONE) {
			depth = depths[parent] + 1u;
			room = rooms[parent] + 1u;
		} else {
			bool same = root_before != SNAP_NONE && t->node_frame.at[root_before] == t->node_frame.at[i];
			if (d->root_depths.count == 0 ? same : root == d->root_depths.count) {
				damaged(c, "the depth of a root is missing");
				return;
			}
			if (d->root_depths.count > 0)
				depth += d->root_depths.at[root++] + (same ? depths[root_before] : 0u);
			root_before = i;
		}
		deepest = depth > deepest ? depth : deepest;
		depths[i] = (uint16_t)depth;
		rooms[i] = (uint16_t)room;
	}
	d->room.count = nodes;
	if (deepest > SNAP_DEPTH_MAX)
		damaged(c, "a node lies too deep");
	else if (root != d->root_depths.count)
		damaged(c, "depths without a root");
}

/* --- stacks ----------------------------------------------------------------------------------------- */

static void decode_promoted(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->promoted.count == 0 ? 0 : (uint64_t)d->promoted.at[d->promoted.count - 1] + 1;
		uint32_t node = next_number(c, least, d->first_node, "a node that is not there");
		PUSH(c, d, &d->promoted, node);
	}
}

static uint32_t rule_length(const struct snap_decoder *d, uint32_t depth)
{
	return d->rule.limit != 0 && depth > d->rule.limit ? d->rule.limit : depth;
}

static void decode_extra_stacks(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		const uint32_t *before = d->extra.count == 0 ? NULL : &d->extra.at[d->extra.count - 3];
		uint32_t node = next_number(c, before == NULL ? 0 : before[0], d->t->node_parent.count,
		                            "a node that is not there");
		uint64_t length = get_uint(c), total = get_uint(c);
		if (c->status < 0)
			return;
		uint32_t depth = d->t->node_depth.at[node];
		if (length == 0 || length > d->room.at[node] || total > SNAP_DEPTH_MAX || (total != 0 && total < length) ||
		    (length == rule_length(d, depth) && total == (d->rule.known ? depth : 0))) {
			damaged(c, "a stack that cannot be");
			return;
		}
		if (before != NULL && before[0] == node &&
		    (before[1] > length || (before[1] == length && before[2] >= total))) {
			damaged(c, "stacks do not ascend");
			return;
		}
		PUSH(c, d, &d->extra, node);
		PUSH(c, d, &d->extra, (uint32_t)length);
		PUSH(c, d, &d->extra, (uint32_t)total);
	}
}

/* Puts the promoted nodes before the new ones, whose stacks NODE has listed, and the others behind. */
static void finish_stacks(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t first = d->first_stack, listed = t->stack_node.count - first, promoted = d->promoted.count;
	size_t end = t->stack_node.count + promoted;
	c->status = snap_snapshot_reserve_stacks(t, end + d->extra.count / 3, c->err);
	if (c->status < 0)
		return;
	uint32_t *nodes = t->stack_node.at;
	if (promoted > 0) {
		memmove(nodes + first + promoted, nodes + first, listed * sizeof *nodes);
		memcpy(nodes + first, d->promoted.at, promoted * sizeof *nodes);
	}
	bool fit = true;
	for (size_t i = first; i < end; i++) {
		uint32_t depth = t->node_depth.at[nodes[i]], length = rule_length(d, depth);
		fit = fit && length <= d->room.at[nodes[i]];
		t->stack_length.at[i] = (uint16_t)length;
		t->stack_total.at[i] = (uint16_t)(d->rule.known ? depth : 0);
	}
	t->stack_node.count = t->stack_length.count = t->stack_total.count = end;
	if (!fit)
		damaged(c, "a stack reaches above its root");
	for (size_t i = 0; i < d->extra.count && c->status == SNAP_OK; i += 3)
		c->status = snap_snapshot_push_stack(t, d->extra.at[i], d->extra.at[i + 1], d->extra.at[i + 2], c->err);
}

/* --- changed sites ---------------------------------------------------------------------------------- */

static void decode_changed(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	d->changed.count = d->changes.count = 0;
	for (size_t row = 0; more_rows(c, row); row++) {
		uint32_t site = next_number(c, d->next_changed, d->first_site, "a site that is not there");
		d->next_changed = site + 1;
		PUSH(c, d, &d->changed, site);
	}
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->changes, d->changed.count * t->column_count, &d->t->budget, c->err);
	for (size_t i = 0; i < d->changed.count && c->status == SNAP_OK; i++)
		for (uint32_t k = 0; k < t->column_count; k++) {
			uint32_t site = d->changed.at[i];
			d->changes.at[d->changes.count++] =
				(int64_t)((uint64_t)snap_snapshot_value(t, k, site) -
			                  (uint64_t)snap_snapshot_predicted(t, k, site));
		}
}

static void decode_changes(struct snap_decoder *d, struct cursor *c)
{
	size_t columns = d->t->column_count, rows = 0;
	for (; more_rows(c, rows) && rows < d->changed.count; rows++) {
		int64_t *residual = &d->changes.at[rows * columns + c->section->index];
		*residual = (int64_t)((uint64_t)*residual + (uint64_t)get_int(c));
	}
	if (c->at != c->end || rows != d->changed.count)
		damaged(c, "changes do not fit the sites");
}

static void finish_changes(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t columns = t->column_count;
	for (size_t i = 0; i < d->changed.count; i++) {
		uint32_t site = d->changed.at[i];
		int64_t before = 0, after = 0;
		for (uint32_t k = 0; k < columns; k++)
			before |= snap_snapshot_value(t, k, site);
		for (uint32_t k = 0; k < columns && c->status == SNAP_OK; k++) {
			int64_t value = (int64_t)((uint64_t)snap_snapshot_predicted(t, k, site) +
			                          (uint64_t)d->changes.at[i * columns + k]);
			c->status = snap_snapshot_set_value(t, k, site, value, c->err);
			after |= value;
		}
		d->live += (size_t)(after != 0) - (size_t)(before != 0);
	}
	d->changed.count = d->changes.count = 0;
}

/* --- new sites -------------------------------------------------------------------------------------- */

static void decode_old_stacks(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->site_stacks.count == 0 ? 0
		                                           : (uint64_t)d->site_stacks.at[d->site_stacks.count - 1] + 1;
		uint32_t stack = next_number(c, least, d->first_stack, "a stack that is not there");
		PUSH(c, d, &d->site_stacks, stack);
	}
}

/* Appends the new stacks by the frame of their node: a counting sort, which keeps their order. */
static void list_new_stacks(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	const uint32_t *node = t->stack_node.at, *frame = t->node_frame.at;
	size_t stacks = t->stack_node.count, before = d->site_stacks.count, frames = t->frame_file.count;
	c->status = snap_vector_reserve(&d->site_stacks, before + stacks - d->first_stack, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	uint32_t *begin = calloc(frames + 1, sizeof *begin);
	if (begin == NULL) {
		c->status = snap_fail(c->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		return;
	}
	for (size_t i = d->first_stack; i < stacks; i++)
		begin[frame[node[i]] + 1]++;
	for (size_t i = 0; i < frames; i++)
		begin[i + 1] += begin[i];
	for (size_t i = d->first_stack; i < stacks; i++)
		d->site_stacks.at[before + begin[frame[node[i]]]++] = (uint32_t)i;
	d->site_stacks.count = before + stacks - d->first_stack;
	free(begin);
	d->site_stacks_known = true;
}

static void decode_frequent(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t token = get_uint(c);
		bool again = row == SNAP_FREQUENT_MAX;
		for (size_t i = 0; i < row && !again; i++)
			again = d->frequent[i] == token;
		if (again) {
			damaged(c, "too many tokens, or one twice");
			return;
		}
		d->frequent[row] = token;
		d->frequent_count = (uint32_t)row + 1;
	}
}

static void decode_sites(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	if (!d->site_stacks_known)
		list_new_stacks(d, c);
	size_t most = rows_at_most(c), begin = t->site_stack.count;
	if (c->status == SNAP_OK)
		c->status = snap_snapshot_reserve_sites(t, begin + most, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->is_explicit, most, &t->budget, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->sizes, most, &t->budget, c->err);
	d->rows_begin = begin;
	d->rows_explicit = 0;
	d->rows_open = true;
	if (c->status < 0)
		return;
	size_t rows = 0, at = d->site_stack_at, stacks = d->site_stacks.count, explicit = 0;
	const uint32_t *site_stacks = d->site_stacks.at;
	uint32_t *stack = t->site_stack.at + begin;
	int64_t *sizes = d->sizes.at;
	uint8_t *is_explicit = d->is_explicit.at;
	const uint8_t *in = c->at, *end = c->end;
	uint32_t frequent = d->frequent_count;
	for (; in < end; rows++) {
		struct uint_at next = uint_at(in, end);
		if (rows == most || next.at == NULL) {
			bad_number(c);
			break;
		}
		if (at == stacks) {
			damaged(c, "a site without a stack");
			break;
		}
		in = next.at;
		uint64_t token = next.value < frequent ? d->frequent[next.value] : next.value - frequent;
		stack[rows] = site_stacks[at];
		sizes[rows] = (int64_t)(token >> 2);
		is_explicit[rows] = token >> 1 & 1;
		explicit += token >> 1 & 1;
		at += token & 1;
	}
	c->at = in;
	memset(t->site_domain.at + begin, 0, rows * sizeof *t->site_domain.at);
	d->site_stack_at = at;
	d->rows_explicit = explicit;
	if (c->status < 0)
		return;
	t->site_stack.count = t->site_domain.count = begin + rows;
}

static void decode_domains(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t at = d->rows_begin;
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t run = get_uint(c), domain = get_uint(c);
		if (run == 0 || run > t->site_stack.count - at || domain > UINT32_MAX ||
		    (row > 0 && domain == t->site_domain.at[at - 1])) {
			damaged(c, "domains do not fit the sites");
			return;
		}
		for (; run > 0; run--)
			t->site_domain.at[at++] = (uint32_t)domain;
	}
	if (at != t->site_stack.count)
		damaged(c, "domains do not fit the sites");
}

static void decode_values(struct snap_decoder *d, struct cursor *c)
{
	struct snap_i64s *residuals = &d->residuals[c->section->index];
	c->status = snap_vector_reserve(residuals, d->rows_explicit + 1, &d->t->budget, c->err);
	const uint8_t *at = c->at, *end = c->end;
	int64_t *out = residuals->at;
	size_t rows = 0, count = d->rows_explicit;
	for (; c->status == SNAP_OK && rows < count && at < end; rows++) {
		struct uint_at next = uint_at(at, end);
		if (next.at == NULL) {
			bad_number(c);
			return;
		}
		at = next.at;
		out[rows] = (int64_t)(next.value >> 1 ^ (0 - (next.value & 1)));
	}
	c->at = at;
	if (at != end || rows != count)
		damaged(c, "values do not fit the sites");
	residuals->count = rows;
	residuals->at[rows] = 0; /* read, not used, by fill_values */
}

/* Sizes of rows [begin, end): they need the domains, which come after them. */
static void fill_sizes(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	struct snap_snapshot *t = d->t;
	const uint32_t *stack = t->site_stack.at, *domain = t->site_domain.at;
	int64_t *sizes = d->sizes.at, before = 0;
	if (begin > d->first_site)
		before = snap_numbers_get(&t->site_size, begin - 1);
	bool ascends = true;
	uint64_t high = 0;
	uint32_t last_stack = begin > d->first_site ? stack[begin - 1] : SNAP_NONE;
	uint32_t last_domain = begin > d->first_site ? domain[begin - 1] : 0;
	for (size_t i = 0; i < end - begin; i++) {
		uint32_t this_stack = stack[begin + i], this_domain = domain[begin + i];
		int64_t size = sizes[i];
		if (this_stack == last_stack) {
			bool same = this_domain == last_domain;
			ascends &= same ? size > 0 : this_domain > last_domain;
			size += same ? before : 0;
		}
		last_stack = this_stack;
		last_domain = this_domain;
		/* What is told has 62 bits and what went before 61: no overflow. */
		before = size & (int64_t)SNAP_BLOCK_SIZE_MAX;
		high |= (uint64_t)size;
		sizes[i] = size;
	}
	bool in_range = high <= SNAP_BLOCK_SIZE_MAX;
	if (!ascends)
		damaged(c, "sites do not ascend");
	else if (!in_range)
		damaged(c, "a block size out of range");
	else
		c->status = snap_numbers_append(&t->site_size, sizes, end - begin, &t->budget, c->err);
}

/* A column that is told for the first time gets memory; up to here all was as predicted. */
static void store_told_columns(struct snap_decoder *d, struct cursor *c, size_t begin)
{
	struct snap_snapshot *t = d->t;
	size_t all = t->site_stack.count;
	t->site_stack.count = begin;
	for (uint32_t k = 1; k < t->column_count && c->status == SNAP_OK; k++) {
		d->stored[k] = t->values[k].count > 0 || d->residuals[k].count > 0;
		if (d->stored[k] && t->values[k].count == 0)
			c->status = snap_snapshot_store_column(t, k, c->err);
	}
	d->stored[SNAP_COLUMN_BLOCKS] = true;
	t->site_stack.count = all;
}

/* What adding up a column needs; see fill_rows. */
struct sum {
	uint64_t sum, high;
};

static struct sum add_up(const int64_t *values, size_t count)
{
	struct sum s = {0, 0};
	for (size_t i = 0; i < count; i++) {
		s.sum += (uint64_t)values[i];
		s.high |= (uint64_t)(values[i] ^ values[i] >> 63);
	}
	return s;
}

/* The values of one column in a chunk of rows, from what it is predicted from and from its residuals, of
 * which *residual is the next. */
static void fill_values(const struct snap_decoder *d, uint32_t column, const int64_t *sizes, const uint8_t *is_explicit,
                        size_t count, const int64_t **residual, int64_t (*chunks)[SNAP_VALUES_CHUNK])
{
	const struct snap_column_info *info = &d->t->columns[column];
	int64_t *values = chunks[column];
	const int64_t *from = chunks[info->from];
	if (info->predictor == SNAP_PREDICT_SIZE_TIMES)
		for (size_t i = 0; i < count; i++)
			values[i] = (int64_t)((uint64_t)sizes[i] * (uint64_t)from[i]);
	else if (info->predictor == SNAP_PREDICT_SAME)
		memcpy(values, from, count * sizeof *values);
	else if (column == SNAP_COLUMN_BLOCKS)
		for (size_t i = 0; i < count; i++)
			values[i] = !is_explicit[i];
	else
		memset(values, 0, count * sizeof *values);
	if (d->residuals[column].count == 0)
		return;
	/* Without a branch, which no processor could foresee; reads one residual beyond the last. */
	const int64_t *next = *residual;
	for (size_t i = 0; i < count; i++) {
		uint64_t mask = 0 - (uint64_t)is_explicit[i];
		values[i] = (int64_t)((uint64_t)values[i] + ((uint64_t)*next & mask));
		next += is_explicit[i];
	}
	*residual = next;
}

/* Values of rows [begin, end), with the count of live sites and, where no later member can change them,
 * the totals. */
static void fill_rows(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	struct snap_snapshot *t = d->t;
	const int64_t *residual[SNAP_COLUMNS_MAX];
	int64_t chunks[SNAP_COLUMNS_MAX][SNAP_VALUES_CHUNK];
	bool overflow = false;
	for (uint32_t k = 0; k < t->column_count; k++)
		residual[k] = d->residuals[k].at;
	for (size_t at = begin; at < end && c->status == SNAP_OK; at += SNAP_VALUES_CHUNK) {
		size_t count = end - at < SNAP_VALUES_CHUNK ? end - at : SNAP_VALUES_CHUNK;
		int64_t any[SNAP_VALUES_CHUNK] = {0};
		for (uint32_t k = 0; k < t->column_count && c->status == SNAP_OK; k++) {
			const int64_t *values = chunks[k];
			fill_values(d, k, d->sizes.at + (at - begin), d->is_explicit.at + (at - begin), count, &residual[k],
			            chunks);
			struct sum s = add_up(values, count);
			/* A thousand values below 2^46 cannot overflow 63 bits; others are added with care at END. */
			d->careful = d->careful || s.high >> 46 != 0;
			overflow |= !d->continues && __builtin_add_overflow(t->totals[k], (int64_t)s.sum, &t->totals[k]);
			/* What is not stored is zero where that is which it is predicted from. */
			if (!d->stored[k])
				continue;
			for (size_t i = 0; i < count; i++)
				any[i] |= values[i];
			c->status = snap_numbers_append(&t->values[k], values, count, &t->budget, c->err);
		}
		for (size_t i = 0; i < count; i++)
			d->live += any[i] != 0;
	}
	if (overflow && c->status == SNAP_OK)
		damaged(c, "the sum of a column does not fit in 63 bits");
}

/* Sizes and values of the SITT that was open, now that all its columns are there. */
static void finish_rows(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t begin = d->rows_begin, end = t->site_stack.count;
	if (!d->rows_open)
		return;
	d->rows_open = false;
	fill_sizes(d, c, begin, end);
	if (c->status == SNAP_OK)
		store_told_columns(d, c, begin);
	if (c->status == SNAP_OK)
		fill_rows(d, c, begin, end);
	for (uint32_t k = 0; k < t->column_count; k++)
		d->residuals[k].count = 0;
	if (c->status == SNAP_OK)
		d->whole_sites = end;
}

static void finish_sites(struct snap_decoder *d, struct cursor *c)
{
	finish_rows(d, c);
	if (c->status == SNAP_OK && !d->site_stacks_known)
		list_new_stacks(d, c);
	if (c->status == SNAP_OK && d->site_stack_at != d->site_stacks.count)
		damaged(c, "a stack without sites");
}

/* --- the member ------------------------------------------------------------------------------------- */

static uint64_t get_fixed(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void decode_end(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	if (c->section->size != SNAP_END_SIZE || c->section->codec != SNAP_CODEC_STORED) {
		damaged(c, "a bad length or codec");
		return;
	}
	const uint8_t *p = c->at;
	uint64_t flags = get_fixed(p, 4);
	if (flags & SNAP_END_RESERVED) {
		c->status = snap_fail(c->err, SNAP_ERR_UNSUPPORTED, c->section->offset,
		                      "section END has flags that are not known; use newer snaptools");
		return;
	}
	if (get_fixed(p + 4, 4) != 0 || get_fixed(p + 8, 8) != t->text_end.count ||
	    get_fixed(p + 16, 8) != t->frame_file.count || get_fixed(p + 24, 8) != t->node_parent.count ||
	    get_fixed(p + 32, 8) != t->stack_node.count || get_fixed(p + 40, 8) != d->live) {
		damaged(c, "the counts are not those of the sections before");
		return;
	}
	struct snap_error why = {SNAP_OK, 0, SNAP_NO_OFFSET, ""};
	if ((d->continues || d->careful) && snap_snapshot_sum(d->t, &why) < 0)
		damaged(c, why.message);
	d->end.more = flags & SNAP_END_MORE;
	d->end.digest[0] = get_fixed(p + 48, 8);
	d->end.digest[1] = get_fixed(p + 56, 8);
	c->at = c->end;
}

struct rule {
	uint32_t tag;
	enum group group;
	bool continuing_only, alone_only, once;
	void (*decode)(struct snap_decoder *, struct cursor *);
};

static const struct rule rules[] = {
	{SNAP_TAG_META, META, false, false, true, decode_meta},
	{SNAP_TAG_COLS, COLUMNS, false, true, true, decode_columns},
	{SNAP_TAG_STKR, RULE, false, true, true, decode_rule},
	{SNAP_TAG_STRP, STRINGS, false, false, false, decode_string_lengths},
	{SNAP_TAG_STRB, STRINGS, false, false, false, decode_string_bytes},
	{SNAP_TAG_FRMF, FRAMES, false, false, false, decode_frame_files},
	{SNAP_TAG_FRML, FRAMES, false, false, false, decode_frame_lines},
	{SNAP_TAG_FRMU, FRAMES, false, false, false, decode_frame_functions},
	{SNAP_TAG_PRSC, PAIRS, false, false, false, decode_callers},
	{SNAP_TAG_PRSF, PAIRS, false, false, false, decode_first_callees},
	{SNAP_TAG_PRST, PAIRS, false, false, false, decode_further_callees},
	{SNAP_TAG_ATCH, NODES, false, false, false, decode_attachments},
	{SNAP_TAG_NODE, NODES, false, false, false, decode_nodes},
	{SNAP_TAG_RDEP, NODES, false, false, false, decode_root_depths},
	{SNAP_TAG_STKD, STACKS, true, false, false, decode_promoted},
	{SNAP_TAG_STKX, STACKS, false, false, false, decode_extra_stacks},
	{SNAP_TAG_CHGI, CHANGES, true, false, false, decode_changed},
	{SNAP_TAG_CHGV, CHANGES, true, false, false, decode_changes},
	{SNAP_TAG_SITO, OLD_STACKS, true, false, false, decode_old_stacks},
	{SNAP_TAG_SITD, FREQUENT, false, false, true, decode_frequent},
	{SNAP_TAG_SITT, SITES, false, false, false, decode_sites},
	{SNAP_TAG_DOMS, SITES, false, false, false, decode_domains},
	{SNAP_TAG_VALS, SITES, false, false, false, decode_values},
	{SNAP_TAG_END, END, false, false, true, decode_end},
};

static const struct rule *find_rule(uint32_t tag)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].tag == tag)
			return &rules[i];
	return NULL;
}

/* Whether a section may stand here. */
static bool fits(const struct snap_decoder *d, const struct rule *rule, const struct snap_section *section)
{
	uint32_t before = d->previous_tag;
	const struct rule *rule_before = before == 0 ? NULL : find_rule(before);
	if (rule->group < d->group || (rule->continuing_only && !d->continues) || (rule->alone_only && d->continues) ||
	    (rule->once && rule->group == d->group))
		return false;
	if (rule->group > META && d->group < META)
		return false;
	if (rule->group > RULE && d->group < RULE && !d->continues)
		return false;
	if (rule->group > COLUMNS && d->group < COLUMNS && !d->continues)
		return false;
	bool again = before == rule->tag && section->index > d->previous_index;
	switch (rule->tag) {
	case SNAP_TAG_CHGV:
		return section->index < d->t->column_count && (before == SNAP_TAG_CHGI || again);
	case SNAP_TAG_DOMS:
		return section->index == 0 && before == SNAP_TAG_SITT;
	case SNAP_TAG_VALS:
		return section->index < d->t->column_count &&
		       (before == SNAP_TAG_SITT || before == SNAP_TAG_DOMS || again);
	case SNAP_TAG_CHGI:
	case SNAP_TAG_SITT:
		return section->index == 0;
	default:
		/* The table has the tags of a group in their order. */
		return section->index == 0 && (rule_before == NULL || rule_before <= rule);
	}
}

static void finish_group(struct snap_decoder *d, enum group group, struct cursor *c)
{
	switch (group) {
	case STRINGS:
		finish_strings(d, c);
		break;
	case FRAMES:
		finish_frames(d, c);
		break;
	case PAIRS:
		finish_pairs(d, c);
		break;
	case NODES:
		finish_nodes(d, c);
		break;
	case STACKS:
		finish_stacks(d, c);
		break;
	case CHANGES:
		finish_changes(d, c);
		break;
	case SITES:
		finish_sites(d, c);
		break;
	default:
		break;
	}
}

enum snap_status snap_decoder_section(struct snap_decoder *d, const struct snap_section *section,
                                      struct snap_error *err)
{
	const struct rule *rule = find_rule(section->tag);
	struct cursor c = {section->body, section->body + section->size, section, err, SNAP_OK};
	if (rule == NULL) {
		if (section->must)
			return snap_fail(err, SNAP_ERR_UNSUPPORTED, section->offset,
			                 "section %c%c%c%c must be understood and is not known; use newer snaptools",
			                 (int)(section->tag & 0xFF), (int)(section->tag >> 8 & 0xFF),
			                 (int)(section->tag >> 16 & 0xFF), (int)(section->tag >> 24));
		return SNAP_OK;
	}
	if (!fits(d, rule, section))
		damaged(&c, "it may not stand here");
	else if (section->size == 0)
		damaged(&c, "it is empty");
	if (c.status == SNAP_OK && (rule->tag == SNAP_TAG_CHGI || rule->tag == SNAP_TAG_SITT)) {
		if (rule->tag == SNAP_TAG_CHGI)
			finish_changes(d, &c);
		else
			finish_rows(d, &c);
	}
	for (; d->group < rule->group && c.status == SNAP_OK; d->group++)
		finish_group(d, d->group, &c);
	if (c.status == SNAP_OK)
		rule->decode(d, &c);
	if (c.status == SNAP_OK && c.at != c.end)
		damaged(&c, "bytes are left over");
	if (c.status < 0)
		return c.status;
	d->previous_tag = section->tag;
	d->previous_index = section->index;
	d->member_is_whole = rule->tag == SNAP_TAG_END;
	return d->member_is_whole ? SNAP_END : SNAP_OK;
}

static void free_tables(struct snap_decoder *d)
{
	if (d->t == NULL)
		return;
	snap_vector_free(&d->room, NULL);
	snap_vector_free(&d->callee_begin, NULL);
	snap_vector_free(&d->callee, NULL);
	snap_snapshot_free(d->t);
	d->t = NULL;
}

static void free_columns(struct snap_decoder *d)
{
	snap_vector_free(&d->lengths, NULL);
	snap_vector_free(&d->suffixes, NULL);
	snap_vector_free(&d->files, NULL);
	snap_vector_free(&d->functions, NULL);
	snap_vector_free(&d->callers, NULL);
	snap_vector_free(&d->first_callees, NULL);
	snap_vector_free(&d->further_callees, NULL);
	snap_vector_free(&d->attach, NULL);
	snap_vector_free(&d->levels, NULL);
	snap_vector_free(&d->root_depths, NULL);
	snap_vector_free(&d->promoted, NULL);
	snap_vector_free(&d->extra, NULL);
	snap_vector_free(&d->changed, NULL);
	snap_vector_free(&d->changes, NULL);
	snap_vector_free(&d->site_stacks, NULL);
	snap_vector_free(&d->is_explicit, NULL);
	snap_vector_free(&d->sizes, NULL);
	for (size_t k = 0; k < SNAP_COLUMNS_MAX; k++)
		snap_vector_free(&d->residuals[k], NULL);
}

static struct snap_limits limits_of(const struct snap_decoder *d)
{
	return (struct snap_limits){d->t->budget.limit};
}

enum snap_status snap_decoder_new(struct snap_decoder **out, const struct snap_limits *limits, struct snap_error *err)
{
	*out = NULL;
	struct snap_decoder *d = calloc(1, sizeof *d);
	if (d == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	enum snap_status status = snap_snapshot_new(&d->t, limits, err);
	if (status < 0) {
		free(d);
		return status;
	}
	*out = d;
	return SNAP_OK;
}

void snap_decoder_free(struct snap_decoder *d)
{
	if (d == NULL)
		return;
	free_tables(d);
	free_columns(d);
	snap_meta_free(d->meta_before);
	free(d);
}

enum snap_status snap_decoder_begin(struct snap_decoder *d, const struct snap_member_header *header,
                                    struct snap_error *err)
{
	bool continues = header->flags & SNAP_FLAG_CONTINUES;
	if (continues && !d->started)
		return snap_fail(err, SNAP_ERR_DAMAGED, header->offset,
		                 "the snapshot continues another that is not in this file");
	snap_meta_free(d->meta_before);
	d->meta_before = NULL;
	struct snap_limits limits = limits_of(d);
	enum snap_status status;
	if (continues) {
		d->meta_before = d->t->meta;
		d->t->meta = NULL;
		status = snap_meta_new(&d->t->meta, err);
	} else {
		free_tables(d);
		status = snap_snapshot_new(&d->t, &limits, err);
	}
	if (status < 0)
		return status;
	d->continues = continues;
	d->canonical = !continues && (header->flags & SNAP_FLAG_CANONICAL);
	d->started = true;
	d->first_string = (uint32_t)d->t->text_end.count;
	d->first_frame = (uint32_t)d->t->frame_file.count;
	d->first_node = (uint32_t)d->t->node_parent.count;
	d->first_stack = (uint32_t)d->t->stack_node.count;
	d->first_site = (uint32_t)d->t->site_stack.count;
	d->whole_sites = d->first_site;
	if (!continues)
		d->live = 0;
	d->careful = false;
	d->loose_leaf = false;
	d->group = START;
	d->previous_tag = d->previous_index = 0;
	d->member_is_whole = false;
	d->lengths.count = d->suffixes.count = d->files.count = d->functions.count = d->callers.count = 0;
	d->first_callees.count = d->further_callees.count = d->attach.count = d->levels.count = 0;
	d->root_depths.count = d->promoted.count = d->extra.count = 0;
	d->changed.count = d->changes.count = d->site_stacks.count = 0;
	d->suffix_bytes = 0;
	d->file_at = d->caller_at = d->attach_at = d->site_stack_at = 0;
	d->line = d->next_changed = d->callee_before = d->frequent_count = 0;
	d->list_begun = d->site_stacks_known = d->rows_open = false;
	return SNAP_OK;
}

struct snap_end snap_decoder_end(const struct snap_decoder *d)
{
	return d->end;
}

/* Whether the tables of a member that stands alone hold nothing that no site uses; all else that makes a
 * snapshot ordered follows from the order of its sections. */
static enum snap_status is_ordered(const struct snap_decoder *d, bool *ordered, struct snap_error *err)
{
	const struct snap_snapshot *t = d->t;
	size_t nodes = t->node_parent.count, frames = t->frame_file.count, strings = t->text_end.count;
	*ordered = false;
	if (d->live != t->site_stack.count || d->loose_leaf)
		return SNAP_OK;
	uint8_t *frame = calloc(frames + strings + 1, 1), *string = frame + frames;
	if (frame == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (size_t i = 0; i < nodes; i++)
		frame[t->node_frame.at[i]] = 1;
	for (size_t i = 0; i < frames; i++) {
		string[t->frame_file.at[i]] = 1;
		if (t->frame_function.at[i] != SNAP_NONE)
			string[t->frame_function.at[i]] = 1;
	}
	*ordered = memchr(frame, 0, frames + strings) == NULL;
	free(frame);
	return SNAP_OK;
}

enum snap_status snap_decoder_take(struct snap_decoder *d, bool keep, struct snap_snapshot **out,
                                   struct snap_error *err)
{
	bool ordered = false;
	enum snap_status status = SNAP_OK;
	*out = NULL;
	if (!keep && !d->continues)
		status = is_ordered(d, &ordered, err);
	if (status < 0)
		return status;
	d->t->canonical = d->canonical;
	if (!ordered)
		return snap_snapshot_order(out, d->t, err);
	struct snap_limits limits = limits_of(d);
	struct snap_snapshot *empty;
	status = snap_snapshot_new(&empty, &limits, err);
	if (status < 0)
		return status;
	*out = d->t;
	snap_vector_free(&d->room, NULL);
	snap_vector_free(&d->callee_begin, NULL);
	snap_vector_free(&d->callee, NULL);
	d->t = empty;
	d->started = false;
	return SNAP_OK;
}

enum snap_status snap_decoder_salvage(struct snap_decoder *d, struct snap_snapshot **out, struct snap_error *err)
{
	*out = NULL;
	struct snap_snapshot *t = d->t;
	if (!d->started || d->previous_tag == 0)
		return snap_fail(err, SNAP_ERR_TRUNCATED, SNAP_NO_OFFSET, "nothing of the snapshot can be saved");
	if (d->group < SITES) {
		/* Tables may be half made. What the members before made is whole, but not of this member. */
		snap_vector_free(&t->site_stack, &t->budget);
		snap_vector_free(&t->site_domain, &t->budget);
		snap_numbers_free(&t->site_size, &t->budget);
		for (uint32_t k = 0; k < SNAP_COLUMNS_MAX; k++)
			snap_numbers_free(&t->values[k], &t->budget);
	} else {
		t->site_stack.count = t->site_domain.count = t->site_size.count = d->whole_sites;
		for (uint32_t k = 0; k < t->column_count; k++)
			if (t->values[k].count > 0)
				t->values[k].count = d->whole_sites;
	}
	if (d->group <= COLUMNS && !d->continues)
		snap_snapshot_set_columns(t, false);
	t->canonical = false;
	return snap_snapshot_order(out, t, err);
}
