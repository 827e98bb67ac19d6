/* What lines, files and functions hold, for the tables that have it ready. */
#ifndef SNAP_STORE_TOTALS_H
#define SNAP_STORE_TOTALS_H

#include "store/sites.h"
#include "store/store.h"

/* Adds the totals of snapshot number `id` to the database. `functions` as snap_enroll_frames gave it. */
enum snap_status snap_store_totals(struct snap_store *store, int64_t id, const struct snap_store_site *sites,
                                   size_t count, bool diff, bool functions, struct snap_error *err);

#endif
