/* Small files that options name: lists of patterns, keys. */
#ifndef CMD_FRONTEND_FILE_TEXT_H
#define CMD_FRONTEND_FILE_TEXT_H

#include <stddef.h>

/* The whole of a file of at most 1 MiB, NUL-terminated; the caller's to free. A failure ends the tool. */
char *file_text_read(const char *path, size_t *size);

#endif
