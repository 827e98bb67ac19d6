/* Growing a hash index; see index.h. */
#include "base/index.h"

#include <stdlib.h>

enum snap_status snap_index_grow(struct snap_index *index, struct snap_budget *budget, struct snap_error *err)
{
	size_t old = index->slots == NULL ? 0 : index->mask + 1;
	size_t capacity = old == 0 ? 64 : old * 2;
	uint64_t more = (uint64_t)(capacity - old) * sizeof *index->slots;
	if (more > budget->limit - budget->used)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
		                 "the input needs more than the memory limit of %llu MiB",
		                 (unsigned long long)(budget->limit >> 20));
	uint64_t *slots = calloc(capacity, sizeof *slots);
	if (slots == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	budget->used += more;
	for (size_t i = 0; i < old; i++) {
		uint64_t slot = index->slots[i];
		if (slot == 0)
			continue;
		size_t at = (size_t)(slot >> 32) & (capacity - 1);
		while (slots[at] != 0)
			at = (at + 1) & (capacity - 1);
		slots[at] = slot;
	}
	free(index->slots);
	index->slots = slots;
	index->mask = capacity - 1;
	return SNAP_OK;
}

void snap_index_free(struct snap_index *index, struct snap_budget *budget)
{
	if (index->slots != NULL)
		budget->used -= (uint64_t)(index->mask + 1) * sizeof *index->slots;
	free(index->slots);
	*index = (struct snap_index){.slots = NULL};
}
