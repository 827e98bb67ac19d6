/* Names as SQL text; see text.h. */
#include "text.h"

#include <inttypes.h>
#include <snap/utf8.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static size_t valid_prefix(const char *bytes, size_t size)
{
	size_t i = 0;
	while (i < size) {
		uint32_t point;
		size_t length = snap_utf8_decode(bytes + i, size - i, &point);
		if (point == SNAP_UTF8_INVALID)
			break;
		i += length;
	}
	return i;
}

static void append(sqlite3_str *out, struct snap_text text)
{
	for (size_t i = 0; i < text.size;) {
		size_t length = valid_prefix(text.bytes + i, text.size - i);
		sqlite3_str_append(out, text.bytes + i, (int)length);
		i += length;
		if (i == text.size)
			break;
		uint32_t point;
		i += snap_utf8_decode(text.bytes + i, text.size - i, &point);
		sqlite3_str_appendall(out, REPLACEMENT);
	}
}

static void finish(sqlite3_context *context, sqlite3_str *out)
{
	int code = sqlite3_str_errcode(out), size = sqlite3_str_length(out);
	char *text = sqlite3_str_finish(out);
	if (code == SQLITE_OK && text != NULL) {
		sqlite3_result_text(context, text, size, sqlite3_free);
		return;
	}
	sqlite3_free(text);
	if (code == SQLITE_OK)
		sqlite3_result_text(context, "", 0, SQLITE_STATIC); /* of nothing, no text is made */
	else if (code == SQLITE_TOOBIG)
		sqlite3_result_error_toobig(context);
	else
		sqlite3_result_error_nomem(context);
}

void text_result(sqlite3_context *context, struct snap_text text)
{
	if (text.bytes == NULL)
		return;
	if (valid_prefix(text.bytes, text.size) == text.size) {
		sqlite3_result_text(context, text.bytes, (int)text.size, SQLITE_TRANSIENT);
		return;
	}
	sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
	append(out, text);
	finish(context, out);
}

void text_result_traceback(sqlite3_context *context, const struct snap_frame *frames, size_t count)
{
	if (count == 0)
		return;
	sqlite3_str *out = sqlite3_str_new(sqlite3_context_db_handle(context));
	while (count > 0 && sqlite3_str_errcode(out) == SQLITE_OK) {
		const struct snap_frame *frame = &frames[--count];
		append(out, frame->file);
		if (frame->line > 0)
			sqlite3_str_appendf(out, ":%u", (unsigned)frame->line);
		if (frame->function.bytes != NULL) {
			sqlite3_str_appendall(out, " (");
			append(out, frame->function);
			sqlite3_str_appendchar(out, 1, ')');
		}
		if (count > 0)
			sqlite3_str_appendall(out, " → ");
	}
	finish(context, out);
}

void text_append_shown(sqlite3_str *out, const char *text)
{
	for (size_t i = 0, size = strlen(text); i < size;) {
		const unsigned char *p = (const unsigned char *)text + i;
		uint32_t point;
		size_t length = snap_utf8_decode(text + i, size - i, &point);
		if (point >= 0x80 && point < 0xa0) { /* C1 */
			sqlite3_str_appendf(out, "\\x%02x", p[1]);
		} else if (point == SNAP_UTF8_INVALID || point < 0x20 || point == 0x7f) {
			length = 1;
			sqlite3_str_appendf(out, "\\x%02x", p[0]);
		} else {
			sqlite3_str_append(out, text + i, (int)length);
		}
		i += length;
	}
}
