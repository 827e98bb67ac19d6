/* Reads what CPython's tracemalloc.Snapshot.dump writes, without running any of it. */
#ifndef SNAP_TRACEMALLOC_H
#define SNAP_TRACEMALLOC_H

#include <snap/input.h>
#include <snap/limits.h>
#include <snap/snapshot.h>

/* Reads one pickle of a tracemalloc.Snapshot: protocols 2–5; traces of 2, 3 or 4 fields, as CPython
 * 3.4–3.5, 3.6–3.8 and 3.9+ write them; plain or compressed by gzip or zstd. The input must end behind
 * it; it stays the caller's. The snapshot is yours; free with snap_snapshot_free.
 *
 * Opcodes outside a fixed list, classes but tracemalloc.Snapshot and tracemalloc._Traces, a memo that
 * is not written in order, and anything behind the pickle are refused with their offset (in the
 * unpacked bytes): SNAP_ERR_UNSUPPORTED with a hint where the file may be of use after a step, else
 * SNAP_ERR_DAMAGED or SNAP_ERR_TRUNCATED.
 *
 * A traceback without frames, which no CPython writes, becomes the frame <unknown>:0, as CPython's own
 * tracemalloc calls what it does not know.
 *
 * Metadata: source_format = tracemalloc, traceback_limit, and, where the input is a regular file,
 * time = its modification time with time_source = "file modification time". */
SNAP_API enum snap_status snap_tracemalloc_read(struct snap_snapshot **out, struct snap_input *in,
                                                const struct snap_limits *limits, struct snap_error *err);

/* Whether bytes begin as a pickle does, or as one of the compressed forms. */
SNAP_API bool snap_tracemalloc_sniff(const uint8_t *bytes, size_t size);

#endif
