/* Descriptors that know what they stood for; see descriptors.h. */
#define _GNU_SOURCE
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct descriptor descriptor_new(int fd)
{
	struct stat st;
	if (fd >= 0 && fd <= STDERR_FILENO) {
		int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), saved = errno;
		close(fd);
		errno = saved;
		fd = moved;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return (struct descriptor){.fd = -1};
	return (struct descriptor){.fd = fd, .device = st.st_dev, .node = st.st_ino};
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
