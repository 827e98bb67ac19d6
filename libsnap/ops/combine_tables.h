/* The strings, frames, nodes and stacks of two snapshots as one. */
#ifndef SNAP_OPS_COMBINE_TABLES_H
#define SNAP_OPS_COMBINE_TABLES_H

#include "model/snapshot.h"

/* Which stacks of the inputs a stack of the result stands for. An *origin* is a stack of the one input, of
 * the other, or one that both have at the same node. */
struct snap_stack_origins {
	uint32_t *in[2]; /* of each origin: the stack of that input, or SNAP_NONE */
	uint32_t *first; /* of each stack: its first origin; NULL: that of its own number is its only one */
	uint32_t *next;  /* of each origin: another that says the same, or SNAP_NONE; NULL with `first` */
};

/* Fills the tables of `u`, which is empty, but for its sites, in the order of ordered snapshots; so must be
 * both inputs. *untidy says that frames may be left that no stack needs. On failure the origins can be freed
 * as well. SNAP_ERR_NOMEM, SNAP_ERR_LIMIT. */
enum snap_status snap_combine_tables(struct snap_snapshot *u, const struct snap_snapshot *const in[2],
				     struct snap_stack_origins *origins, bool *untidy,
				     struct snap_error *err);
void snap_stack_origins_free(struct snap_stack_origins *origins);

#endif
