/* Reading small files; see file_text.h. */
#include "file_text.h"

#include <snap/input.h>
#include <stdlib.h>

#include "messages.h"
#include "tool.h"

enum { FILE_MAX_SIZE = 1 << 20 };

char *file_text_read(const char *path, size_t *size)
{
	struct snap_input *in;
	struct snap_error err;
	char *bytes = malloc(FILE_MAX_SIZE + 2);
	if (bytes == NULL) {
		message_fail(NULL, "out of memory");
		exit(tool_finish(TOOL_FAILED));
	}
	enum snap_status status = snap_input_open(&in, path, &err);
	*size = 0;
	if (status == SNAP_OK) {
		size_t got = 1;
		while (status == SNAP_OK && got > 0 && *size <= FILE_MAX_SIZE) {
			status = snap_input_read(in, bytes + *size, FILE_MAX_SIZE + 1 - *size, &got, &err);
			*size += got;
		}
		snap_input_close(in);
	}
	bytes[*size] = '\0';
	if (status < 0)
		message_error(path, &err);
	else if (*size > FILE_MAX_SIZE)
		message_fail(path, "it is larger than %d bytes: is it the right file?", FILE_MAX_SIZE);
	else
		return bytes;
	free(bytes);
	exit(tool_finish(TOOL_FAILED));
}
