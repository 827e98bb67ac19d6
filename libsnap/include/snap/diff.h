/* Two snapshots into one that holds both, and several into their sum. */
#ifndef SNAP_DIFF_H
#define SNAP_DIFF_H

#include <snap/snapshot.h>

/* What changed from `older` to `newer`: a snapshot with the columns blocks, bytes, old_blocks,
 * old_bytes, and every site of either side, also unchanged ones. Metadata: the newer's, then the older's
 * with the prefix "old.". What was sampled (snap/estimate.h) stays what was counted where the other side was
 * sampled with the same period; else it is estimated first, and there are columns of variances. Both stay the
 * caller's. SNAP_ERR_INVALID when one is a diff itself, or what samples stand for is not known. */
SNAP_API enum snap_status snap_diff_new(struct snap_snapshot **out, const struct snap_snapshot *older,
                                        const struct snap_snapshot *newer, struct snap_error *err);

/* The sum of `count` >= 1 snapshots, site by site: the workers of one service. Metadata: entries that
 * are equal in all; `merged` = count. Where not all are sampled with one period, or none is, what was sampled is
 * estimated first and the sum has columns of variances; its metadata say how it was sampled in any case.
 * SNAP_ERR_INVALID when their columns differ, or what samples stand for is not known. */
SNAP_API enum snap_status snap_merge_new(struct snap_snapshot **out, struct snap_snapshot *const *snapshots,
                                         size_t count, struct snap_error *err);

#endif
