/* Ranks the suspects of all processes and hands them to a form; see trend.h. */
#include "trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"
#include "trend_forms.h"

static bool fail_out_of_memory(void)
{
	message_fail(NULL, "out of memory");
	return false;
}

static bool make_room(struct trend_view *view, size_t count)
{
	if (count <= view->room)
		return true;
	struct snap_frame *grown = realloc(view->frames, count * sizeof *grown);
	if (grown == NULL)
		return fail_out_of_memory();
	view->frames = grown;
	view->room = count;
	return true;
}

bool trend_path(struct trend_view *view, const struct trend_row *row, size_t *count)
{
	*count = row->suspect.frames;
	if (!make_room(view, *count))
		return false;
	snap_trend_path(row->process->trend, row->at, view->frames, *count);
	return true;
}

bool trend_traceback(struct trend_view *view, const struct trend_row *row, size_t *count)
{
	*count = snap_trend_traceback(row->process->trend, row->at, NULL, 0);
	if (!make_room(view, *count))
		return false;
	snap_trend_traceback(row->process->trend, row->at, view->frames, *count);
	return true;
}

int64_t *trend_series(const struct trend_row *row, int64_t **blocks)
{
	size_t count = row->process->count;
	int64_t *bytes = malloc(2 * count * sizeof *bytes + 1);
	if (bytes == NULL) {
		fail_out_of_memory();
		return NULL;
	}
	*blocks = bytes + count;
	snap_trend_series(row->process->trend, row->at, bytes, *blocks);
	return bytes;
}

bool trend_is_first_of_process(const struct trend_view *view, size_t i)
{
	for (size_t k = view->rows[i].place; k != i; k = view->rows[k].next)
		if (view->rows[k].number == view->rows[i].number)
			return false;
	return true;
}

const char *trend_verdict_name(enum snap_trend_verdict verdict)
{
	static const char *const names[] = {
		[SNAP_TREND_LEAK] = "leak",       [SNAP_TREND_ACCELERATING] = "leak-accelerating",
		[SNAP_TREND_FILLING] = "filling", [SNAP_TREND_STEP] = "step",
		[SNAP_TREND_SAWTOOTH] = "sawtooth", [SNAP_TREND_UNCLEAR] = "unclear",
	};
	return names[verdict];
}

const struct trend_moment *trend_moment(const struct trend_process *process, size_t i)
{
	return &process->moments[snap_trend_order(process->trend, i)];
}

struct trend_ends trend_rss(const struct trend_process *process)
{
	return (struct trend_ends){trend_moment(process, 0)->rss, trend_moment(process, process->count - 1)->rss};
}

struct trend_ends trend_tracer(const struct trend_process *process)
{
	return (struct trend_ends){trend_moment(process, 0)->tracer,
				   trend_moment(process, process->count - 1)->tracer};
}

double trend_rss_growth(const struct trend_process *process)
{
	struct trend_ends rss = trend_rss(process), tracer = trend_tracer(process);
	double of_tracer = tracer.last - tracer.first;
	return rss.last - rss.first - (isfinite(of_tracer) ? of_tracer : 0);
}

struct trend_limit trend_limit(const struct trend_process *process, const struct trend_options *options)
{
	struct trend_limit limit = {
		.bytes = options->limit > 0 ? (double)options->limit : process->cgroup_limit,
		.hours = NAN,
		.soon = NAN,
		.late = NAN,
		.by_rss = true,
	};
	size_t n = process->count;
	double *hours = malloc(2 * n * sizeof *hours + 1), *rss = hours + n;
	if (hours == NULL || !isfinite(limit.bytes)) {
		free(hours);
		return limit;
	}
	for (size_t i = 0; i < n; i++) {
		hours[i] = trend_moment(process, i)->hours;
		rss[i] = trend_moment(process, i)->rss;
		limit.by_rss = limit.by_rss && isfinite(rss[i]);
	}
	struct snap_trend_summary summary = snap_trend_summary(process->trend);
	struct snap_trend_rate rate = {NAN, NAN, NAN};
	double last = limit.by_rss ? rss[n - 1] : (double)(summary.last_bytes + summary.last_tracer);
	if (summary.has_time && !limit.by_rss)
		for (size_t i = 0; i < n; i++)
			rss[i] = (double)snap_trend_total(process->trend, i);
	if (summary.has_time)
		rate = snap_trend_slope(hours, rss, n, 0);
	double left = fmax(limit.bytes - last, 0);
	if (rate.slope > 0)
		limit.hours = left / rate.slope;
	if (rate.high > 0)
		limit.soon = left / rate.high;
	if (rate.low > 0)
		limit.late = left / rate.low;
	free(hours);
	return limit;
}

static bool is_leak(const struct trend_row *row)
{
	return row->suspect.verdict == SNAP_TREND_LEAK || row->suspect.verdict == SNAP_TREND_ACCELERATING;
}

static double rank_of(const struct trend_row *row)
{
	double growth = (double)row->suspect.growth_bytes;
	return is_leak(row) ? row->suspect.score * row->suspect.score * growth : growth;
}

/* Within a process this is the order that the trend has. */
static int compare_rows(const void *a, const void *b)
{
	const struct trend_row *x = a, *y = b;
	if (is_leak(x) != is_leak(y))
		return is_leak(x) ? -1 : 1;
	if (x->process != y->process && rank_of(x) != rank_of(y))
		return rank_of(x) > rank_of(y) ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool fill_rows(struct trend_view *view)
{
	const struct trend_set *set = view->set;
	for (size_t p = 0; p < set->count; p++)
		view->count += snap_trend_suspects(set->processes[p].trend);
	view->rows = calloc(view->count + 1, sizeof *view->rows);
	if (view->rows == NULL)
		return fail_out_of_memory();
	struct trend_row *row = view->rows;
	for (size_t p = 0; p < set->count; p++)
		for (size_t i = 0; i < snap_trend_suspects(set->processes[p].trend); i++, row++) {
			size_t frames;
			*row = (struct trend_row){
				.process = &set->processes[p],
				.number = p,
				.at = i,
				.suspect = snap_trend_suspect(set->processes[p].trend, i),
			};
			if (!trend_path(view, row, &frames))
				return false;
			row->blamed = view->frames[row->suspect.blamed];
			if (set->options->baseline != NULL && is_leak(row))
				row->accepted = baseline_find(set->options->baseline, &row->blamed);
		}
	if (view->count > 0)
		qsort(view->rows, view->count, sizeof *view->rows, compare_rows);
	return true;
}

static int compare_texts(struct snap_text a, struct snap_text b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common == 0 ? 0 : memcmp(a.bytes, b.bytes, common);
	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_lines(const struct trend_row *x, const struct trend_row *y)
{
	int order = compare_texts(x->blamed.file, y->blamed.file);
	return order != 0 ? order : (x->blamed.line > y->blamed.line) - (x->blamed.line < y->blamed.line);
}

/* By the line to blame, and as they are ranked. */
static int compare_places(const void *a, const void *b)
{
	const struct trend_row *x = *(struct trend_row *const *)a, *y = *(struct trend_row *const *)b;
	int order = compare_lines(x, y);
	return order != 0 ? order : (x > y) - (x < y);
}

/* Links rows that blame one line; seen[p] is how many rows up to the last one of process p there were. */
static void link_place(struct trend_view *view, struct trend_row **rows, size_t begin, size_t end, size_t *seen)
{
	size_t common = 0;
	for (size_t i = begin; i < end; i++) {
		if (is_leak(rows[i]) && seen[rows[i]->number] <= begin) {
			seen[rows[i]->number] = i + 1;
			common++;
		}
		rows[i]->place = (size_t)(rows[begin] - view->rows);
		rows[i]->next = i + 1 < end ? (size_t)(rows[i + 1] - view->rows) : SIZE_MAX;
	}
	for (size_t i = begin; i < end; i++)
		rows[i]->common = is_leak(rows[i]) ? common : 0;
	view->in_all += common == view->set->count;
	view->in_one += common == 1;
}

static bool find_places(struct trend_view *view)
{
	struct trend_row **rows = malloc((view->count + 1) * sizeof *rows);
	size_t *seen = calloc(view->set->count + 1, sizeof *seen);
	bool enough = rows != NULL && seen != NULL;
	for (size_t i = 0; enough && i < view->count; i++)
		rows[i] = &view->rows[i];
	if (enough && view->count > 0)
		qsort(rows, view->count, sizeof(struct trend_row *), compare_places);
	for (size_t begin = 0, i = 1; enough && i <= view->count; i++)
		if (i == view->count || compare_lines(rows[i - 1], rows[i]) != 0) {
			link_place(view, rows, begin, i, seen);
			begin = i;
		}
	free(rows);
	free(seen);
	return enough || fail_out_of_memory();
}

bool trend_show(struct trend_set *set, size_t *leaks)
{
	static bool (*const forms[])(struct trend_view *) = {
		[TREND_TABLE] = trend_table,
		[TREND_JSON] = trend_json,
		[TREND_TSV] = trend_tsv,
	};
	struct trend_view view = {.set = set};
	bool shown = fill_rows(&view);
	if (shown) {
		for (size_t i = 0; i < view.count; i++) {
			const struct trend_row *row = &view.rows[i];
			view.leaks += is_leak(row);
			view.accepted += row->accepted != NULL && !row->accepted->expired;
		}
		size_t wanted = set->options->count;
		view.shown = wanted == 0 || wanted > view.count ? view.count : wanted;
		shown = find_places(&view) && forms[set->options->format](&view);
	}
	*leaks = view.leaks - view.accepted;
	free(view.rows);
	free(view.frames);
	return shown;
}
