/* Where the snapshots that a tool makes go: a file that appears when it is whole, a pipe, or, on a
 * terminal, a table. Whatever fails says so by itself. */
#ifndef CMD_FRONTEND_STREAM_H
#define CMD_FRONTEND_STREAM_H

#include <snap/output.h>
#include <snap/snapshot.h>
#include <snap/writer.h>
#include <stdbool.h>

#include "tool.h"

struct stream_options {
	const char *path; /* of -o; NULL or "-" = standard output */
	int level;        /* of --level; 0 = stored into a pipe, SNAP_LEVEL_DEFAULT into a file */
	bool replace;     /* also a file that is no snapshot */
	bool series;      /* there may be several snapshots */
	bool no_history;
	bool no_arguments; /* the history tells no more than that the tool was there */
	const struct tool *tool; /* what the history names */
	int argc;
	char **argv;
};

/* Takes -o, -f, --level and --no-history; false for other options. */
bool stream_option(struct stream_options *options, int option, const char *argument);

struct stream {
	const struct stream_options *options; /* borrowed */
	const char *name;                     /* for messages */
	struct snap_output *output;
	struct snap_writer *writer;
	size_t shown; /* tables on the terminal */
};

/* On failure there is nothing to close. */
bool stream_open(struct stream *stream, const struct stream_options *options);
/* Adds the history and writes. */
bool stream_put(struct stream *stream, struct snap_snapshot *snapshot);
bool stream_finish(struct stream *stream);
/* Without stream_finish before it, a file leaves no trace and a pipe is found truncated. */
void stream_close(struct stream *stream);

#endif
