/* Watches how much memory the process and its container have in use, and tells when that is worth a
 * snapshot. Looks at files of /proc and the control groups only, without the GIL, and allocates nothing. */
#ifndef CMD_CAPTURE_WATCH_H
#define CMD_CAPTURE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "process.h"

enum {
	WATCH_SEARCH_MS = 60000, /* where nothing is there to be watched, a limit is looked for */
	WATCH_PERIOD_MS = 1000,
	WATCH_PERIOD_LEAST_MS = 50,
	WATCH_GROWTH = 256000000, /* bytes a second: so fast memory may come near the limit unnoticed for no longer
				     than the least period */
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
	uint64_t room; /* bytes until it is near; UINT64_MAX = it is, or there is no limit */
	_Atomic uint64_t step_from; /* RSS at the last snapshot; those of other threads count as well */
	unsigned looks;
};

enum watch_event { WATCH_NOTHING, WATCH_RSS_STEP, WATCH_RSS_ABOVE, WATCH_LIMIT };

/* What the process has now is taken as known. */
void watch_begin(struct watch *watch, const struct watch_options *options);

/* Whether there is anything to look at, or may be some time. */
bool watch_is_on(const struct watch *watch);

/* What has happened since the last time; of several things the one that says most. */
enum watch_event watch_look(struct watch *watch);

/* For how long there is nothing to look at: the less memory is left, the shorter. */
unsigned watch_pause_ms(const struct watch *watch);

/* Bytes below the container's limit that are not in use now; UINT64_MAX where there is none. */
uint64_t watch_free_memory(const struct watch *watch);

/* After any snapshot: growth counts from here. */
void watch_snapshot(struct watch *watch);

#endif
