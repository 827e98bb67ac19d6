/* What the system knows of this process: cheap to read, from /proc and the control groups. */
#ifndef CMD_CAPTURE_PROCESS_H
#define CMD_CAPTURE_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { PROCESS_TIME_SIZE = sizeof "2026-07-25T10:32:11.123Z", PROCESS_STAMP_SIZE = sizeof "20260725T103211Z" };

/* RFC 3339 with milliseconds; and short, for file names. */
void process_time_text(char text[PROCESS_TIME_SIZE], const struct timespec *time);
void process_stamp(char text[PROCESS_STAMP_SIZE], const struct timespec *time);

/* When the process began, by the clock of now. */
struct timespec process_start_time(void);

struct process_memory {
	uint64_t rss, vms;                     /* bytes; 0 = unknown */
	uint64_t rss_anonymous, rss_peak, swap;
	unsigned threads;
};
struct process_memory process_memory(void);

/* The resident memory alone, in bytes; 0 = unknown. */
uint64_t process_rss(void);
/* The same with what is shared counted in parts, which takes the system some time; 0 = unknown. */
uint64_t process_pss(void);

/* Of the control groups that hold the process the one with the smallest limit. The environment variable
 * SNAP_CGROUP_ROOT, for tests, stands for /sys/fs/cgroup. */
struct memory_group {
	uint64_t limit; /* bytes; 0 = none has one */
	bool is_old;    /* of the hierarchy before version 2 */
	char folder[PATH_MAX];
};
void process_find_group(struct memory_group *group);
/* What all processes in it use, and how much of that is page cache that is not in use; 0 = unknown. */
uint64_t process_group_usage(const struct memory_group *group);
uint64_t process_group_cache(const struct memory_group *group);

/* The command line as a shell would read it; as much of it as fits. */
void process_arguments(char *text, size_t room);

/* Waits until the system no longer counts a thread that has been waited for already, but not for long: that
 * takes a moment, and Python looks there. */
void process_wait_for_end(int thread);

#endif
