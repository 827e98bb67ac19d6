/* Trends, on snapshots whose curves are made here. */
#define _GNU_SOURCE
#include <math.h>
#include <snap/builder.h>
#include <snap/diff.h>
#include <snap/trend.h>

#include "packed.h"
#include "test.h"

static struct snap_error err;

/* A stack of "file:line" words, newest first, with its blocks. */
struct made {
	const char *stack;
	uint64_t size;
	int64_t blocks;
};

static void add_made(struct snap_builder *b, const struct made *m)
{
	uint32_t frames[16], stack, file;
	size_t count = 0;
	for (const char *at = m->stack; *at != '\0' && count < 16;) {
		size_t word = strcspn(at, " "), name = word;
		while (at[name] != ':')
			name--;
		CHECK_OK(snap_builder_string(b, at, name, &file, &err), &err);
		CHECK_OK(snap_builder_frame(b, file, (uint32_t)atoi(at + name + 1), SNAP_NO_FUNCTION,
					    &frames[count++], &err),
			 &err);
		at += word + (at[word] == ' ');
	}
	CHECK_OK(snap_builder_stack(b, frames, count, (uint32_t)count, &stack, &err), &err);
	CHECK_OK(snap_builder_add(b, stack, 0, m->size, m->blocks, &err), &err);
}

static struct snap_snapshot *make(const struct made *made, size_t count)
{
	struct snap_builder *b;
	struct snap_snapshot *s = NULL;
	CHECK_OK(snap_builder_new(&b, NULL, &err), &err);
	for (size_t i = 0; i < count; i++)
		if (made[i].blocks > 0)
			add_made(b, &made[i]);
	CHECK_OK(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

#define DECODER "/usr/lib/python3.11/json/decoder.py:353 "
#define TRACER  "/usr/lib/python3.11/tracemalloc.py:423 "
#define MAIN    " /srv/app/main.py:9"

/* A leak behind the standard library, a cache that fills, one that steps, a saw-tooth, what stays, and the tracer. */
static struct snap_snapshot *moment(int i)
{
	const struct made made[] = {
		{DECODER "/srv/app/leak.py:5 /srv/app/web.py:3" MAIN, 100, 1000 + 500 * i},
		{"/srv/app/cache.py:7 /srv/app/web.py:4" MAIN, 100, 40000 - (int64_t)(30000 * exp(-i))},
		{"/srv/app/config.py:2 /srv/app/web.py:5" MAIN, 100, i < 6 ? 1000 : 9000},
		{"/srv/app/buffer.py:8 /srv/app/web.py:6" MAIN, 100, 1000 + 3000 * (i % 4)},
		{"/srv/app/data.py:1 /srv/app/web.py:7" MAIN, 1000, 30000},
		{TRACER "/srv/app/snap.py:4" MAIN, 100, 1000 * i + 1},
	};
	return make(made, sizeof made / sizeof *made);
}

static struct snap_trend *judged(const int *order, int count, bool by_counter, double per_hour)
{
	struct snap_trend *t;
	CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
	for (int k = 0; k < count; k++) {
		int i = order == NULL ? k : order[k];
		struct snap_snapshot *s = moment(i);
		const struct snap_trend_point point = {.hours = i / per_hour, .counter = 10.0 * i};
		CHECK_OK(snap_trend_add(t, s, &point, &err), &err);
		snap_snapshot_free(s);
	}
	const struct snap_trend_options options = {.by_counter = by_counter};
	CHECK_OK(snap_trend_judge(t, &options, &err), &err);
	return t;
}

/* The row whose blamed line is in a file of this name, or the number of rows. */
static size_t row_in(const struct snap_trend *t, const char *file)
{
	size_t i = 0;
	for (; i < snap_trend_suspects(t); i++) {
		struct snap_frame frames[16];
		snap_trend_path(t, i, frames, 16);
		struct snap_text name = frames[snap_trend_suspect(t, i).blamed].file;
		if (name.size == strlen(file) && memcmp(name.bytes, file, name.size) == 0)
			break;
	}
	return i;
}

static void check_verdict(const struct snap_trend *t, const char *file, enum snap_trend_verdict verdict)
{
	size_t i = row_in(t, file);
	if (CHECK(i < snap_trend_suspects(t)))
		CHECK_INT(snap_trend_suspect(t, i).verdict, verdict);
}

TEST(a_leak_is_found_behind_the_standard_library)
{
	struct snap_trend *t = judged(NULL, 12, false, 1);
	struct snap_trend_summary sum = snap_trend_summary(t);
	CHECK_INT(sum.snapshots, 12);
	CHECK_INT(sum.tracebacks, 6);
	CHECK_INT(sum.leaks, 1);
	CHECK_INT(sum.leaked_bytes, 11 * 500 * 100);
	CHECK_INT(sum.first_tracer, 100);
	CHECK_INT(sum.last_tracer, 100 * 11001);
	CHECK_INT(row_in(t, "/srv/app/leak.py"), 0);
	struct snap_trend_suspect s = snap_trend_suspect(t, 0);
	CHECK_INT(s.verdict, SNAP_TREND_LEAK);
	CHECK_INT(s.growth_bytes, 11 * 500 * 100);
	CHECK_INT(s.growth_blocks, 11 * 500);
	CHECK_INT(s.rising, 11);
	CHECK(s.score > 0.9);
	CHECK(fabs(s.bytes_per_hour.slope - 50000) < 1e-6);
	CHECK(s.bytes_per_hour.low <= s.bytes_per_hour.slope && s.bytes_per_hour.slope <= s.bytes_per_hour.high);
	CHECK(fabs(s.bytes_per_count.slope - 5000) < 1e-6);
	struct snap_frame frames[16];
	CHECK_INT(snap_trend_traceback(t, 0, frames, 16), 4);
	CHECK_INT(frames[0].line, 353);
	CHECK_INT(snap_trend_path(t, 0, frames, 16), s.frames);
	CHECK_INT(frames[0].line, 5);
	int64_t bytes[12], blocks[12];
	snap_trend_series(t, 0, bytes, blocks);
	for (int i = 0; i < 12; i++) {
		CHECK_INT(bytes[i], 100 * (1000 + 500 * i));
		CHECK_INT(blocks[i], 1000 + 500 * i);
	}
	snap_trend_free(t);
}

TEST(what_is_no_leak_says_why)
{
	struct snap_trend *t = judged(NULL, 12, false, 1);
	check_verdict(t, "/srv/app/cache.py", SNAP_TREND_FILLING);
	check_verdict(t, "/srv/app/config.py", SNAP_TREND_STEP);
	check_verdict(t, "/srv/app/buffer.py", SNAP_TREND_SAWTOOTH);
	CHECK_INT(row_in(t, "/srv/app/data.py"), snap_trend_suspects(t));
	CHECK_INT(row_in(t, "/srv/app/snap.py"), snap_trend_suspects(t));
	snap_trend_free(t);
}

TEST(order_of_adding_does_not_matter)
{
	static const int order[] = {5, 0, 11, 3, 8, 1, 10, 2, 9, 4, 7, 6};
	struct snap_trend *a = judged(NULL, 12, false, 1), *b = judged(order, 12, false, 1);
	CHECK_INT(snap_trend_suspects(a), snap_trend_suspects(b));
	CHECK_INT(snap_trend_order(b, 0), 1);
	CHECK_INT(snap_trend_order(b, 11), 2);
	for (size_t i = 0; i < snap_trend_suspects(a) && i < snap_trend_suspects(b); i++) {
		struct snap_trend_suspect x = snap_trend_suspect(a, i), y = snap_trend_suspect(b, i);
		CHECK_INT(x.verdict, y.verdict);
		CHECK_INT(x.growth_bytes, y.growth_bytes);
		CHECK(x.score == y.score);
		int64_t from[12], of[12];
		snap_trend_series(a, i, from, NULL);
		snap_trend_series(b, i, of, NULL);
		CHECK(memcmp(from, of, sizeof of) == 0);
	}
	snap_trend_free(a);
	snap_trend_free(b);
}

/* A series of the moments from..to-1, to be borrowed from. */
static struct snap_reader *reader_of(int from, int to, struct packed *packed, const struct snap_reader_options *options)
{
	struct snap_snapshot *s[12];
	struct snap_input *in;
	struct snap_reader *r;
	for (int i = from; i < to; i++)
		s[i - from] = moment(i);
	*packed = packed_new(s, (size_t)(to - from), 1, true);
	packed_free_all(s, (size_t)(to - from));
	CHECK_OK(snap_input_from_memory(&in, packed->bytes, packed->size, &err), &err);
	CHECK_OK(snap_reader_open(&r, in, options, &err), &err);
	return r;
}

static void add_borrowed(struct snap_trend *t, struct snap_reader *r, int i)
{
	struct snap_snapshot *s;
	const struct snap_trend_point point = {.hours = i, .counter = 10.0 * i};
	if (!CHECK_OK(snap_reader_borrow(r, &s, &err), &err))
		return;
	CHECK_OK(snap_trend_add(t, s, &point, &err), &err);
}

static void check_same(const struct snap_trend *a, const struct snap_trend *b)
{
	struct snap_trend_summary x = snap_trend_summary(a), y = snap_trend_summary(b);
	CHECK_MEM(&x, sizeof x, &y, sizeof y);
	if (!CHECK_INT(snap_trend_suspects(a), snap_trend_suspects(b)))
		return;
	for (size_t i = 0; i < snap_trend_suspects(a); i++) {
		int64_t series[2][12];
		snap_trend_series(a, i, series[0], NULL);
		snap_trend_series(b, i, series[1], NULL);
		CHECK_MEM(series[0], sizeof series[0], series[1], sizeof series[1]);
		CHECK_INT(snap_trend_suspect(a, i).verdict, snap_trend_suspect(b, i).verdict);
		CHECK(snap_trend_suspect(a, i).score == snap_trend_suspect(b, i).score);
	}
}

TEST(borrowed_snapshots_say_the_same)
{
	struct snap_trend *wanted = judged(NULL, 12, false, 1), *t;
	const struct snap_reader_options checking = {snap_limits_default(), .check = true};
	/* In one series, in two whose members come in turns, and with a snapshot of its own between. */
	for (int way = 0; way < 4; way++) {
		struct packed p[2];
		struct snap_reader *first = reader_of(0, way == 0 ? 12 : 6, &p[0], way == 3 ? &checking : NULL);
		struct snap_reader *second = reader_of(6, 12, &p[1], NULL);
		CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
		for (int i = 0; i < 12; i++) {
			int k = way == 0 ? i : i / 2 + i % 2 * 6;
			struct snap_snapshot *s;
			if (way == 2 && i == 4) {
				CHECK_OK(snap_reader_next(first, &s, &err), &err);
				const struct snap_trend_point point = {.hours = k, .counter = 10.0 * k};
				CHECK_OK(snap_trend_add(t, s, &point, &err), &err);
				snap_snapshot_free(s);
			} else {
				add_borrowed(t, way == 0 || i % 2 == 0 ? first : second, k);
			}
		}
		struct snap_snapshot *none;
		CHECK_INT(snap_reader_borrow(first, &none, &err), SNAP_END);
		/* The trend goes on without them. */
		snap_reader_close(first);
		snap_reader_close(second);
		free(p[0].bytes);
		free(p[1].bytes);
		CHECK_OK(snap_trend_judge(t, &(struct snap_trend_options){.by_counter = false}, &err), &err);
		check_same(t, wanted);
		snap_trend_free(t);
	}
	snap_trend_free(wanted);
}

TEST(without_times_there_are_no_rates)
{
	struct snap_trend *t = judged(NULL, 12, false, NAN);
	CHECK(!snap_trend_summary(t).has_time);
	struct snap_trend_suspect s = snap_trend_suspect(t, 0);
	CHECK_INT(s.verdict, SNAP_TREND_LEAK);
	CHECK(isnan(s.bytes_per_hour.slope));
	CHECK(fabs(s.bytes_per_count.slope - 5000) < 1e-6);
	snap_trend_free(t);
}

TEST(few_snapshots_show_growth_and_no_leak)
{
	static const int order[] = {0, 11, 5};
	for (int count = 2; count < SNAP_TREND_LEAK_MIN; count++) {
		struct snap_trend *t = judged(order, count, false, 1);
		CHECK_INT(snap_trend_summary(t).leaks, 0);
		check_verdict(t, "/srv/app/leak.py", SNAP_TREND_UNCLEAR);
		snap_trend_free(t);
	}
}

TEST(many_snapshots_are_all_in_the_series)
{
	struct snap_trend *t = judged(NULL, 200, true, NAN);
	int64_t bytes[200];
	CHECK_INT(row_in(t, "/srv/app/leak.py"), 0);
	snap_trend_series(t, 0, bytes, NULL);
	CHECK_INT(bytes[199], 100 * (1000 + 500 * 199));
	snap_trend_free(t);
}

TEST(a_shared_line_passes_the_blame_to_its_caller)
{
	struct snap_trend *t;
	CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
	for (int i = 0; i < 10; i++) {
		const struct made made[] = {
			{"/srv/app/store.py:1 /srv/app/a.py:1" MAIN, 100, 5000},
			{"/srv/app/store.py:1 /srv/app/b.py:1" MAIN, 100, 5000},
			{"/srv/app/store.py:1 /srv/app/c.py:1" MAIN, 100, 1000 + 1000 * i},
			{"/srv/app/d.py:1" MAIN, 100, 50000},
		};
		struct snap_snapshot *s = make(made, 4);
		const struct snap_trend_point point = {.hours = i, .counter = NAN};
		CHECK_OK(snap_trend_add(t, s, &point, &err), &err);
		snap_snapshot_free(s);
	}
	CHECK_OK(snap_trend_judge(t, &(struct snap_trend_options){.by_counter = false}, &err), &err);
	CHECK_INT(snap_trend_summary(t).leaks, 1);
	CHECK_INT(row_in(t, "/srv/app/c.py"), 0);
	snap_trend_free(t);
}

/* Three lines leak below one, which is then the suspect; so does a helper that another line calls as well, which is
 * one of its own and does not count for both. */
TEST(ranks_follow_the_growth_that_is_shown)
{
	enum { FIXED = 6, COUNT = 12 };
	static const char fixed[FIXED][40] = {"/srv/app/data.py:1 /srv/app/load.py:1", "/srv/app/data.py:2 /srv/app/load.py:1",
					      "/srv/app/data.py:3 /srv/app/load.py:1", "/srv/app/data.py:4 /srv/app/load.py:1",
					      "/srv/app/data.py:5 /srv/app/load.py:1", "/srv/app/data.py:6 /srv/app/load.py:1"};
	struct snap_trend *t;
	CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
	for (int i = 0; i < COUNT; i++) {
		struct made made[8 + FIXED] = {
			{"/srv/app/part.py:1 /srv/app/keep.py:5 /srv/app/web.py:1", 100, 1 + 100 * i},
			{"/srv/app/part.py:2 /srv/app/keep.py:5 /srv/app/web.py:1", 100, 1 + 100 * i},
			{"/srv/app/part.py:3 /srv/app/keep.py:5 /srv/app/web.py:1", 100, 1 + 100 * i},
			{"/srv/app/help.py:9 /srv/app/keep.py:5 /srv/app/web.py:1", 100, 1 + 120 * i},
			{"/srv/app/help.py:9 /srv/app/else.py:5 /srv/app/web.py:2", 100, 1 + 80 * i},
			{"/usr/lib/python3.11/json/decoder.py:1 /srv/app/other.py:7 /srv/app/web.py:3", 100, 1 + 120 * i},
			{"/usr/lib/python3.11/json/decoder.py:2 /srv/app/other.py:7 /srv/app/web.py:3", 100, 1 + 120 * i},
			{"/usr/lib/python3.11/json/decoder.py:3 /srv/app/other.py:7 /srv/app/web.py:3", 100, 1 + 120 * i},
		};
		for (int k = 0; k < FIXED; k++)
			made[8 + k] = (struct made){fixed[k], 100, 20000};
		struct snap_snapshot *s = make(made, sizeof made / sizeof *made);
		const struct snap_trend_point point = {.hours = i, .counter = NAN};
		CHECK_OK(snap_trend_add(t, s, &point, &err), &err);
		snap_snapshot_free(s);
	}
	CHECK_OK(snap_trend_judge(t, &(struct snap_trend_options){.by_counter = false}, &err), &err);
	CHECK_INT(snap_trend_summary(t).leaks, 3);
	CHECK_INT(row_in(t, "/srv/app/other.py"), 0);
	CHECK_INT(row_in(t, "/srv/app/keep.py"), 1);
	CHECK_INT(snap_trend_suspect(t, 1).parts, 3);
	CHECK_INT(snap_trend_suspect(t, 1).growth_bytes, 11 * 300 * 100);
	CHECK_INT(row_in(t, "/srv/app/help.py"), 2);
	CHECK_INT(snap_trend_suspect(t, 2).growth_bytes, 11 * 200 * 100);
	snap_trend_free(t);
}

TEST(wrong_use_is_refused)
{
	struct snap_trend *t;
	struct snap_snapshot *a = moment(0), *b = moment(1), *diff;
	const struct snap_trend_point point = {NAN, NAN};
	const struct snap_trend_options by_time = {.by_counter = false}, by_counter = {.by_counter = true};
	CHECK_OK(snap_diff_new(&diff, a, b, &err), &err);
	CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
	CHECK_INT(snap_trend_add(t, diff, &point, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_trend_judge(t, &by_time, &err), SNAP_ERR_INVALID);
	snap_trend_free(t);

	CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
	CHECK_OK(snap_trend_add(t, a, &point, &err), &err);
	CHECK_OK(snap_trend_add(t, b, &point, &err), &err);
	CHECK_INT(snap_trend_judge(t, &by_counter, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_trend_judge(t, &by_time, &err), SNAP_ERR_INVALID);
	snap_trend_free(t);

	CHECK_OK(snap_trend_new(&t, &(struct snap_limits){.memory = 1000}, &err), &err);
	CHECK_INT(snap_trend_add(t, a, &point, &err), SNAP_ERR_LIMIT);
	snap_trend_free(t);
	snap_trend_free(NULL);
	snap_snapshot_free(a);
	snap_snapshot_free(b);
	snap_snapshot_free(diff);
}

TEST(empty_snapshots_have_no_suspects)
{
	struct snap_trend *t;
	CHECK_OK(snap_trend_new(&t, NULL, &err), &err);
	for (int i = 0; i < 10; i++) {
		struct snap_snapshot *s = make(NULL, 0);
		const struct snap_trend_point point = {.hours = i, .counter = NAN};
		CHECK_OK(snap_trend_add(t, s, &point, &err), &err);
		snap_snapshot_free(s);
	}
	CHECK_OK(snap_trend_judge(t, &(struct snap_trend_options){.by_counter = false}, &err), &err);
	CHECK_INT(snap_trend_suspects(t), 0);
	snap_trend_free(t);
}

TEST(slopes_are_medians)
{
	const double x[] = {0, 1, 2, 3, 4, 5, 6, 7}, y[] = {0, 2, 4, 600, 8, 10, 12, 14}, same[8] = {0};
	struct snap_trend_rate rate = snap_trend_slope(x, y, 8, 0);
	CHECK(rate.slope == 2);
	CHECK(rate.low <= 2 && rate.high >= 2);
	CHECK(isnan(snap_trend_slope(same, y, 8, 0).slope));
	CHECK(isnan(snap_trend_slope(x, y, 1, 0).slope));
}
