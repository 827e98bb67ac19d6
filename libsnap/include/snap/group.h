/* Adds up a snapshot by line, file, function, traceback, domain or block size, and ranks the groups as
 * tracemalloc's statistics() and compare_to() do. */
#ifndef SNAP_GROUP_H
#define SNAP_GROUP_H

#include <snap/snapshot.h>

struct snap_groups;

enum snap_group_by {
	SNAP_BY_LINENO,    /* (file, line) of the newest frame */
	SNAP_BY_FILENAME,  /* file of the newest frame */
	SNAP_BY_FUNCTION,  /* (file, function) of the newest frame; without functions, as by lineno */
	SNAP_BY_TRACEBACK, /* all known frames; totals and domains do not matter */
	SNAP_BY_DOMAIN,
	SNAP_BY_SIZE, /* bytes of one block */
};

/* Each falls back on the next keys of its list, then on the traceback; always descending. */
enum snap_group_sort {
	SNAP_SORT_DEFAULT,    /* SIZE for a snapshot, SIZE_DIFF for a diff */
	SNAP_SORT_SIZE,       /* size, count */
	SNAP_SORT_COUNT,      /* count, size */
	SNAP_SORT_SIZE_DIFF,  /* |size_diff|, size, |count_diff|, count: compare_to's order; diffs only */
	SNAP_SORT_COUNT_DIFF, /* |count_diff|, count, |size_diff|, size; diffs only */
};

enum snap_group_cumulative {
	SNAP_SELF,                   /* a block counts for its newest frame */
	SNAP_CUMULATIVE,             /* for each group on its stack, once */
	SNAP_CUMULATIVE_TRACEMALLOC, /* for each frame on its stack, as CPython does: recursion counts again */
};

struct snap_group_options {
	enum snap_group_by by;
	enum snap_group_cumulative cumulative; /* only by lineno, filename and function */
	enum snap_group_sort sort;
};

struct snap_group_row {
	int64_t size, count;           /* bytes and blocks of the (newer) snapshot */
	int64_t size_diff, count_diff; /* newer less older; 0 where it is no diff */
	/* Of estimates from samples: half the 95 % confidence interval (snap_estimate_error); those of differences
	 * are upper bounds, see snap/estimate.h. Else 0. */
	double size_error, count_error, size_diff_error, count_diff_error;
	uint32_t domain;               /* by domain */
	uint64_t block_size;           /* by size */
	size_t frames;                 /* by lineno, filename, function: 1; by traceback: its length; else 0 */
	uint32_t total;                /* by traceback: frames of the real stacks, 0 where unknown or not the same */
};

/* Groups and ranks the first `top` (0 = all). What was sampled should be estimated first (snap_estimate). The snapshot is borrowed until the groups are freed.
 * SNAP_ERR_INVALID for a combination that makes no sense, with a sentence that says why;
 * SNAP_ERR_LIMIT when a cumulative sum leaves 63 bits. */
SNAP_API enum snap_status snap_groups_new(struct snap_groups **out, const struct snap_snapshot *s,
                                          const struct snap_group_options *options, size_t top,
                                          struct snap_error *err);
/* How many groups there are, and how many of them are ranked: min(top, all). */
SNAP_API size_t snap_groups_count(const struct snap_groups *g);
SNAP_API size_t snap_groups_ranked(const struct snap_groups *g);
/* Sums over the snapshot, not over the groups. */
SNAP_API struct snap_group_row snap_groups_total(const struct snap_groups *g);
/* Row i < snap_groups_ranked. */
SNAP_API struct snap_group_row snap_groups_row(const struct snap_groups *g, size_t i);
/* Up to `max` frames of row i, newest first; returns how many there are. By filename the line is 0; the
 * function is set where it is the same for the whole group. Texts are borrowed from the snapshot. */
SNAP_API size_t snap_groups_frames(const struct snap_groups *g, size_t i, struct snap_frame *frames, size_t max);

SNAP_API void snap_groups_free(struct snap_groups *g); /* takes NULL */

#endif
