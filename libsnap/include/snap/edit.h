/* Other stacks and file names for the same blocks: totals never change. */
#ifndef SNAP_EDIT_H
#define SNAP_EDIT_H

#include <snap/pattern.h>
#include <snap/snapshot.h>

/* A prefix of file names that is another elsewhere. */
struct snap_prefix {
	const char *old, *now;
};

/* Everything is borrowed. Patterns see the names as they were. */
struct snap_edit {
	const struct snap_pattern *const *hide; /* frames that stacks lose */
	size_t hide_count;
	const struct snap_pattern *const *show_from; /* stacks begin at the oldest frame that one of these matches */
	size_t show_from_count;
	const struct snap_prefix *prefixes; /* the first that a name begins with is replaced */
	size_t prefix_count;
};

/* The edited snapshot; stacks that become equal are one. A stack without a frame to show from stays whole;
 * one that loses all its frames has the one frame <hidden>. Where the depth of the real stack is known it
 * is counted without the frames that were taken away. */
SNAP_API enum snap_status snap_edit_apply(struct snap_snapshot **out, const struct snap_snapshot *s,
                                          const struct snap_edit *edit, struct snap_error *err);

#endif
