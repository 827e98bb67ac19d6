/* The snapshot in memory: what a process had allocated, where. Immutable but for its metadata.
 * The words are those of schema/snap-format.md, section 1. */
#ifndef SNAP_SNAPSHOT_H
#define SNAP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <snap/meta.h>
#include <snap/status.h>

#define SNAP_COLUMNS_MAX 16
#define SNAP_COLUMN_NAME_MAX 63
#define SNAP_STRING_MAX 65535
#define SNAP_DEPTH_MAX 65535
#define SNAP_BLOCK_SIZE_MAX ((UINT64_C(1) << 61) - 1)
#define SNAP_ROWS_MAX (UINT32_C(1) << 30)

struct snap_snapshot;

/* A name as it was recorded: any bytes but NUL, not NUL-terminated, UTF-8 expected and not sure. */
struct snap_text {
	const char *bytes;
	size_t size;
};

struct snap_frame {
	struct snap_text file;
	struct snap_text function; /* bytes == NULL where not known */
	uint32_t line;             /* 0 = unknown */
};

enum snap_unit { SNAP_UNIT_BLOCKS = 0, SNAP_UNIT_BYTES = 1, SNAP_UNIT_OTHER = 2 };

struct snap_column {
	const char *name; /* "blocks" and "bytes" are columns 0 and 1, in a diff "old_blocks" and "old_bytes" 2 and 3 */
	enum snap_unit unit;
};

struct snap_site {
	uint32_t stack;        /* number of the stack, < snap_snapshot_stacks */
	uint32_t domain;       /* 0 = Python's own, 389047 = numpy's data */
	uint64_t size;         /* bytes of one block */
	const int64_t *values; /* one for each column, borrowed until the next call */
};

struct snap_stack {
	uint32_t length; /* frames known, the newest ones */
	uint32_t total;  /* frames the real stack had, at most 65,535; 0 = unknown */
};

SNAP_API void snap_snapshot_free(struct snap_snapshot *s); /* takes NULL */

/* Metadata, borrowed; may be changed as long as the snapshot lives. */
SNAP_API struct snap_meta *snap_snapshot_meta(struct snap_snapshot *s);

/* Whether there are columns old_blocks and old_bytes. */
SNAP_API bool snap_snapshot_is_diff(const struct snap_snapshot *s);

SNAP_API size_t snap_snapshot_columns(const struct snap_snapshot *s);
SNAP_API struct snap_column snap_snapshot_column(const struct snap_snapshot *s, size_t i); /* borrowed */
/* The sum of a column over all sites. */
SNAP_API int64_t snap_snapshot_total(const struct snap_snapshot *s, size_t column);

/* Table sizes. Every stack belongs to a site, every frame to a stack. */
SNAP_API size_t snap_snapshot_strings(const struct snap_snapshot *s);
SNAP_API size_t snap_snapshot_frames(const struct snap_snapshot *s);
SNAP_API size_t snap_snapshot_nodes(const struct snap_snapshot *s);
SNAP_API size_t snap_snapshot_stacks(const struct snap_snapshot *s);
SNAP_API size_t snap_snapshot_sites(const struct snap_snapshot *s);

/* Site i < snap_snapshot_sites; values[] of the result has room for all columns of `buffer`. */
SNAP_API struct snap_site snap_snapshot_site(const struct snap_snapshot *s, size_t i,
                                             int64_t buffer[SNAP_COLUMNS_MAX]);
SNAP_API struct snap_stack snap_snapshot_stack(const struct snap_snapshot *s, uint32_t stack);
/* Writes up to `max` frames of a stack, newest first, and returns its length. Texts are borrowed from
 * the snapshot. */
SNAP_API size_t snap_snapshot_traceback(const struct snap_snapshot *s, uint32_t stack, struct snap_frame *frames,
                                        size_t max);
/* Frame number `frame` < snap_snapshot_frames. */
SNAP_API struct snap_frame snap_snapshot_frame(const struct snap_snapshot *s, uint32_t frame);

/* Bytes in sites whose stack was cut off by the recorder (total > length). */
SNAP_API int64_t snap_snapshot_truncated_bytes(const struct snap_snapshot *s);

/* The digest of section 6 of the format: equal for equal content, however it is stored. SNAP_ERR_NOMEM. */
SNAP_API enum snap_status snap_snapshot_digest(const struct snap_snapshot *s, uint64_t digest[2],
                                               struct snap_error *err);

#endif
