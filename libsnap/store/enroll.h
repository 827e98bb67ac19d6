/* Files, lines, functions and frames of a snapshot among those that the database has. */
#ifndef SNAP_STORE_ENROLL_H
#define SNAP_STORE_ENROLL_H

#include "model/snapshot.h"
#include "store/store.h"

/* Writes the row of each frame of the snapshot to `frames`, and adds to the database what it does not have.
 * *functions: some frame has one; then every frame has a function, if only one without a name, in
 * snap_enrolled_function. */
enum snap_status snap_enroll_frames(struct snap_store *store, const struct snap_snapshot *s, uint32_t *frames,
                                    bool *functions, struct snap_error *err);

/* The function of a frame, which may be one that stands for its line. */
static inline uint32_t snap_enrolled_function(const struct snap_tables *t, uint32_t frame)
{
	uint32_t function = t->frame_function.at[frame];
	return function != SNAP_NONE ? function : t->line_function.at[t->frame_line.at[frame]];
}

#endif
