/* See listener.h. */
#define _GNU_SOURCE
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bell.h"
#include "descriptors.h"
#include "gate.h"
#include "process.h"
#include "requests.h"

enum {
	CHECK_MS = 60000,       /* how long it sleeps without looking after its descriptors */
	LOOK_MS = 100,          /* … where nothing can wake it */
	NUDGE_MS = 20,          /* it is told again to end */
	REQUEST_WAIT_MS = 2000, /* for a request to be spoken */
	/* Is sent to this thread alone and never taken: it only makes a descriptor readable, and no handler is
	 * called. */
	WAKING_SIGNAL = SIGURG,
};

enum stage { STAGE_NONE, STAGE_ASKED, STAGE_ANSWERED };

static struct listener {
	pthread_t thread;
	atomic_bool runs;
	bool has_tidied; /* in this process or one that it was forked from */
	atomic_bool shares; /* the program's descriptors */
	atomic_bool ends, has_ended;
	atomic_int thread_id; /* the system's */
	struct bell bell;     /* rings when it is to end or has ended, and when there is an answer */
	void (*notice)(void);
	unsigned delay_ms;

	atomic_int stage;
	bool collect;              /* of the request; changes with the stage, as does the answer */
	char answer[PATH_MAX + 2];

	/* The thread's own, but where the descriptors are shared. */
	pthread_mutex_t lock;
	struct descriptor socket;
	int woken; /* readable when it is to end; -1 = there is none */
	char path[REQUESTS_PATH_MAX]; /* of the socket; empty = none was made by this process */
} listener = {.lock = PTHREAD_MUTEX_INITIALIZER, .socket = {.fd = -1}};

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the thread --- */

/* Empties the table, which copies nothing, so that no file of the program's is held open, and fills the places
 * of the standard streams, into which the C library may write. */
static void part_descriptors(void)
{
	sigset_t waking;
	atomic_store(&listener.shares, syscall(SYS_close_range, 0U, UINT_MAX, CLOSE_RANGE_UNSHARE) < 0);
	listener.woken = -1;
	if (atomic_load(&listener.shares))
		return;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			errno = 0;
	sigemptyset(&waking);
	sigaddset(&waking, WAKING_SIGNAL);
	listener.woken = descriptor_new(signalfd(-1, &waking, SFD_CLOEXEC | SFD_NONBLOCK)).fd;
}

/* The program may have closed it with all it did not know, or have another user; and /tmp may have been tidied. */
static void listen_again(void)
{
	if (descriptor_is_ours(&listener.socket) && requests_reach(listener.path))
		return;
	gate_enter(GATE_MEMORY);
	if (!listener.has_tidied)
		requests_tidy();
	listener.has_tidied = true;
	struct descriptor made = descriptor_new(requests_listen(listener.path));
	gate_leave(GATE_MEMORY);
	/* Where none can be made, one that nobody finds from here may still be found from elsewhere. */
	if (made.fd < 0 && descriptor_is_ours(&listener.socket))
		return;
	pthread_mutex_lock(&listener.lock);
	descriptor_close(&listener.socket);
	listener.socket = made;
	pthread_mutex_unlock(&listener.lock);
}

/* False if nothing comes in time, or the listener is to end. -1 stands for a descriptor of which nothing comes. */
static bool wait_for(int fd, int64_t ms)
{
	const int64_t end = now_ms() + ms;
	struct pollfd waited[2] = {{.fd = fd, .events = POLLIN}, {.fd = listener.woken, .events = POLLIN}};
	/* Of this one only that it was shut down. */
	if (atomic_load(&listener.shares))
		waited[1] = (struct pollfd){.fd = listener.socket.fd};
	for (int64_t left = ms; left > 0 && !atomic_load(&listener.ends); left = end - now_ms()) {
		int span = (int)(waited[1].fd < 0 && left > LOOK_MS ? LOOK_MS : left);
		if (poll(waited, 2, span) <= 0)
			continue;
		if (waited[0].revents != 0)
			return !atomic_load(&listener.ends);
		/* Another signal of that number, which stays; the program has blocked it everywhere. */
		waited[1].fd = -1;
	}
	return false;
}

static bool read_request(const struct descriptor *connection)
{
	char line[REQUESTS_LINE_MAX] = "";
	size_t used = 0;
	while (used < sizeof line - 1 && strchr(line, '\n') == NULL) {
		ssize_t got = wait_for(connection->fd, REQUEST_WAIT_MS) && descriptor_is_ours(connection)
				      ? recv(connection->fd, line + used, sizeof line - 1 - used, MSG_DONTWAIT)
				      : -1;
		if (got <= 0)
			return false;
		used += (size_t)got;
		line[used] = '\0';
	}
	listener.collect = strcmp(line, REQUESTS_COLLECT) == 0;
	if (listener.collect || strcmp(line, REQUESTS_PLAIN) == 0)
		atomic_store(&listener.stage, STAGE_ASKED);
	else
		listener_answer(false, "the request is not understood");
	return true;
}

/* So little fits into the socket at once. */
static void serve(const struct descriptor *connection)
{
	if (!read_request(connection))
		return;
	listener.notice();
	for (unsigned heard = bell_rings(&listener.bell); atomic_load(&listener.stage) == STAGE_ASKED;
	     heard = bell_rings(&listener.bell)) {
		if (atomic_load(&listener.ends))
			break;
		bell_wait(&listener.bell, heard, CHECK_MS);
	}
	if (atomic_exchange(&listener.stage, STAGE_NONE) == STAGE_ANSWERED && descriptor_is_ours(connection) &&
	    send(connection->fd, listener.answer, strlen(listener.answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		errno = 0;
}

static void accept_request(void)
{
	if (!descriptor_is_ours(&listener.socket))
		return;
	struct descriptor connection = descriptor_new(accept4(listener.socket.fd, NULL, NULL, SOCK_CLOEXEC));
	if (connection.fd < 0) {
		/* No descriptor is left, and the request still waits. */
		(void)wait_for(-1, LOOK_MS);
		return;
	}
	if (requests_allowed(connection.fd))
		serve(&connection);
	descriptor_close(&connection);
}

static void *listen_for_requests(void *nothing)
{
	gate_leave(GATE_MEMORY);
	atomic_store(&listener.thread_id, (int)syscall(SYS_gettid));
	part_descriptors();
	(void)wait_for(-1, listener.delay_ms);
	while (!atomic_load(&listener.ends)) {
		listen_again();
		if (wait_for(listener.socket.fd, CHECK_MS))
			accept_request();
	}
	/* Else they go with the table. */
	pthread_mutex_lock(&listener.lock);
	descriptor_close(&listener.socket);
	pthread_mutex_unlock(&listener.lock);
	atomic_store(&listener.has_ended, true);
	bell_ring(&listener.bell);
	return nothing;
}

/* --- the others --- */

bool listener_start(void (*notice)(void), unsigned delay_ms)
{
	listener.notice = notice;
	listener.delay_ms = delay_ms;
	atomic_store(&listener.ends, false);
	atomic_store(&listener.has_ended, false);
	atomic_store(&listener.stage, STAGE_NONE);
	atomic_store(&listener.runs, gate_start_thread(&listener.thread, listen_for_requests, NULL));
	return listener_runs();
}

bool listener_runs(void)
{
	return atomic_load(&listener.runs);
}

bool listener_next(bool *collect)
{
	if (!listener_runs() || atomic_load(&listener.stage) != STAGE_ASKED)
		return false;
	*collect = listener.collect;
	return true;
}

void listener_answer(bool written, const char *text)
{
	snprintf(listener.answer, sizeof listener.answer, "%c%s", written ? REQUESTS_DONE : REQUESTS_FAILED, text);
	atomic_store(&listener.stage, STAGE_ANSWERED);
	bell_ring(&listener.bell);
}

static void nudge(void)
{
	if (!atomic_load(&listener.shares)) {
		pthread_kill(listener.thread, WAKING_SIGNAL);
		return;
	}
	pthread_mutex_lock(&listener.lock);
	if (descriptor_is_ours(&listener.socket))
		shutdown(listener.socket.fd, SHUT_RDWR);
	pthread_mutex_unlock(&listener.lock);
}

void listener_stop(void)
{
	if (!listener_runs())
		return;
	atomic_store(&listener.ends, true);
	bell_ring(&listener.bell);
	for (unsigned heard = bell_rings(&listener.bell); !atomic_load(&listener.has_ended);
	     heard = bell_rings(&listener.bell)) {
		nudge();
		bell_wait(&listener.bell, heard, NUDGE_MS);
	}
	gate_enter(GATE_MEMORY);
	pthread_join(listener.thread, NULL);
	gate_leave(GATE_MEMORY);
	process_wait_for_end(atomic_load(&listener.thread_id));
	atomic_store(&listener.runs, false);
}

void listener_unlink(void)
{
	if (listener.path[0] != '\0')
		unlink(listener.path);
	listener.path[0] = '\0';
}

/* In a child whose parent shared its descriptors, they are there. */
void listener_forget(void)
{
	pthread_mutex_init(&listener.lock, NULL);
	descriptor_close(&listener.socket);
	atomic_store(&listener.runs, false);
	listener.path[0] = '\0';
}
