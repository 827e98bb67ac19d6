/* snap/builder.h: what it makes of what it is told, and what it refuses. */
#define _GNU_SOURCE
#include <snap/builder.h>

#include "random_snapshot.h"
#include "test.h"

static struct snap_builder *new_builder(void)
{
	struct snap_builder *b = NULL;
	struct snap_error err;
	CHECK_OK(snap_builder_new(&b, NULL, &err), &err);
	return b;
}

static uint32_t string(struct snap_builder *b, const char *text)
{
	uint32_t number = UINT32_MAX;
	struct snap_error err;
	CHECK_OK(snap_builder_string(b, text, strlen(text), &number, &err), &err);
	return number;
}

static uint32_t frame(struct snap_builder *b, const char *file, uint32_t line, const char *function)
{
	uint32_t number = UINT32_MAX, code = function != NULL ? string(b, function) : SNAP_NO_FUNCTION;
	struct snap_error err;
	CHECK_OK(snap_builder_frame(b, string(b, file), line, code, &number, &err), &err);
	return number;
}

static uint32_t stack(struct snap_builder *b, const uint32_t *frames, size_t count, uint32_t total)
{
	uint32_t number = UINT32_MAX;
	struct snap_error err;
	CHECK_OK(snap_builder_stack(b, frames, count, total, &number, &err), &err);
	return number;
}

static uint32_t one_stack(struct snap_builder *b)
{
	uint32_t f = frame(b, "a.py", 1, NULL);
	return stack(b, &f, 1, 1);
}

static struct snap_snapshot *finish(struct snap_builder *b)
{
	struct snap_snapshot *s = NULL;
	struct snap_error err;
	CHECK_OK(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

/* The status of a call that must fail, and that it says why. */
#define CHECK_FAILS(call, wanted)                                     \
	do {                                                          \
		struct snap_error err = {.message = ""};              \
		CHECK_INT(call, wanted);                              \
		CHECK_INT(err.status, wanted);                        \
		CHECK_INT(err.offset, SNAP_NO_OFFSET);                \
		CHECK(err.message[0] != '\0');                        \
	} while (0)

TEST(equal_things_have_equal_numbers)
{
	struct snap_builder *b = new_builder();
	uint32_t a = string(b, "a"), c = string(b, "c"), empty = string(b, "");
	CHECK(a != c && a != empty && c != empty);
	CHECK_INT(string(b, "a"), a);
	CHECK_INT(string(b, ""), empty);

	uint32_t f[] = {frame(b, "a", 1, NULL), frame(b, "a", 2, NULL), frame(b, "a", 1, ""), frame(b, "a", 1, "c"),
	                frame(b, "c", 1, NULL), frame(b, "", 1, NULL),  frame(b, "a", 0, NULL),
	                frame(b, "a", UINT32_MAX, NULL)};
	enum { FRAMES = sizeof f / sizeof *f };
	for (size_t i = 0; i < FRAMES; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(f[i] != f[j]);
	CHECK_INT(frame(b, "a", 1, NULL), f[0]);
	CHECK_INT(frame(b, "a", 1, ""), f[2]);
	CHECK_INT(frame(b, "a", UINT32_MAX, NULL), f[7]);

	uint32_t turned[] = {f[1], f[0], f[2]};
	uint32_t s[] = {stack(b, f, 3, 3), stack(b, f, 3, 4),    stack(b, f, 3, 0),
	                stack(b, f, 2, 2), stack(b, f, 2, 3),    stack(b, turned, 3, 3),
	                stack(b, f, 3, SNAP_DEPTH_MAX)};
	for (size_t i = 0; i < sizeof s / sizeof *s; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(s[i] != s[j]);
	CHECK_INT(stack(b, f, 3, 3), s[0]);
	CHECK_INT(stack(b, f, 3, 0), s[2]);
	CHECK_INT(stack(b, f, 2, 3), s[4]);
	CHECK_INT(stack(b, f, 3, UINT32_MAX), s[6]);
	snap_builder_free(b);
}

TEST(sites_add_up)
{
	struct snap_builder *b = new_builder();
	uint32_t s = one_stack(b);
	CHECK_INT(snap_builder_add(b, s, 0, 24, 2, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 7, 24, 1, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 0, 25, 1, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 0, 24, 3, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add_values(b, s, 0, 24, (const int64_t[]){0, 6}, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 0, 24, 1, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 0, 0, 4, NULL), SNAP_OK);
	struct snap_snapshot *snapshot = finish(b);
	static const struct {
		uint32_t domain;
		uint64_t size;
		int64_t blocks, bytes;
	} wanted[] = {{0, 0, 4, 0}, {0, 24, 6, 150}, {0, 25, 1, 25}, {7, 24, 1, 24}};
	CHECK_INT(snap_snapshot_sites(snapshot), 4);
	for (size_t i = 0; i < 4; i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(snapshot, i, values);
		CHECK(site.values == values);
		CHECK_INT(site.domain, wanted[i].domain);
		CHECK_INT(site.size, wanted[i].size);
		CHECK_INT(values[0], wanted[i].blocks);
		CHECK_INT(values[1], wanted[i].bytes);
	}
	CHECK_INT(snap_snapshot_total(snapshot, 0), 12);
	CHECK_INT(snap_snapshot_total(snapshot, 1), 199);
	snap_snapshot_free(snapshot);
}

TEST(what_comes_to_nothing_is_left_out)
{
	struct snap_builder *b = new_builder();
	string(b, "never used");
	uint32_t frames[] = {frame(b, "a.py", 1, "f"), frame(b, "b.py", 2, "g"), frame(b, "c.py", 3, NULL)};
	uint32_t gone = stack(b, &frames[0], 1, 1), stays = stack(b, &frames[1], 1, 0);
	stack(b, frames, 3, 3);
	CHECK_INT(snap_builder_add(b, gone, 0, 8, 5, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, gone, 0, 8, -5, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, gone, 0, 9, 0, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, stays, 0, 8, -1, NULL), SNAP_OK);
	struct snap_snapshot *s = finish(b);
	CHECK_INT(snap_snapshot_sites(s), 1);
	CHECK_INT(snap_snapshot_stacks(s), 1);
	CHECK_INT(snap_snapshot_nodes(s), 1);
	CHECK_INT(snap_snapshot_frames(s), 1);
	CHECK_INT(snap_snapshot_strings(s), 2);
	CHECK_INT(snap_snapshot_total(s, 1), -8);
	struct snap_frame f = snap_snapshot_frame(s, 0);
	CHECK_MEM(f.file.bytes, f.file.size, "b.py", 4);
	CHECK_MEM(f.function.bytes, f.function.size, "g", 1);
	CHECK_INT(f.line, 2);
	snap_snapshot_free(s);
}

TEST(nothing_told)
{
	struct snap_snapshot *s = finish(new_builder());
	CHECK_INT(snap_snapshot_sites(s), 0);
	CHECK_INT(snap_snapshot_stacks(s), 0);
	CHECK_INT(snap_snapshot_nodes(s), 0);
	CHECK_INT(snap_snapshot_frames(s), 0);
	CHECK_INT(snap_snapshot_strings(s), 0);
	CHECK_INT(snap_snapshot_columns(s), 2);
	CHECK_INT(snap_snapshot_total(s, 0), 0);
	CHECK_INT(snap_snapshot_total(s, 1), 0);
	CHECK_INT(snap_snapshot_truncated_bytes(s), 0);
	CHECK(!snap_snapshot_is_diff(s));
	CHECK_INT(snap_meta_count(snap_snapshot_meta(s)), 0);
	snap_snapshot_free(s);
	snap_snapshot_free(NULL);
	snap_builder_free(NULL);
}

TEST(tracebacks_come_back)
{
	struct snap_builder *b = new_builder();
	uint32_t frames[] = {frame(b, "new.py", 3, "f"), frame(b, "mid.py", 0, ""), frame(b, "old.py", 1, NULL)};
	uint32_t cut = stack(b, frames, 2, 9), whole = stack(b, frames, 3, 3), unknown = stack(b, frames, 3, 0);
	CHECK_INT(snap_builder_add(b, cut, 0, 5, 2, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, whole, 0, 6, 1, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, unknown, 0, 7, 1, NULL), SNAP_OK);
	struct snap_snapshot *s = finish(b);
	CHECK_INT(snap_snapshot_sites(s), 3);
	CHECK_INT(snap_snapshot_truncated_bytes(s), 10);
	for (size_t i = 0; i < snap_snapshot_sites(s); i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, i, values);
		struct snap_stack about = snap_snapshot_stack(s, site.stack);
		CHECK_INT(about.length, site.size == 5 ? 2 : 3);
		CHECK_INT(about.total, site.size == 5 ? 9 : site.size == 6 ? 3 : 0);
		struct snap_frame f[4];
		memset(f, 0, sizeof f);
		f[1].line = 77;
		CHECK_INT(snap_snapshot_traceback(s, site.stack, NULL, 0), about.length);
		CHECK_INT(snap_snapshot_traceback(s, site.stack, f, 1), about.length);
		CHECK_MEM(f[0].file.bytes, f[0].file.size, "new.py", 6);
		CHECK_MEM(f[0].function.bytes, f[0].function.size, "f", 1);
		CHECK_INT(f[1].line, 77);
		CHECK_INT(snap_snapshot_traceback(s, site.stack, f, 4), about.length);
		CHECK_INT(f[0].line, 3);
		CHECK_INT(f[1].line, 0);
		CHECK(f[1].function.bytes != NULL);
		CHECK_INT(f[1].function.size, 0);
		if (about.length == 3) {
			CHECK_MEM(f[2].file.bytes, f[2].file.size, "old.py", 6);
			CHECK(f[2].function.bytes == NULL);
		}
	}
	snap_snapshot_free(s);
}

TEST(names_have_limits)
{
	struct snap_builder *b = new_builder();
	char *name = malloc(SNAP_STRING_MAX + 1);
	memset(name, 'n', SNAP_STRING_MAX + 1);
	uint32_t number = 99;
	CHECK_FAILS(snap_builder_string(b, name, SNAP_STRING_MAX + 1, &number, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_string(b, name, SIZE_MAX, &number, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_string(b, "a\0b", 3, &number, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_string(b, "ab", 3, &number, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_string(b, "", 1, &number, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_builder_string(b, name, SNAP_STRING_MAX, &number, NULL), SNAP_OK);
	uint32_t f, st;
	CHECK_INT(snap_builder_frame(b, number, 1, number, &f, NULL), SNAP_OK);
	CHECK_INT(snap_builder_stack(b, &f, 1, 0, &st, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, st, 0, 1, 1, NULL), SNAP_OK);
	struct snap_snapshot *s = finish(b);
	struct snap_frame got = snap_snapshot_frame(s, 0);
	CHECK_MEM(got.file.bytes, got.file.size, name, SNAP_STRING_MAX);
	CHECK_MEM(got.function.bytes, got.function.size, name, SNAP_STRING_MAX);
	snap_snapshot_free(s);
	free(name);
}

TEST(numbers_never_given)
{
	struct snap_builder *b = new_builder();
	uint32_t n;
	CHECK_FAILS(snap_builder_frame(b, 0, 1, SNAP_NO_FUNCTION, &n, &err), SNAP_ERR_INVALID);
	uint32_t a = string(b, "a");
	CHECK_FAILS(snap_builder_frame(b, a + 1, 1, SNAP_NO_FUNCTION, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_frame(b, UINT32_MAX, 1, SNAP_NO_FUNCTION, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_frame(b, a, 1, a + 1, &n, &err), SNAP_ERR_INVALID);
	uint32_t f = frame(b, "a", 1, NULL), bad[] = {f, f + 1, f};
	CHECK_FAILS(snap_builder_stack(b, bad, 2, 2, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_stack(b, bad, 3, 3, &n, &err), SNAP_ERR_INVALID);
	bad[1] = UINT32_MAX;
	CHECK_FAILS(snap_builder_stack(b, bad, 3, 9, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_add(b, 0, 0, 1, 1, &err), SNAP_ERR_INVALID);
	uint32_t s = stack(b, &f, 1, 1);
	const int64_t values[] = {1, 1};
	CHECK_FAILS(snap_builder_add(b, s + 1, 0, 1, 1, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_add_values(b, UINT32_MAX, 0, 1, values, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_builder_add(b, s, 0, 1, 1, NULL), SNAP_OK);
	struct snap_snapshot *snapshot = finish(b);
	CHECK_INT(snap_snapshot_sites(snapshot), 1);
	CHECK_INT(snap_snapshot_nodes(snapshot), 1);
	snap_snapshot_free(snapshot);
}

TEST(lengths_and_totals_of_stacks)
{
	struct snap_builder *b = new_builder();
	uint32_t *frames = malloc((SNAP_DEPTH_MAX + 1) * sizeof *frames), n;
	uint32_t f = frame(b, "a", 1, NULL), g = frame(b, "a", 2, NULL);
	for (size_t i = 0; i <= SNAP_DEPTH_MAX; i++)
		frames[i] = i % 3 == 0 ? f : g;
	CHECK_FAILS(snap_builder_stack(b, frames, 0, 0, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_stack(b, frames, 0, 1, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_stack(b, frames, SNAP_DEPTH_MAX + 1, 0, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_stack(b, frames, SNAP_DEPTH_MAX + 1, UINT32_MAX, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_stack(b, frames, 5, 4, &n, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_stack(b, frames, SNAP_DEPTH_MAX, SNAP_DEPTH_MAX - 1, &n, &err), SNAP_ERR_INVALID);
	static const uint32_t totals[] = {0, SNAP_DEPTH_MAX, UINT32_MAX};
	for (uint64_t i = 0; i < 3; i++) {
		CHECK_INT(snap_builder_stack(b, frames, SNAP_DEPTH_MAX, totals[i], &n, NULL), SNAP_OK);
		CHECK_INT(snap_builder_add(b, n, 0, 1 + (i > 0), 1, NULL), SNAP_OK);
	}
	/* Deep, but with only one frame known. */
	CHECK_INT(snap_builder_stack(b, &g, 1, SNAP_DEPTH_MAX + 1, &n, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, n, 0, 3, 1, NULL), SNAP_OK);
	struct snap_snapshot *s = finish(b);
	CHECK_INT(snap_snapshot_sites(s), 3);
	CHECK_INT(snap_snapshot_stacks(s), 3);
	struct snap_frame *got = malloc(SNAP_DEPTH_MAX * sizeof *got);
	for (size_t i = 0; i < 3; i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, i, values);
		struct snap_stack about = snap_snapshot_stack(s, site.stack);
		CHECK_INT(about.length, site.size == 3 ? 1 : SNAP_DEPTH_MAX);
		CHECK_INT(about.total, site.size == 1 ? 0 : SNAP_DEPTH_MAX);
		CHECK_INT(values[0], site.size == 2 ? 2 : 1);
		bool same = snap_snapshot_traceback(s, site.stack, got, SNAP_DEPTH_MAX) == about.length;
		for (size_t k = 0; k < about.length && site.size < 3; k++)
			same = same && got[k].line == (k % 3 == 0 ? 1 : 2);
		CHECK(same);
	}
	snap_snapshot_free(s);
	free(got);
	free(frames);
}

TEST(block_sizes_have_a_limit)
{
	struct snap_builder *b = new_builder();
	uint32_t s = one_stack(b);
	const int64_t values[] = {1, 1};
	CHECK_FAILS(snap_builder_add(b, s, 0, SNAP_BLOCK_SIZE_MAX + 1, 1, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_add(b, s, 0, UINT64_MAX, 0, &err), SNAP_ERR_INVALID);
	CHECK_FAILS(snap_builder_add_values(b, s, 0, SNAP_BLOCK_SIZE_MAX + 1, values, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_builder_add(b, s, UINT32_MAX, SNAP_BLOCK_SIZE_MAX, 3, NULL), SNAP_OK);
	struct snap_snapshot *snapshot = finish(b);
	int64_t buffer[SNAP_COLUMNS_MAX];
	struct snap_site site = snap_snapshot_site(snapshot, 0, buffer);
	CHECK_INT(site.size, SNAP_BLOCK_SIZE_MAX);
	CHECK_INT(site.domain, UINT32_MAX);
	CHECK_INT(buffer[1], 3 * SNAP_BLOCK_SIZE_MAX);
	CHECK_INT(snap_snapshot_total(snapshot, 1), 3 * SNAP_BLOCK_SIZE_MAX);
	snap_snapshot_free(snapshot);
}

TEST(sums_of_a_site_keep_within_63_bits)
{
	struct snap_builder *b = new_builder();
	uint32_t s = one_stack(b);
	CHECK_FAILS(snap_builder_add(b, s, 0, SNAP_BLOCK_SIZE_MAX, 5, &err), SNAP_ERR_LIMIT);
	CHECK_FAILS(snap_builder_add(b, s, 0, SNAP_BLOCK_SIZE_MAX, -5, &err), SNAP_ERR_LIMIT);
	CHECK_INT(snap_builder_add(b, s, 0, SNAP_BLOCK_SIZE_MAX, 4, NULL), SNAP_OK);
	CHECK_FAILS(snap_builder_add(b, s, 0, SNAP_BLOCK_SIZE_MAX, 1, &err), SNAP_ERR_LIMIT);
	CHECK_INT(snap_builder_add(b, s, 0, SNAP_BLOCK_SIZE_MAX, -4, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 0, 0, INT64_MAX, NULL), SNAP_OK);
	CHECK_FAILS(snap_builder_add(b, s, 0, 0, 1, &err), SNAP_ERR_LIMIT);
	CHECK_INT(snap_builder_add(b, s, 0, 0, -INT64_MAX, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, s, 0, 0, -INT64_MAX, NULL), SNAP_OK);
	CHECK_FAILS(snap_builder_add(b, s, 0, 0, -2, &err), SNAP_ERR_LIMIT);
	CHECK_INT(snap_builder_add(b, s, 0, 0, INT64_MAX - 1, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add_values(b, s, 0, 0, (const int64_t[]){3, INT64_MAX}, NULL), SNAP_OK);
	/* A call that fails changes nothing. */
	CHECK_FAILS(snap_builder_add_values(b, s, 0, 0, (const int64_t[]){1, 1}, &err), SNAP_ERR_LIMIT);
	CHECK_FAILS(snap_builder_add_values(b, s, 0, 0, (const int64_t[]){INT64_MAX, 0}, &err), SNAP_ERR_LIMIT);
	struct snap_snapshot *snapshot = finish(b);
	CHECK_INT(snap_snapshot_sites(snapshot), 1);
	CHECK_INT(snap_snapshot_total(snapshot, 0), 2);
	CHECK_INT(snap_snapshot_total(snapshot, 1), INT64_MAX);
	snap_snapshot_free(snapshot);
}

/* A snapshot of two sites with these values in column 1. */
static void check_sum(int64_t a, int64_t b, enum snap_status wanted)
{
	struct snap_builder *builder = new_builder();
	uint32_t s = one_stack(builder);
	struct snap_error err = {.status = SNAP_OK};
	enum snap_status status = snap_builder_add_values(builder, s, 0, 1, (const int64_t[]){1, a}, &err);
	if (status == SNAP_OK)
		status = snap_builder_add_values(builder, s, 1, 1, (const int64_t[]){1, b}, &err);
	struct snap_snapshot *snapshot = NULL;
	if (status == SNAP_OK)
		status = snap_builder_finish(builder, &snapshot, &err);
	CHECK_INT(status, wanted);
	CHECK_INT(err.status, wanted);
	CHECK((snapshot != NULL) == (wanted == SNAP_OK));
	if (snapshot != NULL)
		CHECK_INT(snap_snapshot_total(snapshot, 1), a + b);
	snap_snapshot_free(snapshot);
	snap_builder_free(builder);
}

TEST(sums_of_a_column_keep_within_63_bits)
{
	const int64_t half = INT64_C(1) << 62;
	check_sum(half, half - 1, SNAP_OK);
	check_sum(-half, 1 - half, SNAP_OK);
	check_sum(half, 1 - half, SNAP_OK);
	check_sum(half, half, SNAP_ERR_LIMIT);
	check_sum(half, -half, SNAP_ERR_LIMIT);
	check_sum(-half, -half, SNAP_ERR_LIMIT);
	check_sum(INT64_MAX, 0, SNAP_OK);
	check_sum(-INT64_MAX, 0, SNAP_OK);
	check_sum(INT64_MAX, -1, SNAP_ERR_LIMIT);
	check_sum(INT64_MIN, 0, SNAP_ERR_LIMIT);
	check_sum(0, INT64_MIN, SNAP_ERR_LIMIT);
	check_sum(INT64_MIN, INT64_MIN, SNAP_ERR_LIMIT);
}

static void check_columns(const struct snap_column *columns, size_t count, enum snap_status wanted)
{
	struct snap_builder *b = NULL;
	struct snap_error err = {.status = SNAP_OK};
	CHECK_INT(snap_builder_new_columns(&b, columns, count, NULL, &err), wanted);
	CHECK_INT(err.status, wanted);
	CHECK((b != NULL) == (wanted == SNAP_OK));
	snap_builder_free(b);
}

TEST(columns)
{
	enum { MORE = SNAP_COLUMNS_MAX + 1 };
	struct snap_column c[MORE] = {{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}};
	static char names[MORE][8];
	for (size_t i = 2; i < MORE; i++) {
		snprintf(names[i], sizeof names[i], "x_%zu", i);
		c[i] = (struct snap_column){names[i], SNAP_UNIT_OTHER};
	}
	check_columns(c, 2, SNAP_OK);
	check_columns(c, SNAP_COLUMNS_MAX, SNAP_OK);
	check_columns(c, MORE, SNAP_ERR_INVALID);
	check_columns(c, 1, SNAP_ERR_INVALID);
	check_columns(c, 0, SNAP_ERR_INVALID);
	struct snap_column turned[] = {c[1], c[0]}, other_unit[] = {{"blocks", SNAP_UNIT_BYTES}, c[1]},
			   third[] = {c[0], c[1], c[2]};
	check_columns(turned, 2, SNAP_ERR_INVALID);
	check_columns(other_unit, 2, SNAP_ERR_INVALID);
	static const char *const bad[] = {"", "blocks", "bytes", "Upper", "a b", "a-b", "\xc3\xa4",
	                                  "0123456789012345678901234567890123456789012345678901234567890123"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		third[2].name = bad[i];
		check_columns(third, 3, SNAP_ERR_INVALID);
	}
	static const char *const good[] = {"_", "0", "old_blocks", "old_bytes",
	                                   "012345678901234567890123456789012345678901234567890123456789012"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		third[2].name = good[i];
		check_columns(third, 3, SNAP_OK);
	}
	third[2].unit = (enum snap_unit)3;
	check_columns(third, 3, SNAP_ERR_INVALID);
}

TEST(column_names_are_copied)
{
	char name[] = "x_bytes";
	struct snap_column c[] = {{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}, {name, SNAP_UNIT_BYTES}};
	struct snap_builder *b;
	CHECK_INT(snap_builder_new_columns(&b, c, 3, NULL, NULL), SNAP_OK);
	memset(name, '#', sizeof name);
	uint32_t s = one_stack(b);
	CHECK_INT(snap_builder_add(b, s, 0, 10, 2, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add_values(b, s, 0, 10, (const int64_t[]){0, 0, -7}, NULL), SNAP_OK);
	struct snap_snapshot *snapshot = finish(b);
	CHECK_INT(snap_snapshot_columns(snapshot), 3);
	CHECK_STR(snap_snapshot_column(snapshot, 2).name, "x_bytes");
	CHECK_INT(snap_snapshot_column(snapshot, 2).unit, SNAP_UNIT_BYTES);
	CHECK_INT(snap_snapshot_total(snapshot, 1), 20);
	CHECK_INT(snap_snapshot_total(snapshot, 2), -7);
	CHECK(!snap_snapshot_is_diff(snapshot));
	snap_snapshot_free(snapshot);
}

TEST(metadata_go_into_the_snapshot)
{
	struct snap_builder *b = new_builder();
	CHECK_INT(snap_meta_set_text(snap_builder_meta(b), "host", "h", NULL), SNAP_OK);
	CHECK_INT(snap_meta_set_text(snap_builder_meta(b), "a", "", NULL), SNAP_OK);
	struct snap_snapshot *s = finish(b);
	CHECK_INT(snap_meta_count(snap_snapshot_meta(s)), 2);
	CHECK_STR(snap_meta_get(snap_snapshot_meta(s), "host"), "h");
	CHECK_STR(snap_meta_get(snap_snapshot_meta(s), "a"), "");
	snap_snapshot_free(s);
}

TEST(what_goes_in_comes_out)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 0; seed < 20; seed++) {
			struct told t = told_random(&small_shapes[i], seed * 1000 + i);
			struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
			struct bag in = told_bag(&t, t.sites, t.site_count), out = bag_of_snapshot(s);
			if (!CHECK(bag_equal(&in, &out)))
				printf("shape %s, seed %ju\n", small_shapes[i].name, (uintmax_t)seed);
			CHECK_INT(out.merged, 0);
			CHECK_INT(out.count, snap_snapshot_sites(s));
			for (size_t c = 0; c < t.column_count; c++) {
				int64_t sum = 0;
				for (size_t k = 0; k < in.count; k++)
					sum += in.items[k].values[c];
				CHECK_INT(snap_snapshot_total(s, c), sum);
			}
			CHECK_INT(snap_snapshot_is_diff(s), small_shapes[i].columns == TOLD_DIFF);
			bag_free(&in);
			bag_free(&out);
			snap_snapshot_free(s);
			told_free(&t);
		}
}

/* Every table has only what a site uses. */
TEST(tables_hold_only_what_is_used)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		struct told t = told_random(&small_shapes[i], i);
		struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
		size_t stacks = snap_snapshot_stacks(s), frames = snap_snapshot_frames(s), used = 0;
		bool *has_site = calloc(stacks + 1, sizeof *has_site);
		for (size_t k = 0; k < snap_snapshot_sites(s); k++) {
			int64_t values[SNAP_COLUMNS_MAX];
			uint32_t stack_of_site = snap_snapshot_site(s, k, values).stack;
			if (CHECK(stack_of_site < stacks) && !has_site[stack_of_site]) {
				has_site[stack_of_site] = true;
				used++;
			}
		}
		CHECK_INT(used, stacks);
		CHECK(frames <= t.frame_count);
		CHECK(snap_snapshot_strings(s) <= t.name_count);
		free(has_site);
		snap_snapshot_free(s);
		told_free(&t);
	}
}

/* Joining trees must help: a recorder that cuts stacks off at 7 frames needs hardly more nodes than one
 * that does not, once each frame has been seen near the root. */
TEST(stacks_cut_off_share_the_nodes_of_whole_ones)
{
	struct snap_builder *b = new_builder();
	uint32_t frames[30], n;
	for (uint32_t i = 0; i < 30; i++)
		frames[29 - i] = frame(b, "a.py", i, NULL);
	for (uint32_t depth = 1; depth <= 30; depth++) {
		uint32_t count = depth < 7 ? depth : 7;
		n = stack(b, &frames[30 - depth], count, depth);
		CHECK_INT(snap_builder_add(b, n, 0, 8, 1, NULL), SNAP_OK);
	}
	struct snap_snapshot *s = finish(b);
	CHECK_INT(snap_snapshot_stacks(s), 30);
	CHECK(snap_snapshot_nodes(s) < 30 * 7);
	snap_snapshot_free(s);
}

/* Tells until something fails; returns the status. */
static enum snap_status fill(uint64_t memory, int what)
{
	const struct snap_limits limits = {.memory = memory};
	struct snap_builder *b;
	struct snap_error err = {.status = SNAP_OK};
	enum snap_status status = snap_builder_new(&b, &limits, &err);
	uint32_t name = 0, f[2] = {0, 0}, s = 0;
	if (status == SNAP_OK)
		status = snap_builder_string(b, "a", 1, &name, &err);
	if (status == SNAP_OK)
		status = snap_builder_frame(b, name, 1, SNAP_NO_FUNCTION, &f[1], &err);
	if (status == SNAP_OK)
		status = snap_builder_stack(b, &f[1], 1, 0, &s, &err);
	for (uint32_t i = 0; i < 100000 && status == SNAP_OK; i++) {
		char text[16];
		int size = snprintf(text, sizeof text, "%u", i);
		if (what == 0)
			status = snap_builder_string(b, text, (size_t)size, &name, &err);
		else if (what < 4)
			status = snap_builder_frame(b, name, i, SNAP_NO_FUNCTION, &f[0], &err);
		if (status == SNAP_OK && (what == 2 || what == 3))
			status = snap_builder_stack(b, f, 2, 0, &s, &err);
		if (status == SNAP_OK && what >= 3)
			status = snap_builder_add(b, s, 0, i, 1, &err);
	}
	struct snap_snapshot *snapshot = NULL;
	if (status == SNAP_OK)
		status = snap_builder_finish(b, &snapshot, &err);
	CHECK_INT(err.status, status);
	CHECK((snapshot != NULL) == (status == SNAP_OK));
	snap_snapshot_free(snapshot);
	snap_builder_free(b);
	return status;
}

TEST(memory_has_a_limit)
{
	static const uint64_t small[] = {0,      1,      100,    1000,   10000,  50000,
					 100000, 200000, 300000, 400000, 600000, 800000};
	for (int what = 0; what < 5; what++) {
		for (size_t i = 0; i < sizeof small / sizeof *small; i++)
			CHECK_INT(fill(small[i], what), SNAP_ERR_LIMIT);
		CHECK_INT(fill(UINT64_C(1) << 30, what), SNAP_OK);
	}
}

/* A name without bytes is a name, alone as well. */
TEST(the_empty_name_alone)
{
	struct snap_builder *b = new_builder();
	uint32_t f = frame(b, "", 0, "");
	CHECK_INT(snap_builder_add(b, stack(b, &f, 1, 0), 0, 0, 1, NULL), SNAP_OK);
	struct snap_snapshot *s = finish(b);
	struct snap_frame got = snap_snapshot_frame(s, 0);
	CHECK_INT(snap_snapshot_strings(s), 1);
	CHECK(got.file.bytes != NULL && got.file.size == 0);
	CHECK(got.function.bytes != NULL && got.function.size == 0);
	snap_snapshot_free(s);
}
