/* Snapshots from any supported format, told by its first bytes. */
#ifndef SNAP_SOURCE_H
#define SNAP_SOURCE_H

#include <snap/input.h>
#include <snap/limits.h>
#include <snap/snapshot.h>

struct snap_source;

/* Looks at the first bytes and makes the reader for them. The input is taken, also on failure.
 * SNAP_ERR_UNSUPPORTED names the formats there are; SNAP_ERR_TRUNCATED for an empty input. */
SNAP_API enum snap_status snap_source_open(struct snap_source **out, struct snap_input *in,
                                           const struct snap_limits *limits, struct snap_error *err);

/* "snap", "tracemalloc"; a constant. */
SNAP_API const char *snap_source_format(const struct snap_source *source);

/* The next snapshot: yours; free with snap_snapshot_free. SNAP_END behind the last. */
SNAP_API enum snap_status snap_source_next(struct snap_source *source, struct snap_snapshot **out,
                                           struct snap_error *err);
/* The next snapshot, borrowed until the next call and only for what snap_reader_borrow says. */
SNAP_API enum snap_status snap_source_borrow(struct snap_source *source, struct snap_snapshot **out,
                                             struct snap_error *err);
/* Reads over the next snapshot. */
SNAP_API enum snap_status snap_source_skip(struct snap_source *source, struct snap_error *err);

SNAP_API void snap_source_close(struct snap_source *source); /* takes NULL */

#endif
