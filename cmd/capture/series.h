/* The files of one process: PROGRAM-START-PID-000001.snap and so on in one folder, sorted by name as by
 * time; PROGRAM-START-PID.2-000001.snap and so on if these are there, as after an exec or for another
 * capture. A file appears under its name when it is whole and on the disk, with mode 0600, and never takes the place of
 * another. */
#ifndef CMD_CAPTURE_SERIES_H
#define CMD_CAPTURE_SERIES_H

#include <limits.h>
#include <snap/snapshot.h>
#include <stdbool.h>
#include <stdint.h>

#include "descriptors.h"

enum { SERIES_NAME_MAX = 128 };

/* What stays when a file has been written. The oldest go first, but never the first of all, which is what
 * the others are compared to, nor the one just written. 0 = no limit. */
struct retention {
	unsigned files;
	uint64_t bytes;   /* of all files together */
	uint64_t seconds; /* since a file was written */
};

struct series {
	char folder[PATH_MAX];
	char stem[SERIES_NAME_MAX]; /* "PROGRAM-START-PID"; empty = not named yet */
	unsigned variant;           /* the 2 of "PID.2"; 0 = none */
	struct retention keep;
	unsigned last;              /* number of the last file; 0 = none yet */
	unsigned oldest;            /* the oldest file but for the first that may still be there */
	unsigned standing;          /* files that stand, as far as is known */
	struct descriptor file;     /* being written */
	char temporary[PATH_MAX];   /* where that is; empty = it has no name, or there is none */
};

/* `program` may hold anything; what has no place in a file name is replaced. */
void series_name(struct series *series, const char *program, const char *start, long pid);

/* Writes all of the next file, which does not stand under its name yet. On failure the path in `path` is
 * where it should have been. */
enum snap_status series_write(struct series *series, const struct snap_snapshot *snapshot, char path[PATH_MAX],
			      struct snap_error *err);

/* Brings what was written to the disk, gives it its name, which is then in `path`, and removes the oldest
 * files that are too many. Allocates nothing. */
enum snap_status series_publish(struct series *series, char path[PATH_MAX], struct snap_error *err);

/* In the child of a fork: the file being written is the parent's. */
void series_forget(struct series *series);

#endif
