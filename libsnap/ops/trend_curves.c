/* Sums of rows as curves in time. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>

enum snap_status snap_trend_curves_new(struct snap_trend_curves *curves, size_t count, size_t n,
				       struct snap_error *err)
{
	curves->bytes = calloc(count * n + 1, sizeof *curves->bytes);
	curves->blocks = calloc(count * n + 1, sizeof *curves->blocks);
	if (curves->bytes != NULL && curves->blocks != NULL)
		return SNAP_OK;
	snap_trend_curves_free(curves);
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

void snap_trend_curves_free(struct snap_trend_curves *curves)
{
	free(curves->bytes);
	free(curves->blocks);
	*curves = (struct snap_trend_curves){NULL, NULL};
}

const struct snap_trend_column *snap_trend_column_at(const struct snap_trend_blame *b, size_t i)
{
	return &b->table->columns.at[b->clock->order[b->clock->point[i]]];
}

double snap_trend_row_growth(const struct snap_trend_blame *b, uint32_t row)
{
	return (double)snap_trend_value(&snap_trend_column_at(b, b->clock->n - 1)->bytes, row) -
	       (double)snap_trend_value(&snap_trend_column_at(b, 0)->bytes, row);
}

void snap_trend_sum_rows(const struct snap_trend_blame *b, const uint32_t *group, struct snap_trend_curves *curves)
{
	size_t n = b->clock->n;
	for (size_t i = 0; i < n; i++) {
		const struct snap_trend_column *column = snap_trend_column_at(b, i);
		for (uint32_t row = 0; row < column->blocks.count; row++) {
			if (group[row] == SNAP_NONE)
				continue;
			curves->bytes[group[row] * n + i] += (double)snap_numbers_get(&column->bytes, row);
			curves->blocks[group[row] * n + i] += (double)snap_numbers_get(&column->blocks, row);
		}
	}
}

double snap_trend_growth(const struct snap_trend_blame *b, const double *curve)
{
	return curve[b->clock->n - 1] - curve[0];
}

struct snap_trend_fit snap_trend_blame_fit(const struct snap_trend_blame *b, const struct snap_trend_curves *curves,
					   size_t i)
{
	const double *bytes = curves->bytes + i * b->clock->n;
	struct snap_trend_fit fit =
		snap_trend_fit(b->shapes, bytes, curves->blocks + i * b->clock->n, b->heap);
	/* Growth within three deviations is none. */
	if (snap_trend_growth(b, bytes) < 3 / 1.959964 * snap_trend_growth_error(b, bytes))
		fit.score = 0;
	return fit;
}

double snap_trend_growth_error(const struct snap_trend_blame *b, const double *bytes)
{
	/* Estimates of sums of small blocks vary so, those of large blocks less: R/p - R is below the size. */
	return 1.959964 * sqrt(b->sample_period * fmax(0, bytes[0] + bytes[b->clock->n - 1]));
}

double snap_trend_distance(const double *a, const double *b, size_t n)
{
	double most = 0, a_growth = a[n - 1] - a[0], b_growth = b[n - 1] - b[0];
	if (a_growth <= 0 || b_growth <= 0)
		return INFINITY;
	for (size_t i = 0; i < n; i++)
		most = fmax(most, fabs((a[i] - a[0]) / a_growth - (b[i] - b[0]) / b_growth));
	return most;
}

bool snap_trend_is_small(const struct snap_trend_blame *b, double growth)
{
	/* In a small heap even little is much. */
	return growth < 1e-3 * b->heap || growth < fmin(64 * 1024, 0.05 * b->heap);
}

enum snap_status snap_trend_list_rows(const struct snap_trend_blame *b, struct snap_trend_rows *list,
				      struct snap_error *err)
{
	uint32_t rows = (uint32_t)b->table->row_end.count, begin = 0;
	list->end = calloc(b->picks.count + 1, sizeof *list->end);
	list->row = malloc((rows + 1) * sizeof *list->row);
	if (list->end == NULL || list->row == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (uint32_t row = 0; row < rows; row++)
		if (b->row_pick[row] != SNAP_NONE)
			list->end[b->row_pick[row]]++;
	for (size_t p = 0; p < b->picks.count; p++) {
		uint32_t count = list->end[p];
		list->end[p] = begin;
		begin += count;
	}
	for (uint32_t row = 0; row < rows; row++)
		if (b->row_pick[row] != SNAP_NONE)
			list->row[list->end[b->row_pick[row]]++] = row;
	return SNAP_OK;
}

void snap_trend_rows_free(struct snap_trend_rows *list)
{
	free(list->end);
	free(list->row);
	*list = (struct snap_trend_rows){NULL, NULL};
}
