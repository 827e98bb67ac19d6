/* Estimates from samples. Expected values are of the formulas in snap/estimate.h, worked out with 60 digits. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <math.h>
#include <snap/builder.h>
#include <snap/diff.h>
#include <snap/estimate.h>
#include <snap/filter.h>
#include <snap/group.h>

#include "random_snapshot.h"
#include "test.h"

enum { BLOCKS, BYTES, OLD_BLOCKS, OLD_BYTES };

struct counted {
	uint32_t line; /* a stack of one frame: app.py, this line */
	uint64_t size;
	int64_t blocks;
};

static void set_meta(struct snap_snapshot *s, const char *key, const char *value)
{
	struct snap_error err;
	told_must(snap_meta_set_text(snap_snapshot_meta(s), key, value, &err), &err);
}

/* With `columns`, values other than of blocks and bytes are 1000 + their column. */
static struct snap_snapshot *make(const struct counted *sites, size_t count, const char *period,
				  const struct snap_column *columns, size_t column_count)
{
	static const struct snap_column plain[] = {{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}};
	struct snap_error err;
	struct snap_builder *b;
	struct snap_snapshot *s;
	uint32_t file, frame, stack;
	if (columns == NULL) {
		columns = plain;
		column_count = 2;
	}
	told_must(snap_builder_new_columns(&b, columns, column_count, NULL, &err), &err);
	told_must(snap_builder_string(b, "app.py", 6, &file, &err), &err);
	for (size_t i = 0; i < count; i++) {
		int64_t values[SNAP_COLUMNS_MAX] = {sites[i].blocks, sites[i].blocks * (int64_t)sites[i].size};
		for (size_t c = 2; c < column_count; c++)
			values[c] = 1000 + (int64_t)c;
		told_must(snap_builder_frame(b, file, sites[i].line, SNAP_NO_FUNCTION, &frame, &err), &err);
		told_must(snap_builder_stack(b, &frame, 1, 1, &stack, &err), &err);
		told_must(snap_builder_add_values(b, stack, 0, sites[i].size, values, &err), &err);
	}
	told_must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	if (period != NULL)
		set_meta(s, "sample_period_bytes", period);
	return s;
}

static struct snap_snapshot *sampled(const struct counted *sites, size_t count, const char *period)
{
	return make(sites, count, period, NULL, 0);
}

/* Whole values are what is wanted; others may be rounded up or down. */
static void check_site(const struct snap_snapshot *s, size_t site, const double *wanted, size_t count)
{
	int64_t values[SNAP_COLUMNS_MAX];
	if (!CHECK_INT(snap_snapshot_columns(s), count) || !CHECK(site < snap_snapshot_sites(s)))
		return;
	snap_snapshot_site(s, site, values);
	for (size_t c = 0; c < count; c++)
		if (!CHECK((double)values[c] >= floor(wanted[c]) && (double)values[c] <= ceil(wanted[c])))
			printf("column %zu is %" PRId64 ", wanted %.3f\n", c, values[c], wanted[c]);
}

/* Estimates what must change, and checks that doing so again changes nothing. */
static void estimate(struct snap_snapshot *s)
{
	struct snap_error err;
	uint64_t once[2], twice[2];
	CHECK_OK(snap_estimate(s, &err), &err);
	CHECK_OK(snap_snapshot_digest(s, once, &err), &err);
	CHECK_OK(snap_estimate(s, &err), &err);
	CHECK_OK(snap_snapshot_digest(s, twice, &err), &err);
	CHECK_MEM(twice, sizeof twice, once, sizeof once);
}

TEST(one_site_of_each_kind)
{
	static const struct {
		struct counted site;
		const char *period;
		double values[4];
	} cases[] = {
		{{1, 64, 10}, "65536", {10245.0008, 655680.0521, 10485759.1667, 42949669546.6668}},
		{{1, 0, 3}, "65536", {196609.5, 0, 12884901888, 0}}, /* as blocks of one byte */
		{{1, 65536, 7}, "65536", {11.0738, 725734.9782, 6.51, 27679840841.8927}} /* .0683 by rounding */,
		{{1, 4096, 5}, "524288", {642.5033, 2631693.3333, 81919.83, 1374382544234.6666}},
		{{1, 1048576, 2}, "0065536", {2.0000, 2097152.2360, 0.0000005, 247467.5220}},
		{{1, 100, 1}, "1", {1, 100, 0, 0}},
		{{1, SNAP_BLOCK_SIZE_MAX, 3}, "65536", {3, 0x1.8p62 - 3, 0, 0}},
		/* 1/p is 2^40 + 1/2; variances would be 2^80. */
		{{1, 1, 1}, "1099511627776", {1099511627776.5, 1099511627776.5, 0x1p63, 0x1p63}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct snap_snapshot *s = sampled(&cases[i].site, 1, cases[i].period);
		int64_t values[SNAP_COLUMNS_MAX];
		CHECK(!snap_estimate_has_errors(s));
		estimate(s);
		CHECK(snap_estimate_has_errors(s));
		check_site(s, 0, cases[i].values, 4);
		for (size_t c = 0; c < 4; c++)
			CHECK_INT(snap_snapshot_total(s, c), snap_snapshot_site(s, 0, values).values[c]);
		CHECK_STR(snap_snapshot_column(s, 2).name, "blocks_variance");
		CHECK_STR(snap_snapshot_column(s, 3).name, "bytes_variance");
		CHECK_INT(snap_snapshot_column(s, 3).unit, SNAP_UNIT_OTHER);
		CHECK_STR(snap_meta_get(snap_snapshot_meta(s), "estimated"), "1");
		CHECK_STR(snap_meta_get(snap_snapshot_meta(s), "sample_period_bytes"), cases[i].period);
		snap_snapshot_free(s);
	}
}

/* More than a double holds goes through as it is. */
TEST(large_counts_of_what_is_always_sampled)
{
	const int64_t blocks = (INT64_C(1) << 56) + 1;
	int64_t values[SNAP_COLUMNS_MAX];
	struct snap_snapshot *s = sampled(&(struct counted){1, 100, blocks}, 1, "1");
	estimate(s);
	snap_snapshot_site(s, 0, values);
	CHECK_INT(values[BLOCKS], blocks);
	CHECK_INT(values[BYTES], 100 * blocks);
	snap_snapshot_free(s);
}

/* One block of 2 R stands for 1.1565 blocks: rounded one by one, a sixth would be lost. */
TEST(rounding_loses_nothing_in_sums)
{
	enum { COUNT = 3000 };
	static struct counted sites[COUNT];
	for (uint32_t i = 0; i < COUNT; i++)
		sites[i] = (struct counted){i + 1, 131072, 1};
	struct snap_snapshot *s = sampled(sites, COUNT, "65536");
	estimate(s);
	int64_t values[SNAP_COLUMNS_MAX];
	for (size_t i = 0; i < COUNT; i++) {
		snap_snapshot_site(s, i, values);
		CHECK(values[BLOCKS] == 1 || values[BLOCKS] == 2);
		CHECK(values[BYTES] == 151587 || values[BYTES] == 151588); /* 151587.08 */
	}
	/* 3469.55 and 454761241.4; four deviations of what rounding does to each. */
	CHECK(llabs(snap_snapshot_total(s, BLOCKS) - 3470) <= 4 * 20);
	CHECK(llabs(snap_snapshot_total(s, BYTES) - 454761241) <= 4 * 15);
	/* By sampling 3000 * .18101, by rounding 3000 * .13202. */
	CHECK(llabs(snap_snapshot_total(s, 2) - 939) <= 4 * 26);
	snap_snapshot_free(s);
}

/* What did not change does not seem to, whatever else there is in the snapshot. */
TEST(equal_counts_have_equal_estimates)
{
	enum { COUNT = 500 };
	static struct counted then[COUNT], now[2 * COUNT];
	for (uint32_t i = 0; i < COUNT; i++) {
		then[i] = now[2 * i] = (struct counted){2 * i + 1, 40000 + 777 * i, 1 + i % 3};
		now[2 * i + 1] = (struct counted){2 * i + 2, 64, 1 + i % 5};
	}
	struct snap_snapshot *older = sampled(then, COUNT, "65536"), *newer = sampled(now, 2 * COUNT, "65536"), *diff;
	struct snap_error err;
	estimate(older);
	estimate(newer);
	told_must(snap_diff_new(&diff, older, newer, &err), &err);
	int64_t values[SNAP_COLUMNS_MAX];
	for (size_t i = 0; i < snap_snapshot_sites(diff); i += 2) {
		snap_snapshot_site(diff, i, values);
		CHECK_INT(values[BLOCKS], values[OLD_BLOCKS]);
		CHECK_INT(values[BYTES], values[OLD_BYTES]);
	}
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
	snap_snapshot_free(diff);
}

TEST(what_does_not_fit)
{
	struct snap_error err;
	/* 2^40 blocks of a byte, of 2^62 bytes one: 2^102 bytes. Nothing changes. */
	struct snap_snapshot *s = sampled(&(struct counted){1, 1, INT64_C(1) << 40}, 1, "4611686018427387904");
	uint64_t before[2], after[2];
	told_must(snap_snapshot_digest(s, before, &err), &err);
	CHECK_INT(snap_estimate(s, &err), SNAP_ERR_LIMIT);
	CHECK_OK(snap_snapshot_digest(s, after, &err), &err);
	CHECK_MEM(after, sizeof after, before, sizeof before);
	CHECK(!snap_estimate_has_errors(s) && snap_meta_get(snap_snapshot_meta(s), "estimated") == NULL);
	snap_snapshot_free(s);

	/* Each fits, the sum does not. */
	const struct counted two[] = {{1, 1, 1}, {2, 1, 1}, {3, 1, 1}};
	s = sampled(two, 3, "4611686018427387904");
	CHECK_INT(snap_estimate(s, &err), SNAP_ERR_LIMIT);
	snap_snapshot_free(s);

	/* Variances stay at the most that there can be, over all sites, and can still be written and ranked. */
	s = sampled(two, 3, "1099511627776");
	estimate(s);
	CHECK_INT(snap_snapshot_total(s, 2), INT64_MAX);
	check_site(s, 2, (double[]){1099511627776.5, 1099511627776.5, 0, 0}, 4);
	struct snap_groups *groups;
	const struct snap_group_options options = {.by = SNAP_BY_FILENAME};
	if (CHECK_OK(snap_groups_new(&groups, s, &options, 0, &err), &err))
		CHECK(snap_groups_total(groups).size_error > 5.9e9);
	snap_groups_free(groups);
	snap_snapshot_free(s);

	/* A sum of all columns there can be has no room for two more. */
	struct snap_column columns[SNAP_COLUMNS_MAX - 1] = {{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}};
	char names[SNAP_COLUMNS_MAX][8];
	for (size_t c = 2; c < SNAP_COLUMNS_MAX - 1; c++) {
		snprintf(names[c], sizeof names[c], "c%zu", c);
		columns[c] = (struct snap_column){names[c], SNAP_UNIT_OTHER};
	}
	s = make(two, 3, "65536", columns, SNAP_COLUMNS_MAX - 1);
	CHECK_INT(snap_estimate(s, &err), SNAP_ERR_LIMIT);
	snap_snapshot_free(s);
}

TEST(other_columns)
{
	static const struct snap_column columns[] = {
		{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES},       {"samples", SNAP_UNIT_OTHER},
		{"alloc_blocks", SNAP_UNIT_BLOCKS}, {"alloc_bytes", SNAP_UNIT_BYTES}};
	struct snap_error err;
	struct snap_snapshot *s = make(&(struct counted){1, 64, 10}, 1, "65536", columns, 5);
	estimate(s);
	check_site(s, 0, (double[]){10245.0008, 655680.0521, 10485759.1667, 42949669546.6668, 1002, 1027573.58, 1028598.08}, 7);
	CHECK_STR(snap_snapshot_column(s, 4).name, "samples");
	CHECK_STR(snap_snapshot_column(s, 6).name, "alloc_bytes");
	snap_snapshot_free(s);

	/* Whatever stands in such a column, it is not what it is to be. */
	static const struct snap_column taken[] = {
		{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}, {"bytes_variance", SNAP_UNIT_OTHER}};
	s = make(&(struct counted){1, 64, 10}, 1, "65536", taken, 3);
	CHECK_INT(snap_estimate(s, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_snapshot_columns(s), 3);
	snap_snapshot_free(s);
}

TEST(what_metadata_say)
{
	static const struct {
		const char *period, *estimated;
		enum snap_status status;
		struct snap_sampling wanted;
	} cases[] = {
		{NULL, NULL, SNAP_OK, {SNAP_EXACT, 0}},
		{"0", NULL, SNAP_OK, {SNAP_EXACT, 0}},
		{"65536", NULL, SNAP_OK, {SNAP_SAMPLED, 65536}},
		{"65536", "", SNAP_OK, {SNAP_SAMPLED, 65536}},
		{"65536", "0", SNAP_OK, {SNAP_SAMPLED, 65536}},
		{"65536", "false", SNAP_OK, {SNAP_SAMPLED, 65536}},
		{"65536", "no", SNAP_OK, {SNAP_SAMPLED, 65536}},
		{"65536", "1", SNAP_OK, {SNAP_ESTIMATED, 65536}},
		{"65536", "true", SNAP_OK, {SNAP_ESTIMATED, 65536}},
		{NULL, "1", SNAP_OK, {SNAP_ESTIMATED, 0}},
		{"nonsense", "1", SNAP_OK, {SNAP_ESTIMATED, 0}},
		{"9223372036854775807", NULL, SNAP_OK, {SNAP_SAMPLED, INT64_MAX}},
		{"9223372036854775808", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"18446744073709551616", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"99999999999999999999999999999999999999999", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"-1", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{" 65536", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"65536 ", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"64K", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"6.5e4", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
		{"\x1b[2J", NULL, SNAP_ERR_INVALID, {SNAP_EXACT, 0}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct snap_error err;
		struct snap_sampling got;
		struct snap_snapshot *s = sampled(&(struct counted){1, 64, 10}, 1, cases[i].period);
		if (cases[i].estimated != NULL)
			set_meta(s, "estimated", cases[i].estimated);
		CHECK_INT(snap_sampling_get(&got, s, false, &err), cases[i].status);
		if (cases[i].status < 0) {
			CHECK(strchr(err.message, '\x1b') == NULL);
		} else {
			CHECK_INT(got.kind, cases[i].wanted.kind);
			CHECK_INT(got.period, cases[i].wanted.period);
		}
		/* Few as they are, samples of all there can be stand for more than fits. */
		bool fits = cases[i].wanted.period != INT64_MAX;
		CHECK_INT(snap_estimate(s, &err), fits ? cases[i].status : SNAP_ERR_LIMIT);
		CHECK_INT(snap_snapshot_columns(s), fits && cases[i].wanted.kind == SNAP_SAMPLED ? 4 : 2);
		snap_snapshot_free(s);
	}
}

static const struct counted before[] = {{1, 64, 10}, {2, 4096, 5}}, after[] = {{1, 64, 20}, {3, 65536, 7}};

static struct snap_snapshot *diff_of(struct snap_snapshot *older, struct snap_snapshot *newer)
{
	struct snap_error err;
	struct snap_snapshot *diff = NULL;
	CHECK_OK(snap_diff_new(&diff, older, newer, &err), &err);
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
	return diff;
}

/* Of equal periods the counts stay, and the estimate of the diff is the diff of the estimates. */
TEST(diff_of_one_period)
{
	struct snap_snapshot *diff = diff_of(sampled(before, 2, "65536"), sampled(after, 2, "065536"));
	CHECK_INT(snap_snapshot_columns(diff), 4);
	check_site(diff, 0, (double[]){20, 1280, 10, 640}, 4);
	CHECK(snap_meta_get(snap_snapshot_meta(diff), "estimated") == NULL);
	estimate(diff);
	CHECK_STR(snap_meta_get(snap_snapshot_meta(diff), "estimated"), "1");
	CHECK_STR(snap_meta_get(snap_snapshot_meta(diff), "old.estimated"), "1");
	static const char *const names[] = {"blocks", "bytes", "old_blocks", "old_bytes", "blocks_variance",
					    "bytes_variance", "old_blocks_variance", "old_bytes_variance"};
	for (size_t c = 0; c < 8 && CHECK_INT(snap_snapshot_columns(diff), 8); c++)
		CHECK_STR(snap_snapshot_column(diff, c).name, names[c]);
	CHECK(snap_snapshot_is_diff(diff));
	check_site(diff, 0,
		   (double[]){20490.0017, 1311360.1042, 10245.0008, 655680.0521, 20971518.3333, 85899339093.3337, 10485759.1667, 42949669546.6668}, 8);

	/* Both sides add to the error of what changed. */
	struct snap_groups *groups;
	struct snap_error err;
	const struct snap_group_options options = {.by = SNAP_BY_LINENO};
	if (CHECK_OK(snap_groups_new(&groups, diff, &options, 1, &err), &err)) {
		struct snap_group_row row = snap_groups_row(groups, 0);
		CHECK(row.size == 725734 || row.size == 725735);
		CHECK_INT(row.size_diff, row.size);
		CHECK_INT((int64_t)row.size_error, 326084); /* 1.959964 sqrt(27679840842) */
		CHECK_INT((int64_t)row.size_diff_error, 326084);
		struct snap_group_row total = snap_groups_total(groups);
		CHECK(total.size_diff_error > total.size_error);
	}
	snap_groups_free(groups);
	snap_snapshot_free(diff);
}

TEST(diff_of_two_periods)
{
	struct snap_snapshot *diff = diff_of(sampled(before, 2, "524288"), sampled(after, 2, "65536"));
	CHECK_STR(snap_meta_get(snap_snapshot_meta(diff), "estimated"), "1");
	CHECK_STR(snap_meta_get(snap_snapshot_meta(diff), "old.estimated"), "1");
	CHECK_STR(snap_meta_get(snap_snapshot_meta(diff), "sample_period_bytes"), "65536");
	CHECK_STR(snap_meta_get(snap_snapshot_meta(diff), "old.sample_period_bytes"), "524288");
	/* 5 blocks of 4096 bytes before. */
	int64_t values[SNAP_COLUMNS_MAX];
	if (CHECK_INT(snap_snapshot_sites(diff), 3) && CHECK_INT(snap_snapshot_columns(diff), 8)) {
		snap_snapshot_site(diff, 1, values);
		CHECK(values[OLD_BLOCKS] == 642 || values[OLD_BLOCKS] == 643);
		CHECK(llabs(values[OLD_BYTES] - 2631693) <= 1);
		CHECK(llabs(values[7] - INT64_C(1374382544235)) <= 1);
		CHECK_INT(values[BLOCKS] | values[BYTES] | values[4] | values[5], 0);
	}
	snap_snapshot_free(diff);
}

TEST(diff_with_an_exact_side)
{
	for (int exact = 0; exact < 2; exact++) {
		struct snap_snapshot *diff = diff_of(sampled(before, 2, exact == 0 ? NULL : "65536"),
						     sampled(after, 2, exact == 1 ? NULL : "65536"));
		const struct snap_meta *meta = snap_snapshot_meta(diff);
		CHECK((snap_meta_get(meta, "estimated") != NULL) == (exact == 0));
		CHECK((snap_meta_get(meta, "old.estimated") != NULL) == (exact == 1));
		if (exact == 0)
			check_site(diff, 0, (double[]){20490.0017, 1311360.1042, 10, 640, 20971518.3333, 85899339093.3337, 0, 0}, 8);
		else
			check_site(diff, 0, (double[]){20, 1280, 10245.0008, 655680.0521, 0, 0, 10485759.1667, 42949669546.6668}, 8);
		estimate(diff); /* and nothing more is to be done */
		snap_snapshot_free(diff);
	}
	/* Counts of one side only, as nobody makes them but by hand. */
	struct snap_snapshot *diff = diff_of(sampled(before, 2, NULL), sampled(after, 2, NULL));
	set_meta(diff, "old.sample_period_bytes", "65536");
	estimate(diff);
	check_site(diff, 0, (double[]){20, 1280, 10245.0008, 655680.0521, 0, 0, 10485759.1667, 42949669546.6668}, 8);
	snap_snapshot_free(diff);
}

TEST(estimates_without_errors)
{
	struct snap_snapshot *older = sampled(before, 2, NULL), *diff;
	set_meta(older, "estimated", "1"); /* by whom, is not known */
	diff = diff_of(older, sampled(after, 2, "65536"));
	CHECK(!snap_estimate_has_errors(diff));
	check_site(diff, 0, (double[]){20490.0017, 1311360.1042, 10, 640}, 4);
	snap_snapshot_free(diff);
}

static struct snap_snapshot *merge_of(struct snap_snapshot **parts, size_t count)
{
	struct snap_error err;
	struct snap_snapshot *sum = NULL;
	CHECK_OK(snap_merge_new(&sum, parts, count, &err), &err);
	for (size_t i = 0; i < count; i++)
		snap_snapshot_free(parts[i]);
	return sum;
}

TEST(merge_of_one_period)
{
	struct snap_snapshot *sum = merge_of(
		(struct snap_snapshot *[]){sampled(before, 2, "65536"), sampled(after, 2, "065536"), sampled(after, 2, "65536")}, 3);
	check_site(sum, 0, (double[]){50, 3200}, 2);
	CHECK_STR(snap_meta_get(snap_snapshot_meta(sum), "sample_period_bytes"), "65536");
	CHECK(snap_meta_get(snap_snapshot_meta(sum), "estimated") == NULL);
	snap_snapshot_free(sum);
}

TEST(merge_of_all_kinds)
{
	struct snap_snapshot *estimated = sampled(before, 2, "65536");
	estimate(estimated);
	struct snap_snapshot *sum = merge_of(
		(struct snap_snapshot *[]){sampled(before, 2, "65536"), sampled(before, 2, NULL),
					   sampled(&(struct counted){2, 4096, 5}, 1, "524288"), estimated}, 4);
	static const double wanted[] = {20500.0017, 1312000.1042, 20971518.3333, 85899339093.3337};
	int64_t values[SNAP_COLUMNS_MAX];
	snap_snapshot_site(sum, 0, values);
	for (size_t c = 0; c < 4 && CHECK_INT(snap_snapshot_columns(sum), 4); c++)
		CHECK(fabs((double)values[c] - wanted[c]) < 2);
	CHECK_STR(snap_meta_get(snap_snapshot_meta(sum), "estimated"), "1");
	CHECK(snap_meta_get(snap_snapshot_meta(sum), "sample_period_bytes") == NULL);
	estimate(sum); /* and nothing more is to be done */
	snap_snapshot_free(sum);

	/* Diffs, where only the older sides differ. */
	struct snap_snapshot *a = diff_of(sampled(before, 2, NULL), sampled(after, 2, NULL)),
			     *b = diff_of(sampled(before, 2, NULL), sampled(after, 2, NULL));
	set_meta(a, "old.sample_period_bytes", "65536");
	sum = merge_of((struct snap_snapshot *[]){a, b}, 2);
	check_site(sum, 0, (double[]){40, 2560, 10255.0008, 656320.0521, 0, 0, 10485759.1667, 42949669546.6668}, 8);
	CHECK(snap_meta_get(snap_snapshot_meta(sum), "estimated") == NULL);
	CHECK_STR(snap_meta_get(snap_snapshot_meta(sum), "old.estimated"), "1");
	snap_snapshot_free(sum);
}

TEST(merge_and_diff_refuse_unknown_periods)
{
	struct snap_error err;
	struct snap_snapshot *out, *good = sampled(before, 2, "65536"), *bad = sampled(after, 2, "x");
	CHECK_INT(snap_diff_new(&out, good, bad, &err), SNAP_ERR_INVALID);
	CHECK(out == NULL);
	CHECK_INT(snap_merge_new(&out, (struct snap_snapshot *[]){good, bad}, 2, &err), SNAP_ERR_INVALID);
	CHECK(out == NULL);
	snap_snapshot_free(good);
	snap_snapshot_free(bad);
}

/* A filter looks at estimates where it looks at sums, and leaves counts. */
TEST(filter_by_estimates)
{
	struct snap_error err;
	struct snap_snapshot *s = sampled(before, 2, "65536"), *kept;
	/* 640 bytes counted stand for 655,680, 20,480 for 338,026. */
	struct snap_filter filter = {.min_total = 500000};
	if (CHECK_OK(snap_filter_apply(&kept, s, &filter, &err), &err)) {
		CHECK_INT(snap_snapshot_sites(kept), 1);
		check_site(kept, 0, (double[]){10, 640}, 2);
	}
	snap_snapshot_free(kept);
	snap_snapshot_free(s);

	/* One block of 64 KiB less, ten of 64 bytes more: shrunk as counted, grown as estimated. */
	static const struct counted then[] = {{1, 64, 10}, {1, 65536, 7}}, now[] = {{1, 64, 20}, {1, 65536, 6}};
	struct snap_snapshot *diff = diff_of(sampled(then, 2, "65536"), sampled(now, 2, "65536"));
	filter = (struct snap_filter){.only = SNAP_FILTER_GROWN};
	if (CHECK_OK(snap_filter_apply(&kept, diff, &filter, &err), &err))
		CHECK_INT(snap_snapshot_sites(kept), 2);
	snap_snapshot_free(kept);
	snap_snapshot_free(diff);
}

/* Errors of groups are those of the sums of their variances, however groups are made. */
TEST(errors_of_groups)
{
	static const struct snap_group_options ways[] = {
		{.by = SNAP_BY_LINENO},
		{.by = SNAP_BY_FUNCTION},
		{.by = SNAP_BY_TRACEBACK},
		{.by = SNAP_BY_SIZE},
		{.by = SNAP_BY_LINENO, .cumulative = SNAP_CUMULATIVE},
		{.by = SNAP_BY_LINENO, .cumulative = SNAP_CUMULATIVE_TRACEMALLOC},
	};
	struct snap_error err;
	for (int is_diff = 0; is_diff < 2; is_diff++) {
		struct snap_snapshot *s = is_diff ? diff_of(sampled(before, 2, "65536"), sampled(before, 2, "65536"))
						  : sampled(before, 2, "65536");
		estimate(s);
		for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
			struct snap_groups *groups;
			struct snap_group_options options = ways[i];
			options.sort = SNAP_SORT_SIZE;
			if (!CHECK_OK(snap_groups_new(&groups, s, &options, 0, &err), &err))
				continue;
			struct snap_group_row row = snap_groups_row(groups, 0);
			CHECK(row.size == 655680 || row.size == 655681);
			CHECK_INT((int64_t)row.size_error, 406188);  /* 1.959964 sqrt(42949669547) */
			CHECK_INT((int64_t)row.count_error, 6346);   /* 1.959964 sqrt(10485759) */
			CHECK_INT((int64_t)row.size_diff_error, is_diff ? 574437 : 0); /* sqrt(2) times that */
			CHECK_INT((int64_t)row.count_diff_error, is_diff ? 8975 : 0);
			snap_groups_free(groups);
		}
		snap_snapshot_free(s);
	}
	/* What is exact has none. */
	struct snap_snapshot *s = sampled(before, 2, NULL);
	struct snap_groups *groups;
	if (CHECK_OK(snap_groups_new(&groups, s, &ways[0], 0, &err), &err))
		CHECK(snap_groups_total(groups).size_error == 0 && snap_groups_row(groups, 0).count_error == 0);
	snap_groups_free(groups);
	snap_snapshot_free(s);
}

/* Whatever columns and values a file has, and whatever its metadata say. */
TEST(random_snapshots)
{
	static const char *const periods[] = {"1", "64", "65536", "4194304", "1099511627776", "9223372036854775807"};
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (size_t p = 0; p < sizeof periods / sizeof *periods; p++) {
			struct snap_error err;
			struct told told = told_random(&small_shapes[i], i);
			struct dice order = {i + 1};
			struct snap_snapshot *s = told_snapshot(&told, told.sites, told.site_count, &order);
			uint64_t before_digest[2], after_digest[2];
			size_t sites = snap_snapshot_sites(s);
			set_meta(s, "sample_period_bytes", periods[p]);
			set_meta(s, "old.sample_period_bytes", periods[p]);
			told_must(snap_snapshot_digest(s, before_digest, &err), &err);
			if (snap_estimate(s, &err) < 0) {
				CHECK_INT(err.status, SNAP_ERR_LIMIT);
				CHECK_OK(snap_snapshot_digest(s, after_digest, &err), &err);
				CHECK_MEM(after_digest, sizeof after_digest, before_digest, sizeof before_digest);
			} else {
				CHECK(snap_estimate_has_errors(s));
				CHECK_INT(snap_snapshot_sites(s), sites);
			}
			snap_snapshot_free(s);
			told_free(&told);
		}
}
