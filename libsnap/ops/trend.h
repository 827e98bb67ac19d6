/* Trends from inside. The stages, a file each:
 *
 *   trend_series.c  many snapshots -> one row for each traceback, one column of sums for each snapshot
 *   trend_clock.c   columns in order of time, and the clocks that growth is held against
 *   trend_tree.c    rows -> the tree of callers of the application's own lines
 *   trend_fit.c     a curve -> how much it looks like a leak, and which shape it has
 *   trend_rate.c    a curve -> slope with confidence interval, monotonicity, fall
 *   trend_curves.c  sums of rows in time
 *   trend_blame.c   tree and scores -> suspects
 *   trend_merge.c   suspects that are one
 *   trend.c         the order of these, verdicts, and what callers see
 *
 * Method. Stacks are added up along the chains of the application's own frames, newest first (the inverted
 * call tree), so that a node stands for one line, or one line as called from another. Each node's curves of
 * bytes and blocks are scored by a logistic function of four features: how much it grew, how well a straight
 * line explains it, how much earlier than evenly the growth came, and by how much shapes of leaks (lines, late
 * starts, squares, lines with a warm-up or a step) fit better than shapes of what is none (constants, steps, curves
 * that saturate). The cut through the tree with the largest score x growth, bottom-up, are the suspects; this
 * is the hierarchical heavy hitter of Cormode et al. (VLDB 2003) with a test of significance in place of a
 * threshold. Sources: slope and interval: Theil (1950), Sen (1968), with the variance corrected for
 * autocorrelation as Hamed and Rao (1998) do for Mann-Kendall; model choice: Schwarz (1978), BIC; ranking by
 * growth rather than slope, and types before objects: Cork (Jump and McKinley, POPL 2007); growth that goes
 * on at the end as what tells leaks from caches: LeakBot (Mitchell and Sevitsky, ECOOP 2003). That a trend by
 * itself proves nothing (Mann-Kendall calls every cache a leak) is from Machida et al. (WoSAR 2013). */
#ifndef SNAP_OPS_TREND_H
#define SNAP_OPS_TREND_H

#include <snap/trend.h>

#include "base/index.h"
#include "model/snapshot.h"

/* More points than these tell nothing more of a shape. */
enum { TREND_POINTS_MAX = 64, TREND_CHAIN_MAX = 6 };

/* --- series --- */

struct snap_trend_column {
	struct snap_numbers blocks, bytes; /* by row; rows that came later are 0 and not there */
	int64_t total;                     /* bytes */
};
SNAP_VECTOR(snap_trend_columns, struct snap_trend_column);
SNAP_VECTOR(snap_trend_points, struct snap_trend_point);

/* What numbers of the snapshot added last, and of all of its lineage, are in the table. */
struct snap_trend_mapping {
	struct snap_lineage *lineage; /* or NULL */
	struct snap_u32s strings, frames;
	struct snap_u32s rows; /* SNAP_NONE for stacks that had nothing yet */
};

struct snap_trend_table {
	struct snap_snapshot *names; /* only strings, frames and roots in the metadata; its budget is for all */
	struct snap_index strings, frames, rows;
	struct snap_u32s row_end; /* where the frames of row i end in `path`; they begin where those before end */
	struct snap_u32s path;    /* newest first */
	struct snap_trend_columns columns;
	struct snap_trend_points points;
	struct snap_trend_mapping mapping;
};

enum snap_status snap_trend_table_add(struct snap_trend_table *table, const struct snap_snapshot *s,
				      struct snap_error *err);
void snap_trend_table_free(struct snap_trend_table *table);

static inline uint32_t snap_trend_row_begin(const struct snap_trend_table *table, uint32_t row)
{
	return row == 0 ? 0 : table->row_end.at[row - 1];
}

static inline int64_t snap_trend_value(const struct snap_numbers *column, uint32_t row)
{
	return row < column->count ? snap_numbers_get(column, row) : 0;
}

/* --- clock --- */

struct snap_trend_clock {
	size_t all;      /* snapshots */
	uint32_t *order; /* `all` columns in order of time */
	size_t n;        /* points that are looked at, at most TREND_POINTS_MAX */
	uint32_t point[TREND_POINTS_MAX]; /* which in `order`: the first, the last, and evenly between */
	bool has_time, has_counter;
	double hours, count;
	double u[TREND_POINTS_MAX];     /* the clock, from 0 to 1 */
	bool has_second;
	double second[TREND_POINTS_MAX]; /* the counter where the clock is time, from 0 to 1 */
	bool has_load;
	double load[TREND_POINTS_MAX];   /* how fast the counter runs: mean 0, deviation 1 */
	double hour[TREND_POINTS_MAX], counted[TREND_POINTS_MAX]; /* as they were told */
};

enum snap_status snap_trend_clock_set(struct snap_trend_clock *clock, const struct snap_trend_table *table,
				      bool by_counter, struct snap_error *err);

/* --- tree --- */

struct snap_trend_tree {
	struct snap_u32s parent, frame; /* of each node; a parent's number is below its children's */
	struct snap_u32s row_node;      /* the end of the row's chain, SNAP_NONE for the tracer's own */
	bool *own;                      /* by frame: what chains are made of where they can be */
	struct snap_index index;
	struct snap_budget budget; /* of the index; without a limit, as rows have one */
};

enum snap_status snap_trend_tree_grow(struct snap_trend_tree *tree, const struct snap_trend_table *table,
				      struct snap_error *err);
void snap_trend_tree_free(struct snap_trend_tree *tree);

/* --- fit --- */

enum snap_trend_shape_kind {
	SHAPE_CONSTANT,
	SHAPE_STEP,
	SHAPE_SATURATING,
	SHAPE_LINE,
	SHAPE_SQUARE,
	SHAPE_LATE,
};

struct snap_trend_fit {
	double score;                   /* 0 to 1 */
	enum snap_trend_shape_kind best; /* of all shapes */
	enum snap_trend_shape_kind leak; /* the best of those that leaks have */
	double gain;                     /* half the difference in BIC between the best leak and the best other */
	double square_gain;              /* and between the best square and the best line */
	double lag;                      /* autocorrelation of what the best leak's shape leaves */
	double start;                    /* where on the clock the best leak begins */
};

struct snap_trend_shapes;
enum snap_status snap_trend_shapes_new(struct snap_trend_shapes **out, const struct snap_trend_clock *clock,
				       struct snap_error *err);
void snap_trend_shapes_free(struct snap_trend_shapes *shapes);
/* Curves have clock->n points; `heap` is the mean of all bytes. */
struct snap_trend_fit snap_trend_fit(const struct snap_trend_shapes *shapes, const double *bytes,
				     const double *blocks, double heap);

/* --- rate --- */

size_t snap_trend_rising(const double *y, size_t n);
/* The largest fall from a height before, and how often it fell by half of that, as parts of the range. */
double snap_trend_drawdown(const double *y, size_t n, size_t *falls);

/* --- blame --- */

/* From this score on it is a leak. Of few points two steps explain many a curve, so scores are lower. */
#define TREND_LEAK_SCORE     0.28
#define TREND_LEAK_SCORE_FEW 0.2
enum { TREND_FEW_POINTS = 8 };

struct snap_trend_pick {
	uint32_t node;  /* SNAP_NONE: all rows through `frame` */
	uint32_t frame; /* that all its rows have */
	struct snap_trend_fit fit;
	bool leak;
	size_t parts, rows, family;
	uint32_t path[TREND_CHAIN_MAX + 2]; /* frames to look at, newest first */
	size_t path_count, blamed; /* `blamed` is where `frame` stands */
	uint32_t row; /* that grew most */
	double growth;
};
SNAP_VECTOR(snap_trend_picks, struct snap_trend_pick);

/* Curves of bytes and of blocks, clock->n points each, one behind the other. */
struct snap_trend_curves {
	double *bytes, *blocks;
};

struct snap_trend_blame {
	const struct snap_trend_table *table;
	const struct snap_trend_clock *clock;
	const struct snap_trend_tree *tree;
	const struct snap_trend_shapes *shapes;
	double sample_period;
	double heap;                   /* mean bytes, without the tracer's */
	double threshold;              /* of scores */
	uint32_t *row_pick;            /* which pick a row belongs to, or SNAP_NONE */
	struct snap_trend_picks picks; /* leaks first, ranked */
	struct snap_trend_curves curves; /* of the picks */
};

/* Finds the picks and fills what is behind `sample_period`. */
enum snap_status snap_trend_blame(struct snap_trend_blame *b, struct snap_error *err);
void snap_trend_blame_free(struct snap_trend_blame *b);

/* Makes one pick of those that a frame has in common, and adds frames whose rows leak only together. */
enum snap_status snap_trend_merge(struct snap_trend_blame *b, struct snap_error *err);

/* Room for `count` curves of zeros. */
enum snap_status snap_trend_curves_new(struct snap_trend_curves *curves, size_t count, size_t n,
				       struct snap_error *err);
void snap_trend_curves_free(struct snap_trend_curves *curves);
/* The columns of point i. */
const struct snap_trend_column *snap_trend_column_at(const struct snap_trend_blame *b, size_t i);
/* Bytes that a row has grown by. */
double snap_trend_row_growth(const struct snap_trend_blame *b, uint32_t row);
/* Adds each row to the curve of its group; not those of group SNAP_NONE. */
void snap_trend_sum_rows(const struct snap_trend_blame *b, const uint32_t *group, struct snap_trend_curves *curves);
/* The rows of each pick: those of p end at end[p] and begin where those before end. On failure it can be freed
 * as well. */
struct snap_trend_rows {
	uint32_t *end, *row;
};
enum snap_status snap_trend_list_rows(const struct snap_trend_blame *b, struct snap_trend_rows *list,
				      struct snap_error *err);
void snap_trend_rows_free(struct snap_trend_rows *list);
/* Growth over all points. */
double snap_trend_growth(const struct snap_trend_blame *b, const double *curve);
/* Half of the 95 % confidence interval of the growth of a curve of bytes, at most: see snap/estimate.h; 0 where
 * every block was recorded. */
double snap_trend_growth_error(const struct snap_trend_blame *b, const double *bytes);
struct snap_trend_fit snap_trend_blame_fit(const struct snap_trend_blame *b, const struct snap_trend_curves *curves,
					   size_t i);
/* The largest distance of two curves, each scaled to its growth. */
double snap_trend_distance(const double *a, const double *b, size_t n);
/* Too little growth to speak of. */
bool snap_trend_is_small(const struct snap_trend_blame *b, double growth);

struct snap_trend {
	struct snap_trend_table table;
	struct snap_trend_clock clock;
	struct snap_trend_tree tree;
	struct snap_trend_blame blame;
	struct snap_trend_summary summary;
	struct snap_trend_suspect *suspects;
	struct snap_trend_rows rows; /* of the suspects */
	bool judged;
};

#endif
