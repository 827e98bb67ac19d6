/* What the system knows of this process: cheap to read, from /proc and the control groups. */
#ifndef CMD_CAPTURE_PROCESS_H
#define CMD_CAPTURE_PROCESS_H

#include <snap/meta.h>
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
	uint64_t rss, vms; /* bytes; 0 = unknown */
	unsigned threads;
};
struct process_memory process_memory(void);

/* The smallest limit of the control groups that hold the process; 0 = none. */
uint64_t process_memory_limit(void);

/* The command line as a shell would read it; as much of it as fits. */
void process_arguments(char *text, size_t room);

#endif
