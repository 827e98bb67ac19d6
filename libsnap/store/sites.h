/* The sites of a snapshot as rows of the database. */
#ifndef SNAP_STORE_SITES_H
#define SNAP_STORE_SITES_H

#include "model/snapshot.h"

/* In the order of the table's key, each key once. Columns: those of a plain snapshot, or of a diff. */
struct snap_store_site {
	uint32_t node, domain;
	uint32_t total;
	uint64_t size;
	int64_t values[4];
};

/* Makes the rows, at most as many as the snapshot has sites; free them with free. `nodes` has the node of
 * each stack. SNAP_ERR_NOMEM. */
enum snap_status snap_store_sites(const struct snap_snapshot *s, const uint32_t *nodes, struct snap_store_site **sites,
                                  size_t *count, struct snap_error *err);

#endif
