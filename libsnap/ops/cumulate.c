/* One walk over the forest, depth first. The *window* of a stack is the part of the way from the root to
 * its node that the stack knows: it begins at the stack's oldest frame. A group counts a stack at the
 * oldest node that the group has in the window. So a node with no ancestor of its group counts all
 * stacks at or below it that reach it; one at depth d whose next such ancestor stands at depth u counts
 * those whose window begins in u+1 … d, for the others are counted further up. Both follow from sums by
 * the depth where windows begin, and what these sums gained while a node was open lies below it. */
#include "ops/cumulate.h"

#include <stdlib.h>

#include "ops/stacks.h"

/* Sums over blocks of depths keep the work for a node below some hundred steps in the deepest of trees. */
enum { BLOCK = 256, LEVELS = SNAP_DEPTH_MAX + 1 };

struct open_node {
	uint32_t group;
	uint32_t same_group;           /* depth of the next ancestor of the same group, 0 = none */
	uint32_t oldest;               /* the least depth at which a window at or below begins */
	int64_t reaching[SNAP_SUMS_MAX]; /* stacks at or below whose window holds the node */
	int64_t before[SNAP_SUMS_MAX];   /* what began between same_group and here when the node was opened */
};

struct walk {
	const struct snap_snapshot *s;
	const uint32_t *group; /* of each frame */
	int64_t *sums;         /* of each group */
	bool *present;
	const int64_t *stack_sums;
	uint32_t *nearest;       /* by group: depth of its nearest open node, 0 = none */
	struct open_node *open;  /* by depth */
	int64_t *begun;          /* by depth: stacks below the open node whose windows begin there */
	int64_t *begun_in_block; /* not kept for the first block, which usual trees do not leave */
};

/* The number of columns and `once` are constants in each copy of the walk: this is the inmost loop. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE void add(int64_t *to, const int64_t *values, unsigned columns)
{
	for (unsigned c = 0; c < columns; c++)
		to[c] += values[c];
}

/* Adds what began at depths in [from, to) to `sums`. */
ALWAYS_INLINE void add_begun(const struct walk *w, uint32_t from, uint32_t to, int64_t *sums,
			     unsigned columns)
{
	while (from < to) {
		if (from % BLOCK == 0 && to - from >= BLOCK) {
			add(sums, &w->begun_in_block[from / BLOCK * columns], columns);
			from += BLOCK;
		} else
			add(sums, &w->begun[from++ * columns], columns);
	}
}

ALWAYS_INLINE void enter(struct walk *w, uint32_t depth, uint32_t group, unsigned columns, bool once)
{
	struct open_node *o = &w->open[depth];
	int64_t *begun = &w->begun[depth * columns];
	o->group = group;
	o->oldest = UINT32_MAX;
	for (unsigned c = 0; c < columns; c++)
		o->reaching[c] = begun[c] = o->before[c] = 0;
	if (once) {
		o->same_group = w->nearest[group];
		w->nearest[group] = depth;
		if (o->same_group != 0)
			add_begun(w, o->same_group + 1, depth, o->before, columns);
	}
}

ALWAYS_INLINE void meet_stack(struct walk *w, uint32_t depth, uint32_t oldest, const int64_t *values,
			      unsigned columns)
{
	struct open_node *o = &w->open[depth];
	o->oldest = oldest < o->oldest ? oldest : o->oldest;
	add(o->reaching, values, columns);
	add(&w->begun[oldest * columns], values, columns);
	if (oldest >= BLOCK)
		add(&w->begun_in_block[oldest / BLOCK * columns], values, columns);
}

/* False when a sum leaves 63 bits, which it does only when frames count, not groups. */
ALWAYS_INLINE bool leave(struct walk *w, uint32_t depth, bool root, unsigned columns, bool once)
{
	struct open_node *o = &w->open[depth];
	const int64_t *begun = &w->begun[depth * columns];
	int64_t *sums = &w->sums[(size_t)o->group * columns];
	bool overflow = false;
	if (o->oldest <= depth) { /* all but nodes of made-up trees that no stack knows */
		w->present[o->group] = true;
		if (!once)
			for (unsigned c = 0; c < columns; c++)
				overflow |= __builtin_add_overflow(sums[c], o->reaching[c], &sums[c]);
		else if (o->same_group == 0)
			add(sums, o->reaching, columns);
		else {
			for (unsigned c = 0; c < columns; c++)
				sums[c] -= o->before[c];
			add_begun(w, o->same_group + 1, depth + 1, sums, columns);
		}
	}
	if (once)
		w->nearest[o->group] = o->same_group;
	if (depth >= BLOCK)
		for (unsigned c = 0; c < columns; c++)
			w->begun_in_block[depth / BLOCK * columns + c] -= begun[c];
	if (!root) {
		struct open_node *parent = o - 1;
		parent->oldest = o->oldest < parent->oldest ? o->oldest : parent->oldest;
		for (unsigned c = 0; c < columns; c++)
			parent->reaching[c] += o->reaching[c] - begun[c];
	}
	return !overflow;
}

/* A stack of a node without children, which is never opened: what enter, meet_stack and leave come to. */
ALWAYS_INLINE bool meet_leaf(struct walk *w, uint32_t depth, uint32_t group, uint32_t oldest,
			     const int64_t *values, unsigned columns, bool once)
{
	int64_t *sums = &w->sums[(size_t)group * columns];
	bool overflow = false;
	w->present[group] = true;
	if (!once)
		for (unsigned c = 0; c < columns; c++)
			overflow |= __builtin_add_overflow(sums[c], values[c], &sums[c]);
	else if (oldest > w->nearest[group])
		add(sums, values, columns);
	if (oldest < depth)
		meet_stack(w, depth - 1, oldest, values, columns);
	return !overflow;
}

ALWAYS_INLINE bool walk_forest(struct walk *w, struct snap_stack_walk *stacks, unsigned columns, bool once)
{
	const struct snap_snapshot *s = w->s;
	const uint32_t *parent = s->node_parent.at, *frame = s->node_frame.at;
	const uint16_t *depth = s->node_depth.at;
	uint32_t nodes = (uint32_t)s->node_parent.count, root_depth = 1, deepest = 0, stack;
	bool fits = true;
	for (uint32_t n = 0; n < nodes && fits; n++) {
		bool root = parent[n] == SNAP_NONE;
		for (uint32_t end = root ? root_depth : depth[n]; deepest >= end; deepest--)
			fits &= leave(w, deepest, deepest == root_depth, columns, once);
		deepest = depth[n];
		if (root)
			root_depth = deepest;
		if (n + 1 == nodes || parent[n + 1] != n) {
			while ((stack = snap_stack_walk_next(stacks, n)) != SNAP_NONE)
				fits &= meet_leaf(w, deepest, w->group[frame[n]], snap_stack_oldest(s, stack),
						  &w->stack_sums[(size_t)stack * columns], columns, once);
			deepest--;
			continue;
		}
		enter(w, deepest, w->group[frame[n]], columns, once);
		while ((stack = snap_stack_walk_next(stacks, n)) != SNAP_NONE)
			meet_stack(w, deepest, snap_stack_oldest(s, stack),
				   &w->stack_sums[(size_t)stack * columns], columns);
	}
	for (; deepest >= root_depth; deepest--)
		fits &= leave(w, deepest, deepest == root_depth, columns, once);
	return fits;
}

static bool walk_all(struct walk *w, struct snap_stack_walk *stacks, unsigned columns, bool once)
{
	if (columns == 2)
		return once ? walk_forest(w, stacks, 2, true) : walk_forest(w, stacks, 2, false);
	if (columns == 4)
		return once ? walk_forest(w, stacks, 4, true) : walk_forest(w, stacks, 4, false);
	return once ? walk_forest(w, stacks, 8, true) : walk_forest(w, stacks, 8, false);
}

enum snap_status snap_cumulate(const struct snap_snapshot *s, bool once, struct snap_frame_groups *groups,
			       struct snap_error *err)
{
	const unsigned columns = groups->columns;
	struct walk w = {.s = s, .group = groups->group, .sums = groups->sums, .present = groups->present};
	struct snap_stack_walk stacks;
	enum snap_status status = snap_stack_walk_start(&stacks, s, err);
	if (status < 0)
		return status;
	int64_t *stack_sums = calloc(s->stack_node.count * columns + 1, sizeof *stack_sums);
	w.stack_sums = stack_sums;
	w.nearest = calloc((size_t)groups->count + 1, sizeof *w.nearest);
	w.open = malloc(LEVELS * sizeof *w.open);
	w.begun = malloc((size_t)LEVELS * columns * sizeof *w.begun);
	w.begun_in_block = calloc((size_t)LEVELS / BLOCK * columns, sizeof *w.begun_in_block);
	if (stack_sums == NULL || w.nearest == NULL || w.open == NULL || w.begun == NULL ||
	    w.begun_in_block == NULL)
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	else {
		snap_expect_writes(stack_sums, s->stack_node.count * columns * sizeof *stack_sums);
		snap_sum_sites(s, NULL, columns, stack_sums);
		if (!walk_all(&w, &stacks, columns, once))
			status = snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
					   "a sum over all frames does not fit in 63 bits");
	}
	free(stack_sums);
	free(w.nearest);
	free(w.open);
	free(w.begun);
	free(w.begun_in_block);
	snap_stack_walk_free(&stacks);
	return status;
}
