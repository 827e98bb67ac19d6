/* Fills errors and knows the version; see snap/status.h. */
#include <errno.h>
#include <snap/status.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifndef SNAP_VERSION
#error "SNAP_VERSION comes from the Makefile"
#endif

const char *snap_version(void)
{
	return SNAP_VERSION;
}

/* C0 and DEL, and C1 as UTF-8 spells it: both steer terminals. */
static void replace_controls(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
			p[0] = p[1] = '?';
	}
}

enum snap_status snap_fail(struct snap_error *err, enum snap_status status, uint64_t offset, const char *format, ...)
{
	int os_errno = errno;
	if (err == NULL)
		return status;
	/* Not formatted in place: an argument may be the message of *err itself. */
	char message[sizeof err->message];
	va_list args;
	va_start(args, format);
	if (vsnprintf(message, sizeof message, format, args) < 0)
		message[0] = '\0';
	va_end(args);
	replace_controls(message);
	err->status = status;
	err->os_errno = status == SNAP_ERR_IO ? os_errno : 0;
	err->offset = offset;
	memcpy(err->message, message, sizeof message);
	return status;
}
