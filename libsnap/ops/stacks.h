/* Stacks as the other files of this room need them: node by node, told apart by what they say, and
 * compared as tracemalloc compares tracebacks. */
#ifndef SNAP_OPS_STACKS_H
#define SNAP_OPS_STACKS_H

#include "base/sort.h"
#include "model/snapshot.h"

/* The stacks of a snapshot by (node, length, total), for a walk over its nodes. */
struct snap_stack_walk {
	const struct snap_snapshot *s;
	struct snap_keyed *rows; /* NULL where they are numbered in that order, as they mostly are */
	uint32_t next;
};

enum snap_status snap_stack_walk_start(struct snap_stack_walk *w, const struct snap_snapshot *s,
				       struct snap_error *err);
/* The next stack, or SNAP_NONE behind the last. */
static inline uint32_t snap_stack_walk_peek(const struct snap_stack_walk *w)
{
	if (w->next == w->s->stack_node.count)
		return SNAP_NONE;
	return w->rows == NULL ? w->next : w->rows[w->next].row;
}
/* The next stack of `node`, or SNAP_NONE when it has no more. Nodes are asked for in ascending order. */
static inline uint32_t snap_stack_walk_next(struct snap_stack_walk *w, uint32_t node)
{
	uint32_t stack = snap_stack_walk_peek(w);
	if (stack == SNAP_NONE || w->s->stack_node.at[stack] != node)
		return SNAP_NONE;
	w->next++;
	return stack;
}
void snap_stack_walk_free(struct snap_stack_walk *w);

/* Depth of the oldest frame that a stack knows. */
static inline uint32_t snap_stack_oldest(const struct snap_snapshot *s, uint32_t stack)
{
	return (uint32_t)s->node_depth.at[s->stack_node.at[stack]] - s->stack_length.at[stack] + 1;
}

/* At most blocks, bytes, old_blocks, old_bytes, and their variances. */
enum { SNAP_SUMS_MAX = 8 };

/* Adds the first `columns` (2, 4 or 8) values of each site to the `columns` sums of the group of its stack;
 * without `group`, of the stack itself. */
void snap_sum_sites(const struct snap_snapshot *s, const uint32_t *group, unsigned columns, int64_t *sums);

/* For each stack writes one that has the same known frames, and with `totals` the same total, to
 * same[stack]: itself, or one with same[one] == one. *joined counts those that are not themselves. With
 * `eligible`, only stacks marked there are looked at. Nodes must be in depth-first order. SNAP_ERR_NOMEM. */
enum snap_status snap_stacks_join(const struct snap_snapshot *s, const bool *eligible, bool totals,
				  uint32_t *same, size_t *joined, struct snap_error *err);

/* Below, equal to, or above 0 as the known frames of `a` sort before, with, or behind those of `b`: frame
 * by frame from the oldest, a beginning before what it begins. */
int snap_stacks_compare(const struct snap_snapshot *s, uint32_t a, uint32_t b);

#endif
