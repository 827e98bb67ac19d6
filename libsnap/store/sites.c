/* See sites.h. */
#include "store/sites.h"

#include <stdlib.h>

#include "base/sort.h"

/* Ranks stacks by (node, total). Two that say the same have the same rank; whether there are such, in
 * *equal. */
static enum snap_status rank_stacks(const struct snap_snapshot *s, const uint32_t *nodes, uint32_t *rank, bool *equal,
                                    struct snap_error *err)
{
	size_t stacks = s->stack_node.count;
	struct snap_keyed *rows = malloc((2 * stacks + 1) * sizeof *rows);
	if (rows == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (uint32_t i = 0; i < stacks; i++)
		rows[i] = (struct snap_keyed){(uint64_t)nodes[i] << 16 | s->stack_total.at[i], i};
	const struct snap_keyed *sorted = snap_sort(rows, rows + stacks, stacks);
	uint32_t next = 0;
	for (size_t i = 0; i < stacks; i++) {
		next += i > 0 && sorted[i].key != sorted[i - 1].key;
		rank[sorted[i].row] = next;
	}
	*equal = stacks > 0 && next + 1 < stacks;
	free(rows);
	return SNAP_OK;
}

/* Sites stand by domain and size at each stack; only where stacks are equal these must be looked at. */
static const struct snap_keyed *order_sites(const struct snap_snapshot *s, const uint32_t *rank, bool equal,
                                            struct snap_keyed *rows)
{
	size_t sites = s->site_stack.count;
	struct snap_keyed *scratch = rows + sites, *sorted = rows;
	for (uint32_t i = 0; i < sites; i++)
		rows[i] = (struct snap_keyed){(uint64_t)snap_numbers_get(&s->site_size, i), i};
	if (equal) {
		sorted = snap_sort(sorted, scratch, sites);
		for (size_t i = 0; i < sites; i++)
			sorted[i].key = snap_snapshot_domain(s, sorted[i].row);
		sorted = snap_sort(sorted, sorted == rows ? scratch : rows, sites);
	}
	for (size_t i = 0; i < sites; i++)
		sorted[i].key = rank[s->site_stack.at[sorted[i].row]];
	return snap_sort(sorted, sorted == rows ? scratch : rows, sites);
}

static bool same_key(const struct snap_store_site *a, const struct snap_store_site *b)
{
	return a->node == b->node && a->total == b->total && a->domain == b->domain && a->size == b->size;
}

enum snap_status snap_store_sites(const struct snap_snapshot *s, const uint32_t *nodes, struct snap_store_site **sites,
                                  size_t *count, struct snap_error *err)
{
	size_t all = s->site_stack.count;
	uint32_t columns = snap_snapshot_is_diff(s) ? 4 : 2;
	uint32_t *rank = malloc((s->stack_node.count + 1) * sizeof *rank);
	struct snap_keyed *rows = malloc((2 * all + 1) * sizeof *rows);
	struct snap_store_site *made = malloc((all + 1) * sizeof *made);
	bool equal = false;
	enum snap_status status = rank == NULL || rows == NULL || made == NULL
	                                  ? snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory")
	                                  : rank_stacks(s, nodes, rank, &equal, err);
	*count = 0;
	if (status == SNAP_OK) {
		const struct snap_keyed *order = order_sites(s, rank, equal, rows);
		for (size_t i = 0; i < all; i++) {
			uint32_t site = order[i].row, stack = s->site_stack.at[site];
			struct snap_store_site *next = &made[*count];
			*next = (struct snap_store_site){.node = nodes[stack],
			                                 .domain = snap_snapshot_domain(s, site),
			                                 .total = s->stack_total.at[stack],
			                                 .size = (uint64_t)snap_numbers_get(&s->site_size, site)};
			for (uint32_t c = 0; c < columns; c++)
				next->values[c] = snap_snapshot_value(s, c, site);
			if (*count > 0 && same_key(next, next - 1))
				for (uint32_t c = 0; c < columns; c++) /* cannot overflow: all of a column fits */
					next[-1].values[c] += next->values[c];
			else
				++*count;
		}
	}
	free(rank);
	free(rows);
	if (status < 0)
		free(made);
	else
		*sites = made;
	return status;
}
