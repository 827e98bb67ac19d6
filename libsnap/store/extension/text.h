/* Names of unknown origin as SQL text, which has to be UTF-8: what is not comes out as U+FFFD, as in the
 * tools' JSON. */
#ifndef SNAP_STORE_EXTENSION_TEXT_H
#define SNAP_STORE_EXTENSION_TEXT_H

#include <snap/snapshot.h>
#include <sqlite3ext.h>

SQLITE_EXTENSION_INIT3

/* The value of a column; NULL for a name that is not known. */
void text_result(sqlite3_context *context, struct snap_text text);

/* "a.py:1 → b.py:2 (function)", oldest first, of `count` frames, newest first; NULL of none. */
void text_result_traceback(sqlite3_context *context, const struct snap_frame *frames, size_t count);

/* Text within a message, with control characters and invalid bytes as \x1b. */
void text_append_shown(sqlite3_str *out, const char *text);

#endif
