/* A snapshot made anew from another, with other stacks or names. */
#ifndef SNAP_MODEL_REBUILD_H
#define SNAP_MODEL_REBUILD_H

#include "model/snapshot.h"

/* What becomes of frames; each array is indexed by frame, borrowed, and may be NULL for "nothing". */
struct snap_frame_changes {
	const bool *hidden;            /* stacks lose it, and their total shrinks by as much */
	const bool *begins;            /* stacks lose what is older than the oldest of these that they have */
	const struct snap_text *file;  /* the new name of its file; bytes == NULL = as it is */
	const struct snap_text *function; /* the new name of its function, where it has one; likewise */
};

/* The same blocks at changed stacks, with the forest that the builder makes; what becomes equal is added
 * up. A stack of which nothing is left has the one frame <hidden>, without line. Metadata and columns are
 * copied. `changes` may be NULL. */
enum snap_status snap_snapshot_rebuild(struct snap_snapshot **out, const struct snap_snapshot *from,
                                       const struct snap_frame_changes *changes, struct snap_error *err);

#endif
