/* Baselines; see baseline.h. */
#define _POSIX_C_SOURCE 200809L
#include "baseline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "file_text.h"
#include "messages.h"
#include "times.h"
#include "tool.h"

struct line {
	struct snap_pattern *pattern;
	struct baseline_entry entry;
};

struct baseline {
	char *text; /* of the file; what entries say is in it */
	struct line *lines;
	size_t count;
};

_Noreturn static void fail_line(const char *path, size_t number, const char *what)
{
	message_fail(path, "line %zu: %s", number, what);
	exit(tool_finish(TOOL_FAILED));
}

static bool is_day(const char *text)
{
	char time[32];
	struct time_text parsed;
	snprintf(time, sizeof time, "%.11sT00:00:00Z", text);
	return time_parse(time, &parsed);
}

/* The next word; *text is behind it then. */
static char *take_word(char **text)
{
	char *word = *text + strspn(*text, " \t"), *end = word + strcspn(word, " \t");
	*text = end;
	if (*end != '\0') {
		*end = '\0';
		*text = end + 1 + strspn(end + 1, " \t");
	}
	return word;
}

static void read_line(struct baseline *b, const char *path, size_t number, char *text, const char *today)
{
	struct line *line = &b->lines[b->count];
	struct snap_error err;
	char *glob = take_word(&text);
	if (*glob == '\0' || *glob == '#')
		return;
	line->entry.until = take_word(&text);
	line->entry.reason = text;
	if (!is_day(line->entry.until))
		fail_line(path, number, "behind the pattern there must be a last day, YYYY-MM-DD, and a reason");
	if (*text == '\0')
		fail_line(path, number, "the reason is missing");
	if (snap_pattern_glob(&line->pattern, glob, NULL, &err) < 0)
		fail_line(path, number, err.message);
	line->entry.expired = strcmp(line->entry.until, today) < 0;
	b->count++;
}

struct baseline *baseline_read(const char *path)
{
	struct baseline *b = calloc(1, sizeof *b);
	size_t size, lines = 1, number = 0;
	char today[16] = "";
	time_t now = time(NULL);
	struct tm utc;
	if (gmtime_r(&now, &utc) != NULL)
		strftime(today, sizeof today, "%Y-%m-%d", &utc);
	if (b != NULL) {
		b->text = file_text_read(path, &size);
		for (size_t i = 0; i < size; i++)
			lines += b->text[i] == '\n';
		b->lines = calloc(lines, sizeof *b->lines);
	}
	if (b == NULL || b->lines == NULL) {
		message_fail(NULL, "out of memory");
		exit(tool_finish(TOOL_FAILED));
	}
	for (char *text = b->text, *end = text; end != NULL; text = end + 1) {
		end = strchr(text, '\n');
		if (end != NULL)
			*end = '\0';
		text[strcspn(text, "\r")] = '\0';
		read_line(b, path, ++number, text, today);
		if (end == NULL)
			break;
	}
	return b;
}

const struct baseline_entry *baseline_find(const struct baseline *b, const struct snap_frame *frame)
{
	const struct baseline_entry *found = NULL;
	for (size_t i = 0; i < b->count && (found == NULL || found->expired); i++) {
		bool matches = false;
		snap_pattern_matches(b->lines[i].pattern, frame->file, frame->line, &matches, NULL);
		if (matches && (found == NULL || !b->lines[i].entry.expired))
			found = &b->lines[i].entry;
	}
	return found;
}

void baseline_free(struct baseline *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->count; i++)
		snap_pattern_free(b->lines[i].pattern);
	free(b->lines);
	free(b->text);
	free(b);
}
