/* The caller–callee pairs of a forest, section 5.6 of the format. */
#ifndef SNAP_FORMAT_PAIRS_H
#define SNAP_FORMAT_PAIRS_H

#include "model/snapshot.h"

/* For the whole forest of an ordered snapshot: all pairs, caller << 32 | callee, ascending, and for each
 * node the number of its frame among the callees of its caller (0 for roots). Both are yours; free with
 * free. */
enum snap_status snap_pairs_of_forest(const struct snap_snapshot *s, uint64_t **pairs, size_t *pair_count,
                                      uint32_t **callee_number, struct snap_error *err);

#endif
