/* See watch.h. */
#define _GNU_SOURCE
#include "watch.h"

enum { LOOKS_PER_SEARCH = WATCH_SEARCH_MS / WATCH_PERIOD_MS };

/* Bytes that the system would have to take from somebody: page cache that nobody uses it takes itself. May be
 * more while that is below `least`. */
static uint64_t usage_of(const struct memory_group *group, uint64_t least)
{
	uint64_t used = process_group_usage(group);
	if (used < least)
		return used;
	/* This file is long, and only read when it matters. */
	uint64_t cache = process_group_cache(group);
	return used - (cache < used ? cache : used);
}

/* Whether it is near now. */
static bool look_at_limit(struct watch *watch)
{
	uint64_t line = watch->group.limit / 100 * WATCH_LIMIT_PERCENT;
	uint64_t least = watch->is_near ? watch->group.limit / 100 * WATCH_AGAIN_PERCENT : line;
	uint64_t used = usage_of(&watch->group, least);
	watch->is_near = used >= least;
	watch->room = watch->is_near ? UINT64_MAX : line - used;
	return watch->is_near;
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
	watch->room = UINT64_MAX;
	if (watch->group.limit > 0)
		(void)look_at_limit(watch);
}

bool watch_is_on(const struct watch *watch)
{
	return watch->options.rss_above > 0 || watch->options.rss_step > 0 || !watch->options.no_limit;
}

/* There is only a limit to be looked for. */
static bool is_idle(const struct watch *watch)
{
	return watch->options.rss_above == 0 && watch->options.rss_step == 0 && watch->group.limit == 0;
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
	if (++watch->looks % LOOKS_PER_SEARCH == 0 || is_idle(watch))
		find_group(watch);
	if (watch->group.limit > 0) {
		bool was_near = watch->is_near;
		if (look_at_limit(watch) && !was_near)
			event = WATCH_LIMIT;
	} else {
		watch->room = UINT64_MAX;
	}
	return event;
}

unsigned watch_pause_ms(const struct watch *watch)
{
	uint64_t pause = watch->room / (WATCH_GROWTH / 1000);
	if (is_idle(watch))
		return WATCH_SEARCH_MS;
	if (pause > WATCH_PERIOD_MS)
		return WATCH_PERIOD_MS;
	return pause < WATCH_PERIOD_LEAST_MS ? WATCH_PERIOD_LEAST_MS : (unsigned)pause;
}

uint64_t watch_free_memory(const struct watch *watch)
{
	uint64_t limit = watch->group.limit, used = limit > 0 ? usage_of(&watch->group, 0) : 0;
	if (limit == 0)
		return UINT64_MAX;
	return used < limit ? limit - used : 0;
}

void watch_snapshot(struct watch *watch)
{
	if (watch->options.rss_step > 0)
		watch->step_from = process_rss();
}
