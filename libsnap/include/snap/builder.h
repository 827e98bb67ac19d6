/* Makes a snapshot from what a recorder or a foreign file tells: strings, frames, stacks, blocks, in
 * any order. Memory is proportional to what is distinct, never to how often it is told. */
#ifndef SNAP_BUILDER_H
#define SNAP_BUILDER_H

#include <snap/limits.h>
#include <snap/snapshot.h>

struct snap_builder;

#define SNAP_NO_FUNCTION UINT32_MAX

/* The columns of a plain snapshot: blocks, bytes. */
SNAP_API enum snap_status snap_builder_new(struct snap_builder **out, const struct snap_limits *limits,
                                           struct snap_error *err);
/* With columns of one's own; the first two must be blocks and bytes. The names are copied.
 * SNAP_ERR_INVALID for bad names, too many or missing ones. */
SNAP_API enum snap_status snap_builder_new_columns(struct snap_builder **out, const struct snap_column *columns,
                                                   size_t count, const struct snap_limits *limits,
                                                   struct snap_error *err);
SNAP_API void snap_builder_free(struct snap_builder *b); /* takes NULL */

/* Metadata of the snapshot to be; borrowed until the builder is finished or freed. */
SNAP_API struct snap_meta *snap_builder_meta(struct snap_builder *b);

/* Each of these gives equal things equal numbers. Numbers hold for the life of the builder.
 * SNAP_ERR_INVALID for a string over SNAP_STRING_MAX bytes or with NUL, for numbers that were never
 * given, and for a stack of no frames, more than SNAP_DEPTH_MAX, or 0 < total < count.
 * SNAP_ERR_LIMIT, SNAP_ERR_NOMEM. */
SNAP_API enum snap_status snap_builder_string(struct snap_builder *b, const char *bytes, size_t size,
                                              uint32_t *string, struct snap_error *err);
SNAP_API enum snap_status snap_builder_frame(struct snap_builder *b, uint32_t file, uint32_t line,
                                             uint32_t function /* or SNAP_NO_FUNCTION */, uint32_t *frame,
                                             struct snap_error *err);
/* `frames` newest first, as recorders have them; total = frames of the real stack, 0 = unknown, above
 * SNAP_DEPTH_MAX is taken as SNAP_DEPTH_MAX. */
SNAP_API enum snap_status snap_builder_stack(struct snap_builder *b, const uint32_t *frames, size_t count,
                                             uint32_t total, uint32_t *stack, struct snap_error *err);

/* Adds `blocks` blocks of `size` bytes each to a site of a plain snapshot (bytes follow from it).
 * SNAP_ERR_INVALID for a size over SNAP_BLOCK_SIZE_MAX, SNAP_ERR_LIMIT when a sum leaves 63 bits. */
SNAP_API enum snap_status snap_builder_add(struct snap_builder *b, uint32_t stack, uint32_t domain, uint64_t size,
                                           int64_t blocks, struct snap_error *err);
/* Adds a value to each column of a site. */
SNAP_API enum snap_status snap_builder_add_values(struct snap_builder *b, uint32_t stack, uint32_t domain,
                                                  uint64_t size, const int64_t *values, struct snap_error *err);

/* The snapshot: yours; free with snap_snapshot_free. The builder is spent, also on failure; free it. */
SNAP_API enum snap_status snap_builder_finish(struct snap_builder *b, struct snap_snapshot **out,
                                              struct snap_error *err);

#endif
