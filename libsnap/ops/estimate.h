/* Estimates as the other files of this room need them. */
#ifndef SNAP_OPS_ESTIMATE_H
#define SNAP_OPS_ESTIMATE_H

#include <snap/estimate.h>

#include "model/snapshot.h"

/* How both sides were recorded; of a plain snapshot the older side is exact. */
struct snap_sampling_sides {
	struct snap_sampling newer, older;
};

enum snap_status snap_sampling_sides_get(struct snap_sampling_sides *out, const struct snap_snapshot *s,
					 struct snap_error *err);
/* Whether values of one can be added to, or taken from, values of the other as they are. */
bool snap_sampling_agrees(struct snap_sampling a, struct snap_sampling b);

/* Number of the first column of variances, where there are any. */
static inline uint32_t snap_variances_begin(bool diff)
{
	return diff ? 4 : 2;
}

/* Puts columns of variances, all 0, where they belong. SNAP_ERR_INVALID, SNAP_ERR_LIMIT. */
enum snap_status snap_variances_insert(struct snap_snapshot *s, struct snap_error *err);

#endif
