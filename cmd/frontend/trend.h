/* Series of one or several processes: reading them, and their suspects in each form that snaptrend has. */
#ifndef CMD_FRONTEND_TREND_H
#define CMD_FRONTEND_TREND_H

#include <snap/trend.h>
#include <stdbool.h>

#include "baseline.h"
#include "source_lines.h"
#include "times.h"

enum trend_format { TREND_TABLE, TREND_JSON, TREND_TSV };

struct trend_options {
	size_t count; /* suspects shown; 0 = all */
	enum trend_format format;
	const char *per; /* the metadata key that growth is held against, or NULL: time */
	int64_t limit;   /* of memory; 0 = the container's, where it is known */
	struct baseline *baseline; /* or NULL */
	struct source_options sources;
};

/* What metadata say of a snapshot; NAN or "" where nothing. */
struct trend_moment {
	char time[40];
	double hours, counter, rss, tracer;
};

struct trend_process {
	char *host, *pid, *start_time, *program, *runtime; /* NULL where not known */
	struct snap_trend *trend;
	struct trend_moment *moments; /* in the order of reading */
	size_t count, room;
	double cgroup_limit, sample_period;
	bool file_times; /* times of some snapshots are those of their files */
	bool reuse_unseen; /* the capture did not see free lists give a block to another line */
	bool float_reuse_unseen; /* … those of floats alone */
};

struct trend_set {
	const struct trend_options *options; /* borrowed */
	struct trend_process *processes;
	size_t count, room;
};

/* Reads all snapshots of the operands and judges them. False when something failed, which is told; to be freed
 * in any case. */
bool trend_read(struct trend_set *set, const struct trend_options *options, char **operands, int count);
void trend_free(struct trend_set *set);

/* Prints the suspects, the worst of all processes first. *leaks is how many there are that nobody has accepted. */
bool trend_show(struct trend_set *set, size_t *leaks);

#endif
