/* The highest of many groups, in the order of tracemalloc. */
#ifndef SNAP_OPS_RANKING_H
#define SNAP_OPS_RANKING_H

#include <snap/group.h>

#include "model/snapshot.h"

struct snap_ranked {
	struct snap_group_row row;
	uint32_t what; /* by traceback a stack, by lineno, filename and function a frame that stands for the
			  group */
};

SNAP_VECTOR(snap_ranked_rows, struct snap_ranked);

struct snap_ranking {
	const struct snap_snapshot *s;
	enum snap_group_by by;
	enum snap_group_sort sort; /* not SNAP_SORT_DEFAULT */
	bool diff, errors; /* errors: there are columns of variances */
	size_t top;                   /* 0 = all */
	size_t count;                 /* groups that were offered */
	struct snap_ranked_rows rows; /* until they are sorted, a heap whose root ranks lowest */
};

/* Sets size, count and, in a diff, their differences from the sums of blocks, bytes, old_blocks and
 * old_bytes, and with `errors` the errors of all these from the sums of their variances, which come next. False
 * when a difference does not fit. */
bool snap_group_row_set(struct snap_group_row *row, const int64_t *sums, bool diff, bool errors);

/* One more group; `row` lacks only its sums. Of all that are offered the highest stay. SNAP_ERR_LIMIT,
 * SNAP_ERR_NOMEM. */
enum snap_status snap_ranking_offer(struct snap_ranking *r, struct snap_ranked row, const int64_t *sums,
				    struct snap_error *err);

/* Sorts the rows that stayed, highest first. */
void snap_ranking_sort(struct snap_ranking *r);

#endif
