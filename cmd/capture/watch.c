/* See watch.h. */
#define _GNU_SOURCE
#include "watch.h"

enum { LOOKS_PER_SEARCH = 60 };

/* Memory that the system would have to take from somebody: page cache that nobody uses it takes itself. */
static bool is_near_limit(const struct memory_group *group, unsigned percent)
{
	uint64_t line = group->limit / 100 * percent;
	uint64_t used = process_group_usage(group);
	if (used < line)
		return false;
	/* This file is long, and only read when it matters. */
	uint64_t cache = process_group_cache(group);
	return used - (cache < used ? cache : used) >= line;
}

static void find_group(struct watch *watch)
{
	if (watch->options.no_limit)
		watch->group.limit = 0;
	else
		process_find_group(&watch->group);
}

void watch_begin(struct watch *watch, const struct watch_options *options)
{
	*watch = (struct watch){.options = *options, .step_from = process_rss()};
	find_group(watch);
	watch->is_above = options->rss_above > 0 && watch->step_from >= options->rss_above;
	watch->is_near = watch->group.limit > 0 && is_near_limit(&watch->group, WATCH_LIMIT_PERCENT);
}

bool watch_is_on(const struct watch *watch)
{
	return watch->options.rss_above > 0 || watch->options.rss_step > 0 || watch->group.limit > 0;
}

enum watch_event watch_look(struct watch *watch)
{
	const struct watch_options *options = &watch->options;
	enum watch_event event = WATCH_NOTHING;
	uint64_t rss = options->rss_above > 0 || options->rss_step > 0 ? process_rss() : 0;
	if (options->rss_step > 0 && rss >= watch->step_from && rss - watch->step_from >= options->rss_step) {
		watch->step_from = rss;
		event = WATCH_RSS_STEP;
	}
	if (options->rss_above > 0) {
		if (rss >= options->rss_above && !watch->is_above)
			event = WATCH_RSS_ABOVE;
		if (rss >= options->rss_above)
			watch->is_above = true;
		else if (rss < options->rss_above - options->rss_above / 100 * WATCH_FALL_PERCENT)
			watch->is_above = false;
	}
	/* Limits are changed, though seldom. */
	if (++watch->looks % LOOKS_PER_SEARCH == 0)
		find_group(watch);
	if (watch->group.limit > 0) {
		bool was_near = watch->is_near;
		watch->is_near = is_near_limit(&watch->group, was_near ? WATCH_AGAIN_PERCENT : WATCH_LIMIT_PERCENT);
		if (watch->is_near && !was_near)
			event = WATCH_LIMIT;
	}
	return event;
}

void watch_snapshot(struct watch *watch)
{
	if (watch->options.rss_step > 0)
		watch->step_from = process_rss();
}
