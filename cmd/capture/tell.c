/* See tell.h. */
#define _GNU_SOURCE
#include "tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"

static struct descriptor at_first = {.fd = -1};

void tell_begin(void)
{
	at_first = descriptor_look(STDERR_FILENO);
}

bool tell_may(void)
{
	struct stat st;
	if (descriptor_is_ours(&at_first))
		return true;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return S_ISCHR(st.st_mode) || (S_ISREG(st.st_mode) && (fcntl(STDERR_FILENO, F_GETFL) & O_APPEND) != 0);
}

void tell(const char *sentence)
{
	char line[1024];
	int size = snprintf(line, sizeof line, "snapcapture[%ld]: %s; the program goes on\n", (long)getpid(), sentence);
	if (size < 0 || !tell_may())
		return;
	for (char *c = line; c < line + strlen(line) - 1; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		errno = 0;
}
