/* Metadata of a snapshot: an ordered list of unique keys with text values. */
#ifndef SNAP_META_H
#define SNAP_META_H

#include <stddef.h>
#include <snap/status.h>

#define SNAP_META_ENTRIES_MAX 4096
#define SNAP_META_KEY_MAX 255
#define SNAP_META_VALUE_MAX 1048576
/* The text of all metadata of one snapshot, with 16 bytes an entry, takes at most this. */
#define SNAP_META_BYTES_MAX 4194304

/* Keys of the older side of a diff stand behind this prefix. */
#define SNAP_META_OLD "old."

struct snap_meta;

SNAP_API enum snap_status snap_meta_new(struct snap_meta **out, struct snap_error *err);
SNAP_API enum snap_status snap_meta_copy(struct snap_meta **out, const struct snap_meta *from, struct snap_error *err);
SNAP_API void snap_meta_free(struct snap_meta *meta); /* takes NULL */

/* Sets a key to a value of `size` bytes; a new key goes to the end, an old one keeps its place.
 * SNAP_ERR_INVALID for a key that is empty, too long, or has bytes <= 0x20, '=' or 0x7f, for a value
 * with NUL, and past the limits above. */
SNAP_API enum snap_status snap_meta_set(struct snap_meta *meta, const char *key, const void *value, size_t size,
                                        struct snap_error *err);
/* The same with a NUL-terminated value, or a formatted one of at most 4,095 bytes. */
SNAP_API enum snap_status snap_meta_set_text(struct snap_meta *meta, const char *key, const char *value,
                                             struct snap_error *err);
SNAP_API enum snap_status snap_meta_set_format(struct snap_meta *meta, const char *key, struct snap_error *err,
                                               const char *format, ...) SNAP_PRINTF(4, 5);
/* Removes a key if it is there. `key` must not be borrowed from the metadata themselves. */
SNAP_API void snap_meta_remove(struct snap_meta *meta, const char *key);

SNAP_API size_t snap_meta_count(const struct snap_meta *meta);
/* Entry i < snap_meta_count: the key, and the value in *value with its *size; both NUL-terminated,
 * borrowed until the metadata change. */
SNAP_API const char *snap_meta_at(const struct snap_meta *meta, size_t i, const char **value, size_t *size);
/* The value of a key, NUL-terminated, borrowed until the metadata change; NULL if it is not there. */
SNAP_API const char *snap_meta_get(const struct snap_meta *meta, const char *key);

/* Appends `history.N` with the next free N: "TOOL VERSION: ARG …", arguments quoted as a shell reads them. */
SNAP_API enum snap_status snap_meta_add_history(struct snap_meta *meta, const char *tool, int argc,
                                                char *const argv[], struct snap_error *err);
/* Removes every `history.N` and `old.history.N`. */
SNAP_API void snap_meta_drop_history(struct snap_meta *meta);

#endif
