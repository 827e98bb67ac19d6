/* Text that is written as to a stream and stays in memory. */
#ifndef CMD_FRONTEND_BUFFER_H
#define CMD_FRONTEND_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct buffer {
	FILE *writer;
	char *bytes; /* after buffer_finish, NUL-terminated */
	size_t size;
};

/* Both are false when memory runs out; a message says so. */
bool buffer_open(struct buffer *buffer);
bool buffer_finish(struct buffer *buffer);
/* In any state, also before buffer_open if it is zero. */
void buffer_free(struct buffer *buffer);

#endif
