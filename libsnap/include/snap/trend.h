/* Snapshots of one process in time as one series for each traceback, and which lines of code leak in them. */
#ifndef SNAP_TREND_H
#define SNAP_TREND_H

#include <snap/limits.h>
#include <snap/snapshot.h>

struct snap_trend;

#define SNAP_TREND_SNAPSHOTS_MAX 65536
/* With fewer, growth is reported and nothing is called a leak. */
#define SNAP_TREND_LEAK_MIN 4

/* What is known of a snapshot beside its blocks; NAN where it is not. */
struct snap_trend_point {
	double hours;   /* since any moment, one for all */
	double counter; /* of what memory may grow with, e.g. requests served; must not go back in time */
};

/* `limits` may be NULL. Yours; free with snap_trend_free. */
SNAP_API enum snap_status snap_trend_new(struct snap_trend **out, const struct snap_limits *limits,
                                         struct snap_error *err);
SNAP_API void snap_trend_free(struct snap_trend *t); /* takes NULL */

/* Adds a snapshot, in any order; it stays the caller's and is not needed any more. What is kept takes 8 bytes
 * for each traceback (16 where sums are large) and, once for all snapshots, the tracebacks. Of metadata only
 * root.stdlib and root.site count, the first that there are. SNAP_ERR_INVALID for a diff, SNAP_ERR_LIMIT,
 * SNAP_ERR_NOMEM; then the trend is of no use any more. */
SNAP_API enum snap_status snap_trend_add(struct snap_trend *t, const struct snap_snapshot *s,
                                         const struct snap_trend_point *point, struct snap_error *err);

enum snap_trend_verdict {
	SNAP_TREND_LEAK,         /* grows steadily and goes on */
	SNAP_TREND_ACCELERATING, /* and ever faster */
	SNAP_TREND_FILLING,      /* ever slower: a cache or pool on its way to be full */
	SNAP_TREND_STEP,         /* grew at one moment */
	SNAP_TREND_SAWTOOTH,     /* grows and falls back */
	SNAP_TREND_UNCLEAR,      /* grew; nothing says that it goes on */
};

struct snap_trend_options {
	bool by_counter;      /* the counter is the clock, whatever the times */
	/* Mean bytes between samples, 0 = every block was recorded. What was added are estimates (snap_estimate);
	 * growth within three standard deviations is no suspect for a leak. */
	double sample_period;
};

/* Judges what was added, at least two snapshots. Once only. SNAP_ERR_INVALID for fewer, and for by_counter
 * where a counter is missing or goes back. */
SNAP_API enum snap_status snap_trend_judge(struct snap_trend *t, const struct snap_trend_options *options,
                                           struct snap_error *err);

/* All that follows is for after the judgement. */

struct snap_trend_summary {
	size_t snapshots, tracebacks;
	bool has_time, has_counter;       /* known for all, and not all the same; the counter does not go back */
	double hours, count;              /* from the first to the last, where known */
	int64_t first_bytes, last_bytes;  /* traced, without the tracer's own */
	int64_t first_blocks, last_blocks;
	int64_t first_tracer, last_tracer; /* bytes of the tracer's own stacks, which are left out of all else */
	int64_t leaked_bytes;              /* growth of all that is judged a leak, each block once */
	size_t leaks;                      /* rows with verdict leak or accelerating; they come first */
};
SNAP_API struct snap_trend_summary snap_trend_summary(const struct snap_trend *t);

/* Where snapshot i in order of time stands in the order of adding. */
SNAP_API size_t snap_trend_order(const struct snap_trend *t, size_t i);
/* All traced bytes in snapshot i in order of time. */
SNAP_API int64_t snap_trend_total(const struct snap_trend *t, size_t i);

/* A slope with the limits of its 95 % confidence interval; NAN where there is no clock. */
struct snap_trend_rate {
	double slope, low, high;
};

/* The median of the slopes between all pairs of points; of more than 64 points, evenly chosen ones count. `lag`
 * is the autocorrelation of what a line leaves, 0 where it is not known: it widens the interval. x ascends. */
SNAP_API struct snap_trend_rate snap_trend_slope(const double *x, const double *y, size_t n, double lag);

struct snap_trend_suspect {
	enum snap_trend_verdict verdict;
	double score;  /* 0 to 1: how much it looks like a leak */
	size_t family; /* equal for suspects that grow by the same curve: the row of the first of them */
	int64_t growth_bytes, growth_blocks; /* from the first to the last snapshot */
	double growth_error; /* of estimates from samples: half the 95 % confidence interval of growth_bytes, at most;
	                        else 0. The rates' intervals have it in them */
	size_t first_seen; /* the snapshot that has the first of its blocks, from 0 */
	size_t starts;     /* the snapshot from which on it grows */
	size_t rising;     /* snapshots with more bytes than the one before them */
	double drawdown;   /* the largest fall from a height before, as part of the range */
	size_t tracebacks; /* that it stands for */
	size_t parts;      /* places that it stands for together, else 1 */
	bool all_through;  /* it is all that the blamed line calls; else what comes through its path to that line */
	size_t frames;     /* of its path */
	size_t blamed;     /* which of them is the line to blame */
	struct snap_trend_rate bytes_per_hour, blocks_per_hour, bytes_per_count, blocks_per_count;
};

/* Suspects ranked, leaks first, then what grew and is none. */
SNAP_API size_t snap_trend_suspects(const struct snap_trend *t);
SNAP_API struct snap_trend_suspect snap_trend_suspect(const struct snap_trend *t, size_t i);
/* The frames to look at, newest first, and their number: the application's own lines from the newest to the one
 * to blame, and its callers as far as most of the growth comes through them. Texts are borrowed from the trend. */
SNAP_API size_t snap_trend_path(const struct snap_trend *t, size_t i, struct snap_frame *frames, size_t max);
/* The traceback of the suspect that grew most, as snap_snapshot_traceback. */
SNAP_API size_t snap_trend_traceback(const struct snap_trend *t, size_t i, struct snap_frame *frames, size_t max);
/* Bytes and blocks in each snapshot, in order of time; both have room for all, or are NULL. */
SNAP_API void snap_trend_series(const struct snap_trend *t, size_t i, int64_t *bytes, int64_t *blocks);

#endif
