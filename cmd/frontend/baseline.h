/* Suspects that are known and accepted, each for a reason and until a day. */
#ifndef CMD_FRONTEND_BASELINE_H
#define CMD_FRONTEND_BASELINE_H

#include <snap/pattern.h>
#include <stdbool.h>

struct baseline;

struct baseline_entry {
	const char *until;  /* YYYY-MM-DD, the last day it holds */
	const char *reason;
	bool expired;
};

/* A line each: GLOB[:LINE], the last day, the reason; with blanks between. Blank lines and lines that begin
 * with '#' do not count. Ends the tool with a message when the file cannot be read or has a wrong line. */
struct baseline *baseline_read(const char *path);
/* The entry that matches the frame, one that still holds before those that do not; NULL where there is none. */
const struct baseline_entry *baseline_find(const struct baseline *baseline, const struct snap_frame *frame);
void baseline_free(struct baseline *baseline); /* takes NULL */

#endif
