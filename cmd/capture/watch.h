/* Watches how much memory the process and its container have in use, and tells when that is worth a
 * snapshot. Looks at files of /proc and the control groups only, without the GIL, and allocates nothing. */
#ifndef CMD_CAPTURE_WATCH_H
#define CMD_CAPTURE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

enum {
	WATCH_PERIOD_MS = 1000,
	WATCH_LIMIT_PERCENT = 90, /* of the container's limit: near it */
	WATCH_AGAIN_PERCENT = 85, /* below this it may come near again */
	WATCH_FALL_PERCENT = 10,  /* below rss_above by this much it may be crossed again */
};

struct watch_options {
	uint64_t rss_above, rss_step; /* bytes; 0 = not watched */
	bool no_limit;                /* the container's limit is not watched */
};

struct watch {
	struct watch_options options;
	struct memory_group group; /* the container; without a limit it is not watched */
	bool is_above, is_near;
	_Atomic uint64_t step_from; /* RSS at the last snapshot; those of other threads count as well */
	unsigned looks;
};

enum watch_event { WATCH_NOTHING, WATCH_RSS_STEP, WATCH_RSS_ABOVE, WATCH_LIMIT };

/* What the process has now is taken as known. */
void watch_begin(struct watch *watch, const struct watch_options *options);

/* Whether there is anything to look at. */
bool watch_is_on(const struct watch *watch);

/* What has happened since the last time; of several things the one that says most. */
enum watch_event watch_look(struct watch *watch);

/* After any snapshot: growth counts from here. */
void watch_snapshot(struct watch *watch);

#endif
