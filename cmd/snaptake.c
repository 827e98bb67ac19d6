/* snaptake: asks a process that runs under snaprun for a snapshot. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "capture/requests.h"
#include "frontend/messages.h"
#include "frontend/options.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snaptake",
	.operands = "PID...",
	.purpose = "Has processes under snaprun take a snapshot now, and prints the paths of the files.",
	.options = (const int[]){OPTION_GC, 0},
	.words = (const struct tool_words[]){{OPTION_QUIET, NULL, "has no effect here"}, {0, NULL, NULL}},
	.examples = (const char *const[]){"snaptake $(cat service.pid)",
					      "snaptop $(snaptake $(cat service.pid))", NULL},
};

/* A process with millions of blocks needs some time, and one that is busy in C some more. */
enum { PATIENCE_S = 120 };

/* While a process forks it does not listen for a moment, nor does a new one; one that forks all the time, which has
 * listened before, may take longer to get at it. */
enum { RETRY_MS = 500, RETRY_HEARD_MS = 10000, RETRY_PAUSE_MS = 10 };

/* The number by which the process knows itself: the last of those it has in the namespaces around it. */
static pid_t number_inside(pid_t pid)
{
	char path[64], line[512];
	long inside = pid;
	snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	FILE *status = fopen(path, "re");
	while (status != NULL && fgets(line, sizeof line, status) != NULL) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		for (char *rest = line + 6, *end; inside = strtol(rest, &end, 10), *end == '\t' && end != rest;)
			rest = end;
	}
	if (status != NULL)
		fclose(status);
	return (pid_t)inside;
}

static bool connect_at(int fd, const char *root, uid_t user, pid_t pid)
{
	char path[REQUESTS_PATH_MAX];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!requests_path(path, root, user, pid))
		return false;
	memcpy(address.sun_path, path, sizeof path);
	return connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

/* A number may have come to another process since the socket was made. */
static bool is_of(int fd, pid_t pid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == pid;
}

/* -1 when that fails. *again: it may be different in a moment, and nothing was said. */
static int connect_to(const char *name, pid_t pid, bool *again)
{
	char folder[64];
	struct stat st;
	snprintf(folder, sizeof folder, "/proc/%ld", (long)pid);
	bool may_retry = *again;
	*again = false;
	if (stat(folder, &st) < 0) {
		message_fail(name, "there is no such process");
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		message_fail(name, "cannot ask: %s", strerror(errno));
		return -1;
	}
	snprintf(folder, sizeof folder, "/proc/%ld/root", (long)pid);
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	bool connected = connect_at(fd, folder, st.st_uid, number_inside(pid)) || connect_at(fd, "", st.st_uid, pid);
	if (connected && is_of(fd, pid))
		return fd;
	if (!connected && (errno == EACCES || errno == EPERM))
		message_fail(name, "it belongs to another user: %s", strerror(errno));
	else if (may_retry)
		*again = true;
	else
		message_fail(name, "it takes no requests: it does not run under snaprun, is not Python, or could make no socket in /tmp");
	close(fd);
	return -1;
}

/* *heard: it listened. */
static bool ask(const char *name, pid_t pid, const char *request, bool *again, bool *heard)
{
	bool may_retry = *again;
	int fd = connect_to(name, pid, again);
	if (fd < 0)
		return false;
	*heard = true;
	char answer[PATH_MAX + 2];
	size_t used = 0;
	ssize_t got = send(fd, request, strlen(request), MSG_NOSIGNAL);
	while (got > 0 && used < sizeof answer - 1) {
		got = recv(fd, answer + used, sizeof answer - 1 - used, 0);
		used += got > 0 ? (size_t)got : 0;
	}
	int failed = got < 0 ? errno : 0;
	close(fd);
	answer[used] = '\0';
	if (failed == EAGAIN || failed == EWOULDBLOCK)
		message_fail(name, "no answer within %d s: the program does not let go of the interpreter; "
				   "it is taken when it does", PATIENCE_S);
	else if (used > 1 && answer[0] == REQUESTS_DONE)
		return puts(answer + 1) >= 0;
	else if (used > 1 && answer[0] == REQUESTS_FAILED)
		message_fail(name, "no snapshot: %s", answer + 1);
	else if (may_retry)
		*again = true;
	else
		message_fail(name, "it has gone, or does not listen to this user");
	return false;
}

static bool take(const char *name, pid_t pid, const char *request)
{
	const struct timespec pause = {.tv_nsec = RETRY_PAUSE_MS * 1000000};
	bool heard = false;
	for (int waited = 0;; waited += RETRY_PAUSE_MS) {
		bool again = waited < (heard ? RETRY_HEARD_MS : RETRY_MS);
		if (ask(name, pid, request, &again, &heard))
			return true;
		if (!again)
			return false;
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	const char *request = REQUESTS_PLAIN, *argument;
	for (int option; (option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE;)
		if (option == OPTION_GC)
			request = REQUESTS_COLLECT;
	if (optind == argc)
		message_usage("a process ID is needed");
	enum tool_exit status = TOOL_DONE;
	for (int i = optind; i < argc; i++) {
		char *end;
		errno = 0;
		long pid = strtol(argv[i], &end, 10);
		if (end == argv[i] || *end != '\0' || pid <= 0 || pid > INT_MAX)
			message_usage("'%s' is no process ID", argv[i]);
		if (!take(argv[i], (pid_t)pid, request))
			status = TOOL_FAILED;
	}
	return tool_finish(status);
}
