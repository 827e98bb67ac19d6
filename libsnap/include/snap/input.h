/* Where bytes come from: a file, a descriptor, memory, or a function. Read once, front to back. */
#ifndef SNAP_INPUT_H
#define SNAP_INPUT_H

#include <stddef.h>
#include <snap/status.h>

struct snap_input;

/* Opens a file, or standard input for "-". Yours; close with snap_input_close. The path is copied.
 * SNAP_ERR_IO when it cannot be opened or is a directory. */
SNAP_API enum snap_status snap_input_open(struct snap_input **out, const char *path, struct snap_error *err);

/* Reads from memory, borrowed until the input is closed. */
SNAP_API enum snap_status snap_input_from_memory(struct snap_input **out, const void *bytes, size_t size,
                                                 struct snap_error *err);

/* Reads by calling `read(context, buffer, size)`, which returns how many bytes it put there, 0 at the
 * end, or -1 with errno set. `close`, if not NULL, is called once with the input, also when this call
 * fails. */
SNAP_API enum snap_status snap_input_from_function(struct snap_input **out,
                                                   ptrdiff_t (*read)(void *context, void *buffer, size_t size),
                                                   void (*close)(void *context), void *context,
                                                   struct snap_error *err);

/* The modification time of a regular file in nanoseconds since 1970, or INT64_MIN where there is none. */
SNAP_API int64_t snap_input_mtime_ns(const struct snap_input *in);

/* The size of a regular file in bytes, or UINT64_MAX where it is not known; for progress only. */
SNAP_API uint64_t snap_input_size(const struct snap_input *in);

/* Bytes handed out so far. */
SNAP_API uint64_t snap_input_offset(const struct snap_input *in);

#define SNAP_INPUT_PEEK_MAX 65536

/* Makes up to `size` bytes (at most SNAP_INPUT_PEEK_MAX) visible in *bytes without consuming them, borrowed until
 * the next call but for snap_input_skip; *got is smaller only at the end of the input. */
SNAP_API enum snap_status snap_input_peek(struct snap_input *in, size_t size, const uint8_t **bytes, size_t *got,
                                          struct snap_error *err);

/* Consumes bytes that the last peek has shown, or the first of them. */
SNAP_API void snap_input_skip(struct snap_input *in, size_t size);

/* Copies up to `size` bytes; *got is smaller only at the end of the input. */
SNAP_API enum snap_status snap_input_read(struct snap_input *in, void *buffer, size_t size, size_t *got,
                                          struct snap_error *err);

/* Takes NULL. */
SNAP_API void snap_input_close(struct snap_input *in);

#endif
