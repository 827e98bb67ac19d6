/* A frame as people read it, and the line of source below it. */
#ifndef CMD_FRONTEND_FRAMES_H
#define CMD_FRONTEND_FRAMES_H

#include <snap/snapshot.h>
#include <stdbool.h>
#include <stddef.h>

#include "source_lines.h"
#include "terminal.h"

enum { FRAME_INDENT = 4 };

/* "file:line" in `room` columns: the middle of the path gives way where room is short, its folders are dim;
 * returns the columns it takes. */
size_t frame_put_path(const struct snap_frame *frame, size_t room, enum terminal_style style);
/* With the function behind it, or before it. */
void frame_put(const struct snap_frame *frame, size_t room, enum terminal_style style, bool by_function);
/* The line of source, if it is at hand, on a line of its own; a long one begins further left, but not before
 * FRAME_INDENT, so that more of it is seen. */
void frame_put_source(const struct source_options *options, const struct snap_frame *frame, size_t indent);

#endif
