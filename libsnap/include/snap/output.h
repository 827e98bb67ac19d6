/* Where bytes go: a descriptor, memory, or a file that appears under its name only when it is whole. */
#ifndef SNAP_OUTPUT_H
#define SNAP_OUTPUT_H

#include <stddef.h>
#include <snap/status.h>

struct snap_output;

/* Creates `PATH.tmp-XXXXXX` beside `path`, mode 0666 less the umask, to be renamed to `path` by snap_output_finish.
 * Where that name would be too long, it begins with as much of PATH as there is room for. An existing file stays
 * whole until then and keeps its mode. Yours; free with snap_output_free. */
SNAP_API enum snap_status snap_output_create(struct snap_output **out, const char *path, struct snap_error *err);

/* Writes to a descriptor, which stays the caller's to close. */
SNAP_API enum snap_status snap_output_to_fd(struct snap_output **out, int fd, struct snap_error *err);

/* Collects bytes in memory; see snap_output_memory. */
SNAP_API enum snap_status snap_output_to_memory(struct snap_output **out, struct snap_error *err);

/* Buffered; an error of the system may show only in a later call or in snap_output_finish. */
SNAP_API enum snap_status snap_output_write(struct snap_output *out, const void *bytes, size_t size,
                                            struct snap_error *err);

/* The descriptor of a created file or of snap_output_to_fd, for who writes to it without snap_output_write; -1 of an
 * output in memory. Borrowed. */
SNAP_API int snap_output_descriptor(const struct snap_output *out);

/* Bytes written so far. */
SNAP_API uint64_t snap_output_offset(const struct snap_output *out);

/* Writes what is buffered; for a created file then fsync, rename to the final name and fsync of the
 * folder. On failure nothing stands under the final name that was not there before. Once only. */
SNAP_API enum snap_status snap_output_finish(struct snap_output *out, struct snap_error *err);

/* What a memory output holds after snap_output_finish, borrowed until it is freed. */
SNAP_API const void *snap_output_memory(const struct snap_output *out, size_t *size);

/* Without a successful snap_output_finish before it, a created file leaves no trace. Takes NULL. */
SNAP_API void snap_output_free(struct snap_output *out);

#endif
