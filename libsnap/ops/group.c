/* Groups a snapshot: adds up its sites by group and offers the sums to a ranking. See group.h. */
#include <snap/group.h>

#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "ops/cumulate.h"
#include "ops/estimate.h"
#include "ops/ranking.h"
#include "ops/stacks.h"

struct snap_groups {
	struct snap_ranking ranking;
	struct snap_group_row total;
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

/* Blocks, bytes and, in a diff, old_blocks, old_bytes; then their variances where there are any. */
static unsigned columns_of(const struct snap_ranking *r)
{
	return snap_variances_begin(r->diff) * (r->errors ? 2 : 1);
}

/* By frames. */

static inline bool same_line(const struct snap_snapshot *s, uint32_t a, uint32_t b)
{
	return s->frame_file.at[a] == s->frame_file.at[b] && s->frame_line.at[a] == s->frame_line.at[b];
}

static inline bool same_frame_group(const struct snap_snapshot *s, enum snap_group_by by, uint32_t a,
				    uint32_t b)
{
	uint32_t f = s->frame_function.at[a], h = s->frame_function.at[b];
	if (by == SNAP_BY_LINENO)
		return same_line(s, a, b);
	if (by == SNAP_BY_FUNCTION)
		return f == h &&
		       (f == SNAP_NONE ? same_line(s, a, b) : s->frame_file.at[a] == s->frame_file.at[b]);
	return s->frame_file.at[a] == s->frame_file.at[b];
}

static enum snap_status offer_frame(struct snap_ranking *r, uint32_t frame, const int64_t *sums,
				    struct snap_error *err)
{
	return snap_ranking_offer(r, (struct snap_ranked){{.frames = 1}, frame}, sums, err);
}

/* Lines and files: sites ascend by newest frame and frames by (file, line), so the sites of a group stand
 * together, and nothing needs to be kept of a group but its row. The number of columns is a constant in
 * each copy. */
static inline __attribute__((always_inline)) enum snap_status
rank_runs(struct snap_ranking *r, unsigned columns, struct snap_error *err)
{
	const struct snap_snapshot *s = r->s;
	int64_t values[SNAP_SUMS_MAX][SNAP_VALUES_CHUNK], sums[SNAP_SUMS_MAX] = {0};
	const uint32_t *stack = s->site_stack.at, *node = s->stack_node.at, *frames = s->node_frame.at;
	uint32_t frame = SNAP_NONE;
	enum snap_status status = SNAP_OK;
	for (size_t begin = 0, sites = s->site_stack.count; begin < sites; begin += SNAP_VALUES_CHUNK) {
		size_t count = sites - begin < SNAP_VALUES_CHUNK ? sites - begin : SNAP_VALUES_CHUNK;
		snap_snapshot_read_columns(s, columns, begin, count, values);
		for (size_t i = 0; i < count; i++) {
			/* Of each site anew: whether its stack is another one no processor could foresee. */
			uint32_t newest = frames[node[stack[begin + i]]];
			if (newest != frame) {
				if (frame != SNAP_NONE && !same_frame_group(s, r->by, frame, newest)) {
					status = offer_frame(r, frame, sums, err);
					if (status < 0)
						return status;
					memset(sums, 0, columns * sizeof *sums);
				}
				frame = newest;
			}
			for (unsigned c = 0; c < columns; c++)
				sums[c] += values[c][i];
		}
	}
	return frame == SNAP_NONE ? SNAP_OK : offer_frame(r, frame, sums, err);
}

static enum snap_status rank_lines_or_files(struct snap_ranking *r, struct snap_error *err)
{
	switch (columns_of(r)) {
	case 2:
		return rank_runs(r, 2, err);
	case 4:
		return rank_runs(r, 4, err);
	default:
		return rank_runs(r, SNAP_SUMS_MAX, err);
	}
}

/* Writes the group of each frame, and a frame of each group; returns how many groups there are. The frames
 * of a function are found by its name, which remembers the last group that bore it. */
static uint32_t number_frames(const struct snap_snapshot *s, enum snap_group_by by, uint32_t *group,
			      uint32_t *first, uint32_t *bearer)
{
	uint32_t frames = (uint32_t)s->frame_file.count, count = 0;
	for (uint32_t f = 0; f < frames; f++) {
		uint32_t function = by == SNAP_BY_FUNCTION ? s->frame_function.at[f] : SNAP_NONE;
		uint32_t before = f > 0 ? group[f - 1] : SNAP_NONE;
		uint32_t g = function != SNAP_NONE ? bearer[function] : before;
		if (g == SNAP_NONE || !same_frame_group(s, by, first[g], f)) {
			g = count++;
			first[g] = f;
		}
		if (function != SNAP_NONE)
			bearer[function] = g;
		group[f] = g;
	}
	return count;
}

/* Adds each stack to the group of its newest frame. */
static enum snap_status add_newest(const struct snap_snapshot *s, const struct snap_frame_groups *groups,
				   struct snap_error *err)
{
	size_t stacks = s->stack_node.count;
	uint32_t *group = malloc((stacks + 1) * sizeof *group);
	if (group == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < stacks; i++) {
		group[i] = groups->group[s->node_frame.at[s->stack_node.at[i]]];
		groups->present[group[i]] = true;
	}
	snap_sum_sites(s, group, groups->columns, groups->sums);
	free(group);
	return SNAP_OK;
}

/* Functions, and all that is cumulative. */
static enum snap_status rank_frames(struct snap_ranking *r, enum snap_group_cumulative cumulative,
				    struct snap_error *err)
{
	const struct snap_snapshot *s = r->s;
	size_t frames = s->frame_file.count, strings = s->text_end.count;
	unsigned columns = columns_of(r);
	struct snap_frame_groups groups = {.columns = columns};
	int64_t *sums = NULL;
	bool *present = NULL;
	enum snap_status status = SNAP_OK;
	uint32_t *group = malloc((2 * frames + strings + 1) * sizeof *group);
	if (group != NULL) {
		uint32_t *first = group + frames, *bearer = first + frames;
		memset(bearer, 0xff, strings * sizeof *bearer);
		groups.group = group;
		groups.count = number_frames(s, r->by, group, first, bearer);
		sums = groups.sums = calloc((size_t)groups.count * columns + 1, sizeof *sums);
		present = groups.present = calloc((size_t)groups.count + 1, sizeof *present);
	}
	if (group == NULL || sums == NULL || present == NULL)
		status = out_of_memory(err);
	else if (cumulative == SNAP_SELF)
		status = add_newest(s, &groups, err);
	else
		status = snap_cumulate(s, cumulative == SNAP_CUMULATIVE, &groups, err);
	for (uint32_t g = 0; g < groups.count && status == SNAP_OK; g++)
		if (present[g])
			status = offer_frame(r, group[frames + g], &sums[(size_t)g * columns], err);
	free(group);
	free(sums);
	free(present);
	return status;
}

/* By traceback: one of the stacks that say the same stands for the group. */
static enum snap_status rank_tracebacks(struct snap_ranking *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->s;
	size_t stacks = s->stack_node.count, joined;
	unsigned columns = columns_of(r);
	uint32_t *group = malloc((2 * stacks + 1) * sizeof *group);
	int64_t *sums = calloc(stacks * columns + 1, sizeof *sums);
	enum snap_status status = group == NULL || sums == NULL
					  ? out_of_memory(err)
					  : snap_stacks_join(s, NULL, false, group, &joined, err);
	if (status == SNAP_OK) {
		uint32_t *total = group + stacks;
		for (size_t i = 0; i < stacks; i++)
			total[i] = s->stack_total.at[i];
		for (size_t i = 0; i < stacks; i++)
			if (total[group[i]] != s->stack_total.at[i])
				total[group[i]] = 0;
		snap_sum_sites(s, group, columns, sums);
		for (uint32_t i = 0; i < stacks && status == SNAP_OK; i++)
			if (group[i] == i) {
				struct snap_ranked row = {
					{.frames = s->stack_length.at[i], .total = total[i]}, i};
				status = snap_ranking_offer(r, row, &sums[(size_t)i * columns], err);
			}
	}
	free(group);
	free(sums);
	return status;
}

/* By domain and by size. */

struct keyed_sums {
	struct snap_index index;
	struct snap_u64s keys;
	struct snap_i64s sums; /* `columns` of each key */
	unsigned columns;
	struct snap_budget budget;
};

static enum snap_status find_key(struct keyed_sums *k, uint64_t key, size_t *found, struct snap_error *err)
{
	uint64_t hash = snap_keyed(snap_index_seed(&k->index), key);
	size_t cursor = snap_index_start(&k->index, hash);
	for (uint32_t i; (i = snap_index_next(&k->index, hash, &cursor)) != SNAP_INDEX_NONE;)
		if (k->keys.at[i] == key) {
			*found = i;
			return SNAP_OK;
		}
	*found = k->keys.count;
	enum snap_status status = snap_index_reserve(&k->index, &k->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&k->keys, key, &k->budget, err);
	for (unsigned c = 0; c < k->columns && status == SNAP_OK; c++)
		status = snap_vector_push(&k->sums, 0, &k->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(&k->index, hash, (uint32_t)*found);
	return status;
}

static enum snap_status add_by_key(struct keyed_sums *k, const struct snap_snapshot *s, bool by_size,
				   struct snap_error *err)
{
	int64_t keys[SNAP_VALUES_CHUNK], values[SNAP_SUMS_MAX][SNAP_VALUES_CHUNK], last = 0;
	size_t at = 0;
	enum snap_status status = SNAP_OK;
	for (size_t begin = 0, sites = s->site_stack.count; begin < sites; begin += SNAP_VALUES_CHUNK) {
		size_t count = sites - begin < SNAP_VALUES_CHUNK ? sites - begin : SNAP_VALUES_CHUNK;
		snap_snapshot_read_columns(s, k->columns, begin, count, values);
		if (by_size)
			snap_numbers_read(&s->site_size, begin, count, keys);
		else
			for (size_t i = 0; i < count; i++)
				keys[i] = snap_snapshot_domain(s, begin + i);
		for (size_t i = 0; i < count; i++) {
			if (k->keys.count == 0 || keys[i] != last)
				status = find_key(k, (uint64_t)keys[i], &at, err);
			if (status < 0)
				return status;
			last = keys[i];
			for (unsigned c = 0; c < k->columns; c++)
				k->sums.at[at * k->columns + c] += values[c][i];
		}
	}
	return SNAP_OK;
}

static enum snap_status rank_keys(struct snap_ranking *r, struct snap_error *err)
{
	struct keyed_sums k = {.columns = columns_of(r), .budget = {UINT64_MAX, 0}};
	enum snap_status status = add_by_key(&k, r->s, r->by == SNAP_BY_SIZE, err);
	for (size_t i = 0; i < k.keys.count && status == SNAP_OK; i++) {
		struct snap_ranked row = {{.size = 0}, 0};
		if (r->by == SNAP_BY_SIZE)
			row.row.block_size = k.keys.at[i];
		else
			row.row.domain = (uint32_t)k.keys.at[i];
		status = snap_ranking_offer(r, row, &k.sums.at[i * k.columns], err);
	}
	snap_index_free(&k.index, &k.budget);
	snap_vector_free(&k.keys, NULL);
	snap_vector_free(&k.sums, NULL);
	return status;
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

static enum snap_status rank(struct snap_ranking *r, enum snap_group_cumulative cumulative,
			     struct snap_error *err)
{
	switch (r->by) {
	case SNAP_BY_TRACEBACK:
		return rank_tracebacks(r, err);
	case SNAP_BY_DOMAIN:
	case SNAP_BY_SIZE:
		return rank_keys(r, err);
	case SNAP_BY_LINENO:
	case SNAP_BY_FILENAME:
		if (cumulative == SNAP_SELF)
			return rank_lines_or_files(r, err);
		break;
	case SNAP_BY_FUNCTION:
		break;
	}
	return rank_frames(r, cumulative, err);
}

enum snap_status snap_groups_new(struct snap_groups **out, const struct snap_snapshot *s,
				 const struct snap_group_options *options, size_t top, struct snap_error *err)
{
	*out = NULL;
	bool diff = snap_snapshot_is_diff(s);
	enum snap_status status = check(options, diff, err);
	if (status < 0)
		return status;
	struct snap_groups *g = calloc(1, sizeof *g);
	if (g == NULL)
		return out_of_memory(err);
	enum snap_group_sort by_default = diff ? SNAP_SORT_SIZE_DIFF : SNAP_SORT_SIZE;
	g->ranking = (struct snap_ranking){
		.s = s,
		.by = options->by,
		.sort = options->sort == SNAP_SORT_DEFAULT ? by_default : options->sort,
		.diff = diff,
		.errors = snap_estimate_has_errors(s),
		.top = top,
	};
	if (!snap_group_row_set(&g->total, s->totals, diff, g->ranking.errors))
		status = snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
				   "the difference of the sums does not fit in 63 bits");
	if (status == SNAP_OK)
		status = rank(&g->ranking, options->cumulative, err);
	if (status < 0) {
		snap_groups_free(g);
		return status;
	}
	snap_ranking_sort(&g->ranking);
	*out = g;
	return SNAP_OK;
}

size_t snap_groups_count(const struct snap_groups *g)
{
	return g->ranking.count;
}

size_t snap_groups_ranked(const struct snap_groups *g)
{
	return g->ranking.rows.count;
}

struct snap_group_row snap_groups_total(const struct snap_groups *g)
{
	return g->total;
}

struct snap_group_row snap_groups_row(const struct snap_groups *g, size_t i)
{
	return g->ranking.rows.at[i].row;
}

/* The frame of a line, file or function: a name only where it is that of all its frames, a line only where
 * lines tell groups apart. */
static struct snap_frame common_frame(const struct snap_snapshot *s, enum snap_group_by by, uint32_t any)
{
	struct snap_frame frame = snap_snapshot_frame(s, any);
	if (by == SNAP_BY_FILENAME || (by == SNAP_BY_FUNCTION && frame.function.bytes != NULL))
		frame.line = 0;
	if (by == SNAP_BY_FUNCTION)
		return frame;
	uint32_t first = any;
	while (first > 0 && same_frame_group(s, by, first - 1, any))
		first--;
	for (uint32_t f = first; f < s->frame_file.count && same_frame_group(s, by, f, any); f++)
		if (s->frame_function.at[f] != s->frame_function.at[any])
			frame.function = (struct snap_text){NULL, 0};
	return frame;
}

size_t snap_groups_frames(const struct snap_groups *g, size_t i, struct snap_frame *frames, size_t max)
{
	const struct snap_ranking *r = &g->ranking;
	const struct snap_ranked *row = &r->rows.at[i];
	if (r->by == SNAP_BY_TRACEBACK)
		return snap_snapshot_traceback(r->s, row->what, frames, max);
	if (row->row.frames == 1 && max > 0)
		frames[0] = common_frame(r->s, r->by, row->what);
	return row->row.frames;
}

void snap_groups_free(struct snap_groups *g)
{
	if (g == NULL)
		return;
	snap_vector_free(&g->ranking.rows, NULL);
	free(g);
}
