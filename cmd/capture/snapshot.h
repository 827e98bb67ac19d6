/* One snapshot of this process by way of tracemalloc, and the metadata that go with it. */
#ifndef CMD_CAPTURE_SNAPSHOT_H
#define CMD_CAPTURE_SNAPSHOT_H

#include <limits.h>
#include <snap/builder.h>
#include <stdbool.h>
#include <time.h>

#include "python_api.h"

/* Folders of the interpreter; "" = unknown. */
struct snapshot_roots {
	char prefix[PATH_MAX], stdlib[PATH_MAX], site[PATH_MAX];
};

struct occasion {
	const char *trigger, *program;
	const struct snapshot_roots *roots;
	const char *label;     /* NULL = none */
	struct timespec start; /* of the process */
	unsigned number;       /* in the series */
	unsigned dropped;      /* snapshots lost so far */
	unsigned generation;   /* forks since the series of the first process */
	unsigned own_threads;  /* the agent's */
	bool collect;
	bool details;
};

/* Runs Python code, so once is enough. */
void snapshot_find_roots(struct snapshot_roots *roots);

/* Collects the traces and metadata into a new builder; the GIL is held all the time, and garbage
 * collection is off while the traces are there. SNAP_ERR_INVALID when nothing is traced. */
enum snap_status snapshot_collect(struct snap_builder **out, const struct occasion *occasion, struct snap_error *err);

#endif
