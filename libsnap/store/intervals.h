/* Numbers for the nodes of a growing forest, such that what is below a node is a range. */
#ifndef SNAP_STORE_INTERVALS_H
#define SNAP_STORE_INTERVALS_H

#include <stdbool.h>

#include "base/vector.h"

/* A node's interval [pre, post] holds those of its children, and nothing else's; siblings stand in the
 * order of their numbers. Between all numbers are gaps, so that further nodes fit without new numbers for
 * those that are there. All are in (0, 2^63). */
struct snap_intervals {
	struct snap_u64s pre, post;
	struct snap_u64s end; /* of each node, post of its last child, or its own pre */
	uint64_t roots_end;   /* post of the last root, or 0 */
};

/* Appends a node as it was read from a table: parents (SNAP_NONE = a root) before children.
 * SNAP_ERR_DAMAGED when it does not fit into its parent. */
enum snap_status snap_intervals_push(struct snap_intervals *t, uint32_t parent, uint64_t pre, uint64_t post,
                                     struct snap_budget *budget, struct snap_error *err);

/* Numbers the nodes from pre.count up to `count`. A node's parent is in `parent` and has a lower number.
 * *renumbered: there was no room, so that all nodes have new numbers. SNAP_ERR_LIMIT, SNAP_ERR_NOMEM. */
enum snap_status snap_intervals_add(struct snap_intervals *t, const uint32_t *parent, uint32_t count,
                                    bool *renumbered, struct snap_budget *budget, struct snap_error *err);

void snap_intervals_free(struct snap_intervals *t, struct snap_budget *budget);

#endif
