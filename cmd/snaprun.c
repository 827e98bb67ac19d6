/* snaprun: runs a program with the capturing agent in each Python process of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/messages.h"
#include "frontend/numbers.h"
#include "frontend/options.h"
#include "frontend/times.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snaprun",
	.operands = "-o DIR [--] COMMAND [ARGUMENT]...",
	.purpose = "Runs a program and leaves heap snapshots of each CPython process of it in DIR.",
	.options = (const int[]){OPTION_OUTPUT, OPTION_MODE, OPTION_FRAMES, OPTION_EVERY, OPTION_SNAPSHOTS,
				 OPTION_RSS_ABOVE, OPTION_RSS_STEP, OPTION_IGNORE_LIMIT, OPTION_SIGNAL, OPTION_KEEP,
				 OPTION_KEEP_BYTES, OPTION_KEEP_FOR, OPTION_DETAILS, OPTION_TOP, OPTION_GC, 0},
	.words = (const struct tool_words[]){{OPTION_OUTPUT, "DIR", "write snapshots into DIR, which is made"},
					     {OPTION_FRAMES, "N", "newest frames kept of a traceback (25)"},
					     {OPTION_QUIET, NULL, "has no effect here"},
					     {0, NULL, NULL}},
	.runs_command = true,
	.examples = (const char *const[]){"snaprun -o snaps -- python3 service.py",
					  "snaprun -o often --every 10m --keep 100 -- python3 service.py", NULL},
};

enum { COMMAND_NOT_FOUND = 127, COMMAND_REFUSED = 126, FRAMES_MAX = 65535 };

#define PERIOD_MAX (INT64_C(1) << 40)

static void set(const char *name, const char *value)
{
	if ((value != NULL ? setenv(name, value, 1) : unsetenv(name)) < 0) {
		message_fail(NULL, "out of memory");
		exit(TOOL_FAILED);
	}
}

static void set_number(const char *name, uint64_t number)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRIu64, number);
	set(name, number > 0 ? text : NULL);
}

/* The mode, and bytes between samples where it says so. */
static void set_mode(const char *argument)
{
	static const char *const names[] = {"sampled", "exact", "tracemalloc"};
	static const char with_period[] = "sampled=";
	size_t size = sizeof with_period - 1;
	uint64_t period = 0;
	const char *name = names[0];
	if (argument != NULL && strncmp(argument, with_period, size) == 0) {
		int64_t bytes;
		if (!number_parse_size(argument + size, &bytes) || bytes < 1 || bytes > PERIOD_MAX)
			message_usage("--mode sampled=SIZE takes a size from 1 to 1TiB, such as 64K, not '%s'", argument + size);
		period = (uint64_t)bytes;
	} else if (argument != NULL) {
		name = names[option_choice(OPTION_MODE, argument, names, sizeof names / sizeof *names)];
	}
	set("SNAPRUN_MODE", name);
	set_number("SNAPRUN_PERIOD", period);
}

/* What can be known of that before the command runs: not every file system that says so can be written to. */
static void try_to_write(const char *folder, const char *argument)
{
	static const char name[] = "/.snaprun-XXXXXX";
	char path[PATH_MAX + sizeof name];
	snprintf(path, sizeof path, "%s%s", folder, name);
	int fd = mkstemp(path);
	if (fd < 0 && errno != ENOSPC && errno != EDQUOT) {
		message_fail(argument, "cannot write to the folder: %s", strerror(errno));
		exit(TOOL_FAILED);
	}
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
}

/* DIR, made if it is not there, as every process will find it. */
static void set_folder(const char *argument)
{
	if (mkdir(argument, 0700) < 0 && errno != EEXIST) {
		message_fail(argument, "cannot create the folder: %s", strerror(errno));
		exit(TOOL_FAILED);
	}
	struct stat st;
	char *path = realpath(argument, NULL);
	if (path == NULL || stat(path, &st) < 0) {
		message_fail(argument, "cannot use the folder: %s", strerror(errno));
		exit(TOOL_FAILED);
	}
	if (!S_ISDIR(st.st_mode)) {
		message_fail(argument, "it is not a folder");
		exit(TOOL_FAILED);
	}
	try_to_write(path, argument);
	set("SNAPRUN_FOLDER", path);
	free(path);
}

/* Where the agent is: beside our own folder, in lib/snaptools. */
static void find_agent(char folder[PATH_MAX])
{
	static const char agent[] = "lib/snaptools";
	char file[PATH_MAX + 32];
	ssize_t size = readlink("/proc/self/exe", folder, PATH_MAX - 1 - sizeof agent);
	folder[size > 0 ? size : 0] = '\0';
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(folder, '/');
		if (slash != NULL)
			slash[i] = '\0';
	}
	strcat(folder, agent);
	snprintf(file, sizeof file, "%s/snapcapture.so", folder);
	if (access(file, R_OK) == 0)
		return;
	message_fail(file, "the agent is not there: %s", strerror(errno));
	exit(TOOL_FAILED);
}

/* In front, so that its sitecustomize is found first; it runs the program's own. */
static void set_python_path(void)
{
	char folder[PATH_MAX];
	find_agent(folder);
	if (strchr(folder, ':') != NULL) {
		message_fail(folder, "Python would not find the agent, for the path has a ':'");
		exit(TOOL_FAILED);
	}
	const char *before = getenv("PYTHONPATH");
	size_t size = strlen(folder), rest = before != NULL ? strlen(before) : 0;
	if (before != NULL && strncmp(before, folder, size) == 0 && (before[size] == ':' || before[size] == '\0'))
		return; /* we run under ourselves */
	char *path = malloc(size + 1 + rest + 1);
	if (path == NULL) {
		message_fail(NULL, "out of memory");
		exit(TOOL_FAILED);
	}
	sprintf(path, "%s%s%s", folder, rest > 0 ? ":" : "", rest > 0 ? before : "");
	set("PYTHONPATH", path);
	free(path);
}

/* SIGRTMIN, SIGRTMIN+n, SIGRTMAX and SIGRTMAX-n; 0 = it is none of them. */
static int real_time_signal(const char *name)
{
	static const char low[] = "SIGRTMIN", high[] = "SIGRTMAX";
	const size_t size = sizeof low - 1;
	bool down = strncmp(name, high, size) == 0;
	if (!down && strncmp(name, low, size) != 0)
		return 0;
	const char *rest = name + size;
	long number = 0;
	if (rest[0] == (down ? '-' : '+') && rest[1] >= '0' && rest[1] <= '9') {
		char *end;
		number = strtol(rest + 1, &end, 10);
		rest = end;
	}
	if (rest[0] != '\0' || number > SIGRTMAX - SIGRTMIN)
		return 0;
	return down ? SIGRTMAX - (int)number : SIGRTMIN + (int)number;
}

static int signal_of(const char *name)
{
	if (strcmp(name, "SIGUSR1") == 0)
		return SIGUSR1;
	if (strcmp(name, "SIGUSR2") == 0)
		return SIGUSR2;
	int number = real_time_signal(name);
	if (number != 0)
		return number;
	message_usage("--signal is SIGUSR1, SIGUSR2, SIGRTMIN+0 to SIGRTMIN+%d or SIGRTMAX-0 to SIGRTMAX-%d, not '%s'",
		      SIGRTMAX - SIGRTMIN, SIGRTMAX - SIGRTMIN, name);
}

/* Not 0, which would ask for nothing. */
static uint64_t size_above_0(int option, const char *argument)
{
	int64_t bytes = option_size(option, argument);
	if (bytes > 0)
		return (uint64_t)bytes;
	message_usage("sizes are larger than 0, not '%s'", argument);
}

int main(int argc, char **argv)
{
	/* Not tool_start: standard streams and SIGPIPE are to reach the command as they are. */
	message_start(tool.name);
	const char *folder = NULL, *mode = NULL, *argument;
	uint64_t frames = 0, every_ms = 0, limit = 0, keep = 0, keep_bytes = 0, keep_ms = 0, above = 0, step = 0;
	int signal_number = 0;
	uint64_t top = 0;
	bool collect = false, ignore_limit = false, details = false;
	for (int option; (option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE;) {
		switch (option) {
		case OPTION_OUTPUT:
			folder = argument;
			break;
		case OPTION_MODE:
			mode = argument;
			break;
		case OPTION_FRAMES:
			frames = option_count(option, argument, 1, FRAMES_MAX);
			break;
		case OPTION_EVERY:
			every_ms = option_time(option, argument);
			break;
		case OPTION_SNAPSHOTS:
			limit = option_count(option, argument, 1, 999999);
			break;
		case OPTION_KEEP:
			keep = option_count(option, argument, 2, 999999);
			break;
		case OPTION_KEEP_BYTES:
			keep_bytes = size_above_0(option, argument);
			break;
		case OPTION_KEEP_FOR:
			keep_ms = option_time(option, argument);
			break;
		case OPTION_RSS_ABOVE:
			above = size_above_0(option, argument);
			break;
		case OPTION_RSS_STEP:
			step = size_above_0(option, argument);
			break;
		case OPTION_DETAILS:
			details = true;
			break;
		case OPTION_TOP:
			top = option_count(option, argument, 0, 1000000);
			break;
		case OPTION_IGNORE_LIMIT:
			ignore_limit = true;
			break;
		case OPTION_SIGNAL:
			signal_number = signal_of(argument);
			break;
		case OPTION_GC:
			collect = true;
			break;
		default:
			break;
		}
	}
	if (folder == NULL)
		message_usage("-o DIR is needed");
	if (optind == argc)
		message_usage("a command is needed");
	set_mode(mode);
	set_folder(folder);
	set_python_path();
	set_number("SNAPRUN_FRAMES", frames);
	set_number("SNAPRUN_EVERY", every_ms);
	set_number("SNAPRUN_LIMIT", limit);
	set_number("SNAPRUN_KEEP", keep);
	set_number("SNAPRUN_KEEP_BYTES", keep_bytes);
	set_number("SNAPRUN_KEEP_FOR", keep_ms);
	set_number("SNAPRUN_RSS_ABOVE", above);
	set_number("SNAPRUN_RSS_STEP", step);
	set_number("SNAPRUN_SIGNAL", (uint64_t)signal_number);
	set("SNAPRUN_DETAILS", details ? "1" : NULL);
	set_number("SNAPRUN_TOP", top);
	set("SNAPRUN_IGNORE_LIMIT", ignore_limit ? "1" : NULL);
	set("SNAPRUN_GC", collect ? "1" : NULL);
	set("SNAPRUN_GAVE_UP", NULL);
	set("SNAPRUN_FELL_BACK", NULL);
	set("SNAPRUN_TOP_IN", NULL);

	execvp(argv[optind], argv + optind);
	int status = errno == ENOENT ? COMMAND_NOT_FOUND : COMMAND_REFUSED;
	message_fail(argv[optind], "cannot run it: %s", strerror(errno));
	return status;
}
