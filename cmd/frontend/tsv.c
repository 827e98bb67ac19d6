/* Writing tab-separated values; see tsv.h. */
#include "tsv.h"

#include <inttypes.h>
#include <snap/utf8.h>
#include <stdio.h>

#include "terminal.h"
#include "text.h"

/* On a terminal nothing may steer it; elsewhere only what the databases ask for is escaped. */
void tsv_text(const char *bytes, size_t size)
{
	bool to_terminal = terminal_is_stdout();
	for (size_t i = 0; i < size;) {
		uint32_t point;
		size_t length = snap_utf8_decode(bytes + i, size - i, &point);
		if (point == SNAP_UTF8_INVALID)
			fputs("\xef\xbf\xbd", stdout); /* U+FFFD */
		else if (point == '\t')
			fputs("\\t", stdout);
		else if (point == '\n')
			fputs("\\n", stdout);
		else if (point == '\r')
			fputs("\\r", stdout);
		else if (point == '\\')
			fputs("\\\\", stdout);
		else if (to_terminal)
			text_put(stdout, bytes + i, length);
		else
			fwrite(bytes + i, 1, length, stdout);
		i += length;
	}
}

void tsv_frame(const struct snap_frame *frame)
{
	tsv_text(frame->file.bytes, frame->file.size);
	printf("\t%" PRIu32 "\t", frame->line);
	if (frame->function.bytes != NULL)
		tsv_text(frame->function.bytes, frame->function.size);
}

void tsv_traceback(const struct snap_frame *frames, size_t count)
{
	while (count > 0) {
		const struct snap_frame *frame = &frames[--count];
		tsv_text(frame->file.bytes, frame->file.size);
		printf(":%" PRIu32 "%s", frame->line, count > 0 ? ";" : "");
	}
}
