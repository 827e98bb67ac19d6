/* Cells of tab-separated values that PostgreSQL and ClickHouse load. */
#ifndef CMD_FRONTEND_TSV_H
#define CMD_FRONTEND_TSV_H

#include <snap/snapshot.h>
#include <stddef.h>

/* Text with tab, newline, carriage return and backslash escaped, and U+FFFD for what is not UTF-8. */
void tsv_text(const char *bytes, size_t size);
/* Three cells: file, line, function. */
void tsv_frame(const struct snap_frame *frame);
/* Frames that are given newest first, as "file:line;file:line", oldest first. */
void tsv_traceback(const struct snap_frame *frames, size_t count);

#endif
