/* What stands above a table: whose heap it is, when, how big it was and is. */
#include <snap/estimate.h>
#include <string.h>

#include "numbers.h"
#include "terminal.h"
#include "text.h"
#include "times.h"
#include "top_forms.h"

/* The values of a key on both sides; older is NULL where there is none or nothing is compared. */
struct sides {
	const char *older, *newer;
};

static struct sides look_up(const struct snap_meta *meta, const char *key)
{
	char old_key[64];
	snprintf(old_key, sizeof old_key, "%s%s", SNAP_META_OLD, key);
	return (struct sides){.older = snap_meta_get(meta, old_key), .newer = snap_meta_get(meta, key)};
}

static void put_label(const char *label)
{
	printf("%s%-9s%s", terminal_style(STYLE_DIM), label, terminal_plain());
}

static size_t put_value(const char *value, size_t room)
{
	return text_put_fitted(stdout, value, strlen(value), room);
}

/* "a → b", or "a" where both are the same. Says whether there was anything to print. */
static bool put_sides(struct sides sides, const char *before, size_t *room)
{
	if (sides.newer == NULL)
		return false;
	size_t used = strlen(before);
	fputs(before, stdout);
	if (sides.older != NULL && strcmp(sides.older, sides.newer) != 0) {
		used += put_value(sides.older, *room / 3) + 3;
		fputs(" " TEXT_ARROW " ", stdout);
	}
	used += put_value(sides.newer, *room / 3);
	*room -= used < *room ? used : *room;
	return true;
}

static void put_process(const struct snap_meta *meta)
{
	static const struct {
		const char *key, *first, *later;
	} parts[] = {{"program", "", ""},
		     {"host", "on ", " on "},
		     {"pid", "pid ", ", pid "},
		     {"runtime", "", ", "}};
	size_t room = terminal_width() - 9;
	bool any = false;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct sides sides = look_up(meta, parts[i].key);
		if (sides.newer != NULL && !any)
			put_label("process");
		any |= put_sides(sides, any ? parts[i].later : parts[i].first, &room);
	}
	if (any)
		putchar('\n');
}

static void put_time(const struct snap_meta *meta)
{
	struct sides sides = look_up(meta, "time"), from = look_up(meta, "time_source");
	struct time_text older, newer;
	if (sides.newer == NULL)
		return;
	put_label("time");
	bool known = time_parse(sides.newer, &newer);
	if (known && sides.older != NULL && time_parse(sides.older, &older)) {
		char span[TIME_SPAN_SIZE];
		int64_t seconds = newer.seconds - older.seconds;
		printf("%s %s " TEXT_ARROW " %s%s%s UTC (%s%s)", older.day, older.clock,
		       strcmp(older.day, newer.day) != 0 ? newer.day : "",
		       strcmp(older.day, newer.day) != 0 ? " " : "", newer.clock,
		       time_span(span, seconds < 0 ? -seconds : seconds), seconds < 0 ? " back" : "");
	} else if (known && sides.older == NULL) {
		printf("%s %s UTC", newer.day, newer.clock);
	} else {
		size_t room = terminal_width() - 9;
		put_sides(sides, "", &room);
	}
	if (from.newer != NULL || from.older != NULL) {
		const char *source = from.newer != NULL ? from.newer : from.older;
		printf(", %s", terminal_style(STYLE_DIM));
		put_value(source, 40);
		fputs(terminal_plain(), stdout);
	}
	putchar('\n');
}

static void put_growth(int64_t bytes)
{
	char text[NUMBER_SIZE];
	printf(" (%s%s%s)",
	       terminal_style(bytes > 0   ? STYLE_GROWN
			      : bytes < 0 ? STYLE_SHRUNK
					  : STYLE_NONE),
	       number_size(text, (double)bytes, true), bytes != 0 ? terminal_plain() : "");
}

static void put_traced(const struct snap_group_row *total, bool is_diff)
{
	char older[NUMBER_SIZE], newer[NUMBER_SIZE];
	put_label("traced");
	number_size(newer, (double)total->size, false);
	if (!is_diff) {
		char error[NUMBER_SIZE];
		fputs(newer, stdout);
		if (total->size_error > 0)
			printf(" " TEXT_PLUS_MINUS "%s", number_size(error, total->size_error, false));
		printf(" in %" PRId64 " block%s\n", total->count, total->count == 1 ? "" : "s");
		return;
	}
	number_size(older, (double)(total->size - total->size_diff), false);
	printf("%s " TEXT_ARROW " %s", older, newer);
	put_growth(total->size_diff);
	printf(" in %" PRId64 " " TEXT_ARROW " %" PRId64 " blocks (%+" PRId64 ")\n",
	       total->count - total->count_diff, total->count, total->count_diff);
}

static void put_period(struct snap_sampling sampling)
{
	char period[NUMBER_SIZE];
	if (sampling.period == 0)
		fputs(sampling.kind == SNAP_EXACT ? "of all blocks" : "of a period not known", stdout);
	else
		printf("one per %s", number_size_exact(period, sampling.period));
}

/* A file whose period cannot be read has failed before it comes here, unless its values are estimates. */
static void put_sampling(const struct snap_snapshot *snapshot)
{
	struct snap_sampling newer, older = {.kind = SNAP_EXACT};
	struct snap_error err;
	bool is_diff = snap_snapshot_is_diff(snapshot);
	if (snap_sampling_get(&newer, snapshot, false, &err) < 0 ||
	    (is_diff && snap_sampling_get(&older, snapshot, true, &err) < 0) ||
	    (newer.kind == SNAP_EXACT && older.kind == SNAP_EXACT))
		return;
	put_label("sampled");
	fputs("estimated from samples, ", stdout);
	if (is_diff && (older.kind != newer.kind || older.period != newer.period)) {
		put_period(older);
		fputs(" before, ", stdout);
		put_period(newer);
		fputs(" after", stdout);
	} else {
		put_period(newer);
	}
	putchar('\n');
	if (!snap_estimate_has_errors(snapshot))
		return;
	put_label("error");
	printf(TEXT_PLUS_MINUS " holds in 95 of 100 cases%s\n", is_diff ? " or more" : "");
}

static bool parse(const char *text, int64_t *value)
{
	uint64_t count;
	if (text == NULL || !number_parse_count(text, &count) || count > INT64_MAX)
		return false;
	*value = (int64_t)count;
	return true;
}

static void put_rss(const struct snap_meta *meta)
{
	struct sides sides = look_up(meta, "rss_bytes");
	char text[NUMBER_SIZE];
	int64_t older, newer;
	if (!parse(sides.newer, &newer))
		return;
	put_label("RSS");
	if (parse(sides.older, &older)) {
		printf("%s " TEXT_ARROW " ", number_size(text, (double)older, false));
		fputs(number_size(text, (double)newer, false), stdout);
		put_growth(newer - older);
	} else {
		fputs(number_size(text, (double)newer, false), stdout);
	}
	putchar('\n');
}

/* Growth for each request says more than growth over some time. */
static void put_requests(const struct snap_meta *meta, const struct snap_group_row *total)
{
	struct sides sides = look_up(meta, "iteration");
	char text[NUMBER_SIZE];
	int64_t older, newer;
	if (!parse(sides.newer, &newer) || !parse(sides.older, &older) || newer <= older)
		return;
	put_label("requests");
	printf("%" PRId64 " " TEXT_ARROW " %" PRId64 ", %s each\n", older, newer,
	       number_size(text, (double)total->size_diff / (double)(newer - older), true));
}

static void put_warnings(const struct snap_meta *meta)
{
	struct sides partial = look_up(meta, "partial"), limit = look_up(meta, "traceback_limit");
	const char *style = terminal_style(STYLE_WARNING);
	if (partial.newer != NULL || partial.older != NULL)
		printf("%swarning: a part of the %s is lost: it was salvaged from a damaged file%s\n", style,
		       partial.newer == NULL   ? "older snapshot"
		       : partial.older == NULL ? "snapshot"
					       : "snapshots",
		       terminal_plain());
	if (limit.newer != NULL && limit.older != NULL && strcmp(limit.newer, limit.older) != 0) {
		printf("%swarning: tracebacks end after ", style);
		put_value(limit.older, 10);
		fputs(" frames before and ", stdout);
		put_value(limit.newer, 10);
		printf(" after, so the same place can look gone and new%s\n", terminal_plain());
	}
}

void top_header(struct snap_snapshot *snapshot, const struct snap_group_row *total)
{
	const struct snap_meta *meta = snap_snapshot_meta(snapshot);
	put_process(meta);
	put_time(meta);
	put_traced(total, snap_snapshot_is_diff(snapshot));
	put_sampling(snapshot);
	put_rss(meta);
	put_requests(meta, total);
	put_warnings(meta);
	putchar('\n');
}
