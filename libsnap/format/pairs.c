/* Caller–callee pairs; see pairs.h. */
#include "format/pairs.h"

#include <stdlib.h>

#include "base/sort.h"

enum snap_status snap_pairs_of_forest(const struct snap_snapshot *s, uint64_t **pairs, size_t *pair_count,
                                      uint32_t **callee_number, struct snap_error *err)
{
	size_t nodes = s->node_parent.count, edges = 0;
	struct snap_keyed *rows = malloc((2 * nodes + 1) * sizeof *rows);
	*pairs = malloc((nodes + 1) * sizeof **pairs);
	*callee_number = calloc(nodes + 1, sizeof **callee_number);
	*pair_count = 0;
	if (rows == NULL || *pairs == NULL || *callee_number == NULL) {
		free(rows);
		free(*pairs);
		free(*callee_number);
		*pairs = NULL;
		*callee_number = NULL;
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	for (uint32_t i = 0; i < nodes; i++) {
		uint32_t parent = s->node_parent.at[i];
		if (parent != SNAP_NONE)
			rows[edges++] = (struct snap_keyed){
				(uint64_t)s->node_frame.at[parent] << 32 | s->node_frame.at[i], i};
	}
	struct snap_keyed *sorted = snap_sort(rows, rows + nodes, edges);
	uint32_t number = 0;
	for (size_t i = 0; i < edges; i++) {
		uint64_t key = sorted[i].key;
		if (i == 0 || key != sorted[i - 1].key) {
			number = i == 0 || key >> 32 != sorted[i - 1].key >> 32 ? 0 : number + 1;
			(*pairs)[(*pair_count)++] = key;
		}
		(*callee_number)[sorted[i].row] = number;
	}
	free(rows);
	return SNAP_OK;
}
