/* A hash index over the rows of a table: it holds row numbers, the keys stay in the table. */
#ifndef SNAP_BASE_INDEX_H
#define SNAP_BASE_INDEX_H

#include "base/seed.h"
#include "base/vector.h"

/* A slot is 0 when empty, else the upper 32 bits of the row's hash and, below them, its number + 1.
 * The position follows from those 32 bits, so growing needs no key. */
struct snap_index {
	uint64_t *slots;
	size_t mask; /* capacity - 1; capacity is a power of two, or 0 with slots == NULL */
	size_t used;
	struct snap_seed seed;
};

/* What to hash the keys of this index with. */
static inline const struct snap_seed *snap_index_seed(struct snap_index *index)
{
	if (index->seed.words[1] == 0)
		snap_seed_draw(&index->seed);
	return &index->seed;
}

/* Makes room for one more row. Call before snap_index_insert. */
enum snap_status snap_index_grow(struct snap_index *index, struct snap_budget *budget, struct snap_error *err);
static inline enum snap_status snap_index_reserve(struct snap_index *index, struct snap_budget *budget,
                                                  struct snap_error *err)
{
	return index->slots != NULL && index->used < index->mask - index->mask / 4
	               ? SNAP_OK
	               : snap_index_grow(index, budget, err);
}
void snap_index_free(struct snap_index *index, struct snap_budget *budget);

/* Walks the rows whose hash may be `hash`: start with *cursor = snap_index_start, take what
 * snap_index_next returns until it is SNAP_INDEX_NONE, compare keys. */
#define SNAP_INDEX_NONE UINT32_MAX

static inline size_t snap_index_start(const struct snap_index *index, uint64_t hash)
{
	return (size_t)(hash >> 32) & index->mask;
}

static inline uint32_t snap_index_next(const struct snap_index *index, uint64_t hash, size_t *cursor)
{
	if (index->slots == NULL)
		return SNAP_INDEX_NONE;
	for (;;) {
		uint64_t slot = index->slots[*cursor];
		if (slot == 0)
			return SNAP_INDEX_NONE;
		*cursor = (*cursor + 1) & index->mask;
		if (slot >> 32 == hash >> 32)
			return (uint32_t)slot - 1;
	}
}

static inline void snap_index_insert(struct snap_index *index, uint64_t hash, uint32_t row)
{
	size_t at = snap_index_start(index, hash);
	while (index->slots[at] != 0)
		at = (at + 1) & index->mask;
	index->slots[at] = (hash & ~UINT64_C(0xFFFFFFFF)) | ((uint64_t)row + 1);
	index->used++;
}

#endif
