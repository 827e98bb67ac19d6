/* A heap of the highest rows; see ranking.h. */
#include "ops/ranking.h"

#include "ops/estimate.h"
#include "ops/stacks.h"

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_values(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Sizes or counts as statistics() ranks them. */
static int compare_sums(const struct snap_group_row *a, const struct snap_group_row *b, bool count_first)
{
	int size = compare_values(a->size, b->size), count = compare_values(a->count, b->count);
	if (count_first)
		return count != 0 ? count : size;
	return size != 0 ? size : count;
}

static int compare_sizes(const struct snap_group_row *a, const struct snap_group_row *b)
{
	int order = compare_numbers(magnitude(a->size_diff), magnitude(b->size_diff));
	return order != 0 ? order : compare_values(a->size, b->size);
}

static int compare_counts(const struct snap_group_row *a, const struct snap_group_row *b)
{
	int order = compare_numbers(magnitude(a->count_diff), magnitude(b->count_diff));
	return order != 0 ? order : compare_values(a->count, b->count);
}

static int compare_rows(const struct snap_group_row *a, const struct snap_group_row *b,
			enum snap_group_sort sort)
{
	int order;
	switch (sort) {
	case SNAP_SORT_SIZE_DIFF:
		order = compare_sizes(a, b);
		return order != 0 ? order : compare_counts(a, b);
	case SNAP_SORT_COUNT_DIFF:
		order = compare_counts(a, b);
		return order != 0 ? order : compare_sizes(a, b);
	case SNAP_SORT_COUNT:
	case SNAP_SORT_SIZE:
	case SNAP_SORT_DEFAULT:
		break;
	}
	return compare_sums(a, b, sort == SNAP_SORT_COUNT);
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

static int compare_names(const struct snap_ranking *r, const struct snap_ranked *a,
			 const struct snap_ranked *b)
{
	switch (r->by) {
	case SNAP_BY_TRACEBACK:
		return snap_stacks_compare(r->s, a->what, b->what);
	case SNAP_BY_FUNCTION:
		return compare_functions(r->s, a->what, b->what);
	case SNAP_BY_DOMAIN:
		return compare_numbers(a->row.domain, b->row.domain);
	case SNAP_BY_SIZE:
		return compare_numbers(a->row.block_size, b->row.block_size);
	case SNAP_BY_LINENO:
	case SNAP_BY_FILENAME:
		break;
	}
	return compare_numbers(a->what, b->what);
}

static bool ranks_below(const struct snap_ranking *r, const struct snap_ranked *a,
			const struct snap_ranked *b)
{
	int order = compare_rows(&a->row, &b->row, r->sort);
	return (order != 0 ? order : compare_names(r, a, b)) < 0;
}

/* Puts `row` at `at` or below it in the first `count` rows. */
static void sift_down(struct snap_ranking *r, size_t count, size_t at, struct snap_ranked row)
{
	struct snap_ranked *heap = r->rows.at;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= count)
			break;
		if (child + 1 < count && ranks_below(r, &heap[child + 1], &heap[child]))
			child++;
		if (!ranks_below(r, &heap[child], &row))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = row;
}

static void make_heap(struct snap_ranking *r)
{
	for (size_t at = r->rows.count / 2; at-- > 0;)
		sift_down(r, r->rows.count, at, r->rows.at[at]);
}

static int64_t add_variances(int64_t a, int64_t b)
{
	int64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void set_errors(struct snap_group_row *row, const int64_t *variances, bool diff)
{
	row->size_error = snap_estimate_error(variances[SNAP_COLUMN_BYTES]);
	row->count_error = snap_estimate_error(variances[SNAP_COLUMN_BLOCKS]);
	if (!diff)
		return;
	row->size_diff_error = snap_estimate_error(
		add_variances(variances[SNAP_COLUMN_BYTES], variances[SNAP_COLUMN_OLD_BYTES]));
	row->count_diff_error = snap_estimate_error(
		add_variances(variances[SNAP_COLUMN_BLOCKS], variances[SNAP_COLUMN_OLD_BLOCKS]));
}

bool snap_group_row_set(struct snap_group_row *row, const int64_t *sums, bool diff, bool errors)
{
	if (errors)
		set_errors(row, sums + snap_variances_begin(diff), diff);
	row->size = sums[SNAP_COLUMN_BYTES];
	row->count = sums[SNAP_COLUMN_BLOCKS];
	return !diff || (!__builtin_sub_overflow(row->size, sums[SNAP_COLUMN_OLD_BYTES], &row->size_diff) &&
			 !__builtin_sub_overflow(row->count, sums[SNAP_COLUMN_OLD_BLOCKS], &row->count_diff));
}

enum snap_status snap_ranking_offer(struct snap_ranking *r, struct snap_ranked row, const int64_t *sums,
				    struct snap_error *err)
{
	if (!snap_group_row_set(&row.row, sums, r->diff, r->errors))
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "a difference does not fit in 63 bits");
	r->count++;
	if (r->top != 0 && r->rows.count == r->top) {
		if (ranks_below(r, &r->rows.at[0], &row))
			sift_down(r, r->rows.count, 0, row);
		return SNAP_OK;
	}
	enum snap_status status = snap_vector_push(&r->rows, row, NULL, err);
	if (status == SNAP_OK && r->rows.count == r->top)
		make_heap(r);
	return status;
}

/* Takes rows out of the heap, the lowest first, each to the place that is left behind the others. */
void snap_ranking_sort(struct snap_ranking *r)
{
	if (r->rows.count != r->top)
		make_heap(r);
	for (size_t last = r->rows.count; last-- > 1;) {
		struct snap_ranked row = r->rows.at[last];
		r->rows.at[last] = r->rows.at[0];
		sift_down(r, last, 0, row);
	}
}
