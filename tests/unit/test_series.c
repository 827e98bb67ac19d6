/* Series: later snapshots that continue the tables of earlier ones. The k-th that is read must be the
 * k-th that was put, whatever stands between. */
#define _GNU_SOURCE
#include "packed.h"
#include "random_snapshot.h"
#include "test.h"

static const int levels[] = {0, 1, 3, 19};
enum { LEVELS = sizeof levels / sizeof *levels };

struct row {
	struct bag bag;
	uint64_t digest[2];
};

static struct row row_of(const struct snap_snapshot *s)
{
	struct row r = {.bag = bag_of_snapshot(s)};
	CHECK_INT(snap_snapshot_digest(s, r.digest, NULL), SNAP_OK);
	return r;
}

static void check_meta(struct snap_snapshot *got, struct snap_snapshot *wanted)
{
	const struct snap_meta *a = snap_snapshot_meta(got), *b = snap_snapshot_meta(wanted);
	CHECK_INT(snap_meta_count(a), snap_meta_count(b));
	for (size_t i = 0; i < snap_meta_count(a) && i < snap_meta_count(b); i++) {
		const char *x, *y;
		size_t x_size, y_size;
		CHECK_STR(snap_meta_at(a, i, &x, &x_size), snap_meta_at(b, i, &y, &y_size));
		CHECK_MEM(x, x_size, y, y_size);
	}
}

/* Writes the snapshots as a series and reads it; `wanted` are which of them begin a new one. Returns the
 * size. */
static size_t check_series(struct snap_snapshot *const *s, size_t count, int level, const bool *alone)
{
	struct packed p = packed_new(s, count, level, true);
	struct snap_input *in;
	struct snap_reader *r = NULL;
	struct snap_error err;
	const struct snap_reader_options check = {snap_limits_default(), .check = true};
	CHECK_INT(snap_input_from_memory(&in, p.bytes, p.size, NULL), SNAP_OK);
	CHECK_INT(snap_reader_open(&r, in, &check, NULL), SNAP_OK);
	for (size_t i = 0; i < count; i++) {
		struct snap_snapshot *back;
		if (!CHECK_OK(snap_reader_next(r, &back, &err), &err) || !CHECK(back != NULL)) {
			printf("snapshot %zu of %zu, level %d\n", i, count, level);
			break;
		}
		struct row got = row_of(back), wanted = row_of(s[i]);
		bool same = CHECK(bag_equal(&got.bag, &wanted.bag));
		same = CHECK_MEM(got.digest, sizeof got.digest, wanted.digest, sizeof wanted.digest) && same;
		struct snap_member_info info = snap_reader_member(r);
		same = CHECK_MEM(info.digest, sizeof got.digest, wanted.digest, sizeof wanted.digest) && same;
		same = CHECK_INT(info.continues, i > 0 && (alone == NULL || !alone[i])) && same;
		same = CHECK_INT(snap_snapshot_stacks(back), snap_snapshot_stacks(s[i])) && same;
		for (size_t c = 0; c < snap_snapshot_columns(s[i]); c++)
			same = CHECK_INT(snap_snapshot_total(back, c), snap_snapshot_total(s[i], c)) && same;
		CHECK_INT(snap_snapshot_columns(back), snap_snapshot_columns(s[i]));
		check_meta(back, s[i]);
		if (!same)
			printf("snapshot %zu of %zu, level %d\n", i, count, level);
		bag_free(&got.bag);
		bag_free(&wanted.bag);
		snap_snapshot_free(back);
	}
	struct snap_snapshot *none;
	CHECK_INT(snap_reader_next(r, &none, &err), SNAP_END);
	snap_reader_close(r);
	free(p.bytes);
	return p.size;
}

/* The sites of a told list in a service's life: some stay, some change, some go and come back. */
TEST(a_service_that_lives)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 0; seed < 3; seed++) {
			enum { COUNT = 9 };
			struct told t = told_random(&small_shapes[i], 31 * seed + i);
			struct dice d = {seed};
			struct snap_snapshot *s[COUNT];
			struct told_site *sites = bag_memory(NULL, t.site_count, sizeof *sites);
			for (uint32_t k = 0; k < COUNT; k++) {
				uint32_t count = 0, share = k == 4 ? 0 : 20 + dice_below(&d, 80);
				for (uint32_t n = 0; n < t.site_count; n++) {
					/* Those further back come later: new names, frames and stacks. */
					bool is_new = n >= t.site_count / COUNT * (k + 1);
					if (is_new || !dice_percent(&d, share))
						continue;
					struct told_site *site = &sites[count];
					*site = t.sites[n];
					if (dice_percent(&d, 30)) {
						site->values[0] += dice_below(&d, 5);
						site->values[1] = (int64_t)site->size * site->values[0];
					}
					count++;
				}
				s[k] = told_snapshot(&t, sites, count, &d);
			}
			for (size_t l = 0; l < LEVELS; l++)
				check_series(s, COUNT, levels[l], NULL);
			packed_free_all(s, COUNT);
			free(sites);
			told_free(&t);
		}
}

TEST(growth_and_shrinking_to_nothing_and_revival)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		enum { COUNT = 10 };
		struct told t = told_random(&small_shapes[i], 5 + i);
		uint32_t n = t.site_count;
		const uint32_t counts[COUNT] = {n / 4, n / 2, n, n, n / 2, 0, 0, n / 2, n, n / 8};
		struct snap_snapshot *s[COUNT];
		for (size_t k = 0; k < COUNT; k++)
			s[k] = told_snapshot(&t, t.sites, counts[k], NULL);
		for (size_t l = 0; l < LEVELS; l++)
			check_series(s, COUNT, levels[l], NULL);
		/* From nothing. */
		check_series(s + 5, COUNT - 5, 3, NULL);
		packed_free_all(s, COUNT);
		told_free(&t);
	}
}

/* Stacks that differ only in what lies above, below, or in how much of it is known. */
TEST(new_stacks_at_old_nodes)
{
	enum { FRAMES = 6, COUNT = 60 };
	struct told t = {.name_count = 1, .frame_count = FRAMES};
	told_set_columns(&t, TOLD_PLAIN);
	t.names = bag_memory(NULL, 1, sizeof *t.names);
	t.names[0] = (struct told_name){bag_memory(NULL, 4, 1), 4};
	memcpy(t.names[0].bytes, "a.py", 4);
	t.frames = bag_memory(NULL, FRAMES, sizeof *t.frames);
	for (uint32_t i = 0; i < FRAMES; i++)
		t.frames[i] = (struct told_frame){0, i, SNAP_NO_FUNCTION};
	/* Every piece of one path: all lengths, all ends, with and without a total. */
	for (uint32_t end = 1; end <= FRAMES; end++)
		for (uint32_t length = 1; length <= end; length++)
			for (uint32_t total = 0; total <= end + 1; total += total == 0 ? length : 1) {
				t.stacks = bag_memory(t.stacks, t.stack_count + 1, sizeof *t.stacks);
				struct told_stack *stack = &t.stacks[t.stack_count++];
				*stack = (struct told_stack){bag_memory(NULL, length, sizeof *stack->frames),
							     length, total};
				for (uint32_t f = 0; f < length; f++)
					stack->frames[f] = end - 1 - f;
			}
	t.site_count = t.stack_count;
	t.sites = bag_memory(NULL, t.site_count, sizeof *t.sites);
	for (uint32_t i = 0; i < t.site_count; i++)
		t.sites[i] = (struct told_site){i, 0, 8, {1, 8}};
	for (uint64_t seed = 0; seed < 6; seed++) {
		struct dice d = {seed};
		struct snap_snapshot *s[COUNT];
		for (size_t k = 0; k < COUNT; k++) {
			struct told_site some[12];
			for (size_t n = 0; n < 12; n++)
				some[n] = t.sites[dice_below(&d, t.site_count)];
			s[k] = told_snapshot(&t, some, k % 13, &d);
		}
		check_series(s, COUNT, seed % 2 == 0 ? 0 : 3, NULL);
		packed_free_all(s, COUNT);
	}
	told_free(&t);
}

/* What only earlier snapshots had is not handed out: "every frame belongs to a stack". */
TEST(frames_of_earlier_snapshots_are_gone)
{
	struct snap_snapshot *s[2], *back[3];
	for (uint32_t i = 0; i < 2; i++) {
		struct snap_builder *b;
		uint32_t old_name, new_name, frames[2], stack;
		CHECK_INT(snap_builder_new(&b, NULL, NULL), SNAP_OK);
		CHECK_INT(snap_builder_string(b, "old.py", 6, &old_name, NULL), SNAP_OK);
		CHECK_INT(snap_builder_string(b, "new.py", 6, &new_name, NULL), SNAP_OK);
		CHECK_INT(snap_builder_frame(b, new_name, 1, SNAP_NO_FUNCTION, &frames[0], NULL), SNAP_OK);
		CHECK_INT(snap_builder_frame(b, old_name, 1, SNAP_NO_FUNCTION, &frames[1], NULL), SNAP_OK);
		/* First the whole stack, and the newest frame of it; then that one only. */
		for (size_t length = 2 - i; length > 0; length--) {
			CHECK_INT(snap_builder_stack(b, frames, length, 2, &stack, NULL), SNAP_OK);
			CHECK_INT(snap_builder_add(b, stack, 0, 8, 1, NULL), SNAP_OK);
		}
		CHECK_INT(snap_builder_finish(b, &s[i], NULL), SNAP_OK);
		snap_builder_free(b);
	}
	struct packed p = packed_new(s, 2, 3, true);
	size_t count;
	CHECK_INT(packed_open(p.bytes, p.size, NULL, back, 3, &count, NULL), SNAP_END);
	if (CHECK_INT(count, 2)) {
		CHECK_INT(snap_snapshot_stacks(back[1]), 1);
		CHECK_INT(snap_snapshot_frames(back[1]), 1);
		CHECK_INT(snap_snapshot_strings(back[1]), 1);
	}
	packed_free_all(back, count);
	packed_free_all(s, 2);
	free(p.bytes);
}

TEST(an_identical_snapshot_takes_next_to_nothing)
{
	static const struct shape shape = {"steady", 30, 30, 900, 900, 3000, 9000,       15,   3,
					   {0, 8},   5,  5,  3,   20,  8,    TOLD_PLAIN, false};
	struct told t = told_random(&shape, 2);
	struct dice d = {1};
	struct snap_snapshot *s[3];
	for (size_t i = 0; i < 3; i++)
		s[i] = told_snapshot(&t, t.sites, t.site_count, &d);
	for (size_t l = 0; l < LEVELS; l++) {
		size_t one = check_series(s, 1, levels[l], NULL), two = check_series(s, 2, levels[l], NULL);
		CHECK(two - one < 200);
		CHECK_INT(check_series(s, 3, levels[l], NULL) - two, two - one);
	}
	packed_free_all(s, 3);
	told_free(&t);
}

TEST(other_columns_begin_a_new_series)
{
	struct told t = told_random(&small_shapes[16], 2);
	struct snap_snapshot *s[8];
	static const bool alone[8] = {true, false, true, true, false, true, true, false};
	static const enum told_columns columns[8] = {TOLD_PLAIN, TOLD_PLAIN, TOLD_DIFF, TOLD_EXTRA,
	                                             TOLD_EXTRA, TOLD_MOST,  TOLD_PLAIN, TOLD_PLAIN};
	for (size_t i = 0; i < 8; i++) {
		told_set_columns(&t, columns[i]);
		s[i] = told_snapshot(&t, t.sites, t.site_count * (i % 3 + 1) / 3, NULL);
	}
	for (size_t l = 0; l < LEVELS; l++)
		check_series(s, 8, levels[l], alone);
	packed_free_all(s, 8);
	told_free(&t);
}

TEST(metadata_change)
{
	enum { COUNT = 7 };
	struct told t = told_random(&small_shapes[0], 2);
	struct snap_snapshot *s[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		s[i] = told_snapshot(&t, t.sites, t.site_count, NULL);
		struct snap_meta *meta = snap_snapshot_meta(s[i]);
		if (i == 3)
			snap_meta_remove(meta, "source_format");
		for (size_t k = 0; k < 40; k++) {
			char key[16], value[16];
			/* Kept, changed, gone, new, in another order. */
			size_t n = i % 2 == 0 ? k : 39 - k;
			snprintf(key, sizeof key, "k%zu", n);
			snprintf(value, sizeof value, "%zu", n % 3 == 0 ? i : n);
			if ((n + i) % 5 != 0 && i != 5)
				CHECK_INT(snap_meta_set_text(meta, key, n % 7 == 1 ? "" : value, NULL), SNAP_OK);
		}
	}
	for (size_t l = 0; l < LEVELS; l++)
		check_series(s, COUNT, levels[l], NULL);
	packed_free_all(s, COUNT);
	told_free(&t);
}

TEST(three_hundred_snapshots)
{
	enum { COUNT = 300 };
	static const struct shape shape = {"long life", 40, 20, 300, 300, 600, 1200,       12,   3,
					   {0, 6},      5,  5,  3,   20,  8,   TOLD_PLAIN, false};
	struct told t = told_random(&shape, 2);
	struct snap_snapshot *s[COUNT];
	struct dice d = {3};
	for (uint32_t i = 0; i < COUNT; i++) {
		/* A window that moves over the sites, so that each appears, stays for a while and goes. */
		uint32_t begin = i * 3, count = 200 + dice_below(&d, 50);
		s[i] = told_snapshot(&t, t.sites + begin, count, NULL);
		snap_meta_set_format(snap_snapshot_meta(s[i]), "time", NULL, "%u", 1700000000 + 60 * i);
	}
	check_series(s, COUNT, 3, NULL);
	packed_free_all(s, COUNT);
	told_free(&t);
}

/* More than one section of changed, of new and of old sites. */
TEST(many_changes)
{
	static const struct shape shape = {"many", 300, 0, 900, 20000, 60000, 210000,     6,    30,
					   {0, 4}, 5,   5, 3,   16,    8,     TOLD_PLAIN, false};
	struct told t = told_random(&shape, 2);
	struct snap_snapshot *s[3];
	uint32_t n = t.site_count;
	s[0] = told_snapshot(&t, t.sites, n / 2, NULL);
	for (uint32_t i = 0; i < n; i++) {
		t.sites[i].values[0] += 1 + i % 7;
		t.sites[i].values[1] = (int64_t)t.sites[i].size * t.sites[i].values[0];
	}
	s[1] = told_snapshot(&t, t.sites, n, NULL);
	s[2] = told_snapshot(&t, t.sites + n / 2, n / 2, NULL);
	struct packed p = packed_new(s, 3, 0, true);
	CHECK(packed_find(p.bytes, p.size, "CHGI", 2) != SIZE_MAX);
	CHECK(packed_find(p.bytes, p.size, "CHGV", 2) != SIZE_MAX);
	CHECK(packed_find(p.bytes, p.size, "SITO", 0) != SIZE_MAX);
	CHECK(packed_find(p.bytes, p.size, "SITT", 3) != SIZE_MAX);
	free(p.bytes);
	check_series(s, 3, 0, NULL);
	packed_free_all(s, 3);
	told_free(&t);
}

TEST(large_values_appear_late)
{
	struct snap_snapshot *s[6];
	static const int64_t blocks[6] = {1, INT32_MAX, INT64_C(1) << 40, 1, INT64_C(-3000000000), 0};
	static const uint64_t sizes[6] = {8, 8, 8, UINT64_C(1) << 33, 8, 8};
	for (size_t i = 0; i < 6; i++) {
		struct snap_builder *b;
		uint32_t name, frame, stack;
		CHECK_INT(snap_builder_new(&b, NULL, NULL), SNAP_OK);
		CHECK_INT(snap_builder_string(b, "a", 1, &name, NULL), SNAP_OK);
		for (uint32_t line = 0; line < 3 + i; line++) {
			CHECK_INT(snap_builder_frame(b, name, line, SNAP_NO_FUNCTION, &frame, NULL), SNAP_OK);
			CHECK_INT(snap_builder_stack(b, &frame, 1, 1, &stack, NULL), SNAP_OK);
			CHECK_INT(snap_builder_add(b, stack, line % 2, sizes[i], blocks[i], NULL), SNAP_OK);
			CHECK_INT(snap_builder_add(b, stack, 0, 24, 1, NULL), SNAP_OK);
		}
		if (i == 4)
			CHECK_INT(snap_builder_add_values(b, stack, 0, 9,
							  (const int64_t[]){0, INT64_C(1) << 60}, NULL),
				  SNAP_OK);
		CHECK_INT(snap_builder_finish(b, &s[i], NULL), SNAP_OK);
		snap_builder_free(b);
	}
	for (size_t l = 0; l < LEVELS; l++)
		check_series(s, 6, levels[l], NULL);
	packed_free_all(s, 6);
}

/* What was read from a series goes into another. */
TEST(a_series_of_what_was_read)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		enum { COUNT = 5 };
		struct told t = told_random(&small_shapes[i], 70 + i);
		struct snap_snapshot *s[COUNT], *back[COUNT + 1];
		for (uint32_t k = 0; k < COUNT; k++)
			s[k] = told_snapshot(&t, t.sites + t.site_count / 9 * k, t.site_count / 9 * 4, NULL);
		struct packed p = packed_new(s, COUNT, 0, true);
		size_t count;
		CHECK_INT(packed_open(p.bytes, p.size, NULL, back, COUNT + 1, &count, NULL), SNAP_END);
		CHECK_INT(count, COUNT);
		for (size_t l = 0; l < LEVELS; l++)
			check_series(back, count, levels[l], NULL);
		packed_free_all(back, count);
		packed_free_all(s, COUNT);
		free(p.bytes);
		told_free(&t);
	}
}

TEST(a_continuing_member_needs_the_one_before)
{
	struct told t = told_random(&small_shapes[4], 2), u = told_random(&small_shapes[16], 2);
	struct snap_snapshot *s[3], *back[4];
	s[0] = told_snapshot(&t, t.sites, t.site_count / 2, NULL);
	s[1] = told_snapshot(&t, t.sites, t.site_count, NULL);
	s[2] = told_snapshot(&u, u.sites, u.site_count, NULL);
	struct packed p = packed_new(s, 2, 3, true);
	size_t first = packed_find(p.bytes, p.size, "END ", 0) + PACKED_SECTION + PACKED_END, count;
	struct snap_error err;
	CHECK_INT(packed_open(p.bytes + first, p.size - first, NULL, back, 4, &count, &err), SNAP_ERR_DAMAGED);
	CHECK_INT(err.offset, 0);
	CHECK_INT(count, 0);
	const struct snap_reader_options salvage = {snap_limits_default(), .salvage = true};
	CHECK_INT(packed_open(p.bytes + first, p.size - first, &salvage, back, 4, &count, &err), SNAP_ERR_DAMAGED);
	CHECK_INT(count, 0);
	free(p.bytes);
	packed_free_all(s, 3);
	told_free(&t);
	told_free(&u);
}
