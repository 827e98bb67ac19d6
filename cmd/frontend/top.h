/* The biggest groups of a snapshot, or changes of a diff, in each form that snaptop has. */
#ifndef CMD_FRONTEND_TOP_H
#define CMD_FRONTEND_TOP_H

#include <snap/group.h>
#include <snap/snapshot.h>
#include <stdbool.h>

#include "source_lines.h"

enum top_format { TOP_TABLE, TOP_TRACEMALLOC, TOP_JSON, TOP_TSV };

struct top_options {
	size_t count; /* groups shown; 0 = all */
	struct snap_group_options group;
	enum top_format format;
	/* of the table */
	size_t frames; /* newest ones of a traceback; 0 = all */
	bool most_recent_first;
	struct source_options sources;
};

/* The ten biggest by line, as a table. */
extern const struct top_options top_options_default;

/* What was sampled is estimated first, in place. False when something failed, which is told. Failures of standard output show when it is closed. */
bool top_show(struct snap_snapshot *snapshot, const struct top_options *options);

#endif
