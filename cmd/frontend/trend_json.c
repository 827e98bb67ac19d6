/* Suspects as one JSON object; its fields are a contract, see snaptrend(1). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "trend_forms.h"

static void put_text(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	if (text != NULL && text[0] != '\0')
		json_text(json, text, strlen(text));
	else
		json_null(json);
}

static void put_real(struct json *json, const char *key, double value)
{
	json_key(json, key);
	json_real(json, value);
}

/* Bytes that are whole, though they are kept as a double. */
static void put_whole(struct json *json, const char *key, double value)
{
	json_key(json, key);
	if (fabs(value) < 9e18)
		json_integer(json, (int64_t)value);
	else
		json_null(json);
}

static void put_integer(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	json_integer(json, value);
}

static void put_ends(struct json *json, const char *key, double first, double last)
{
	json_key(json, key);
	json_open(json, '{');
	put_whole(json, "first", first);
	put_whole(json, "last", last);
	put_whole(json, "growth", last - first);
	json_close(json, '}');
}

static void put_process(struct json *json, const struct trend_process *p, const struct trend_options *options)
{
	struct snap_trend_summary sum = snap_trend_summary(p->trend);
	struct trend_ends rss = trend_rss(p), tracer = trend_tracer(p);
	struct trend_limit limit = trend_limit(p, options);
	double traced = (double)(sum.last_bytes - sum.first_bytes);
	put_text(json, "host", p->host);
	put_text(json, "pid", p->pid);
	put_text(json, "start_time", p->start_time);
	put_text(json, "program", p->program);
	put_integer(json, "snapshots", (int64_t)sum.snapshots);
	put_integer(json, "tracebacks", (int64_t)sum.tracebacks);
	put_text(json, "from", trend_moment(p, 0)->time);
	put_text(json, "to", trend_moment(p, p->count - 1)->time);
	put_real(json, "hours", sum.hours);
	put_text(json, "counter", !sum.has_counter ? NULL : options->per != NULL ? options->per : "iteration");
	put_real(json, "count", sum.has_counter ? sum.count : NAN);
	put_ends(json, "traced_bytes", (double)sum.first_bytes, (double)sum.last_bytes);
	put_ends(json, "traced_blocks", (double)sum.first_blocks, (double)sum.last_blocks);
	put_ends(json, "tracer_stacks_bytes", (double)sum.first_tracer, (double)sum.last_tracer);
	put_ends(json, "tracer_bytes", tracer.first, tracer.last);
	put_ends(json, "rss_bytes", rss.first, rss.last);
	put_integer(json, "leaked_bytes", sum.leaked_bytes);
	put_real(json, "explained_traced", traced > 0 ? (double)sum.leaked_bytes / traced : NAN);
	put_real(json, "explained_rss",
		 trend_rss_growth(p) > 0 ? (double)sum.leaked_bytes / trend_rss_growth(p) : NAN);
	put_integer(json, "leaks", (int64_t)sum.leaks);
	json_key(json, "limit");
	json_open(json, '{');
	put_whole(json, "bytes", limit.bytes);
	put_text(json, "of", isfinite(limit.bytes) ? limit.by_rss ? "rss" : "traced" : NULL);
	put_real(json, "hours", limit.hours);
	put_real(json, "hours_low", limit.soon);
	put_real(json, "hours_high", limit.late);
	json_close(json, '}');
}

static void put_frames(struct json *json, const char *key, const struct snap_frame *frames, size_t count)
{
	json_key(json, key);
	json_open(json, '[');
	while (count > 0)
		json_frame(json, &frames[--count]);
	json_close(json, ']');
}

static void put_numbers(struct json *json, const char *key, const int64_t *numbers, size_t count)
{
	json_key(json, key);
	json_open(json, '[');
	for (size_t i = 0; i < count; i++)
		json_integer(json, numbers[i]);
	json_close(json, ']');
}

/* What each process says of the line, by its first row there. */
static void put_place(struct json *json, const struct trend_view *view, const struct trend_row *row)
{
	put_integer(json, "place", (int64_t)row->place + 1);
	json_key(json, "in_processes");
	json_open(json, '[');
	for (size_t i = row->place; i != SIZE_MAX; i = view->rows[i].next) {
		const struct trend_row *other = &view->rows[i];
		if (!trend_is_first_of_process(view, i))
			continue;
		json_open(json, '{');
		put_integer(json, "process", (int64_t)other->number);
		put_integer(json, "rank", (int64_t)i + 1);
		put_text(json, "verdict", trend_verdict_name(other->suspect.verdict));
		put_real(json, "rate_bytes_per_hour", other->suspect.bytes_per_hour.slope);
		put_real(json, "bytes_per_count", other->suspect.bytes_per_count.slope);
		put_integer(json, "growth_bytes", other->suspect.growth_bytes);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void put_values(struct json *json, const struct trend_view *view, const struct trend_row *row)
{
	const struct snap_trend_suspect *s = &row->suspect;
	struct snap_trend_summary sum = snap_trend_summary(row->process->trend);
	double growth = (double)s->growth_bytes, traced = (double)(sum.last_bytes - sum.first_bytes),
	       rss = trend_rss_growth(row->process);
	const char *verdict = trend_verdict_name(s->verdict);
	put_text(json, "verdict", verdict);
	put_real(json, "score", s->score);
	put_real(json, "rate_bytes_per_hour", s->bytes_per_hour.slope);
	put_real(json, "rate_low", s->bytes_per_hour.low);
	put_real(json, "rate_high", s->bytes_per_hour.high);
	put_real(json, "rate_blocks_per_hour", s->blocks_per_hour.slope);
	put_real(json, "bytes_per_count", s->bytes_per_count.slope);
	put_real(json, "bytes_per_count_low", s->bytes_per_count.low);
	put_real(json, "bytes_per_count_high", s->bytes_per_count.high);
	put_real(json, "blocks_per_count", s->blocks_per_count.slope);
	put_integer(json, "growth_bytes", s->growth_bytes);
	put_integer(json, "growth_blocks", s->growth_blocks);
	if (row->process->sample_period > 0)
		put_integer(json, "growth_error", llround(s->growth_error));
	put_real(json, "block_size", s->growth_blocks > 0 ? growth / (double)s->growth_blocks : NAN);
	put_real(json, "share_traced", traced > 0 ? growth / traced : NAN);
	put_real(json, "share_rss", rss > 0 ? growth / rss : NAN);
	put_integer(json, "first_seen", (int64_t)s->first_seen + 1);
	put_integer(json, "starts", (int64_t)s->starts + 1);
	put_text(json, "starts_time", trend_moment(row->process, s->starts)->time);
	put_integer(json, "rising", (int64_t)s->rising);
	put_real(json, "drawdown", s->drawdown);
	put_integer(json, "tracebacks", (int64_t)s->tracebacks);
	put_integer(json, "parts", (int64_t)s->parts);
	json_key(json, "all_through");
	json_bool(json, s->all_through);
	/* Rows of one process are numbered as its suspects are. */
	for (size_t i = 0; i < view->count; i++)
		if (view->rows[i].number == row->number && view->rows[i].at == s->family)
			put_integer(json, "family", (int64_t)i + 1);
	if (view->set->count > 1) {
		put_integer(json, "process", (int64_t)row->number);
		put_integer(json, "processes", (int64_t)row->common);
		put_place(json, view, row);
	}
	if (row->accepted != NULL) {
		json_key(json, "accepted");
		json_open(json, '{');
		put_text(json, "reason", row->accepted->reason);
		put_text(json, "until", row->accepted->until);
		json_key(json, "expired");
		json_bool(json, row->accepted->expired);
		json_close(json, '}');
	}
}

static bool put_row(struct json *json, struct trend_view *view, size_t i)
{
	const struct trend_row *row = &view->rows[i];
	size_t count;
	int64_t *blocks, *bytes = trend_series(row, &blocks);
	if (bytes == NULL)
		return false;
	json_open(json, '{');
	put_integer(json, "rank", (int64_t)i + 1);
	put_values(json, view, row);
	bool put = trend_path(view, row, &count);
	if (put) {
		json_key(json, "blame");
		json_frame(json, &view->frames[row->suspect.blamed]);
		put_frames(json, "traceback", view->frames, count);
		put = trend_traceback(view, row, &count);
	}
	if (put)
		put_frames(json, "largest_traceback", view->frames, count);
	put_numbers(json, "series", bytes, row->process->count);
	put_numbers(json, "series_blocks", blocks, row->process->count);
	json_close(json, '}');
	free(bytes);
	return put;
}

bool trend_json(struct trend_view *view)
{
	struct json json = {.out = stdout};
	const struct trend_set *set = view->set;
	json_open(&json, '{');
	put_integer(&json, "v", 1);
	if (set->count == 1) {
		put_process(&json, &set->processes[0], set->options);
	} else {
		put_integer(&json, "leaks", (int64_t)view->leaks);
		put_integer(&json, "leaks_in_all", (int64_t)view->in_all);
		put_integer(&json, "leaks_in_one", (int64_t)view->in_one);
		json_key(&json, "processes");
		json_open(&json, '[');
		for (size_t p = 0; p < set->count; p++) {
			json_open(&json, '{');
			put_process(&json, &set->processes[p], set->options);
			json_close(&json, '}');
		}
		json_close(&json, ']');
	}
	put_integer(&json, "accepted", (int64_t)view->accepted);
	put_integer(&json, "suspects", (int64_t)view->count);
	json_key(&json, "rows");
	json_open(&json, '[');
	for (size_t i = 0; i < view->shown; i++)
		if (!put_row(&json, view, i))
			return false;
	json_close(&json, ']');
	json_close(&json, '}');
	putchar('\n');
	return true;
}
