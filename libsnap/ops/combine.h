/* Two snapshots into one: what a diff and a merge have in common. */
#ifndef SNAP_OPS_COMBINE_H
#define SNAP_OPS_COMBINE_H

#include "model/snapshot.h"

struct snap_combination {
	const struct snap_snapshot *in[2]; /* ordered */
	/* Column c of the result is the sum of columns from[0][c] and from[1][c] of the inputs; SNAP_NONE
	 * stands for a column of zeros. */
	uint32_t from[2][SNAP_COLUMNS_MAX];
};

/* Makes an ordered snapshot of the sites of both inputs. *out comes empty, with its columns set, and is
 * filled or replaced; it stays the caller's, also on failure. Metadata stay as they are. SNAP_ERR_LIMIT
 * when a sum leaves 63 bits or the tables the budget of *out; SNAP_ERR_NOMEM. */
enum snap_status snap_combine(struct snap_snapshot **out, const struct snap_combination *what,
			      struct snap_error *err);

/* An empty snapshot with the memory limit of both together; yours. */
enum snap_status snap_combine_start(struct snap_snapshot **out, const struct snap_combination *what,
				    struct snap_error *err);

#endif
