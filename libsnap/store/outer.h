/* Which nodes are the outermost of their line, file and function on the way to them. */
#ifndef SNAP_STORE_OUTER_H
#define SNAP_STORE_OUTER_H

#include "store/tables.h"

/* Sets node_outer from node `old` on; their intervals are there already. SNAP_ERR_NOMEM. */
enum snap_status snap_outer_mark(struct snap_tables *t, uint32_t old, struct snap_error *err);

#endif
