/* Sums over everything that passes through a frame, not only what was allocated in it. */
#ifndef SNAP_OPS_CUMULATE_H
#define SNAP_OPS_CUMULATE_H

#include "model/snapshot.h"

/* Groups of frames, and what is added up for them. */
struct snap_frame_groups {
	const uint32_t *group; /* of each frame */
	uint32_t count;
	unsigned columns; /* 2, 4 or 8: the first columns of the snapshot */
	int64_t *sums;    /* `columns` for each group */
	bool *present;    /* whether any stack counts for the group */
};

/* Adds each stack to the groups of its known frames: with `once`, once a group; else once a frame.
 * SNAP_ERR_NOMEM, SNAP_ERR_LIMIT. */
enum snap_status snap_cumulate(const struct snap_snapshot *s, bool once, struct snap_frame_groups *groups,
			       struct snap_error *err);

#endif
