/* The agent in a Python process: takes snapshots when something triggers them and writes a series of
 * files. It never raises an exception, and never holds the GIL while it writes. */
#ifndef CMD_CAPTURE_AGENT_H
#define CMD_CAPTURE_AGENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "python_api.h"
#include "recorder.h"
#include "series.h"
#include "watch.h"

enum trigger {
	TRIGGER_CODE,
	TRIGGER_EXIT,
	TRIGGER_INTERVAL,
	TRIGGER_LIMIT,
	TRIGGER_REQUEST,
	TRIGGER_RSS_ABOVE,
	TRIGGER_RSS_STEP,
	TRIGGER_SIGNAL,
};

struct agent_options {
	const char *folder;
	struct recorder_options recorder;
	double every;      /* seconds between snapshots; 0 = none at intervals */
	unsigned limit;    /* snapshots at most; 0 = any number */
	struct retention keep;
	struct watch_options watch;
	int signal;        /* that asks for a snapshot; 0 = none */
	bool collect;      /* gc.collect() before each snapshot */
	bool details;      /* the dear ones as well */
	unsigned top;      /* groups to print at exit; 0 = none */
};

/* What goes with a snapshot, or is done before. */
struct agent_note {
	const char *label;   /* NULL = none */
	long long iteration; /* below 0 = not known */
	bool collect;        /* garbage, first */
};

struct agent_result {
	bool written;
	char path[PATH_MAX]; /* of the file, if it was written */
	char why[512];       /* else one sentence */
};

/* All of these are called with the GIL, and but for the first in the main interpreter. */

bool agent_runs(void);

/* Begins a series: tracing, the hooks at exit and at fork (functions of `module` with the names of those
 * below), and the thread that waits for time to pass and for requests. False with a sentence in *why. */
bool agent_start(py_object *module, const struct agent_options *options, const char **why);

/* Takes a snapshot. May let other threads run. */
void agent_take(enum trigger trigger, const struct agent_note *note, struct agent_result *result);

/* Ends the series, with a last snapshot. */
void agent_stop(enum trigger trigger);

/* Around a fork that Python knows of; the child begins a series of its own. */
void agent_before_fork(void);
void agent_after_fork_in_parent(void);
void agent_after_fork_in_child(py_object *module);

#endif
