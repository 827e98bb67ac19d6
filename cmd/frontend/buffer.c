/* Streams into memory; see buffer.h. */
#define _POSIX_C_SOURCE 200809L
#include "buffer.h"

#include <stdlib.h>

#include "messages.h"

static bool report(bool fine)
{
	if (!fine)
		message_fail(NULL, "out of memory");
	return fine;
}

bool buffer_open(struct buffer *buffer)
{
	*buffer = (struct buffer){NULL, NULL, 0};
	buffer->writer = open_memstream(&buffer->bytes, &buffer->size);
	return report(buffer->writer != NULL);
}

/* glibc tells some failures by the lost buffer only. */
bool buffer_finish(struct buffer *buffer)
{
	bool failed = ferror(buffer->writer) != 0;
	failed |= fclose(buffer->writer) != 0;
	buffer->writer = NULL;
	return report(!failed && buffer->bytes != NULL);
}

void buffer_free(struct buffer *buffer)
{
	if (buffer->writer != NULL)
		fclose(buffer->writer);
	free(buffer->bytes);
	*buffer = (struct buffer){NULL, NULL, 0};
}
