/* An input over another one that is compressed by gzip or zstd. */
#ifndef SNAP_IMPORT_UNPACK_H
#define SNAP_IMPORT_UNPACK_H

#include <snap/input.h>
#include <stdbool.h>

#include "base/vector.h"

/* Gives an input that reads what `in` holds unpacked, or NULL in *out where `in` does not begin as
 * gzip or zstd data do. `in` and `budget` stay the caller's and must live longer than *out. What the
 * window of zstd data takes beyond 16 MiB is charged to the budget until *out is closed.
 *
 * A read of *out that fails does so with SNAP_ERR_IO; the reason, with its offset in the packed bytes,
 * is then in *trouble, which must live as long as *out: cut off (SNAP_ERR_TRUNCATED), damaged, followed
 * by other bytes, or asking for a window beyond what is left of the budget (SNAP_ERR_LIMIT). */
enum snap_status snap_unpack_open(struct snap_input **out, struct snap_input *in, struct snap_budget *budget,
                                  struct snap_error *trouble, struct snap_error *err);

/* Whether bytes begin as gzip or zstd data do, or are a proper beginning of such a beginning. */
bool snap_unpack_sniff(const uint8_t *bytes, size_t size);

#endif
