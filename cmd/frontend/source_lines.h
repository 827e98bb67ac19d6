/* The line of source behind a frame, where the file is at hand. */
#ifndef CMD_FRONTEND_SOURCE_LINES_H
#define CMD_FRONTEND_SOURCE_LINES_H

#include <snap/snapshot.h>
#include <stdbool.h>

struct source_options {
	bool none;               /* --no-source */
	const char *root;        /* --source-root, or NULL */
	const char *const *maps; /* OLD=NEW, each checked to have its '=' */
	size_t map_count;
};

/* The line without the white space around it, borrowed until the next call; size 0 where there is none.
 * Reads regular files only, and at most some MiB of each. */
struct snap_text source_line(const struct source_options *options, struct snap_text file, uint32_t line);

#endif
