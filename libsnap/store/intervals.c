/* Order maintenance by gaps: a batch of new nodes below one that was there takes an eighth of the room
 * between its last child and its end, evenly, and leaves the rest to later ones. So the room shrinks
 * geometrically, a table of 2^18 nodes lasts some two hundred batches at one place, and numbering anew
 * costs no more than the table. */
#include "store/intervals.h"

#include <stdlib.h>

#include "model/snapshot.h"

#define LAST ((UINT64_C(1) << 63) - 1)
enum { SHARE = 8, LEAST_SPACING = 2 };

enum snap_status snap_intervals_push(struct snap_intervals *t, uint32_t parent, uint64_t pre, uint64_t post,
                                     struct snap_budget *budget, struct snap_error *err)
{
	bool root = parent == SNAP_NONE;
	uint64_t from = root ? t->roots_end : t->end.at[parent], to = root ? LAST : t->post.at[parent];
	if (pre <= from || post <= pre || post >= to)
		return snap_fail(err, SNAP_ERR_DAMAGED, SNAP_NO_OFFSET, "intervals of nodes do not nest");
	enum snap_status status = snap_vector_push(&t->pre, pre, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->post, post, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->end, pre, budget, err);
	if (status == SNAP_OK)
		*(root ? &t->roots_end : &t->end.at[parent]) = post;
	return status;
}

/* Numbers nodes from `old` on; false, and nothing has changed, when some do not fit. `size` is indexed by
 * node less `old`, `spacing` by node, and by `count` for what is above the roots. */
static bool place(struct snap_intervals *t, const uint32_t *parent, uint32_t old, uint32_t count, uint32_t *size,
                  uint64_t *spacing)
{
	for (uint32_t n = 0; n <= count; n++)
		spacing[n] = 0;
	for (uint32_t n = old; n < count; n++)
		size[n - old] = 1;
	/* First how many new nodes there are below each old one. */
	for (uint32_t n = count; n-- > old;) {
		uint32_t p = parent[n];
		if (p != SNAP_NONE && p >= old)
			size[p - old] += size[n - old];
		else
			spacing[p == SNAP_NONE ? count : p] += size[n - old];
	}
	for (uint32_t n = 0; n <= count; n++) {
		if (spacing[n] == 0)
			continue;
		uint64_t room = n == count ? LAST - t->roots_end : t->post.at[n] - t->end.at[n];
		spacing[n] = room / (2 * SHARE * spacing[n]);
		if (spacing[n] < LEAST_SPACING)
			return false;
	}
	for (uint32_t n = old; n < count; n++) {
		uint32_t p = parent[n];
		uint64_t *end = p == SNAP_NONE ? &t->roots_end : &t->end.at[p];
		spacing[n] = spacing[p == SNAP_NONE ? count : p];
		t->end.at[n] = t->pre.at[n] = *end + spacing[n];
		*end = t->post.at[n] = t->pre.at[n] + (2 * (uint64_t)size[n - old] - 1) * spacing[n];
	}
	return true;
}

static enum snap_status reserve(struct snap_intervals *t, size_t count, struct snap_budget *budget,
                                struct snap_error *err)
{
	struct snap_u64s *all[] = {&t->pre, &t->post, &t->end};
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < 3 && status == SNAP_OK; i++) {
		/* More than asked for, since trees grow by a little each time. */
		if (count > all[i]->capacity)
			status = snap_vector_reserve(all[i], count + count / 2, budget, err);
		if (status == SNAP_OK)
			all[i]->count = count;
	}
	return status;
}

enum snap_status snap_intervals_add(struct snap_intervals *t, const uint32_t *parent, uint32_t count,
                                    bool *renumbered, struct snap_budget *budget, struct snap_error *err)
{
	uint32_t old = (uint32_t)t->pre.count;
	*renumbered = false;
	if (count == old)
		return SNAP_OK;
	if (count > SNAP_ROWS_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "the tree of tracebacks has too many nodes");
	uint32_t *size = malloc((size_t)count * sizeof *size);
	uint64_t *spacing = malloc(((size_t)count + 1) * sizeof *spacing);
	enum snap_status status = size == NULL || spacing == NULL
	                                  ? snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory")
	                                  : reserve(t, count, budget, err);
	if (status == SNAP_OK && !place(t, parent, old, count, size, spacing)) {
		*renumbered = true;
		t->roots_end = 0;
		/* Even SNAP_ROWS_MAX nodes stand 2^29 apart then: it cannot fail. */
		place(t, parent, 0, count, size, spacing);
	}
	free(size);
	free(spacing);
	return status;
}

void snap_intervals_free(struct snap_intervals *t, struct snap_budget *budget)
{
	snap_vector_free(&t->pre, budget);
	snap_vector_free(&t->post, budget);
	snap_vector_free(&t->end, budget);
	t->roots_end = 0;
}
