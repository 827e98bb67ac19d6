/* Reads series: snapshots of any operands, each to the process it is of. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <snap/estimate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"
#include "numbers.h"
#include "operands.h"
#include "trend.h"

static bool fail_out_of_memory(void)
{
	message_fail(NULL, "out of memory");
	return false;
}

static double number_in(const struct snap_meta *meta, const char *key)
{
	const char *text = snap_meta_get(meta, key);
	char *end;
	if (text == NULL || text[strspn(text, "+-.eE0123456789")] != '\0')
		return NAN;
	double number = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(number) ? number : NAN;
}

static bool is_same(const char *mine, const struct snap_meta *meta, const char *key)
{
	const char *other = snap_meta_get(meta, key);
	return mine == NULL || other == NULL ? mine == other : strcmp(mine, other) == 0;
}

static char *copy_of(const struct snap_meta *meta, const char *key)
{
	const char *value = snap_meta_get(meta, key);
	return value == NULL ? NULL : strdup(value);
}

static struct trend_process *find_process(struct trend_set *set, const struct snap_meta *meta)
{
	struct snap_error err;
	for (size_t i = 0; i < set->count; i++) {
		struct trend_process *p = &set->processes[i];
		if (is_same(p->host, meta, "host") && is_same(p->pid, meta, "pid") &&
		    is_same(p->start_time, meta, "start_time"))
			return p;
	}
	if (set->count == set->room) {
		size_t room = 2 * set->room + 4;
		struct trend_process *grown = realloc(set->processes, room * sizeof *grown);
		if (grown == NULL) {
			fail_out_of_memory();
			return NULL;
		}
		set->processes = grown;
		set->room = room;
	}
	struct trend_process *p = &set->processes[set->count++];
	*p = (struct trend_process){
		.host = copy_of(meta, "host"),
		.pid = copy_of(meta, "pid"),
		.start_time = copy_of(meta, "start_time"),
		.program = copy_of(meta, "program"),
		.runtime = copy_of(meta, "runtime"),
		.cgroup_limit = NAN,
	};
	if (snap_trend_new(&p->trend, NULL, &err) == SNAP_OK)
		return p;
	message_error(NULL, &err);
	return NULL;
}

static struct trend_moment read_moment(const struct snap_meta *meta, const char *per)
{
	struct trend_moment m = {
		.hours = NAN,
		.counter = number_in(meta, per != NULL ? per : "iteration"),
		.rss = number_in(meta, "rss_bytes"),
		.tracer = number_in(meta, "tracer_bytes"),
	};
	const char *text = snap_meta_get(meta, "time");
	struct time_text time;
	if (text != NULL && strlen(text) < sizeof m.time && time_parse(text, &time)) {
		memcpy(m.time, text, strlen(text) + 1);
		m.hours = ((double)time.seconds + time.fraction) / 3600;
	}
	return m;
}

/* Whether that is the first of the kinds of objects that are named: there are no lists without floats among them. */
static bool misses_reuse_of(const struct snap_meta *meta, const char *kind)
{
	const char *missed = snap_meta_get(meta, "capture.freelists_missed");
	return missed != NULL && strncmp(missed, kind, strlen(kind)) == 0;
}

static bool add_moment(struct trend_process *p, const struct trend_moment *m)
{
	if (p->count == p->room) {
		size_t room = 2 * p->room + 16;
		struct trend_moment *grown = realloc(p->moments, room * sizeof *grown);
		if (grown == NULL)
			return fail_out_of_memory();
		p->moments = grown;
		p->room = room;
	}
	p->moments[p->count++] = *m;
	return true;
}

/* The period of samples that were added up with others is not known, but the variance is at most that times the
 * bytes. */
static double period_of(struct snap_snapshot *snapshot)
{
	double period = number_in(snap_snapshot_meta(snapshot), "sample_period_bytes");
	double bytes = (double)snap_snapshot_total(snapshot, 1);
	if (isfinite(period) || !snap_estimate_has_errors(snapshot) || !(bytes > 0))
		return period;
	return (double)snap_snapshot_total(snapshot, 3) / bytes;
}

static bool add_values(struct trend_set *set, struct snap_snapshot *snapshot, const char *name)
{
	const struct snap_meta *meta = snap_snapshot_meta(snapshot);
	struct snap_error err;
	struct trend_process *p = find_process(set, meta);
	struct trend_moment m = read_moment(meta, set->options->per);
	if (p == NULL || !add_moment(p, &m))
		return false;
	double limit = number_in(meta, "cgroup_limit_bytes"), period = period_of(snapshot);
	p->cgroup_limit = limit > 0 ? limit : p->cgroup_limit;
	p->sample_period = period > p->sample_period ? period : p->sample_period;
	p->reuse_unseen = p->reuse_unseen || misses_reuse_of(meta, "lists");
	p->float_reuse_unseen = p->float_reuse_unseen || misses_reuse_of(meta, "floats");
	p->file_times = p->file_times || snap_meta_get(meta, "time_source") != NULL;
	if (set->options->per != NULL && !isfinite(m.counter)) {
		const char *value = snap_meta_get(meta, set->options->per);
		message_fail(name, value == NULL ? "snapshot %zu has no metadata key %s"
						 : "snapshot %zu has no number as %s",
			     p->count, set->options->per);
		return false;
	}
	const struct snap_trend_point point = {.hours = m.hours, .counter = m.counter};
	if (snap_trend_add(p->trend, snapshot, &point, &err) == SNAP_OK)
		return true;
	message_error(name, &err);
	return false;
}

/* A borrowed snapshot. */
static bool add(void *context, struct snap_snapshot *snapshot, const char *name)
{
	struct snap_snapshot *estimated;
	struct snap_error err;
	operand_warn_if_partial(name, snapshot);
	if (snap_estimate_copy(&estimated, snapshot, &err) < 0) {
		message_error(name, &err);
		return false;
	}
	struct snap_snapshot *values = estimated != NULL ? estimated : snapshot;
	bool added = add_values(context, values, name);
	snap_snapshot_free(estimated);
	return added;
}

static bool judge(struct trend_set *set, struct trend_process *p)
{
	const struct snap_trend_options options = {
		.by_counter = set->options->per != NULL,
		.sample_period = p->sample_period,
	};
	struct snap_error err;
	if (snap_trend_judge(p->trend, &options, &err) == SNAP_OK)
		return true;
	char name[80];
	snprintf(name, sizeof name, "process %.60s", p->pid != NULL ? p->pid : "without a pid");
	message_error(set->count > 1 ? name : NULL, &err);
	return false;
}

static void free_process(struct trend_process *p)
{
	free(p->host);
	free(p->pid);
	free(p->start_time);
	free(p->program);
	free(p->runtime);
	free(p->moments);
	snap_trend_free(p->trend);
}

/* Among processes that can be judged: a worker that has left one snapshot says nothing of theirs. */
static void leave_out_single(struct trend_set *set)
{
	size_t several = 0, kept = 0;
	for (size_t i = 0; i < set->count; i++)
		several += set->processes[i].count > 1;
	size_t single = set->count - several;
	if (single == 0 || several == 0)
		return;
	for (size_t i = 0; i < set->count; i++)
		if (set->processes[i].count > 1)
			set->processes[kept++] = set->processes[i];
		else
			free_process(&set->processes[i]);
	set->count = kept;
	message_note(NULL, "left out: %zu %s one snapshot%s, where a trend needs at least two", single,
		     single == 1 ? "process with" : "processes with", single == 1 ? "" : " each");
}

bool trend_read(struct trend_set *set, const struct trend_options *options, char **operands, int count)
{
	*set = (struct trend_set){.options = options};
	for (int i = 0; i < count; i++)
		if (!operand_each(operands[i], operand_borrow, add, set))
			return false;
	leave_out_single(set);
	for (size_t i = 0; i < set->count; i++)
		if (!judge(set, &set->processes[i]))
			return false;
	if (set->count == 0)
		message_fail(NULL, "there are no snapshots: a trend needs at least two");
	return set->count > 0;
}

void trend_free(struct trend_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free_process(&set->processes[i]);
	free(set->processes);
}
