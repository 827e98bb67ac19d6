/* The tracebacks of a snapshot in the tree that all snapshots of a database share. */
#ifndef SNAP_STORE_TREE_H
#define SNAP_STORE_TREE_H

#include "model/snapshot.h"
#include "store/store.h"

/* Writes to `nodes`, for each stack of the snapshot, the node that its known frames lead to from a root, and
 * adds to the database what is not there. `frames` are those of snap_enroll_frames. */
enum snap_status snap_tree_nodes(struct snap_store *store, const struct snap_snapshot *s, const uint32_t *frames,
                                 uint32_t *nodes, struct snap_error *err);

#endif
