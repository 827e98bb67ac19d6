/* Caller–callee pairs; see pairs.h. */
#include "format/pairs.h"

#include <stdlib.h>

#include "base/sort.h"

enum snap_status snap_pairs_of_forest(const struct snap_snapshot *s, uint64_t **pairs, size_t *pair_count,
                                      uint32_t **callee_number, struct snap_error *err)
{
	size_t nodes = s->node_parent.count, frames = s->frame_file.count;
	const uint32_t *parent = s->node_parent.at, *frame = s->node_frame.at;
	struct snap_keyed *rows = malloc((2 * nodes + 1) * sizeof *rows); /* half of it to sort with */
	uint32_t *end = calloc(frames + 1, sizeof *end);
	*pairs = malloc((nodes + 1) * sizeof **pairs);
	*callee_number = snap_array_new(nodes, sizeof **callee_number);
	*pair_count = 0;
	if (rows == NULL || end == NULL || *pairs == NULL || *callee_number == NULL) {
		free(rows);
		free(end);
		free(*pairs);
		free(*callee_number);
		*pairs = NULL;
		*callee_number = NULL;
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	snap_expect_writes(rows, nodes * sizeof *rows);
	/* Nodes by caller, then the few of each caller by callee. */
	for (size_t i = 0; i < nodes; i++)
		if (parent[i] != SNAP_NONE)
			end[frame[parent[i]] + 1]++;
	for (size_t i = 0; i < frames; i++)
		end[i + 1] += end[i];
	for (uint32_t i = 0; i < nodes; i++)
		if (parent[i] == SNAP_NONE)
			(*callee_number)[i] = 0;
		else
			rows[end[frame[parent[i]]]++] = (struct snap_keyed){frame[i], i};
	for (size_t caller = 0, at = 0; caller < frames; at = end[caller++]) {
		size_t count = end[caller] - at;
		struct snap_keyed *sorted = snap_sort(rows + at, rows + nodes, count);
		for (size_t i = 0, number = 0; i < count; i++) {
			if (i == 0 || sorted[i].key != sorted[i - 1].key) {
				(*pairs)[(*pair_count)++] = (uint64_t)caller << 32 | sorted[i].key;
				number += i > 0;
			}
			(*callee_number)[sorted[i].row] = (uint32_t)number;
		}
	}
	free(rows);
	free(end);
	return SNAP_OK;
}
