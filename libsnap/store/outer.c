/* New nodes are met in depth-first order of the whole tree, with the way to each of them kept open, so that
 * a way is walked once however many nodes are new below it. */
#include "store/outer.h"

#include <stdlib.h>

#include "base/sort.h"
#include "model/snapshot.h"

struct way {
	struct snap_tables *t;
	uint32_t *open; /* by depth less 1: the node of that depth on the way */
	uint32_t depth;
	/* How many open nodes have each of these; functions without a name count by line. */
	uint32_t *lines, *files, *functions, *nameless;
};

static uint32_t *function_count(const struct way *w, uint32_t frame)
{
	uint32_t function = w->t->frame_function.at[frame];
	return function != SNAP_NONE ? &w->functions[function] : &w->nameless[w->t->frame_line.at[frame]];
}

static void enter(struct way *w, uint32_t node, uint32_t old)
{
	struct snap_tables *t = w->t;
	uint32_t frame = t->node_frame.at[node], line = t->frame_line.at[frame];
	uint32_t *line_count = &w->lines[line], *file_count = &w->files[t->line_file.at[line]],
	         *function = function_count(w, frame);
	if (node >= old)
		t->node_outer.at[node] = (uint8_t)((*line_count == 0 ? SNAP_OUTER_LINE : 0) |
		                                   (*file_count == 0 ? SNAP_OUTER_FILE : 0) |
		                                   (*function == 0 ? SNAP_OUTER_FUNCTION : 0));
	++*line_count;
	++*file_count;
	++*function;
	w->open[w->depth++] = node;
}

static void leave(struct way *w)
{
	const struct snap_tables *t = w->t;
	uint32_t frame = t->node_frame.at[w->open[--w->depth]], line = t->frame_line.at[frame];
	w->lines[line]--;
	w->files[t->line_file.at[line]]--;
	--*function_count(w, frame);
}

/* Opens the way to a node and the node itself. */
static void go_to(struct way *w, uint32_t node, uint32_t old, uint32_t *missing)
{
	const struct snap_tables *t = w->t;
	uint32_t count = 0, at = node;
	for (; at != SNAP_NONE; at = t->node_parent.at[at]) {
		uint32_t depth = t->node_depth.at[at];
		if (depth <= w->depth && w->open[depth - 1] == at)
			break;
		missing[count++] = at;
	}
	for (uint32_t depth = at == SNAP_NONE ? 0 : t->node_depth.at[at]; w->depth > depth;)
		leave(w);
	while (count > 0)
		enter(w, missing[--count], old);
}

enum snap_status snap_outer_mark(struct snap_tables *t, uint32_t old, struct snap_error *err)
{
	uint32_t count = (uint32_t)t->node_parent.count, deepest = 0;
	size_t lines = t->line_file.count, files = t->file_name.end.count, functions = t->function_file.count;
	if (count == old)
		return SNAP_OK;
	for (uint32_t n = old; n < count; n++)
		deepest = t->node_depth.at[n] > deepest ? t->node_depth.at[n] : deepest;
	struct snap_keyed *order = malloc(2 * (size_t)(count - old) * sizeof *order), *sorted;
	uint32_t *ways = malloc(2 * (size_t)deepest * sizeof *ways);
	uint32_t *counts = calloc(2 * lines + files + functions, sizeof *counts);
	enum snap_status status = SNAP_OK;
	if (order == NULL || ways == NULL || counts == NULL) {
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	} else {
		struct way w = {t,      ways, 0, counts, counts + 2 * lines, counts + 2 * lines + files,
		                counts + lines};
		for (uint32_t n = old; n < count; n++)
			order[n - old] = (struct snap_keyed){t->intervals.pre.at[n], n};
		sorted = snap_sort(order, order + (count - old), count - old);
		for (uint32_t i = 0; i < count - old; i++)
			go_to(&w, sorted[i].row, old, ways + deepest);
	}
	free(order);
	free(ways);
	free(counts);
	return status;
}
