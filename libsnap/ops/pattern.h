/* Patterns against all frames of a snapshot. */
#ifndef SNAP_OPS_PATTERN_H
#define SNAP_OPS_PATTERN_H

#include <snap/pattern.h>

#include "model/snapshot.h"

/* Sets marks[f] for each frame f that the pattern matches and leaves the others as they are: several
 * patterns make a union. Each distinct file name is matched once. The metadata's root.stdlib and
 * root.site count for presets. SNAP_ERR_LIMIT, SNAP_ERR_NOMEM. */
enum snap_status snap_pattern_mark(const struct snap_pattern *p, const struct snap_snapshot *s, bool *marks,
                                   struct snap_error *err);

/* A folder without separators at its end, so that "/" is nothing: files below it have one behind it. */
struct snap_text snap_pattern_folder(struct snap_text path);

#endif
