/* Series of tracebacks and what leaks in them; see snap/trend.h, and ops/trend.h for how. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A curve that falls by so much of its range, more than once, is a saw-tooth. */
#define FALLS_BY 0.3
/* Half a difference in BIC that is strong evidence (Kass and Raftery 1995). */
#define STRONG 3
enum { SHAPE_POINTS_MIN = 6, SQUARE_POINTS_MIN = 8 };

enum snap_status snap_trend_new(struct snap_trend **out, const struct snap_limits *limits, struct snap_error *err)
{
	*out = NULL;
	struct snap_trend *t = calloc(1, sizeof *t);
	if (t == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	enum snap_status status = snap_snapshot_new(&t->table.names, limits, err);
	if (status < 0)
		free(t);
	else
		*out = t;
	return status;
}

void snap_trend_free(struct snap_trend *t)
{
	if (t == NULL)
		return;
	snap_trend_table_free(&t->table);
	snap_trend_tree_free(&t->tree);
	snap_trend_blame_free(&t->blame);
	free(t->clock.order);
	snap_trend_rows_free(&t->rows);
	free(t->suspects);
	free(t);
}

enum snap_status snap_trend_add(struct snap_trend *t, const struct snap_snapshot *s,
				const struct snap_trend_point *point, struct snap_error *err)
{
	struct snap_budget *budget = &t->table.names->budget;
	if (snap_snapshot_is_diff(s))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "it is a diff: a trend is made of the snapshots themselves");
	if (t->judged)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the trend is judged already");
	if (t->table.columns.count >= SNAP_TREND_SNAPSHOTS_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "there are more than %d snapshots",
				 SNAP_TREND_SNAPSHOTS_MAX);
	enum snap_status status = snap_vector_push(&t->table.points, *point, budget, err);
	return status < 0 ? status : snap_trend_table_add(&t->table, s, err);
}

static enum snap_trend_verdict judge_pick(const struct snap_trend *t, const struct snap_trend_pick *pick,
					  const struct snap_trend_suspect *suspect, size_t falls)
{
	size_t n = t->clock.n;
	if (pick->leak)
		return pick->fit.leak == SHAPE_SQUARE && pick->fit.square_gain > STRONG && n >= SQUARE_POINTS_MIN
			       ? SNAP_TREND_ACCELERATING
			       : SNAP_TREND_LEAK;
	if (n < SHAPE_POINTS_MIN)
		return SNAP_TREND_UNCLEAR;
	if (suspect->drawdown >= FALLS_BY)
		return falls > 1 ? SNAP_TREND_SAWTOOTH : SNAP_TREND_UNCLEAR;
	return pick->fit.best == SHAPE_STEP         ? SNAP_TREND_STEP
	       : pick->fit.best == SHAPE_SATURATING ? SNAP_TREND_FILLING
						    : SNAP_TREND_UNCLEAR;
}

static size_t first_with_blocks(const struct snap_trend *t, size_t p)
{
	const double *blocks = t->blame.curves.blocks + p * t->clock.n;
	size_t i = 0;
	while (i + 1 < t->clock.n && blocks[i] <= 0)
		i++;
	return i;
}

/* The scatter of a curve does not tell how wrong all of it is: what was sampled at first is sampled in all
 * snapshots for as long as it lives. */
static void widen(struct snap_trend_rate *rate, double error)
{
	rate->low = rate->slope - hypot(rate->slope - rate->low, error);
	rate->high = rate->slope + hypot(rate->high - rate->slope, error);
}

/* Of blocks the error is as large a part of the growth as it is of bytes. */
static void widen_both(const struct snap_trend_suspect *s, struct snap_trend_rate *bytes,
		       struct snap_trend_rate *blocks, double span)
{
	if (!(s->growth_error > 0) || !(span > 0))
		return;
	double part = s->growth_bytes != 0 ? s->growth_error / fabs((double)s->growth_bytes) : 0;
	widen(bytes, s->growth_error / span);
	widen(blocks, part * fabs((double)s->growth_blocks) / span);
}

static struct snap_trend_suspect describe(const struct snap_trend *t, size_t p)
{
	const struct snap_trend_clock *clock = &t->clock;
	const struct snap_trend_pick *pick = &t->blame.picks.at[p];
	const double *bytes = t->blame.curves.bytes + p * clock->n, *blocks = t->blame.curves.blocks + p * clock->n;
	const struct snap_trend_rate unknown = {NAN, NAN, NAN};
	size_t n = clock->n, falls, first = first_with_blocks(t, p), starts = first > 0 ? first - 1 : 0;
	while (starts + 1 < n && clock->u[starts] < pick->fit.start)
		starts++;
	struct snap_trend_suspect s = {
		.score = n < SNAP_TREND_LEAK_MIN ? 0 : pick->fit.score,
		.family = pick->family,
		.growth_bytes = (int64_t)(bytes[n - 1] - bytes[0]),
		.growth_blocks = (int64_t)(blocks[n - 1] - blocks[0]),
		.first_seen = clock->point[first],
		.starts = clock->point[starts],
		.rising = snap_trend_rising(bytes, n),
		.drawdown = snap_trend_drawdown(bytes, n, &falls),
		.tracebacks = pick->rows,
		.parts = pick->parts,
		.all_through = pick->node == SNAP_NONE,
		.frames = pick->path_count,
		.blamed = pick->blamed,
		.bytes_per_hour = unknown,
		.blocks_per_hour = unknown,
		.bytes_per_count = unknown,
		.blocks_per_count = unknown,
	};
	s.verdict = judge_pick(t, pick, &s, falls);
	s.growth_error = snap_trend_growth_error(&t->blame, bytes);
	if (clock->has_time) {
		double span = clock->hour[n - 1] - clock->hour[0];
		s.bytes_per_hour = snap_trend_slope(clock->hour, bytes, n, pick->fit.lag);
		s.blocks_per_hour = snap_trend_slope(clock->hour, blocks, n, pick->fit.lag);
		widen_both(&s, &s.bytes_per_hour, &s.blocks_per_hour, span);
	}
	if (clock->has_counter) {
		s.bytes_per_count = snap_trend_slope(clock->counted, bytes, n, pick->fit.lag);
		s.blocks_per_count = snap_trend_slope(clock->counted, blocks, n, pick->fit.lag);
		widen_both(&s, &s.bytes_per_count, &s.blocks_per_count, clock->counted[n - 1] - clock->counted[0]);
	}
	return s;
}

/* What the first and the last snapshot hold. */
static void sum_ends(struct snap_trend *t)
{
	struct snap_trend_summary *sum = &t->summary;
	const struct snap_trend_column *first = snap_trend_column_at(&t->blame, 0),
				       *last = snap_trend_column_at(&t->blame, t->clock.n - 1);
	for (uint32_t row = 0; row < t->table.row_end.count; row++) {
		int64_t from = snap_trend_value(&first->bytes, row), to = snap_trend_value(&last->bytes, row);
		bool tracer = t->tree.row_node.at[row] == SNAP_NONE;
		*(tracer ? &sum->first_tracer : &sum->first_bytes) += from;
		*(tracer ? &sum->last_tracer : &sum->last_bytes) += to;
		if (tracer)
			continue;
		sum->first_blocks += snap_trend_value(&first->blocks, row);
		sum->last_blocks += snap_trend_value(&last->blocks, row);
		if (t->blame.row_pick[row] != SNAP_NONE && t->blame.picks.at[t->blame.row_pick[row]].leak)
			sum->leaked_bytes += to - from;
	}
}

static enum snap_status summarise(struct snap_trend *t, struct snap_error *err)
{
	size_t count = t->blame.picks.count;
	t->summary = (struct snap_trend_summary){
		.snapshots = t->clock.all,
		.tracebacks = t->table.row_end.count,
		.has_time = t->clock.has_time,
		.has_counter = t->clock.has_counter,
		.hours = t->clock.hours,
		.count = t->clock.count,
	};
	sum_ends(t);
	t->suspects = malloc((count + 1) * sizeof *t->suspects);
	if (t->suspects == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (size_t p = 0; p < count; p++) {
		t->suspects[p] = describe(t, p);
		t->summary.leaks += t->blame.picks.at[p].leak;
	}
	return snap_trend_list_rows(&t->blame, &t->rows, err);
}

enum snap_status snap_trend_judge(struct snap_trend *t, const struct snap_trend_options *options,
				  struct snap_error *err)
{
	if (t->judged)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the trend is judged already");
	t->judged = true;
	enum snap_status status = snap_trend_clock_set(&t->clock, &t->table, options->by_counter, err);
	if (status < 0)
		return status;
	struct snap_trend_shapes *shapes;
	status = snap_trend_shapes_new(&shapes, &t->clock, err);
	if (status == SNAP_OK)
		status = snap_trend_tree_grow(&t->tree, &t->table, err);
	t->blame = (struct snap_trend_blame){
		.table = &t->table,
		.clock = &t->clock,
		.tree = &t->tree,
		.shapes = shapes,
		.sample_period = options->sample_period,
	};
	if (status == SNAP_OK)
		status = snap_trend_blame(&t->blame, err);
	snap_trend_shapes_free(shapes);
	t->blame.shapes = NULL;
	return status < 0 ? status : summarise(t, err);
}

struct snap_trend_summary snap_trend_summary(const struct snap_trend *t)
{
	return t->summary;
}

size_t snap_trend_order(const struct snap_trend *t, size_t i)
{
	return t->clock.order[i];
}

int64_t snap_trend_total(const struct snap_trend *t, size_t i)
{
	return t->table.columns.at[t->clock.order[i]].total;
}

size_t snap_trend_suspects(const struct snap_trend *t)
{
	return t->blame.picks.count;
}

struct snap_trend_suspect snap_trend_suspect(const struct snap_trend *t, size_t i)
{
	return t->suspects[i];
}

size_t snap_trend_path(const struct snap_trend *t, size_t i, struct snap_frame *frames, size_t max)
{
	const struct snap_trend_pick *pick = &t->blame.picks.at[i];
	for (size_t k = 0; k < pick->path_count && k < max; k++)
		frames[k] = snap_snapshot_frame(t->table.names, pick->path[k]);
	return pick->path_count;
}

size_t snap_trend_traceback(const struct snap_trend *t, size_t i, struct snap_frame *frames, size_t max)
{
	uint32_t row = t->blame.picks.at[i].row, begin = snap_trend_row_begin(&t->table, row);
	size_t count = t->table.row_end.at[row] - begin;
	for (size_t k = 0; k < count && k < max; k++)
		frames[k] = snap_snapshot_frame(t->table.names, t->table.path.at[begin + k]);
	return count;
}

void snap_trend_series(const struct snap_trend *t, size_t i, int64_t *bytes, int64_t *blocks)
{
	for (size_t k = 0; k < t->clock.all; k++) {
		const struct snap_trend_column *column = &t->table.columns.at[t->clock.order[k]];
		int64_t byte_sum = 0, block_sum = 0;
		for (uint32_t r = i == 0 ? 0 : t->rows.end[i - 1]; r < t->rows.end[i]; r++) {
			byte_sum += snap_trend_value(&column->bytes, t->rows.row[r]);
			block_sum += snap_trend_value(&column->blocks, t->rows.row[r]);
		}
		if (bytes != NULL)
			bytes[k] = byte_sum;
		if (blocks != NULL)
			blocks[k] = block_sum;
	}
}
