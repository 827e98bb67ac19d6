/* Names replaced by keyed hashes, so that a snapshot can be handed on. */
#ifndef SNAP_REDACT_H
#define SNAP_REDACT_H

#include <snap/snapshot.h>

#define SNAP_REDACT_KEY_MIN 16

/* The same snapshot without the names that it would give away. A hash is HMAC-SHA-256 under the key, cut
 * to 96 bits: equal names under equal keys get equal hashes, so redacted snapshots can be compared.
 * File names and functions are hashed; of a file of the standard library or in site-packages (see
 * snap/pattern.h) only what stands before the part that is the same everywhere is, unless `all`.
 * Of the metadata numbers, times and what names the recorder and the interpreter stay; other values are
 * hashed, so are the names of labels and of keys that are not known; history.N loses its arguments.
 * Lines, sizes, counts and names that are in all programs (<string>, <module>, what CPython freezes) stay.
 * Where only a folder `Lib` stands for the standard library, as on Windows, it could be the program's own: a
 * file there stays when the first name below is a module or package of CPython 3.4 to 3.14 (what is below a
 * package is not looked at), or when the file is below the metadata's root.stdlib.
 * Packages that are one's own but installed in site-packages count as libraries: `all` hides them.
 * SNAP_ERR_INVALID for a key below SNAP_REDACT_KEY_MIN bytes, SNAP_ERR_LIMIT, SNAP_ERR_NOMEM. */
SNAP_API enum snap_status snap_redact(struct snap_snapshot **out, const struct snap_snapshot *s, const void *key,
                                      size_t key_size, bool all, struct snap_error *err);

#endif
