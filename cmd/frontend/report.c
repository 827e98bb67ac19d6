/* Standard output into a file; see report.h. */
#define _POSIX_C_SOURCE 200809L
#include "report.h"

#include <errno.h>
#include <snap/output.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "existing.h"
#include "messages.h"

static struct {
	const char *path;
	struct snap_output *file; /* NULL: standard output */
} report = {.path = "standard output"};

void report_begin(const char *path)
{
	struct snap_error err;
	if (path == NULL || strcmp(path, "-") == 0)
		return;
	enum existing there = existing_look(path, &err);
	if (there == EXISTING_SNAP || there == EXISTING_DUMP) {
		message_fail(path, "it exists and is a snapshot or a dump, no report");
		exit(TOOL_FAILED);
	}
	report.path = path;
	if (there == EXISTING_UNREADABLE || snap_output_create(&report.file, path, &err) < 0) {
		message_error(path, &err);
		exit(TOOL_FAILED);
	}
	if (dup2(snap_output_descriptor(report.file), STDOUT_FILENO) < 0) {
		message_fail(path, "cannot write: %s", strerror(errno));
		exit(report_finish(TOOL_FAILED));
	}
}

int report_finish(enum tool_exit status)
{
	struct snap_error err;
	int ended = tool_finish_into(status, report.path);
	if (ended != TOOL_FAILED && report.file != NULL && snap_output_finish(report.file, &err) < 0) {
		message_error(report.path, &err);
		ended = TOOL_FAILED;
	}
	snap_output_free(report.file);
	return ended;
}
