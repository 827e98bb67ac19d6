/* Puts snapshots in order of time and says what growth is held against: time, a counter of work done, and how
 * much work there was in a time. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>

/* Below this variation a load is even. */
#define EVEN_LOAD 0.02

static const struct snap_trend_point *point_at(const struct snap_trend_clock *clock,
					       const struct snap_trend_table *table, size_t i)
{
	return &table->points.at[clock->order[i]];
}

struct timed {
	double hours;
	uint32_t column;
};

static int compare_times(const void *a, const void *b)
{
	const struct timed *x = a, *y = b;
	if (x->hours != y->hours)
		return x->hours < y->hours ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

static bool sort_by_time(struct snap_trend_clock *clock, const struct snap_trend_table *table)
{
	struct timed *timed = malloc((clock->all + 1) * sizeof *timed);
	clock->order = malloc((clock->all + 1) * sizeof *clock->order);
	if (timed == NULL || clock->order == NULL) {
		free(timed);
		return false;
	}
	bool known = true;
	for (uint32_t i = 0; i < clock->all; i++) {
		timed[i] = (struct timed){table->points.at[i].hours, i};
		known = known && isfinite(timed[i].hours);
	}
	if (known)
		qsort(timed, clock->all, sizeof *timed, compare_times);
	clock->hours = known ? timed[clock->all - 1].hours - timed[0].hours : NAN;
	clock->has_time = known && clock->hours > 0;
	for (size_t i = 0; i < clock->all; i++)
		clock->order[i] = timed[i].column;
	free(timed);
	return true;
}

static void look_at_counter(struct snap_trend_clock *clock, const struct snap_trend_table *table)
{
	double first = point_at(clock, table, 0)->counter, before = first;
	bool known = isfinite(first);
	for (size_t i = 1; i < clock->all && known; i++) {
		double now = point_at(clock, table, i)->counter;
		known = isfinite(now) && now >= before;
		before = now;
	}
	clock->count = known ? before - first : NAN;
	clock->has_counter = known && clock->count > 0;
}

static void scale(double *to, const double *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (from[i] - from[0]) / (from[n - 1] - from[0]);
}

/* Work in each interval per unit of the clock; the first point has that of the interval behind it. */
static void set_load(struct snap_trend_clock *clock)
{
	double mean = 0, square = 0, *load = clock->load;
	size_t n = clock->n;
	if (!clock->has_second || n < 8)
		return;
	for (size_t i = 1; i < n; i++) {
		double step = clock->u[i] - clock->u[i - 1];
		if (step <= 0)
			return;
		load[i] = (clock->second[i] - clock->second[i - 1]) / step;
	}
	load[0] = load[1];
	for (size_t i = 0; i < n; i++)
		mean += load[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		square += (load[i] - mean) * (load[i] - mean) / (double)n;
	double deviation = sqrt(square);
	clock->has_load = mean > 0 && deviation > EVEN_LOAD * mean;
	for (size_t i = 0; i < n && clock->has_load; i++)
		load[i] = (load[i] - mean) / deviation;
}

enum snap_status snap_trend_clock_set(struct snap_trend_clock *clock, const struct snap_trend_table *table,
				      bool by_counter, struct snap_error *err)
{
	*clock = (struct snap_trend_clock){.all = table->columns.count};
	if (clock->all < 2)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "there %s: a trend needs at least two", clock->all == 1 ? "is one snapshot" : "are no snapshots");
	if (!sort_by_time(clock, table))
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	look_at_counter(clock, table);
	if (by_counter && !clock->has_counter)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "the counter is not there in every snapshot, does not grow, or goes back in time");
	clock->n = clock->all < TREND_POINTS_MAX ? clock->all : TREND_POINTS_MAX;
	double index[TREND_POINTS_MAX];
	for (size_t i = 0; i < clock->n; i++) {
		clock->point[i] = (uint32_t)(i * (clock->all - 1) / (clock->n - 1));
		clock->hour[i] = point_at(clock, table, clock->point[i])->hours;
		clock->counted[i] = point_at(clock, table, clock->point[i])->counter;
		index[i] = (double)clock->point[i];
	}
	scale(clock->u, by_counter ? clock->counted : clock->has_time ? clock->hour : index, clock->n);
	clock->has_second = clock->has_counter && !by_counter;
	if (clock->has_second)
		scale(clock->second, clock->counted, clock->n);
	set_load(clock);
	return SNAP_OK;
}
