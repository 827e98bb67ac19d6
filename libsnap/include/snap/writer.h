/* Writes snapshots as .snap: one, or a series in time order. */
#ifndef SNAP_WRITER_H
#define SNAP_WRITER_H

#include <snap/output.h>
#include <snap/snapshot.h>

struct snap_writer;

#define SNAP_LEVEL_STORED 0
#define SNAP_LEVEL_DEFAULT 3
#define SNAP_LEVEL_MAX 19

struct snap_writer_options {
	int level;   /* 0 = stored, for pipes between tools: keeps the forest as it is; 1–19 = zstd, in canonical order */
	bool series; /* later snapshots continue the tables of earlier ones where columns agree */
};

/* The output is borrowed until the writer is freed; finishing it stays the caller's. */
SNAP_API enum snap_status snap_writer_new(struct snap_writer **out, struct snap_output *output,
                                          const struct snap_writer_options *options, struct snap_error *err);

/* Writes one snapshot. After a failure only snap_writer_free is allowed. */
SNAP_API enum snap_status snap_writer_put(struct snap_writer *w, const struct snap_snapshot *s,
                                          struct snap_error *err);

/* Ends the stream. Without it, or after a failure, a reader finds the stream truncated.
 * SNAP_ERR_INVALID when nothing was put. */
SNAP_API enum snap_status snap_writer_finish(struct snap_writer *w, struct snap_error *err);

SNAP_API void snap_writer_free(struct snap_writer *w); /* takes NULL */

#endif
