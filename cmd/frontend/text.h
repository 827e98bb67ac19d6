/* Names of unknown origin, made fit to be seen: what could steer a terminal or hide (control
 * characters, bidirectional and invisible ones, invalid UTF-8) is shown as \x1b, \u202e; the rest as it
 * is. The same in every locale: UTF-8. */
#ifndef CMD_FRONTEND_TEXT_H
#define CMD_FRONTEND_TEXT_H

#include <snap/snapshot.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXT_ELLIPSIS "…"
#define TEXT_ARROW    "→"
#define TEXT_PLUS_MINUS "±"

/* Shows text; returns the columns it takes. */
size_t text_put(FILE *out, const char *bytes, size_t size);
size_t text_width(const char *bytes, size_t size);

/* How many bytes at the beginning, or at the end, fit into `room` columns. */
size_t text_prefix(const char *bytes, size_t size, size_t room);
size_t text_suffix(const char *bytes, size_t size, size_t room);

/* Shows as much as fits into `room` columns, with an ellipsis where something is left out. */
size_t text_put_fitted(FILE *out, const char *bytes, size_t size, size_t room);

/* Whether a code point may hide or reorder what stands around it, or steer a terminal. */
bool text_is_treacherous(uint32_t point);

/* How a path is shown in `room` columns: its head up to `head` bytes, an ellipsis if anything is left
 * out, and the rest from `tail`; its last part begins at `name`. */
struct text_path {
	size_t head, tail, name;
};
struct text_path text_path_fit(struct snap_text path, size_t room);

#endif
