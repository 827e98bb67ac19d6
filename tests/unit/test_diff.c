/* Diffs and merges, held against bags of what was told, and against what the builder makes of the same. */
#define _GNU_SOURCE
#include <snap/diff.h>
#include <snap/reader.h>
#include <snap/writer.h>

#include "random_snapshot.h"
#include "test.h"

/* Two lists of sites of one program; some are in both, of those some with other values. */
struct two {
	struct told told;
	struct told_site *sites[2];
	size_t count[2];
};

static struct two two_random(const struct shape *shape, uint64_t seed)
{
	struct two two = {.told = told_random(shape, seed)};
	struct dice d = {seed + 1000};
	const struct told *t = &two.told;
	uint32_t common = dice_below(&d, 101);
	for (unsigned n = 0; n < 2; n++)
		two.sites[n] = bag_memory(NULL, t->site_count, sizeof *t->sites);
	for (uint32_t i = 0; i < t->site_count; i++) {
		bool both = dice_percent(&d, common);
		unsigned one = dice_below(&d, 2);
		for (unsigned n = 0; n < 2; n++)
			if (both || n == one)
				two.sites[n][two.count[n]++] = t->sites[i];
		if (both && dice_percent(&d, 30)) {
			struct told_site *s = &two.sites[1][two.count[1] - 1];
			s->values[0] += 1 + dice_below(&d, 9);
			s->values[1] = (int64_t)s->size * s->values[0];
		}
	}
	return two;
}

static void two_free(struct two *two)
{
	told_free(&two->told);
	free(two->sites[0]);
	free(two->sites[1]);
}

/* The sites of both with the columns of a diff. */
static struct told_site *side_by_side(const struct two *two)
{
	struct told_site *sites = bag_memory(NULL, two->count[0] + two->count[1], sizeof *sites);
	size_t at = 0;
	for (unsigned n = 0; n < 2; n++)
		for (size_t i = 0; i < two->count[n]; i++) {
			const struct told_site *from = &two->sites[n][i];
			struct told_site *to = &sites[at++];
			*to = *from;
			memset(to->values, 0, sizeof to->values);
			memcpy(&to->values[n == 0 ? 2 : 0], from->values, 2 * sizeof *from->values);
		}
	return sites;
}

/* Whether tables stand as every snapshot's do; what cannot be seen from here, the writer's checks see. */
static bool is_ordered(const struct snap_snapshot *s)
{
	int64_t values[SNAP_COLUMNS_MAX];
	bool good = true;
	struct snap_site last = {0, 0, 0, NULL};
	for (uint32_t i = 1; i < snap_snapshot_frames(s) && good; i++) {
		struct snap_frame a = snap_snapshot_frame(s, i - 1), b = snap_snapshot_frame(s, i);
		size_t shorter = a.file.size < b.file.size ? a.file.size : b.file.size;
		int order = memcmp(a.file.bytes, b.file.bytes, shorter);
		if (order == 0)
			order = (a.file.size > b.file.size) - (a.file.size < b.file.size);
		good = CHECK(order < 0 || (order == 0 && a.line <= b.line));
	}
	for (size_t i = 0; i < snap_snapshot_sites(s) && good; i++) {
		struct snap_site site = snap_snapshot_site(s, i, values);
		if (i > 0 && site.stack == last.stack)
			good = CHECK(last.domain < site.domain ||
				     (last.domain == site.domain && last.size < site.size));
		bool live = false;
		for (size_t c = 0; c < snap_snapshot_columns(s); c++)
			live |= values[c] != 0;
		good &= CHECK(live);
		last = site;
	}
	return good;
}

/* Through a file, stored and compressed, and back, with all checks of the reader. */
static bool survives(const struct snap_snapshot *s)
{
	struct snap_error err;
	bool good = true;
	uint64_t wanted[2], got[2];
	CHECK_OK(snap_snapshot_digest(s, wanted, &err), &err);
	for (int level = 0; level <= 1 && good; level++) {
		struct snap_output *out;
		struct snap_writer *w;
		struct snap_input *in;
		struct snap_reader *r;
		struct snap_snapshot *back = NULL;
		size_t size;
		told_must(snap_output_to_memory(&out, &err), &err);
		told_must(snap_writer_new(&w, out, &(struct snap_writer_options){level, false}, &err), &err);
		good = CHECK_OK(snap_writer_put(w, s, &err), &err) &&
		       CHECK_OK(snap_writer_finish(w, &err), &err) &&
		       CHECK_OK(snap_output_finish(out, &err), &err);
		snap_writer_free(w);
		const void *bytes = snap_output_memory(out, &size);
		told_must(snap_input_from_memory(&in, bytes, size, &err), &err);
		struct snap_reader_options options = {.limits = snap_limits_default(), .check = true};
		good = good && CHECK_OK(snap_reader_open(&r, in, &options, &err), &err);
		if (good) {
			good = CHECK_OK(snap_reader_next(r, &back, &err), &err);
			snap_reader_close(r);
		}
		if (good) {
			CHECK_OK(snap_snapshot_digest(back, got, &err), &err);
			good = CHECK(got[0] == wanted[0] && got[1] == wanted[1]);
		}
		snap_snapshot_free(back);
		snap_output_free(out);
	}
	return good;
}

static bool totals_are_right(const struct snap_snapshot *s)
{
	bool good = true;
	for (size_t c = 0; c < snap_snapshot_columns(s); c++) {
		int64_t values[SNAP_COLUMNS_MAX], sum = 0;
		for (size_t i = 0; i < snap_snapshot_sites(s); i++)
			sum += snap_snapshot_site(s, i, values).values[c];
		good &= CHECK_INT(snap_snapshot_total(s, c), sum);
	}
	return good;
}

static bool says(const struct snap_snapshot *s, const struct told *t, const struct told_site *sites,
		 size_t count)
{
	struct bag wanted = told_bag(t, sites, count), got = bag_of_snapshot(s);
	bool good = CHECK(bag_equal(&wanted, &got)) & CHECK_INT(got.merged, 0);
	bag_free(&wanted);
	bag_free(&got);
	return good && is_ordered(s) && totals_are_right(s) && survives(s);
}

static bool check_diff(const struct shape *shape, uint64_t seed)
{
	struct snap_error err;
	struct dice d = {seed};
	struct two two = two_random(shape, seed);
	struct snap_snapshot *in[2], *diff = NULL;
	for (unsigned n = 0; n < 2; n++)
		in[n] = told_snapshot(&two.told, two.sites[n], two.count[n], &d);
	bool good;
	if (shape->columns == TOLD_DIFF)
		good = CHECK_INT(snap_diff_new(&diff, in[0], in[1], &err), SNAP_ERR_INVALID) &
		       CHECK(diff == NULL);
	else {
		good = CHECK_OK(snap_diff_new(&diff, in[0], in[1], &err), &err);
		struct told_site *both = side_by_side(&two);
		told_set_columns(&two.told, TOLD_DIFF);
		good = good && CHECK(snap_snapshot_is_diff(diff)) &&
		       says(diff, &two.told, both, two.count[0] + two.count[1]);
		free(both);
	}
	if (!good)
		printf("  shape \"%s\", seed %ju\n", shape->name, (uintmax_t)seed);
	snap_snapshot_free(diff);
	snap_snapshot_free(in[0]);
	snap_snapshot_free(in[1]);
	two_free(&two);
	return good;
}

TEST(random_diffs)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 1; seed <= 20; seed++)
			if (!check_diff(&small_shapes[i], seed))
				return;
}

/* Parts of a list of sites, some told to several of the snapshots. */
static bool check_merge(const struct shape *shape, uint64_t seed)
{
	struct snap_error err;
	struct dice d = {seed};
	struct told t = told_random(shape, seed);
	struct snap_snapshot *in[9], *sum = NULL;
	struct told_site *all = bag_memory(NULL, 9 * (size_t)t.site_count, sizeof *all);
	size_t count = 1 + dice_below(&d, 9), at = 0;
	for (size_t n = 0; n < count; n++) {
		size_t begin = at;
		for (uint32_t i = 0; i < t.site_count; i++)
			if (dice_percent(&d, 40)) {
				all[at] = t.sites[i];
				for (size_t c = 0; c < SNAP_COLUMNS_MAX; c++)
					all[at].values[c] /= 16;
				at++;
			}
		in[n] = told_snapshot(&t, all + begin, at - begin, &d);
	}
	bool good = CHECK_OK(snap_merge_new(&sum, in, count, &err), &err) && says(sum, &t, all, at);
	if (!good)
		printf("  shape \"%s\", seed %ju\n", shape->name, (uintmax_t)seed);
	else {
		char wanted[16];
		snprintf(wanted, sizeof wanted, "%zu", count);
		CHECK_STR(snap_meta_get(snap_snapshot_meta(sum), "merged"), wanted);
		CHECK_STR(snap_meta_get(snap_snapshot_meta(sum), "source_format"), "random");
	}
	for (size_t n = 0; n < count; n++)
		snap_snapshot_free(in[n]);
	snap_snapshot_free(sum);
	free(all);
	told_free(&t);
	return good;
}

TEST(random_merges)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 1; seed <= 12; seed++)
			if (!check_merge(&small_shapes[i], seed))
				return;
}

/* What is merged, and what is a diff of what was merged, goes on like any other. */
TEST(diffs_of_merges)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		const struct shape *shape = &small_shapes[4 + seed % 5];
		struct snap_error err;
		struct two two = two_random(shape, seed);
		struct snap_snapshot *sums[2], *diff, *twice[2], *merged;
		for (unsigned n = 0; n < 2; n++) {
			size_t half = two.count[n] / 2;
			struct snap_snapshot *parts[2] = {
				told_snapshot(&two.told, two.sites[n], half, NULL),
				told_snapshot(&two.told, two.sites[n] + half, two.count[n] - half, NULL)};
			CHECK_OK(snap_merge_new(&sums[n], parts, 2, &err), &err);
			snap_snapshot_free(parts[0]);
			snap_snapshot_free(parts[1]);
		}
		if (!CHECK_OK(snap_diff_new(&diff, sums[0], sums[1], &err), &err))
			return;
		struct told_site *both = side_by_side(&two);
		size_t count = two.count[0] + two.count[1];
		told_set_columns(&two.told, TOLD_DIFF);
		bool good = says(diff, &two.told, both, count);
		/* Two diffs add up to one with everything twice. */
		twice[0] = twice[1] = diff;
		if (good && CHECK_OK(snap_merge_new(&merged, twice, 2, &err), &err)) {
			for (size_t i = 0; i < count; i++)
				for (size_t c = 0; c < 4; c++)
					both[i].values[c] *= 2;
			good = says(merged, &two.told, both, count);
			snap_snapshot_free(merged);
		}
		if (!good)
			printf("  seed %ju\n", (uintmax_t)seed);
		free(both);
		snap_snapshot_free(diff);
		snap_snapshot_free(sums[0]);
		snap_snapshot_free(sums[1]);
		two_free(&two);
		if (!good)
			return;
	}
}

/* One site: frames "abc" newest first, each letter a file with line 1. */
struct line {
	const char *frames;
	uint32_t total;
	uint64_t size;
	int64_t blocks;
};

static struct snap_snapshot *make(const struct line *lines, size_t count)
{
	struct snap_builder *b;
	struct snap_snapshot *s;
	struct snap_error err;
	told_must(snap_builder_new(&b, NULL, &err), &err);
	for (size_t i = 0; i < count; i++) {
		uint32_t frames[16], n = 0, string, stack;
		for (const char *f = lines[i].frames; *f != '\0'; f++, n++) {
			told_must(snap_builder_string(b, f, 1, &string, &err), &err);
			told_must(snap_builder_frame(b, string, 1, SNAP_NO_FUNCTION, &frames[n], &err), &err);
		}
		told_must(snap_builder_stack(b, frames, n, lines[i].total, &stack, &err), &err);
		told_must(snap_builder_add(b, stack, 0, lines[i].size, lines[i].blocks, &err), &err);
	}
	told_must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

static void set(struct snap_snapshot *s, const char *key, const char *value)
{
	struct snap_error err;
	told_must(snap_meta_set_text(snap_snapshot_meta(s), key, value, &err), &err);
}

/* The same truncated stack hangs below another caller in either snapshot. */
TEST(cut_off_stacks_meet)
{
	struct snap_error err;
	struct snap_snapshot *older = make((struct line[]){{"cba", 3, 8, 1}, {"dcb", 4, 16, 5}}, 2);
	struct snap_snapshot *newer = make((struct line[]){{"cbx", 3, 8, 1}, {"dcb", 4, 16, 7}}, 2);
	struct snap_snapshot *diff;
	if (CHECK_OK(snap_diff_new(&diff, older, newer, &err), &err)) {
		int64_t values[SNAP_COLUMNS_MAX];
		CHECK_INT(snap_snapshot_sites(diff), 3);
		CHECK_INT(snap_snapshot_stacks(diff), 3);
		CHECK_INT(snap_snapshot_nodes(diff), 7);
		struct snap_site last = snap_snapshot_site(diff, 2, values);
		CHECK_INT(last.size, 16);
		CHECK_INT(values[0], 7);
		CHECK_INT(values[1], 7 * 16);
		CHECK_INT(values[2], 5);
		CHECK_INT(values[3], 5 * 16);
		survives(diff);
		snap_snapshot_free(diff);
	}
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
}

TEST(metadata_of_a_diff)
{
	struct snap_error err;
	struct snap_snapshot *older = make(NULL, 0), *newer = make(NULL, 0), *diff;
	set(older, "time", "1");
	set(older, "host", "a");
	set(newer, "pid", "7");
	set(newer, "time", "2");
	set(newer, "old.rumour", "says nothing of the older");
	if (CHECK_OK(snap_diff_new(&diff, older, newer, &err), &err)) {
		static const char *const wanted[][2] = {
			{"pid", "7"}, {"time", "2"}, {"old.time", "1"}, {"old.host", "a"}};
		struct snap_meta *meta = snap_snapshot_meta(diff);
		if (CHECK_INT(snap_meta_count(meta), 4))
			for (size_t i = 0; i < 4; i++) {
				const char *value;
				size_t size;
				CHECK_STR(snap_meta_at(meta, i, &value, &size), wanted[i][0]);
				CHECK_STR(value, wanted[i][1]);
			}
		CHECK_INT(snap_snapshot_sites(diff), 0);
		CHECK(snap_snapshot_is_diff(diff));
		snap_snapshot_free(diff);
	}
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
}

TEST(metadata_of_a_merge)
{
	struct snap_error err;
	struct snap_snapshot *in[3], *sum;
	for (size_t n = 0; n < 3; n++) {
		in[n] = make((struct line[]){{"ab", 2, 8, 3}}, 1);
		set(in[n], "host", "a");
		set(in[n], "pid", n == 1 ? "2" : "1");
		set(in[n], "program", "serve");
	}
	set(in[0], "seq", "4");
	if (CHECK_OK(snap_merge_new(&sum, in, 3, &err), &err)) {
		struct snap_meta *meta = snap_snapshot_meta(sum);
		CHECK_INT(snap_meta_count(meta), 3);
		CHECK_STR(snap_meta_get(meta, "host"), "a");
		CHECK_STR(snap_meta_get(meta, "program"), "serve");
		CHECK_STR(snap_meta_get(meta, "merged"), "3");
		CHECK_INT(snap_snapshot_total(sum, 0), 9);
		snap_snapshot_free(sum);
	}
	for (size_t n = 0; n < 3; n++)
		snap_snapshot_free(in[n]);
}

TEST(what_does_not_add_up_is_refused)
{
	struct snap_error err;
	struct snap_snapshot *plain = make((struct line[]){{"a", 1, 1, 1}}, 1), *diff, *result;
	if (!CHECK_OK(snap_diff_new(&diff, plain, plain, &err), &err))
		return;
	CHECK_INT(snap_diff_new(&result, plain, diff, &err), SNAP_ERR_INVALID);
	CHECK_STR(err.message, "the newer snapshot is a diff itself: a diff is made of two plain snapshots");
	CHECK_INT(snap_diff_new(&result, diff, plain, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_merge_new(&result, (struct snap_snapshot *[]){plain, diff}, 2, &err),
		  SNAP_ERR_INVALID);
	CHECK_STR(err.message, "snapshot 2 has other columns than the first: they cannot be added");
	CHECK(result == NULL);
	snap_snapshot_free(plain);
	snap_snapshot_free(diff);
}

/* 3 × 2^61 bytes fit in 63 bits, twice as much does not. */
TEST(no_sum_wraps)
{
	struct snap_error err;
	struct snap_snapshot *s = make((struct line[]){{"a", 1, SNAP_BLOCK_SIZE_MAX, 3}}, 1), *sum;
	CHECK_INT(snap_merge_new(&sum, (struct snap_snapshot *[]){s, s}, 2, &err), SNAP_ERR_LIMIT);
	CHECK_INT(snap_merge_new(&sum, (struct snap_snapshot *[]){s, s, s, s, s, s}, 6, &err),
		  SNAP_ERR_LIMIT);
	struct snap_snapshot *other = make((struct line[]){{"b", 1, SNAP_BLOCK_SIZE_MAX, 3}}, 1);
	CHECK_INT(snap_merge_new(&sum, (struct snap_snapshot *[]){s, other}, 2, &err), SNAP_ERR_LIMIT);
	if (CHECK_OK(snap_diff_new(&sum, s, s, &err), &err))
		snap_snapshot_free(sum);
	snap_snapshot_free(s);
	snap_snapshot_free(other);
}
