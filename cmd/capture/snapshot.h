/* One snapshot of this process, and the metadata that go with it. */
#ifndef CMD_CAPTURE_SNAPSHOT_H
#define CMD_CAPTURE_SNAPSHOT_H

#include <limits.h>
#include <snap/builder.h>
#include <stdbool.h>
#include <time.h>

#include "python_api.h"
#include "recorder.h"

/* Folders of the interpreter; "" = unknown. */
struct snapshot_roots {
	char prefix[PATH_MAX], stdlib[PATH_MAX], site[PATH_MAX];
};

struct occasion {
	const char *trigger, *program;
	const struct snapshot_roots *roots;
	const char *label;     /* NULL = none */
	long long iteration;   /* below 0 = not known */
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

/* Collects what was recorded, and metadata, into a new builder; *rest is what recorder_read leaves to be
 * built without the GIL. The GIL is held all the time. SNAP_ERR_INVALID when nothing is recorded any more. */
enum snap_status snapshot_collect(struct snap_builder **out, struct tracer_copy **rest, const struct occasion *occasion,
				  struct snap_error *err);

#endif
