/* Groups a snapshot: numbers the groups, adds up their sites, and ranks the biggest. See group.h. */
#include <snap/group.h>

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/index.h"
#include "model/snapshot.h"
#include "ops/cumulate.h"
#include "ops/stacks.h"

struct ranked {
	struct snap_group_row row;
	uint32_t first; /* the first frame of the group, or its stack */
};

struct snap_groups {
	const struct snap_snapshot *snapshot;
	enum snap_group_by by;
	size_t count, ranked;
	struct snap_group_row total;
	struct ranked *rows;
};

/* What is known of the groups while they are added up. A group's number is that of its row in `sums`. */
struct grouping {
	const struct snap_snapshot *s;
	const struct snap_group_options *options;
	bool diff;
	unsigned columns;      /* blocks, bytes and, in a diff, old_blocks, old_bytes */
	size_t count;          /* numbers given; some may stand for no group */
	struct snap_i64s sums; /* `columns` for each */
	bool *present;         /* which numbers stand for a group; NULL: all */
	uint32_t *first;       /* by frames: the first frame of each group */
	uint32_t *total;       /* by traceback: the common total of the group's stacks, 0 if there is none */
	struct snap_u64s key;  /* by domain and by size: which */
	struct snap_budget budget;
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static enum snap_status zero_sums(struct grouping *g, struct snap_error *err)
{
	g->sums.at = calloc(g->count * g->columns + 1, sizeof *g->sums.at);
	g->present = calloc(g->count + 1, sizeof *g->present);
	return g->sums.at == NULL || g->present == NULL ? out_of_memory(err) : SNAP_OK;
}

/* By frames. */

static bool same_line(const struct snap_snapshot *s, uint32_t a, uint32_t b)
{
	return s->frame_file.at[a] == s->frame_file.at[b] && s->frame_line.at[a] == s->frame_line.at[b];
}

static bool same_frame_group(const struct snap_snapshot *s, enum snap_group_by by, uint32_t a, uint32_t b)
{
	uint32_t f = s->frame_function.at[a], h = s->frame_function.at[b];
	if (by == SNAP_BY_LINENO)
		return same_line(s, a, b);
	if (by == SNAP_BY_FUNCTION)
		return f == h &&
		       (f == SNAP_NONE ? same_line(s, a, b) : s->frame_file.at[a] == s->frame_file.at[b]);
	return s->frame_file.at[a] == s->frame_file.at[b];
}

/* Frames ascend by (file, line, function): those of a file, or of a line, stand together. */
static uint32_t number_runs(const struct snap_snapshot *s, enum snap_group_by by, uint32_t *number,
			    uint32_t *first)
{
	const uint32_t *file = s->frame_file.at, *line = s->frame_line.at;
	bool lines = by == SNAP_BY_LINENO;
	uint32_t frames = (uint32_t)s->frame_file.count, count = 0;
	for (uint32_t f = 0; f < frames; f++) {
		if (f == 0 || file[f] != file[f - 1] || (lines && line[f] != line[f - 1]))
			first[count++] = f;
		number[f] = count - 1;
	}
	return count;
}

/* The frames of a function are found by its name, which remembers the last group that bore it. */
static uint32_t number_functions(const struct snap_snapshot *s, uint32_t *number, uint32_t *first,
				 uint32_t *bearer)
{
	uint32_t frames = (uint32_t)s->frame_file.count, count = 0;
	for (uint32_t f = 0; f < frames; f++) {
		uint32_t function = s->frame_function.at[f];
		uint32_t before = f > 0 ? number[f - 1] : SNAP_NONE;
		uint32_t group = function != SNAP_NONE ? bearer[function] : before;
		if (group == SNAP_NONE || !same_frame_group(s, SNAP_BY_FUNCTION, first[group], f)) {
			group = count++;
			first[group] = f;
		}
		if (function != SNAP_NONE)
			bearer[function] = group;
		number[f] = group;
	}
	return count;
}

static enum snap_status number_frames(struct grouping *g, uint32_t *number, struct snap_error *err)
{
	size_t frames = g->s->frame_file.count, strings = g->s->text_end.count;
	g->first = malloc((frames + 1) * sizeof *g->first);
	if (g->first == NULL)
		return out_of_memory(err);
	if (g->options->by == SNAP_BY_FUNCTION) {
		uint32_t *bearer = malloc((strings + 1) * sizeof *bearer);
		if (bearer == NULL)
			return out_of_memory(err);
		memset(bearer, 0xff, (strings + 1) * sizeof *bearer);
		g->count = number_functions(g->s, number, g->first, bearer);
		free(bearer);
	} else
		g->count = number_runs(g->s, g->options->by, number, g->first);
	return zero_sums(g, err);
}

static enum snap_status group_frames(struct grouping *g, struct snap_error *err)
{
	const struct snap_snapshot *s = g->s;
	size_t frames = s->frame_file.count, stacks = s->stack_node.count;
	uint32_t *number = malloc((frames + stacks + 1) * sizeof *number);
	if (number == NULL)
		return out_of_memory(err);
	enum snap_status status = number_frames(g, number, err);
	if (status == SNAP_OK && g->options->cumulative != SNAP_SELF) {
		struct snap_frame_groups groups = {number, (uint32_t)g->count, g->columns, g->sums.at,
						   g->present};
		status = snap_cumulate(s, g->options->cumulative == SNAP_CUMULATIVE, &groups, err);
	} else if (status == SNAP_OK) {
		uint32_t *group = number + frames;
		for (size_t i = 0; i < stacks; i++) {
			group[i] = number[s->node_frame.at[s->stack_node.at[i]]];
			g->present[group[i]] = true;
		}
		snap_sum_sites(s, group, g->columns, g->sums.at);
	}
	free(number);
	return status;
}

/* By traceback: a group has the number of one of its stacks. */

static enum snap_status group_tracebacks(struct grouping *g, struct snap_error *err)
{
	const struct snap_snapshot *s = g->s;
	size_t stacks = s->stack_node.count, joined;
	uint32_t *group = malloc((stacks + 1) * sizeof *group);
	g->total = malloc((stacks + 1) * sizeof *g->total);
	g->count = stacks;
	enum snap_status status = group == NULL || g->total == NULL
					  ? out_of_memory(err)
					  : snap_stacks_join(s, NULL, false, group, &joined, err);
	if (status == SNAP_OK)
		status = zero_sums(g, err);
	if (status == SNAP_OK) {
		for (size_t i = 0; i < stacks; i++) {
			g->total[i] = s->stack_total.at[i];
			g->present[i] = group[i] == i;
		}
		for (size_t i = 0; i < stacks; i++)
			if (g->total[group[i]] != s->stack_total.at[i])
				g->total[group[i]] = 0;
		snap_sum_sites(s, group, g->columns, g->sums.at);
	}
	free(group);
	return status;
}

/* By domain and by size. */

static enum snap_status find_key(struct grouping *g, struct snap_index *index, uint64_t key, size_t *group,
				 struct snap_error *err)
{
	uint64_t hash = snap_mix(key + 1);
	size_t cursor = snap_index_start(index, hash);
	for (uint32_t i; (i = snap_index_next(index, hash, &cursor)) != SNAP_INDEX_NONE;)
		if (g->key.at[i] == key) {
			*group = i;
			return SNAP_OK;
		}
	*group = g->count;
	enum snap_status status = snap_index_reserve(index, &g->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&g->key, key, &g->budget, err);
	for (unsigned c = 0; c < g->columns && status == SNAP_OK; c++)
		status = snap_vector_push(&g->sums, 0, &g->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(index, hash, (uint32_t)g->count++);
	return status;
}

static enum snap_status group_keys(struct grouping *g, struct snap_error *err)
{
	const struct snap_snapshot *s = g->s;
	struct snap_index index = {NULL, 0, 0};
	int64_t keys[SNAP_VALUES_CHUNK], values[4][SNAP_VALUES_CHUNK], last = 0;
	size_t sites = s->site_stack.count, group = 0;
	enum snap_status status = SNAP_OK;
	for (size_t begin = 0; begin < sites && status == SNAP_OK; begin += SNAP_VALUES_CHUNK) {
		size_t count = sites - begin < SNAP_VALUES_CHUNK ? sites - begin : SNAP_VALUES_CHUNK;
		for (unsigned c = 0; c < g->columns; c++)
			snap_snapshot_read_values(s, c, begin, count, values[c]);
		if (g->options->by == SNAP_BY_SIZE)
			snap_numbers_read(&s->site_size, begin, count, keys);
		else
			for (size_t i = 0; i < count; i++)
				keys[i] = s->site_domain.at[begin + i];
		for (size_t i = 0; i < count && status == SNAP_OK; i++) {
			if (g->count == 0 || keys[i] != last)
				status = find_key(g, &index, (uint64_t)keys[i], &group, err);
			last = keys[i];
			for (unsigned c = 0; c < g->columns && status == SNAP_OK; c++)
				g->sums.at[group * g->columns + c] += values[c][i];
		}
	}
	snap_index_free(&index, &g->budget);
	return status;
}

/* Ranking. */

struct entry {
	uint64_t keys[4]; /* the first difference decides */
	uint32_t group;
};

static bool set_row(struct snap_group_row *row, const int64_t *sums, bool diff)
{
	*row = (struct snap_group_row){.size = sums[SNAP_COLUMN_BYTES], .count = sums[SNAP_COLUMN_BLOCKS]};
	return !diff || (!__builtin_sub_overflow(row->size, sums[SNAP_COLUMN_OLD_BYTES], &row->size_diff) &&
			 !__builtin_sub_overflow(row->count, sums[SNAP_COLUMN_OLD_BLOCKS], &row->count_diff));
}

/* Numbers as unsigned ones of the same order. */
static uint64_t signed_key(int64_t value)
{
	return (uint64_t)value ^ UINT64_C(1) << 63;
}

static uint64_t size_key(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static struct entry make_entry(const struct snap_group_row *row, enum snap_group_sort sort, uint32_t group)
{
	uint64_t size = signed_key(row->size), count = signed_key(row->count);
	uint64_t size_diff = size_key(row->size_diff), count_diff = size_key(row->count_diff);
	switch (sort) {
	case SNAP_SORT_COUNT:
		return (struct entry){{count, size, 0, 0}, group};
	case SNAP_SORT_SIZE_DIFF:
		return (struct entry){{size_diff, size, count_diff, count}, group};
	case SNAP_SORT_COUNT_DIFF:
		return (struct entry){{count_diff, count, size_diff, size}, group};
	case SNAP_SORT_DEFAULT:
	case SNAP_SORT_SIZE:
		break;
	}
	return (struct entry){{size, count, 0, 0}, group};
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Lines of a function are no part of its name; SNAP_NONE + 1 is 0. */
static int compare_functions(const struct snap_snapshot *s, uint32_t a, uint32_t b)
{
	uint32_t f = s->frame_function.at[a], h = s->frame_function.at[b];
	int order = compare_numbers(s->frame_file.at[a], s->frame_file.at[b]);
	if (order == 0)
		order = compare_numbers(f == SNAP_NONE ? s->frame_line.at[a] : 0,
					h == SNAP_NONE ? s->frame_line.at[b] : 0);
	return order != 0 ? order : compare_numbers(f + 1, h + 1);
}

static int compare_names(const struct grouping *g, uint32_t a, uint32_t b)
{
	switch (g->options->by) {
	case SNAP_BY_TRACEBACK:
		return snap_stacks_compare(g->s, a, b);
	case SNAP_BY_FUNCTION:
		return compare_functions(g->s, g->first[a], g->first[b]);
	case SNAP_BY_DOMAIN:
	case SNAP_BY_SIZE:
		return compare_numbers(g->key.at[a], g->key.at[b]);
	case SNAP_BY_LINENO:
	case SNAP_BY_FILENAME:
		break;
	}
	return compare_numbers(a, b);
}

static bool ranks_below(const struct grouping *g, const struct entry *a, const struct entry *b)
{
	for (size_t i = 0; i < sizeof a->keys / sizeof *a->keys; i++)
		if (a->keys[i] != b->keys[i])
			return a->keys[i] < b->keys[i];
	return compare_names(g, a->group, b->group) < 0;
}

/* Puts `e` at `at` or below it in a heap whose root is the lowest rank. */
static void sift_down(const struct grouping *g, struct entry *heap, size_t count, size_t at, struct entry e)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= count)
			break;
		if (child + 1 < count && ranks_below(g, &heap[child + 1], &heap[child]))
			child++;
		if (!ranks_below(g, &heap[child], &e))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = e;
}

static void make_heap(const struct grouping *g, struct entry *heap, size_t count)
{
	for (size_t at = count / 2; at-- > 0;)
		sift_down(g, heap, count, at, heap[at]);
}

static void finish_row(const struct grouping *g, struct ranked *r, uint32_t group)
{
	switch (g->options->by) {
	case SNAP_BY_LINENO:
	case SNAP_BY_FILENAME:
	case SNAP_BY_FUNCTION:
		r->row.frames = 1;
		r->first = g->first[group];
		break;
	case SNAP_BY_TRACEBACK:
		r->row.frames = g->s->stack_length.at[group];
		r->row.total = g->total[group];
		r->first = group;
		break;
	case SNAP_BY_DOMAIN:
		r->row.domain = (uint32_t)g->key.at[group];
		break;
	case SNAP_BY_SIZE:
		r->row.block_size = g->key.at[group];
		break;
	}
}

/* Keeps the `top` highest in a heap, then takes them out from the lowest to the highest. */
static enum snap_status rank(struct snap_groups *out, const struct grouping *g, size_t top,
			     struct snap_error *err)
{
	enum snap_group_sort sort = g->options->sort;
	if (sort == SNAP_SORT_DEFAULT)
		sort = g->diff ? SNAP_SORT_SIZE_DIFF : SNAP_SORT_SIZE;
	size_t room = top == 0 || top > g->count ? g->count : top, held = 0;
	struct entry *heap = malloc((room + 1) * sizeof *heap);
	if (heap == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < g->count; i++) {
		if (g->present != NULL && !g->present[i])
			continue;
		struct snap_group_row row;
		if (!set_row(&row, &g->sums.at[i * g->columns], g->diff)) {
			free(heap);
			return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
					 "a difference does not fit in 63 bits");
		}
		out->count++;
		struct entry e = make_entry(&row, sort, (uint32_t)i);
		if (held < room) {
			heap[held++] = e;
			if (held == room)
				make_heap(g, heap, held);
		} else if (e.keys[0] >= heap[0].keys[0] && ranks_below(g, &heap[0], &e))
			sift_down(g, heap, held, 0, e);
	}
	if (held < room)
		make_heap(g, heap, held);
	out->ranked = held;
	out->rows = calloc(held + 1, sizeof *out->rows);
	if (out->rows == NULL) {
		free(heap);
		return out_of_memory(err);
	}
	for (size_t i = held; i-- > 0;) {
		struct ranked *r = &out->rows[i];
		set_row(&r->row, &g->sums.at[heap[0].group * (size_t)g->columns], g->diff);
		finish_row(g, r, heap[0].group);
		if (i > 0)
			sift_down(g, heap, i, 0, heap[i]);
	}
	free(heap);
	return SNAP_OK;
}

/* The calls of group.h. */

static enum snap_status check(const struct snap_group_options *o, bool diff, struct snap_error *err)
{
	bool by_frame = o->by == SNAP_BY_LINENO || o->by == SNAP_BY_FILENAME || o->by == SNAP_BY_FUNCTION;
	if (o->cumulative != SNAP_SELF && !by_frame)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "cumulative sums are of lines, files or functions: a block has only one %s",
				 o->by == SNAP_BY_TRACEBACK ? "traceback"
				 : o->by == SNAP_BY_DOMAIN  ? "domain"
							    : "size");
	if (!diff && (o->sort == SNAP_SORT_SIZE_DIFF || o->sort == SNAP_SORT_COUNT_DIFF))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "only a diff can be sorted by a difference, and this is one snapshot");
	return SNAP_OK;
}

static enum snap_status add_up(struct grouping *g, struct snap_error *err)
{
	switch (g->options->by) {
	case SNAP_BY_TRACEBACK:
		return group_tracebacks(g, err);
	case SNAP_BY_DOMAIN:
	case SNAP_BY_SIZE:
		return group_keys(g, err);
	case SNAP_BY_LINENO:
	case SNAP_BY_FILENAME:
	case SNAP_BY_FUNCTION:
		break;
	}
	return group_frames(g, err);
}

enum snap_status snap_groups_new(struct snap_groups **out, const struct snap_snapshot *s,
				 const struct snap_group_options *options, size_t top, struct snap_error *err)
{
	*out = NULL;
	struct grouping g = {
		.s = s, .options = options, .diff = snap_snapshot_is_diff(s), .budget = {UINT64_MAX, 0}};
	g.columns = g.diff ? 4 : 2;
	enum snap_status status = check(options, g.diff, err);
	if (status < 0)
		return status;
	struct snap_groups *groups = calloc(1, sizeof *groups);
	if (groups == NULL)
		return out_of_memory(err);
	groups->snapshot = s;
	groups->by = options->by;
	if (!set_row(&groups->total, s->totals, g.diff))
		status = snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
				   "the difference of the sums does not fit in 63 bits");
	if (status == SNAP_OK)
		status = add_up(&g, err);
	if (status == SNAP_OK)
		status = rank(groups, &g, top, err);
	snap_vector_free(&g.sums, NULL);
	snap_vector_free(&g.key, NULL);
	free(g.present);
	free(g.first);
	free(g.total);
	if (status < 0)
		snap_groups_free(groups);
	else
		*out = groups;
	return status;
}

size_t snap_groups_count(const struct snap_groups *g)
{
	return g->count;
}

size_t snap_groups_ranked(const struct snap_groups *g)
{
	return g->ranked;
}

struct snap_group_row snap_groups_total(const struct snap_groups *g)
{
	return g->total;
}

struct snap_group_row snap_groups_row(const struct snap_groups *g, size_t i)
{
	return g->rows[i].row;
}

size_t snap_groups_frames(const struct snap_groups *g, size_t i, struct snap_frame *frames, size_t max)
{
	const struct snap_snapshot *s = g->snapshot;
	uint32_t first = g->rows[i].first;
	size_t count = g->rows[i].row.frames;
	if (g->by == SNAP_BY_TRACEBACK)
		return snap_snapshot_traceback(s, first, frames, max);
	if (count == 0 || max == 0)
		return count;
	frames[0] = snap_snapshot_frame(s, first);
	if (g->by == SNAP_BY_FILENAME ||
	    (g->by == SNAP_BY_FUNCTION && s->frame_function.at[first] != SNAP_NONE))
		frames[0].line = 0;
	if (g->by != SNAP_BY_FUNCTION)
		for (uint32_t f = first + 1; f < s->frame_file.count && same_frame_group(s, g->by, first, f);
		     f++)
			if (s->frame_function.at[f] != s->frame_function.at[first])
				frames[0].function = (struct snap_text){NULL, 0};
	return count;
}

void snap_groups_free(struct snap_groups *g)
{
	if (g == NULL)
		return;
	free(g->rows);
	free(g);
}
