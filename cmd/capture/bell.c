/* See bell.h. */
#define _GNU_SOURCE
#include "bell.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 3600000 };

unsigned bell_rings(struct bell *bell)
{
	return atomic_load(&bell->rings);
}

void bell_ring(struct bell *bell)
{
	int saved = errno;
	atomic_fetch_add(&bell->rings, 1);
	syscall(SYS_futex, &bell->rings, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = saved;
}

void bell_wait(struct bell *bell, unsigned heard, int64_t ms)
{
	if (ms <= 0)
		return;
	if (ms > WAIT_MAX_MS)
		ms = WAIT_MAX_MS;
	const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	syscall(SYS_futex, &bell->rings, FUTEX_WAIT_PRIVATE, heard, &span, NULL, 0);
}
