/* Showing frames; see frames.h. */
#include "frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "table.h"
#include "text.h"

static size_t put_part(const char *bytes, size_t begin, size_t end, enum terminal_style style)
{
	if (begin >= end)
		return 0;
	fputs(terminal_style(style), stdout);
	size_t width = text_put(stdout, bytes + begin, end - begin);
	fputs(style != STYLE_NONE ? terminal_plain() : "", stdout);
	return width;
}

/* A path whose middle gives way where room is short, its folders dim; returns the columns it takes. */
size_t frame_put_path(const struct snap_frame *frame, size_t room, enum terminal_style style)
{
	char line[16] = "";
	if (frame->line > 0)
		snprintf(line, sizeof line, ":%" PRIu32, frame->line);
	struct text_path fit = text_path_fit(frame->file, room - strlen(line));
	const char *bytes = frame->file.bytes;
	size_t name = fit.tail > fit.name ? fit.tail : fit.name, width = 0;
	width += put_part(bytes, 0, fit.head, STYLE_DIM);
	if (fit.tail > fit.head) {
		printf("%s" TEXT_ELLIPSIS "%s", terminal_style(STYLE_DIM), terminal_plain());
		width++;
	}
	width += put_part(bytes, fit.tail, name, STYLE_DIM);
	printf("%s", terminal_style(style));
	width += text_put(stdout, bytes + name, frame->file.size - name);
	printf("%s%s", line, style != STYLE_NONE ? terminal_plain() : "");
	return width + strlen(line);
}

void frame_put(const struct snap_frame *frame, size_t room, enum terminal_style style, bool by_function)
{
	struct snap_text function = frame->function;
	size_t part = function.bytes != NULL ? text_width(function.bytes, function.size) : 0;
	size_t most = by_function ? room / 2 : room / 3;
	if (part > most)
		part = most;
	if (by_function && part > 0) {
		fputs(terminal_style(style), stdout);
		size_t used = text_put_fitted(stdout, function.bytes, function.size, part) + TABLE_GAP;
		printf("%s%*s", style != STYLE_NONE ? terminal_plain() : "", TABLE_GAP, "");
		frame_put_path(frame, room - used, STYLE_DIM);
		return;
	}
	size_t used = frame_put_path(frame, part > 0 ? room - part - TABLE_GAP : room, style);
	if (part == 0)
		return;
	printf("%*s", TABLE_GAP, "");
	text_put_fitted(stdout, function.bytes, function.size, room - used - TABLE_GAP);
}

/* Below its frame; a long line begins further left, so that more of it is seen. */
void frame_put_source(const struct source_options *options, const struct snap_frame *frame, size_t indent)
{
	struct snap_text text = source_line(options, frame->file, frame->line);
	size_t room = terminal_width() - FRAME_INDENT;
	if (text.size == 0)
		return;
	size_t needed = text_prefix(text.bytes, text.size, room) < text.size
				? room
				: text_width(text.bytes, text.size);
	if (indent > FRAME_INDENT + room - needed)
		indent = FRAME_INDENT + room - needed;
	printf("%*s%s", (int)indent, "", terminal_style(STYLE_DIM));
	text_put_fitted(stdout, text.bytes, text.size, needed);
	printf("%s\n", terminal_plain());
}
