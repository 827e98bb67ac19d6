/* Descriptors that know what they stood for; see descriptors.h. */
#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lowest free number is what a program gets. Not too high up, for the system's table reaches as far. */
enum { LOWEST = 512 };

static int lowest_number(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 >= LOWEST)
		return LOWEST;
	return (int)(limit.rlim_cur / 2) > STDERR_FILENO ? (int)(limit.rlim_cur / 2) : STDERR_FILENO + 1;
}

struct descriptor descriptor_look(int fd)
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return (struct descriptor){.fd = -1};
	return (struct descriptor){.fd = fd, .device = st.st_dev, .node = st.st_ino};
}

struct descriptor descriptor_new(int fd)
{
	if (fd < 0)
		return (struct descriptor){.fd = -1};
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest_number());
	/* At least away from the places of the standard streams. */
	if (moved < 0 && fd <= STDERR_FILENO)
		moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved >= 0 || fd <= STDERR_FILENO)
		close(fd);
	else
		moved = fd;
	return descriptor_look(moved);
}

bool descriptor_is_ours(const struct descriptor *d)
{
	struct stat st;
	return d->fd >= 0 && fstat(d->fd, &st) == 0 && st.st_dev == d->device && st.st_ino == d->node;
}

void descriptor_close(struct descriptor *d)
{
	if (descriptor_is_ours(d))
		close(d->fd);
	d->fd = -1;
}
