/* Suspects as people read them: what was looked at, then each with its evidence and the lines to look at. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "numbers.h"
#include "terminal.h"
#include "text.h"
#include "trend_forms.h"

enum { LABEL = 10, SPARKS = 24, FAMILY_ROWS = 4, FAMILY_HEAD = 40, PROCESS_ROWS = 6 };

static void put_label(const char *label)
{
	printf("%s%-*s%s", terminal_style(STYLE_DIM), LABEL, label, terminal_plain());
}

static void put_text(const char *text, size_t room)
{
	text_put_fitted(stdout, text, strlen(text), room);
}

static void put_name(const struct trend_process *p)
{
	const struct {
		const char *text, *before;
	} parts[] = {{p->program, ""}, {p->host, "on "}, {p->pid, "pid "}, {p->runtime, ""}};
	bool any = false;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (parts[i].text == NULL)
			continue;
		if (!any)
			put_label("process");
		printf("%s%s", any ? i == 1 ? " " : ", " : "", parts[i].before);
		put_text(parts[i].text, terminal_width() / 4);
		any = true;
	}
	if (any)
		putchar('\n');
}

static void put_span(const struct trend_process *p, const struct snap_trend_summary *sum, const char *counter)
{
	struct time_text from, to;
	char span[TIME_SPAN_SIZE];
	put_label("snapshots");
	printf("%zu", sum->snapshots);
	if (sum->has_time && time_parse(trend_moment(p, 0)->time, &from) &&
	    time_parse(trend_moment(p, p->count - 1)->time, &to)) {
		bool same_day = strcmp(from.day, to.day) == 0;
		printf(" in %s, %s %s " TEXT_ARROW " %s%s%s UTC", time_span(span, (int64_t)(sum->hours * 3600 + .5)),
		       from.day, from.clock, same_day ? "" : to.day, same_day ? "" : " ", to.clock);
	}
	putchar('\n');
	if (sum->has_counter) {
		put_label("work");
		printf(floor(sum->count) == sum->count ? "%.0f of " : "%.6g of ", sum->count);
		put_text(counter, 40);
		putchar('\n');
	}
}

static void put_growth(double growth)
{
	char text[NUMBER_SIZE];
	const char *style = terminal_style(growth > 0 ? STYLE_GROWN : growth < 0 ? STYLE_SHRUNK : STYLE_NONE);
	printf(" (%s%s%s)", style, number_size(text, growth, true), growth != 0 ? terminal_plain() : "");
}

static void put_ends(const char *label, double first, double last, const char *behind)
{
	char text[NUMBER_SIZE];
	if (!isfinite(first) || !isfinite(last))
		return;
	put_label(label);
	fputs(number_size(text, first, false), stdout);
	printf(" " TEXT_ARROW " %s", number_size(text, last, false));
	put_growth(last - first);
	puts(behind);
}

/* Growth of RSS that Python's blocks do not explain, and where to look for it. */
static void put_rest(const struct trend_process *p, double traced)
{
	double rss = trend_rss_growth(p);
	char text[NUMBER_SIZE];
	if (!(rss > 8 << 20) || rss < 1.5 * fmax(traced, 0))
		return;
	put_label("rest");
	printf("%s of RSS growth is not in traced blocks: native memory (C\n%*sextensions, buffers), "
	       "fragmentation, or caches of the allocator\n",
	       number_size(text, rss - fmax(traced, 0), false), LABEL, "");
}

static void put_explained(const struct trend_process *p, const struct snap_trend_summary *sum)
{
	double traced = (double)(sum->last_bytes - sum->first_bytes), rss = trend_rss_growth(p);
	char text[NUMBER_SIZE];
	if (sum->leaks == 0)
		return;
	put_label("explained");
	if (traced > 0)
		printf("%s of traced growth", number_share(text, (double)sum->leaked_bytes, traced));
	if (rss > 0)
		printf("%s%s of RSS growth", traced > 0 ? ", " : "",
		       number_share(text, (double)sum->leaked_bytes, rss));
	printf("%sby %zu leak%s\n", traced > 0 || rss > 0 ? ", " : "", sum->leaks, sum->leaks == 1 ? "" : "s");
}

static const char *span_of(char span[TIME_SPAN_SIZE], double hours)
{
	return hours < 876000 ? time_span(span, (int64_t)(hours * 3600 + .5)) : "more than a century";
}

static void put_limit(const struct trend_process *p, const struct trend_options *options)
{
	struct trend_limit limit = trend_limit(p, options);
	char text[NUMBER_SIZE], span[TIME_SPAN_SIZE];
	if (!isfinite(limit.bytes))
		return;
	put_label("limit");
	printf("%s", number_size(text, limit.bytes, false));
	if (limit.hours <= 0)
		puts(" is reached");
	else if (isfinite(limit.hours)) {
		printf(" of %s in %s", limit.by_rss ? "RSS" : "traced memory", span_of(span, limit.hours));
		if (isfinite(limit.soon))
			printf(" (%s", span_of(span, limit.soon));
		if (isfinite(limit.soon) && isfinite(limit.late))
			printf(" to %s)", span_of(span, limit.late));
		else if (isfinite(limit.soon))
			fputs(" or later, if ever)", stdout);
		putchar('\n');
	} else {
		puts(" is not reached at this pace");
	}
}

static void put_warnings(const struct trend_process *p, const struct snap_trend_summary *sum)
{
	const char *warning = sum->snapshots < SNAP_TREND_LEAK_MIN
				      ? "with fewer than 4 snapshots growth is reported, but no leak"
			      : sum->snapshots < 8 ? "few snapshots: 10 or more tell leaks from caches better"
						   : NULL;
	if (warning != NULL)
		printf("%snote: %s%s\n", terminal_style(STYLE_WARNING), warning, terminal_plain());
	if (p->file_times) {
		bool as_given = true;
		for (size_t i = 0; i < p->count; i++)
			as_given = as_given && snap_trend_order(p->trend, i) == i;
		printf("%snote: times are those of the files%s%s\n",
		       terminal_style(as_given ? STYLE_DIM : STYLE_WARNING),
		       as_given ? "" : ", which are in another order than given", terminal_plain());
	}
	if (!sum->has_time)
		printf("%snote: the times are not known, so there are no rates%s\n", terminal_style(STYLE_WARNING),
		       terminal_plain());
	if (p->reuse_unseen)
		printf("%snote: what a free list gives again counts for the line that had it first: lists,\n"
		       "tuples, floats and dicts that leak may show at a line that makes temporary ones%s\n",
		       terminal_style(STYLE_DIM), terminal_plain());
	else if (p->float_reuse_unseen)
		printf("%snote: floats that leak may show at a line that makes temporary ones%s\n",
		       terminal_style(STYLE_DIM), terminal_plain());
	if (p->sample_period > 0)
		printf("%snote: the values are estimates from samples; " TEXT_PLUS_MINUS
		       " holds in 95 of 100 cases or more%s\n", terminal_style(STYLE_DIM),
		       terminal_plain());
}

static void put_header(const struct trend_process *p, const struct trend_options *options)
{
	struct snap_trend_summary sum = snap_trend_summary(p->trend);
	struct trend_ends rss = trend_rss(p);
	put_name(p);
	put_span(p, &sum, options->per != NULL ? options->per : "iteration");
	put_ends("traced", (double)sum.first_bytes, (double)sum.last_bytes, "");
	if (sum.last_tracer > 0)
		put_ends("tracer", (double)sum.first_tracer, (double)sum.last_tracer, ", left out");
	put_ends("RSS", rss.first, rss.last, "");
	put_explained(p, &sum);
	put_rest(p, (double)(sum.last_bytes - sum.first_bytes));
	put_limit(p, options);
	put_warnings(p, &sum);
	putchar('\n');
}

static void put_sparkline(const int64_t *series, size_t count)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	size_t n = count < SPARKS ? count : SPARKS;
	double least = (double)series[0], most = least;
	for (size_t i = 0; i < count; i++) {
		least = fmin(least, (double)series[i]);
		most = fmax(most, (double)series[i]);
	}
	for (size_t i = 0; i < n; i++) {
		double y = (double)series[n > 1 ? i * (count - 1) / (n - 1) : 0];
		size_t bar = most > least ? (size_t)((y - least) / (most - least) * 7.999) : 0;
		fputs(bars[bar], stdout);
	}
}

static void put_rate(const struct snap_trend_rate *rate, const char *unit)
{
	char slope[NUMBER_SIZE], low[NUMBER_SIZE], high[NUMBER_SIZE];
	printf("%s%s (%s to %s)", number_size(slope, rate->slope, true), unit, number_size(low, rate->low, false),
	       number_size(high, rate->high, false));
}

/* One line: rank, verdict, how fast, what part. */
static void put_title(const struct trend_view *view, const struct trend_row *row, size_t rank)
{
	const struct snap_trend_suspect *s = &row->suspect;
	struct snap_trend_summary sum = snap_trend_summary(row->process->trend);
	bool leak = rank <= view->leaks;
	double traced = (double)(sum.last_bytes - sum.first_bytes);
	char text[NUMBER_SIZE];
	printf("%s#%zu %s%s  ", terminal_style(leak ? STYLE_BOLD : STYLE_NONE), rank,
	       trend_verdict_name(s->verdict), leak ? terminal_plain() : "");
	if (view->set->options->per != NULL)
		put_rate(&s->bytes_per_count, " each");
	else if (sum.has_time)
		put_rate(&s->bytes_per_hour, "/h");
	else
		fputs(number_size(text, (double)s->growth_bytes, true), stdout);
	if (traced > 0 && s->growth_bytes > 0)
		printf("  %s of traced growth", number_share(text, (double)s->growth_bytes, traced));
	putchar('\n');
}

static void put_evidence(const struct trend_row *row, const int64_t *series)
{
	const struct snap_trend_suspect *s = &row->suspect;
	char text[NUMBER_SIZE];
	size_t points = row->process->count < 64 ? row->process->count : 64;
	printf("%*s", FRAME_INDENT, "");
	put_sparkline(series, row->process->count);
	printf("  score %.2f, rising %zu of %zu", s->score, s->rising, points - 1);
	if (s->drawdown >= .005)
		printf(", falls by %s", number_share(text, s->drawdown, 1));
	printf("\n%*s%s", FRAME_INDENT, "", number_size(text, (double)s->growth_bytes, true));
	if (s->growth_error > 0)
		printf(" " TEXT_PLUS_MINUS "%s", number_size(text, s->growth_error, false));
	printf(" in %+" PRId64 " block%s", s->growth_blocks, s->growth_blocks == 1 ? "" : "s");
	if (s->growth_blocks > 0)
		printf(" of %s", number_size(text, (double)s->growth_bytes / (double)s->growth_blocks, false));
	if (isfinite(s->blocks_per_count.slope))
		printf(", %.2f of them each", s->blocks_per_count.slope);
	printf(", from snapshot %zu on", s->starts + 1);
	if (s->tracebacks > 1)
		printf(", %zu tracebacks", s->tracebacks);
	putchar('\n');
}

/* The first of its family. */
static size_t head_of(const struct trend_view *view, size_t i)
{
	const struct trend_row *row = &view->rows[i];
	for (size_t k = 0; k < i && i < view->leaks; k++)
		if (view->rows[k].number == row->number && view->rows[k].at == row->suspect.family)
			return k;
	return i;
}

/* Whether no row of another process before it blames the same line, and stands for this one. */
static bool is_of_its_own(const struct trend_view *view, size_t i)
{
	return view->rows[view->rows[i].place].number == view->rows[i].number;
}

/* The first of a family stands for the others, if it is shown. */
static bool is_shown(const struct trend_view *view, size_t i)
{
	size_t head = head_of(view, i);
	return is_of_its_own(view, i) && (head == i || !is_of_its_own(view, head));
}

/* The others of a family, a line each. */
static bool put_family(struct trend_view *view, size_t head)
{
	size_t more = 0, count;
	for (size_t i = head + 1; i < view->leaks; i++) {
		char size[NUMBER_SIZE];
		if (head_of(view, i) != head || !is_of_its_own(view, i) || ++more > FAMILY_ROWS)
			continue;
		if (!trend_path(view, &view->rows[i], &count))
			return false;
		printf("%*s%s#%zu, the same curve:%s %s  ", FRAME_INDENT, "", terminal_style(STYLE_DIM), i + 1,
		       terminal_plain(), number_size(size, (double)view->rows[i].suspect.growth_bytes, true));
		frame_put_path(&view->frames[view->rows[i].suspect.blamed], terminal_width() - FAMILY_HEAD,
			       STYLE_NONE);
		putchar('\n');
	}
	if (more > FAMILY_ROWS)
		printf("%*s%s" TEXT_ELLIPSIS " %zu more with the same curve%s\n", FRAME_INDENT, "",
		       terminal_style(STYLE_DIM), more - FAMILY_ROWS, terminal_plain());
	return true;
}

/* How fast a row grows, by what its process knows. */
static void put_pace(const struct trend_view *view, const struct trend_row *row)
{
	const struct snap_trend_suspect *s = &row->suspect;
	char text[NUMBER_SIZE];
	if (view->set->options->per != NULL)
		printf("%s each", number_size(text, s->bytes_per_count.slope, true));
	else if (snap_trend_summary(row->process->trend).has_time)
		printf("%s/h", number_size(text, s->bytes_per_hour.slope, true));
	else
		fputs(number_size(text, (double)s->growth_bytes, true), stdout);
}

static void put_process(const struct trend_process *p)
{
	fputs("process ", stdout);
	put_text(p->pid != NULL ? p->pid : "?", 10);
	if (p->host != NULL) {
		fputs(" on ", stdout);
		put_text(p->host, terminal_width() / 5);
	}
}

/* In how many processes the line leaks, and how fast in each. */
static void put_processes(const struct trend_view *view, const struct trend_row *row)
{
	const char *dim = terminal_style(STYLE_DIM), *plain = terminal_plain();
	size_t all = view->set->count, told = 0, more = 0;
	printf("%*s", FRAME_INDENT, "");
	if (row->common == 1)
		printf("%sonly%s in ", terminal_style(STYLE_BOLD), plain);
	if (row->common > 1) {
		printf("in %zu of %zu processes:", row->common, all);
	} else {
		put_process(row->process);
		printf(" of %zu", all);
	}
	putchar('\n');
	for (size_t i = row->place; i != SIZE_MAX; i = view->rows[i].next) {
		const struct trend_row *other = &view->rows[i];
		if (!trend_is_first_of_process(view, i) || (row->common <= 1 && other == row))
			continue;
		if (++told > PROCESS_ROWS) {
			more++;
			continue;
		}
		printf("%*s%s%s%s, ", 2 * FRAME_INDENT, "", dim, trend_verdict_name(other->suspect.verdict), plain);
		put_pace(view, other);
		printf("  %s", dim);
		put_process(other->process);
		puts(plain);
	}
	if (more > 0)
		printf("%*s%s" TEXT_ELLIPSIS " %zu more%s\n", 2 * FRAME_INDENT, "", dim, more, plain);
}

/* What other processes and the baseline say of this one. */
static void put_relations(const struct trend_view *view, const struct trend_row *row)
{
	const char *plain = terminal_plain();
	if (view->set->count > 1)
		put_processes(view, row);
	if (row->accepted != NULL) {
		printf("%*s%saccepted until ", FRAME_INDENT, "",
		       terminal_style(row->accepted->expired ? STYLE_WARNING : STYLE_DIM));
		put_text(row->accepted->until, 12);
		fputs(row->accepted->expired ? ", which is over: " : ": ", stdout);
		put_text(row->accepted->reason, terminal_width() / 2);
		puts(plain);
	}
}

/* The newest frame first: the line to blame bold, callers below it. */
static void put_frames(struct trend_view *view, const struct trend_row *row, size_t count)
{
	const struct source_options *sources = &view->set->options->sources;
	for (size_t i = 0; i < count; i++) {
		bool blamed = i == row->suspect.blamed;
		printf("%*s%s", FRAME_INDENT, "", i == 0 ? "" : "< ");
		frame_put(&view->frames[i], terminal_width() - FRAME_INDENT - 2, blamed ? STYLE_BOLD : STYLE_NONE,
			  false);
		putchar('\n');
		frame_put_source(sources, &view->frames[i], 2 * FRAME_INDENT);
	}
}

static bool put_row(struct trend_view *view, size_t i)
{
	const struct trend_row *row = &view->rows[i];
	size_t count;
	int64_t *blocks, *bytes = trend_series(row, &blocks);
	if (bytes == NULL)
		return false;
	put_title(view, row, i + 1);
	put_evidence(row, bytes);
	free(bytes);
	put_relations(view, row);
	if (!trend_path(view, row, &count))
		return false;
	put_frames(view, row, count);
	bool put = i >= view->leaks || put_family(view, i);
	putchar('\n');
	return put;
}

static bool is_too_short(const struct trend_set *set)
{
	for (size_t p = 0; p < set->count; p++)
		if (set->processes[p].count >= SNAP_TREND_LEAK_MIN)
			return false;
	return true;
}

bool trend_table(struct trend_view *view)
{
	const struct trend_set *set = view->set;
	for (size_t p = 0; p < set->count; p++)
		put_header(&set->processes[p], set->options);
	if (view->leaks == 0)
		puts(view->count == 0   ? "Nothing grew."
		     : is_too_short(set) ? "What grew, which may be a leak or not:\n"
					 : "No leak. What grew or swung most:\n");
	size_t shown = 0, left = 0, wanted = set->options->count;
	for (size_t i = 0; i < view->count; i++) {
		if (!is_shown(view, i))
			continue;
		if (wanted > 0 && shown >= wanted) {
			left++;
			continue;
		}
		if (i == view->leaks && i > 0)
			printf("%sWhat grew or swung and is no leak:%s\n\n", terminal_style(STYLE_DIM),
			       terminal_plain());
		if (!put_row(view, i))
			return false;
		shown++;
	}
	if (left > 0)
		printf("%s" TEXT_ELLIPSIS " %zu more, snaptrend 0 shows all%s\n", terminal_style(STYLE_DIM), left,
		       terminal_plain());
	return true;
}
