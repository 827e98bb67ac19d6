/* Start and end of a tool; see tool.h. */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snap/output.h>

#include "existing.h"
#include "messages.h"

/* Opened the wrong way round, so that using the closed stream still fails with EBADF. */
static void hold_place_of(int fd, int flags)
{
	if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
		return;
	if (open("/dev/null", flags) != fd)
		_exit(TOOL_FAILED);
}

void tool_start(const struct tool *tool)
{
	static char line[4096];
	hold_place_of(STDIN_FILENO, O_WRONLY);
	hold_place_of(STDOUT_FILENO, O_RDONLY);
	hold_place_of(STDERR_FILENO, O_RDONLY);
	signal(SIGPIPE, SIG_DFL);
	setvbuf(stderr, line, _IOLBF, sizeof line); /* a message is one write */
	message_start(tool->name);
}

char **tool_operands(const struct tool *tool, int argc, char **argv, int *count)
{
	static char dash[] = "-";
	static char *standard_input[] = {dash, NULL};
	*count = argc - optind;
	if (*count > 0)
		return argv + optind;
	if (isatty(STDIN_FILENO)) {
		fprintf(stderr, "Usage: %s [OPTION]... %s\nsee %s --help\n", tool->name, tool->operands,
			tool->name);
		exit(TOOL_FAILED);
	}
	*count = 1;
	return standard_input;
}

static struct {
	const char *path;
	struct snap_output *file; /* NULL: standard output */
} report = {.path = "standard output"};

void tool_write_to(const char *path)
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
		exit(tool_finish(TOOL_FAILED));
	}
}

/* Takes what was written as the file, if all was. */
static enum tool_exit finish_report(enum tool_exit status)
{
	struct snap_error err;
	if (status != TOOL_FAILED && report.file != NULL && snap_output_finish(report.file, &err) < 0) {
		message_error(report.path, &err);
		status = TOOL_FAILED;
	}
	snap_output_free(report.file);
	report.file = NULL;
	return status;
}

int tool_finish(enum tool_exit status)
{
	bool failed = ferror(stdout) != 0;
	errno = 0;
	if (fclose(stdout) != 0)
		failed = true;
	if (failed && errno != 0)
		message_fail(report.path, "cannot write: %s", strerror(errno));
	else if (failed)
		message_fail(report.path, "cannot write");
	return (int)finish_report(failed ? TOOL_FAILED : status);
}
