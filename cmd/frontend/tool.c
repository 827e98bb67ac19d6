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

int tool_finish_into(enum tool_exit status, const char *name)
{
	bool failed = ferror(stdout) != 0;
	errno = 0;
	if (fclose(stdout) != 0)
		failed = true;
	if (!failed)
		return (int)status;
	if (errno != 0)
		message_fail(name, "cannot write: %s", strerror(errno));
	else
		message_fail(name, "cannot write");
	return TOOL_FAILED;
}

int tool_finish(enum tool_exit status)
{
	return tool_finish_into(status, "standard output");
}
