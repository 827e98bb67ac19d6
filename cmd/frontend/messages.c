/* Lines on standard error; see messages.h. */
#include "messages.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "text.h"
#include "tool.h"

static const char *tool_name = "snaptools";
static bool quiet;

void message_start(const char *tool)
{
	tool_name = tool;
}

void message_quiet(void)
{
	quiet = true;
}

bool message_is_quiet(void)
{
	return quiet;
}

static void begin(const char *file)
{
	progress_clear();
	fprintf(stderr, "%s: ", tool_name);
	if (file != NULL) {
		text_put(stderr, file, strlen(file));
		fputs(": ", stderr);
	}
}

SNAP_PRINTF(2, 0) static void say(const char *file, const char *format, va_list args)
{
	char sentence[1024];
	if (vsnprintf(sentence, sizeof sentence, format, args) < 0)
		sentence[0] = '\0';
	begin(file);
	text_put(stderr, sentence, strlen(sentence));
}

void message_error(const char *file, const struct snap_error *err)
{
	begin(file);
	if (err->offset != SNAP_NO_OFFSET)
		fprintf(stderr, "offset %" PRIu64 ": ", err->offset);
	if (err->status == SNAP_ERR_TRUNCATED)
		fputs("truncated: ", stderr);
	text_put(stderr, err->message, strlen(err->message));
	fputc('\n', stderr);
}

void message_fail(const char *file, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(file, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void message_note(const char *file, const char *format, ...)
{
	if (quiet)
		return;
	va_list args;
	va_start(args, format);
	say(file, format, args);
	va_end(args);
	fputc('\n', stderr);
}

_Noreturn void message_usage(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	say(NULL, format, args);
	va_end(args);
	fprintf(stderr, "; see %s --help\n", tool_name);
	exit(TOOL_FAILED);
}
