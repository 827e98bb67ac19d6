/* Showing text of unknown origin; see text.h. */
#define _XOPEN_SOURCE 700
#include "text.h"

#include <locale.h>
#include <snap/utf8.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>

#include "utf8.h"

bool text_is_treacherous(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x0000, 0x001f}, {0x007f, 0x009f}, /* C0, DEL, C1 */
		{0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x061c, 0x061c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},
		{0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
		{0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
	};
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges && point >= ranges[i].first; i++)
		if (point <= ranges[i].last)
			return true;
	return false;
}

/* Columns of a code point beyond ASCII, -1 if it is not to be shown as it is. The widths of C.UTF-8
 * hold whatever the user's locale is; the locale is loaded when the first such name turns up. */
static int columns_of(uint32_t point)
{
	static bool loaded, known;
	if (text_is_treacherous(point))
		return -1;
	if (point < 0x250) /* Latin */
		return 1;
	if (!loaded) {
		loaded = true;
		known = setlocale(LC_CTYPE, "C.UTF-8") != NULL || setlocale(LC_CTYPE, "") != NULL;
	}
	int width = wcwidth((wchar_t)point);
	return width < 0 && !known ? 1 : width;
}

/* What stands for the character at bytes[0]: its columns, its spelling unless it is shown as it is, and
 * how many bytes it takes. */
struct shown {
	size_t width, bytes;
	char spelling[16]; /* "" = as it is */
};

static struct shown look_at(const char *bytes, size_t size)
{
	struct shown shown = {.width = 1, .bytes = 1};
	unsigned char first = (unsigned char)bytes[0];
	if (first >= 0x20 && first < 0x7f)
		return shown;
	uint32_t point;
	size_t length = snap_utf8_decode(bytes, size, &point);
	int n = 0;
	if (point == SNAP_UTF8_INVALID) {
		unsigned char escaped = utf8_escaped_byte(bytes, size);
		if (escaped != 0)
			shown.bytes = UTF8_ESCAPED_SIZE;
		n = snprintf(shown.spelling, sizeof shown.spelling, "\\x%02x",
			     escaped != 0 ? escaped : first);
	} else {
		shown.bytes = length;
		int width = columns_of(point);
		if (width >= 0)
			shown.width = (size_t)width;
		else
			n = snprintf(shown.spelling, sizeof shown.spelling,
				     point < 0x80      ? "\\x%02x"
				     : point < 0x10000 ? "\\u%04x"
						       : "\\U%08x",
				     point);
	}
	if (n > 0)
		shown.width = (size_t)n;
	return shown;
}

size_t text_put(FILE *out, const char *bytes, size_t size)
{
	size_t width = 0;
	for (size_t i = 0; i < size;) {
		struct shown shown = look_at(bytes + i, size - i);
		if (shown.spelling[0] == '\0')
			fwrite(bytes + i, 1, shown.bytes, out);
		else
			fputs(shown.spelling, out);
		width += shown.width;
		i += shown.bytes;
	}
	return width;
}

size_t text_width(const char *bytes, size_t size)
{
	size_t width = 0;
	for (size_t i = 0; i < size;) {
		struct shown shown = look_at(bytes + i, size - i);
		width += shown.width;
		i += shown.bytes;
	}
	return width;
}

size_t text_prefix(const char *bytes, size_t size, size_t room)
{
	size_t i = 0;
	while (i < size) {
		struct shown shown = look_at(bytes + i, size - i);
		if (shown.width > room)
			break;
		room -= shown.width;
		i += shown.bytes;
	}
	return i;
}

size_t text_suffix(const char *bytes, size_t size, size_t room)
{
	size_t width = text_width(bytes, size);
	size_t i = 0;
	while (width > room) {
		struct shown shown = look_at(bytes + i, size - i);
		width -= shown.width;
		i += shown.bytes;
	}
	return size - i;
}

size_t text_put_fitted(FILE *out, const char *bytes, size_t size, size_t room)
{
	if (text_prefix(bytes, size, room) == size)
		return text_put(out, bytes, size);
	if (room == 0)
		return 0;
	size_t width = text_put(out, bytes, text_prefix(bytes, size, room - 1));
	fputs(TEXT_ELLIPSIS, out);
	return width + 1;
}

/* The end of the path part that begins at `from`, behind its slash. */
static size_t behind_slash(struct snap_text path, size_t from)
{
	const char *slash = memchr(path.bytes + from, '/', path.size - from);
	return slash != NULL ? (size_t)(slash - path.bytes) + 1 : path.size;
}

static size_t last_slash_before(struct snap_text path, size_t end)
{
	while (end > 0 && path.bytes[end - 1] != '/')
		end--;
	return end > 0 ? end - 1 : 0;
}

/* Lets the tail begin one part earlier if there is room. */
static bool take_before(struct snap_text path, struct text_path *fit, size_t *room)
{
	size_t before = last_slash_before(path, fit->tail);
	size_t width = text_width(path.bytes + before, fit->tail - before);
	if (before < fit->head || before == fit->tail || width > *room)
		return false;
	fit->tail = before;
	*room -= width;
	return true;
}

/* Lets the head end one part later if there is room. */
static bool take_after(struct snap_text path, struct text_path *fit, size_t *room)
{
	size_t after = behind_slash(path, fit->head == 0 && path.bytes[0] == '/' ? 1 : fit->head);
	size_t width = text_width(path.bytes + fit->head, after - fit->head);
	if (after > fit->tail || width > *room)
		return false;
	fit->head = after;
	*room -= width;
	return true;
}

/* A name that is too long by itself loses its middle, and rather its beginning than its end. */
static struct text_path fit_name(struct snap_text path, size_t name, size_t room)
{
	size_t left = room > 1 ? room - 1 : 0, end = name > 0 ? left : left * 2 / 3;
	return (struct text_path){
		.head = name > 0 ? 0 : text_prefix(path.bytes, path.size, left - end),
		.tail = path.size - text_suffix(path.bytes + name, path.size - name, end),
		.name = name,
	};
}

struct text_path text_path_fit(struct snap_text path, size_t room)
{
	bool has_folder = memchr(path.bytes, '/', path.size) != NULL;
	size_t slash = has_folder ? last_slash_before(path, path.size) : 0;
	struct text_path fit = {.name = has_folder ? slash + 1 : 0};
	if (text_prefix(path.bytes, path.size, room) == path.size)
		return fit;
	size_t width = 1 + text_width(path.bytes + slash, path.size - slash); /* with the ellipsis */
	if (!has_folder || width > room)
		return fit_name(path, fit.name, room);
	/* The folder of the file says most, then the first part of the path, then what is near the file. */
	fit.tail = slash;
	room -= width;
	take_before(path, &fit, &room);
	take_after(path, &fit, &room);
	while (take_before(path, &fit, &room))
		;
	while (take_after(path, &fit, &room))
		;
	return fit;
}
