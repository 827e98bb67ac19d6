/* Grouping and ranking, held against sums that are made here block by block, with names for keys. */
#define _GNU_SOURCE
#include <snap/diff.h>
#include <snap/group.h>

#include "random_snapshot.h"
#include "test.h"

/* A group as this program sees it. The key is such that memcmp orders keys as groups are to be ordered:
 * for each frame the file, NUL, the line, and the function between 1 and NUL or just NUL; a domain or
 * size as eight bytes. */
struct group {
	uint8_t *key;
	size_t size;
	int64_t sums[4]; /* blocks, bytes, old_blocks, old_bytes */
	uint32_t total;
	bool mixed_totals;
};

struct key {
	uint8_t *bytes;
	size_t size, room;
};

struct tally {
	struct group *groups;
	size_t count, room;
	enum snap_group_sort sort;
};

static void put(struct key *k, const void *bytes, size_t size)
{
	if (k->size + size > k->room) {
		k->room = 2 * (k->size + size);
		k->bytes = bag_memory(k->bytes, k->room, 1);
	}
	if (size > 0)
		memcpy(k->bytes + k->size, bytes, size);
	k->size += size;
}

static void put_number(struct key *k, uint64_t n)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		put(k, &(uint8_t){(uint8_t)(n >> shift)}, 1);
}

static void put_frame(struct key *k, enum snap_group_by by, struct snap_frame f)
{
	bool function = f.function.bytes != NULL && (by == SNAP_BY_FUNCTION || by == SNAP_BY_TRACEBACK);
	put(k, f.file.bytes, f.file.size);
	put(k, "", 1);
	put_number(k, by == SNAP_BY_FILENAME || (by == SNAP_BY_FUNCTION && function) ? 0 : f.line);
	if (function) {
		put(k, "\1", 1);
		put(k, f.function.bytes, f.function.size);
	}
	put(k, "", 1);
}

static void add(struct tally *t, const struct key *k, const int64_t *values, size_t columns, uint32_t total)
{
	if (t->count == t->room) {
		t->room = 2 * t->room + 16;
		t->groups = bag_memory(t->groups, t->room, sizeof *t->groups);
	}
	struct group *g = &t->groups[t->count++];
	*g = (struct group){bag_memory(NULL, k->size, 1), k->size, {0}, total, false};
	memcpy(g->key, k->bytes, k->size);
	memcpy(g->sums, values, (columns < 4 ? columns : 4) * sizeof *values);
	if (columns < 4)
		g->sums[2] = g->sums[3] = 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct group *x = a, *y = b;
	int order = memcmp(x->key, y->key, x->size < y->size ? x->size : y->size);
	return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static void fold(struct tally *t)
{
	size_t kept = 0;
	if (t->count > 0)
		qsort(t->groups, t->count, sizeof *t->groups, compare_keys);
	for (size_t i = 0; i < t->count; i++) {
		if (kept == 0 || compare_keys(&t->groups[kept - 1], &t->groups[i]) != 0) {
			t->groups[kept++] = t->groups[i];
			continue;
		}
		struct group *g = &t->groups[kept - 1];
		for (size_t c = 0; c < 4; c++)
			g->sums[c] += t->groups[i].sums[c];
		g->mixed_totals |= g->total != t->groups[i].total;
		free(t->groups[i].key);
	}
	t->count = kept;
}

static int64_t magnitude(int64_t n)
{
	return n < 0 ? -n : n;
}

static void ranks(const struct group *g, enum snap_group_sort sort, int64_t order[4])
{
	int64_t size = g->sums[1], count = g->sums[0];
	int64_t size_diff = magnitude(size - g->sums[3]), count_diff = magnitude(count - g->sums[2]);
	const int64_t by_sort[][4] = {
		[SNAP_SORT_SIZE] = {size, count, 0, 0},
		[SNAP_SORT_COUNT] = {count, size, 0, 0},
		[SNAP_SORT_SIZE_DIFF] = {size_diff, size, count_diff, count},
		[SNAP_SORT_COUNT_DIFF] = {count_diff, count, size_diff, size},
	};
	memcpy(order, by_sort[sort], sizeof by_sort[sort]);
}

static enum snap_group_sort sort_of_tally; /* qsort has no context */

static int compare_ranks(const void *a, const void *b)
{
	int64_t x[4], y[4];
	ranks(a, sort_of_tally, x);
	ranks(b, sort_of_tally, y);
	for (size_t i = 0; i < 4; i++)
		if (x[i] != y[i])
			return x[i] > y[i] ? -1 : 1;
	return compare_keys(b, a);
}

/* The same as snap_groups_new, site by site and frame by frame. */
static struct tally tally(const struct snap_snapshot *s, const struct snap_group_options *o)
{
	struct tally t = {.groups = NULL};
	struct key k = {NULL, 0, 0};
	size_t room = 0, columns = snap_snapshot_is_diff(s) ? 4 : 2;
	struct snap_frame *frames = NULL;
	for (size_t i = 0; i < snap_snapshot_sites(s); i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, i, values);
		struct snap_stack stack = snap_snapshot_stack(s, site.stack);
		if (stack.length > room) {
			room = 2 * stack.length;
			frames = bag_memory(frames, room, sizeof *frames);
		}
		snap_snapshot_traceback(s, site.stack, frames, room);
		k.size = 0;
		if (o->by == SNAP_BY_DOMAIN || o->by == SNAP_BY_SIZE)
			put_number(&k, o->by == SNAP_BY_DOMAIN ? site.domain : site.size);
		else if (o->by == SNAP_BY_TRACEBACK)
			for (size_t f = stack.length; f-- > 0;)
				put_frame(&k, o->by, frames[f]);
		if (k.size > 0) {
			add(&t, &k, values, columns, stack.total);
			continue;
		}
		struct tally met = {.groups = NULL};
		for (size_t f = 0; f < (o->cumulative == SNAP_SELF ? 1 : stack.length); f++) {
			k.size = 0;
			put_frame(&k, o->by, frames[f]);
			add(o->cumulative == SNAP_CUMULATIVE ? &met : &t, &k, values, columns, 0);
		}
		int64_t none[4] = {0};
		for (size_t g = 0; g < met.count; g++)
			memcpy(met.groups[g].sums, none, sizeof none);
		fold(&met);
		for (size_t g = 0; g < met.count; g++) {
			k.size = 0;
			put(&k, met.groups[g].key, met.groups[g].size);
			add(&t, &k, values, columns, 0);
			free(met.groups[g].key);
		}
		free(met.groups);
	}
	free(k.bytes);
	free(frames);
	fold(&t);
	sort_of_tally = o->sort != SNAP_SORT_DEFAULT ? o->sort
			: columns == 4               ? SNAP_SORT_SIZE_DIFF
						     : SNAP_SORT_SIZE;
	if (t.count > 0)
		qsort(t.groups, t.count, sizeof *t.groups, compare_ranks);
	return t;
}

static void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->groups[i].key);
	free(t->groups);
}

static void key_of_row(const struct snap_groups *g, enum snap_group_by by, size_t i, struct key *k)
{
	struct snap_group_row row = snap_groups_row(g, i);
	k->size = 0;
	if (by == SNAP_BY_DOMAIN || by == SNAP_BY_SIZE) {
		CHECK_INT(row.frames, 0);
		put_number(k, by == SNAP_BY_DOMAIN ? row.domain : row.block_size);
		return;
	}
	struct snap_frame *frames = bag_memory(NULL, row.frames, sizeof *frames);
	CHECK_INT(snap_groups_frames(g, i, frames, row.frames), row.frames);
	for (size_t f = row.frames; f-- > 0;)
		put_frame(k, by, frames[f]);
	free(frames);
}

/* Whether `g` has the first rows of `t`, all of them if `top` is 0. */
static bool agrees(const struct snap_groups *g, const struct tally *t, const struct snap_group_options *o,
		   bool diff, size_t top)
{
	size_t ranked = top == 0 || top > t->count ? t->count : top;
	struct key k = {NULL, 0, 0};
	bool good = CHECK_INT(snap_groups_count(g), t->count) && CHECK_INT(snap_groups_ranked(g), ranked);
	for (size_t i = 0; i < ranked && good; i++) {
		struct snap_group_row row = snap_groups_row(g, i);
		const struct group *wanted = &t->groups[i];
		key_of_row(g, o->by, i, &k);
		good = CHECK_MEM(k.bytes, k.size, wanted->key, wanted->size) &
		       CHECK_INT(row.size, wanted->sums[1]) & CHECK_INT(row.count, wanted->sums[0]) &
		       CHECK_INT(row.size_diff, diff ? wanted->sums[1] - wanted->sums[3] : 0) &
		       CHECK_INT(row.count_diff, diff ? wanted->sums[0] - wanted->sums[2] : 0);
		if (o->by == SNAP_BY_TRACEBACK)
			good &= CHECK_INT(row.total, wanted->mixed_totals ? 0 : wanted->total);
	}
	free(k.bytes);
	return good;
}

static bool makes_sense(const struct snap_group_options *o, bool diff)
{
	bool frames = o->by == SNAP_BY_LINENO || o->by == SNAP_BY_FILENAME || o->by == SNAP_BY_FUNCTION;
	bool by_difference = o->sort == SNAP_SORT_SIZE_DIFF || o->sort == SNAP_SORT_COUNT_DIFF;
	return (o->cumulative == SNAP_SELF || frames) && (diff || !by_difference);
}

/* All ways to group a snapshot, but of the sorts of cumulative sums a sample. */
static bool check_groups(const struct snap_snapshot *s, struct dice *d)
{
	struct snap_error err;
	bool diff = snap_snapshot_is_diff(s), good = true;
	for (unsigned way = 0; way < 6 * 3 * 5 && good; way++) {
		struct snap_group_options o = {(enum snap_group_by)(way % 6),
					       (enum snap_group_cumulative)(way / 6 % 3),
					       (enum snap_group_sort)(way / 18)};
		struct snap_groups *g = NULL;
		if (o.cumulative != SNAP_SELF && o.sort != (enum snap_group_sort)dice_below(d, 5))
			continue;
		if (!makes_sense(&o, diff)) {
			good = CHECK_INT(snap_groups_new(&g, s, &o, 0, &err), SNAP_ERR_INVALID) &&
			       CHECK(g == NULL);
			continue;
		}
		struct tally t = tally(s, &o);
		const size_t tops[] = {0, 1, 1 + dice_below(d, (uint32_t)t.count + 2)};
		for (size_t i = 0; i < sizeof tops / sizeof *tops && good; i++) {
			good = CHECK_OK(snap_groups_new(&g, s, &o, tops[i], &err), &err) &&
			       agrees(g, &t, &o, diff, tops[i]);
			if (good)
				good = CHECK_INT(snap_groups_total(g).size, snap_snapshot_total(s, 1)) &
				       CHECK_INT(snap_groups_total(g).count, snap_snapshot_total(s, 0));
			snap_groups_free(g);
		}
		if (!good)
			printf("  by %d, cumulative %d, sort %d\n", (int)o.by, (int)o.cumulative,
			       (int)o.sort);
		tally_free(&t);
	}
	return good;
}

static bool check_shape(const struct shape *shape, uint64_t seed)
{
	struct told t = told_random(shape, seed);
	struct dice d = {seed};
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, &d);
	bool good = check_groups(s, &d);
	if (!snap_snapshot_is_diff(s) && good) {
		/* Two parts that have some sites in common. */
		struct snap_error err;
		struct snap_snapshot *diff, *older = told_snapshot(&t, t.sites, t.site_count / 2, &d);
		struct snap_snapshot *newer =
			told_snapshot(&t, t.sites + t.site_count / 3, t.site_count / 2, &d);
		if (CHECK_OK(snap_diff_new(&diff, older, newer, &err), &err)) {
			good = check_groups(diff, &d);
			snap_snapshot_free(diff);
		}
		snap_snapshot_free(older);
		snap_snapshot_free(newer);
	}
	if (!good)
		printf("  shape \"%s\", seed %ju\n", shape->name, (uintmax_t)seed);
	snap_snapshot_free(s);
	told_free(&t);
	return good;
}

TEST(random_snapshots)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 1; seed <= 3; seed++)
			if (!check_shape(&small_shapes[i], seed))
				return;
}

/* Windows that begin inside of recursion, and trees deeper than a block of running sums. */
TEST(deep_stacks)
{
	static const struct shape shapes[] = {
		{"deep", 3, 2, 10, 6, 60, 80, 700, 2, {300, 600}, 5, 40, 1, 10, 4, TOLD_PLAIN, false},
		{"deeper", 3, 0, 10, 40, 20, 30, 3000, 2, {0, 2500}, 0, 5, 1, 10, 4, TOLD_PLAIN, false},
		{"far apart", 90, 0, 50000, 900, 24, 30, 4000, 2, {1500, 2500}, 0, 0, 1, 10, 4, TOLD_PLAIN,
		 false},
		{"cycles", 2, 0, 5, 5, 80, 100, 90, 1, {7, 25}, 0, 0, 1, 10, 4, TOLD_PLAIN, false},
	};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (uint64_t seed = 1; seed <= 2; seed++)
			if (!check_shape(&shapes[i], seed))
				return;
}

/* A snapshot of stacks "file:line file:line …", newest first. */
struct small_stack {
	const char *frames;
	uint32_t total;
	uint64_t size;
	int64_t blocks;
};

static struct snap_snapshot *small_snapshot(const struct small_stack *stacks, size_t count)
{
	struct snap_builder *b;
	struct snap_snapshot *s = NULL;
	struct snap_error err;
	told_must(snap_builder_new(&b, NULL, &err), &err);
	for (size_t i = 0; i < count; i++) {
		uint32_t frames[16], n = 0, stack;
		for (const char *at = stacks[i].frames; at != NULL && n < 16; n++) {
			/* file:line or file:line:function */
			char file[16], function[16];
			unsigned line;
			int fields = sscanf(at, "%15[^: ]:%u:%15[^: ]", file, &line, function);
			uint32_t string, name = SNAP_NO_FUNCTION;
			told_must(snap_builder_string(b, file, strlen(file), &string, &err), &err);
			if (fields == 3)
				told_must(snap_builder_string(b, function, strlen(function), &name, &err),
					  &err);
			told_must(snap_builder_frame(b, string, line, name, &frames[n], &err), &err);
			at = strchr(at, ' ');
			at = at == NULL ? NULL : at + 1;
		}
		told_must(snap_builder_stack(b, frames, n, stacks[i].total, &stack, &err), &err);
		told_must(snap_builder_add(b, stack, 0, stacks[i].size, stacks[i].blocks, &err), &err);
	}
	told_must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

/* All rows in one text: "file:line function size count; …". */
static const char *rows(const struct snap_snapshot *s, enum snap_group_by by,
			enum snap_group_cumulative cumulative)
{
	static char text[4096];
	struct snap_groups *g;
	struct snap_error err;
	size_t end = 0;
	text[0] = '\0';
	if (!CHECK_OK(snap_groups_new(&g, s, &(struct snap_group_options){by, cumulative, SNAP_SORT_DEFAULT},
				      0, &err),
		      &err))
		return text;
	for (size_t i = 0; i < snap_groups_ranked(g); i++) {
		struct snap_group_row row = snap_groups_row(g, i);
		struct snap_frame frames[16];
		size_t count = snap_groups_frames(g, i, frames, 16);
		for (size_t f = count; f-- > 0;)
			end += (size_t)snprintf(
				text + end, sizeof text - end, "%.*s:%u%s%.*s ", (int)frames[f].file.size,
				frames[f].file.bytes, frames[f].line,
				frames[f].function.bytes != NULL ? ":" : "", (int)frames[f].function.size,
				frames[f].function.bytes != NULL ? frames[f].function.bytes : "");
		end += (size_t)snprintf(text + end, sizeof text - end, "%jd %jd; ", (intmax_t)row.size,
					(intmax_t)row.count);
	}
	snap_groups_free(g);
	return text;
}

/* facts/tracemalloc.md 4.4: CPython counts a block once per frame; by default it counts once per group. */
TEST(recursion)
{
	struct snap_snapshot *s =
		small_snapshot((struct small_stack[]){{"a.py:3 a.py:2 a.py:2", 3, 100, 1}}, 1);
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_SELF), "a.py:3 100 1; ");
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_CUMULATIVE_TRACEMALLOC), "a.py:2 200 2; a.py:3 100 1; ");
	CHECK_STR(rows(s, SNAP_BY_FILENAME, SNAP_CUMULATIVE_TRACEMALLOC), "a.py:0 300 3; ");
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_CUMULATIVE), "a.py:3 100 1; a.py:2 100 1; ");
	CHECK_STR(rows(s, SNAP_BY_FILENAME, SNAP_CUMULATIVE), "a.py:0 100 1; ");
	snap_snapshot_free(s);
}

/* Frames above a stack's window belong to other stacks that share its node. */
TEST(what_was_cut_off_does_not_count)
{
	struct snap_snapshot *s = small_snapshot((struct small_stack[]){{"c:3 b:2 a:1", 3, 10, 1},
									{"d:4 c:3 b:2", 4, 1000, 1},
									{"c:3 b:2", 9, 100, 1}},
						 3);
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_CUMULATIVE), "c:3 1110 3; b:2 1110 3; d:4 1000 1; a:1 10 1; ");
	CHECK_STR(rows(s, SNAP_BY_TRACEBACK, SNAP_SELF),
		  "b:2 c:3 d:4 1000 1; b:2 c:3 100 1; a:1 b:2 c:3 10 1; ");
	snap_snapshot_free(s);
}

/* Equal size and count: names descend, a longer traceback stands before its beginning. */
TEST(ties)
{
	struct snap_snapshot *s = small_snapshot((struct small_stack[]){{"b:2", 1, 8, 2},
									{"b:10", 1, 8, 2},
									{"a:99", 1, 8, 2},
									{"c:1 b:2", 2, 8, 2},
									{"b:3", 1, 16, 1}},
						 5);
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_SELF), "c:1 16 2; b:10 16 2; b:2 16 2; a:99 16 2; b:3 16 1; ");
	CHECK_STR(rows(s, SNAP_BY_TRACEBACK, SNAP_SELF),
		  "b:10 16 2; b:2 c:1 16 2; b:2 16 2; a:99 16 2; b:3 16 1; ");
	snap_snapshot_free(s);
}

TEST(zero_sized_blocks_are_groups)
{
	struct snap_snapshot *s = small_snapshot(
		(struct small_stack[]){{"z:1", 1, 0, 1}, {"a:1", 1, 5368709120, 1}, {"y:1", 1, 0, 2}}, 3);
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_SELF), "a:1 5368709120 1; y:1 0 2; z:1 0 1; ");
	snap_snapshot_free(s);
}

TEST(functions)
{
	struct snap_snapshot *s = small_snapshot((struct small_stack[]){{"a:1:f b:1:g", 2, 1, 1},
									{"a:2:f b:1:g", 2, 2, 1},
									{"a:2:h b:1:g", 2, 4, 1},
									{"a:2 b:1:g", 2, 8, 1},
									{"a:3 b:2:f", 2, 16, 1},
									{"b:7:f", 1, 32, 1}},
						 6);
	CHECK_STR(rows(s, SNAP_BY_FUNCTION, SNAP_SELF),
		  "b:0:f 32 1; a:3 16 1; a:2 8 1; a:0:h 4 1; a:0:f 3 2; ");
	CHECK_STR(rows(s, SNAP_BY_FUNCTION, SNAP_CUMULATIVE),
		  "b:0:f 48 2; a:3 16 1; b:0:g 15 4; a:2 8 1; a:0:h 4 1; a:0:f 3 2; ");
	/* Named where the whole line, or file, is one function's. */
	CHECK_STR(rows(s, SNAP_BY_LINENO, SNAP_SELF), "b:7:f 32 1; a:3 16 1; a:2 14 3; a:1:f 1 1; ");
	CHECK_STR(rows(s, SNAP_BY_FILENAME, SNAP_SELF), "b:0 32 1; a:0 31 5; ");
	snap_snapshot_free(s);
}

TEST(totals_of_tracebacks)
{
	struct snap_snapshot *s = small_snapshot((struct small_stack[]){{"a:1", 7, 1, 1},
									{"a:1", 9, 2, 1},
									{"b:1", 4, 4, 1},
									{"b:1", 4, 8, 1},
									{"c:1", 0, 16, 1}},
						 5);
	struct snap_groups *g;
	struct snap_error err;
	if (CHECK_OK(snap_groups_new(
			     &g, s,
			     &(struct snap_group_options){SNAP_BY_TRACEBACK, SNAP_SELF, SNAP_SORT_SIZE}, 0,
			     &err),
		     &err)) {
		CHECK_INT(snap_groups_count(g), 3);
		CHECK_INT(snap_groups_row(g, 0).total, 0);
		CHECK_INT(snap_groups_row(g, 1).total, 4);
		CHECK_INT(snap_groups_row(g, 1).size, 12);
		CHECK_INT(snap_groups_row(g, 2).total, 0);
		CHECK_INT(snap_groups_row(g, 2).size, 3);
		snap_groups_free(g);
	}
	snap_snapshot_free(s);
}

/* Columns that only a program can make, near the ends of 63 bits. */
static struct snap_snapshot *large_diff(int64_t blocks, int64_t bytes, int64_t old_blocks, int64_t old_bytes)
{
	const struct snap_column columns[] = {{"blocks", SNAP_UNIT_BLOCKS},
					      {"bytes", SNAP_UNIT_BYTES},
					      {"old_blocks", SNAP_UNIT_BLOCKS},
					      {"old_bytes", SNAP_UNIT_BYTES}};
	struct snap_builder *b;
	struct snap_snapshot *s;
	struct snap_error err;
	uint32_t string, frame, stack;
	told_must(snap_builder_new_columns(&b, columns, 4, NULL, &err), &err);
	told_must(snap_builder_string(b, "a", 1, &string, &err), &err);
	told_must(snap_builder_frame(b, string, 1, SNAP_NO_FUNCTION, &frame, &err), &err);
	uint32_t frames[3] = {frame, frame, frame};
	told_must(snap_builder_stack(b, frames, 3, 3, &stack, &err), &err);
	told_must(snap_builder_add_values(b, stack, 0, 1, (int64_t[]){blocks, bytes, old_blocks, old_bytes},
					  &err),
		  &err);
	told_must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

TEST(no_sum_wraps)
{
	struct snap_error err;
	struct snap_groups *g = NULL;
	struct snap_group_options o = {SNAP_BY_LINENO, SNAP_CUMULATIVE_TRACEMALLOC, SNAP_SORT_DEFAULT};
	struct snap_snapshot *s = large_diff(1, INT64_MAX / 2, 1, 0);
	CHECK_INT(snap_groups_new(&g, s, &o, 0, &err), SNAP_ERR_LIMIT);
	CHECK(g == NULL);
	o.cumulative = SNAP_CUMULATIVE;
	if (CHECK_OK(snap_groups_new(&g, s, &o, 0, &err), &err))
		CHECK_INT(snap_groups_row(g, 0).size, INT64_MAX / 2);
	snap_groups_free(g);
	snap_snapshot_free(s);

	s = large_diff(1, INT64_MAX, 1, -1);
	CHECK_INT(snap_groups_new(&g, s, &o, 0, &err), SNAP_ERR_LIMIT);
	snap_snapshot_free(s);

	/* The magnitude of this difference has no positive int64_t. */
	s = large_diff(-1, 0, INT64_MAX, 1);
	if (CHECK_OK(snap_groups_new(&g, s, &o, 0, &err), &err))
		CHECK_INT(snap_groups_row(g, 0).count_diff, INT64_MIN);
	snap_groups_free(g);
	snap_snapshot_free(s);
}

TEST(refusals_say_why)
{
	struct snap_snapshot *s = small_snapshot((struct small_stack[]){{"a:1", 1, 1, 1}}, 1);
	struct snap_groups *g;
	struct snap_error err;
	CHECK_INT(snap_groups_new(
			  &g, s,
			  &(struct snap_group_options){SNAP_BY_TRACEBACK, SNAP_CUMULATIVE, SNAP_SORT_DEFAULT},
			  0, &err),
		  SNAP_ERR_INVALID);
	CHECK_STR(err.message,
		  "cumulative sums are of lines, files or functions: a block has only one traceback");
	CHECK_INT(snap_groups_new(
			  &g, s, &(struct snap_group_options){SNAP_BY_LINENO, SNAP_SELF, SNAP_SORT_SIZE_DIFF},
			  0, &err),
		  SNAP_ERR_INVALID);
	CHECK_STR(err.message, "only a diff can be sorted by a difference, and this is one snapshot");
	snap_snapshot_free(s);
	snap_groups_free(NULL);
}
