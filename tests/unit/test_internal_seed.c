/* Files made so that their keys collide: against the hashes of the format, which everybody can compute, and
 * against the tables, which must not take more work for them than for any other keys. Work is counted as the
 * slots that lie between where a key should stand and where it does. */
#define _GNU_SOURCE
#include "base/index.h"
#include "base/sort.h"
#include "model/builder.h"
#include "ops/trend.h"
#include "store/tables.h"

#include "test.h"

enum { KEYS = 4096 };

static const struct snap_limits limits = {UINT64_C(1) << 30};

static uint64_t work(const struct snap_index *index)
{
	uint64_t sum = 0;
	for (size_t i = 0; index->slots != NULL && i <= index->mask; i++)
		if (index->slots[i] != 0)
			sum += (i - (size_t)(index->slots[i] >> 32)) & index->mask;
	return sum;
}

/* At most three quarters full, a key stands 1.5 slots away on average; five times that does not happen. */
static void check_linear(const struct snap_index *index, size_t keys)
{
	CHECK(index->used >= keys);
	CHECK(work(index) < 8 * index->used);
}

/* What an index without a seed makes of these hashes. */
static void check_attack(const uint64_t *hashes, size_t count)
{
	struct snap_budget budget = {limits.memory, 0};
	struct snap_index index = {.slots = NULL};
	for (uint32_t i = 0; i < count; i++)
		if (CHECK_OK(snap_index_reserve(&index, &budget, NULL), NULL))
			snap_index_insert(&index, hashes[i], i);
	CHECK(work(&index) > (uint64_t)count * count / 4);
	snap_index_free(&index, &budget);
}

/* A name of 16 bytes whose hash is `wanted`, as mixing is a bijection; false if it has a NUL. */
static bool name_with_hash(uint64_t wanted, uint64_t first, char name[16])
{
	uint64_t before = wanted, second;
	/* Undone from the end: x ^= x >> 31, the product, and so on. */
	before ^= before >> 31 ^ before >> 62;
	before *= UINT64_C(0x319642B2D24D8EC3);
	before ^= before >> 27 ^ before >> 54;
	before *= UINT64_C(0x96DE1B173F119089);
	before ^= before >> 30 ^ before >> 60;
	second = before ^ snap_mix(snap_mix(16 + snap_mix_constant(1)) ^ first);
	for (unsigned i = 0; i < 8; i++) {
		name[i] = (char)(first >> (8 * i));
		name[8 + i] = (char)(second >> (8 * i));
	}
	return memchr(name, '\0', 16) == NULL;
}

/* Goes on behind name number *number, 0 at first. */
static void next_colliding_name(uint64_t *number, char name[16])
{
	while (!name_with_hash(UINT64_C(0x0123456789ABCDEF), snap_mix(++*number), name))
		;
}

/* Strings 0 … KEYS - 1, all of one hash. */
static void tell_colliding_names(struct snap_builder *b)
{
	uint64_t *hashes = malloc(KEYS * sizeof *hashes), number = 0;
	for (uint32_t i = 0, string = 0; hashes != NULL && i < KEYS; i++) {
		char name[16];
		next_colliding_name(&number, name);
		hashes[i] = snap_mix_bytes(name, sizeof name);
		CHECK_OK(snap_builder_string(b, name, sizeof name, &string, NULL), NULL);
		CHECK_INT(string, i);
	}
	if (CHECK(hashes != NULL)) {
		CHECK_INT(hashes[0], 0x0123456789ABCDEF);
		check_attack(hashes, KEYS);
	}
	free(hashes);
}

static struct snap_builder *new_builder(void)
{
	struct snap_builder *b = NULL;
	return CHECK_OK(snap_builder_new(&b, &limits, NULL), NULL) ? b : NULL;
}

TEST(names)
{
	struct snap_builder *b = new_builder();
	if (b == NULL)
		return;
	tell_colliding_names(b);
	check_linear(&b->strings, KEYS);
	snap_builder_free(b);
}

/* Frames of names with one hash have one hash themselves, and so have stacks of such frames. */
TEST(frames_and_stacks_of_such_names)
{
	struct snap_builder *b = new_builder();
	struct snap_snapshot *s = NULL;
	if (b == NULL)
		return;
	tell_colliding_names(b);
	for (uint32_t i = 0, frame, stack; i < KEYS; i++) {
		CHECK_OK(snap_builder_frame(b, i, 7, SNAP_NO_FUNCTION, &frame, NULL), NULL);
		CHECK_OK(snap_builder_stack(b, &frame, 1, 1, &stack, NULL), NULL);
		CHECK_OK(snap_builder_add(b, stack, 0, 8, 1, NULL), NULL);
	}
	check_attack(b->frame_hash.at, KEYS);
	check_linear(&b->frames, KEYS);
	check_linear(&b->nodes, KEYS);
	check_linear(&b->sites, KEYS);
	if (CHECK_OK(snap_builder_finish(b, &s, NULL), NULL)) {
		uint64_t known[KEYS], keyed[KEYS];
		struct snap_keyed rows[KEYS], scratch[KEYS];
		struct snap_seed seed;
		snap_seed_draw(&seed);
		CHECK_OK(snap_snapshot_window_hashes(s, known, NULL), NULL);
		CHECK_OK(snap_snapshot_keyed_windows(s, &seed, keyed, NULL), NULL);
		for (uint32_t i = 0; i < KEYS; i++)
			rows[i] = (struct snap_keyed){keyed[i], i};
		const struct snap_keyed *sorted = snap_sort(rows, scratch, KEYS);
		for (size_t i = 1; i < KEYS; i++) {
			CHECK(known[i] == known[0]);
			CHECK(sorted[i].key != sorted[i - 1].key);
		}
	}
	struct snap_trend_table table = {.names = NULL};
	if (s != NULL && CHECK_OK(snap_snapshot_new(&table.names, &limits, NULL), NULL)) {
		CHECK_OK(snap_trend_table_add(&table, s, NULL), NULL);
		check_linear(&table.strings, KEYS);
		check_linear(&table.frames, KEYS);
		check_linear(&table.rows, KEYS);
		snap_trend_table_free(&table);
	}
	snap_snapshot_free(s);
	snap_builder_free(b);
}

TEST(tables_of_a_database)
{
	struct snap_tables tables = {.budget = {limits.memory, 0}};
	uint64_t number = 0;
	for (uint32_t i = 0, row; i < KEYS; i++) {
		char name[16];
		bool added;
		next_colliding_name(&number, name);
		CHECK_OK(snap_tables_file(&tables, (struct snap_text){name, sizeof name}, &row, &added, NULL), NULL);
		CHECK(added);
		CHECK_OK(snap_tables_function(&tables, 0, (struct snap_text){name, sizeof name}, &row, &added, NULL),
		         NULL);
		CHECK(added);
	}
	check_linear(&tables.file_index, KEYS);
	check_linear(&tables.function_index, KEYS);
	snap_tables_free(&tables);
}

/* Two stacks of 2048 frames whose hashes in the format are equal whatever the two frames are: that of Thue and
 * Morse and its opposite, a polynomial of which has a factor of 2^66. */
TEST(long_stacks_of_two_frames)
{
	enum { LENGTH = 2048 };
	struct snap_builder *b = new_builder();
	struct snap_snapshot *s = NULL;
	if (b == NULL)
		return;
	uint32_t name, frames[2], stack[LENGTH];
	CHECK_OK(snap_builder_string(b, "x", 1, &name, NULL), NULL);
	for (uint32_t i = 0; i < 2; i++)
		CHECK_OK(snap_builder_frame(b, name, i, SNAP_NO_FUNCTION, &frames[i], NULL), NULL);
	for (uint32_t which = 0, number; which < 2; which++) {
		for (uint32_t i = 0; i < LENGTH; i++)
			stack[i] = frames[(unsigned)__builtin_popcount(i) % 2 ^ which];
		CHECK_OK(snap_builder_stack(b, stack, LENGTH, LENGTH, &number, NULL), NULL);
		CHECK_OK(snap_builder_add(b, number, 0, 8, 1, NULL), NULL);
	}
	if (CHECK_OK(snap_builder_finish(b, &s, NULL), NULL)) {
		uint64_t known[2], keyed[2];
		struct snap_seed seed;
		snap_seed_draw(&seed);
		CHECK_OK(snap_snapshot_window_hashes(s, known, NULL), NULL);
		CHECK_OK(snap_snapshot_keyed_windows(s, &seed, keyed, NULL), NULL);
		CHECK(known[0] == known[1]);
		CHECK(keyed[0] != keyed[1]);
	}
	snap_snapshot_free(s);
	snap_builder_free(b);
}

/* Equal tracebacks have equal hashes also where trees were joined and windows begin below the root. */
TEST(keyed_windows_of_equal_tracebacks)
{
	struct snap_builder *b = new_builder();
	struct snap_snapshot *s = NULL;
	if (b == NULL)
		return;
	uint32_t name, frames[6], number[4];
	CHECK_OK(snap_builder_string(b, "x", 1, &name, NULL), NULL);
	for (uint32_t i = 0; i < 6; i++)
		CHECK_OK(snap_builder_frame(b, name, i % 3, SNAP_NO_FUNCTION, &frames[i], NULL), NULL);
	CHECK_OK(snap_builder_stack(b, frames, 6, 6, &number[0], NULL), NULL);
	CHECK_OK(snap_builder_stack(b, frames, 3, 6, &number[1], NULL), NULL);
	CHECK_OK(snap_builder_stack(b, frames, 3, 3, &number[2], NULL), NULL);
	CHECK_OK(snap_builder_stack(b, frames + 1, 3, 6, &number[3], NULL), NULL);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_OK(snap_builder_add(b, number[i], 0, 8, 1, NULL), NULL);
	if (CHECK_OK(snap_builder_finish(b, &s, NULL), NULL)) {
		uint64_t keyed[4];
		struct snap_seed seed;
		snap_seed_draw(&seed);
		CHECK_OK(snap_snapshot_keyed_windows(s, &seed, keyed, NULL), NULL);
		for (uint32_t i = 0; i < 4; i++)
			for (uint32_t k = 0; k < 4; k++)
				CHECK((keyed[i] == keyed[k]) == snap_snapshot_same_window(s, i, k));
	}
	snap_snapshot_free(s);
	snap_builder_free(b);
}

/* Callees of one caller, chosen so that in a table of numbers without a seed all belong to a few slots. */
TEST(nodes)
{
	enum { CHOSEN = 2048, SLOTS = 4096, FEW = 64 };
	struct snap_builder *b = new_builder();
	if (b == NULL)
		return;
	uint64_t hashes[CHOSEN];
	uint32_t name, top, chosen = 0;
	CHECK_OK(snap_builder_string(b, "x", 1, &name, NULL), NULL);
	CHECK_OK(snap_builder_frame(b, name, 0, SNAP_NO_FUNCTION, &top, NULL), NULL);
	for (uint32_t i = 1; chosen < CHOSEN; i++) {
		uint32_t path[2] = {0, top}, stack;
		CHECK_OK(snap_builder_frame(b, name, i, SNAP_NO_FUNCTION, &path[0], NULL), NULL);
		uint64_t hash = snap_mix((uint64_t)path[0] + 1); /* below node 0 */
		if ((hash >> 32 & (SLOTS - 1)) >= FEW)
			continue;
		hashes[chosen++] = hash;
		CHECK_OK(snap_builder_stack(b, path, 2, 2, &stack, NULL), NULL);
	}
	check_attack(hashes, CHOSEN);
	check_linear(&b->nodes, CHOSEN);
	snap_builder_free(b);
}

/* Block sizes that bring the sum of a site to the same number. */
TEST(sites)
{
	struct snap_builder *b = new_builder();
	uint64_t *hashes = malloc(KEYS * sizeof *hashes);
	if (b == NULL || !CHECK(hashes != NULL)) {
		free(hashes);
		return;
	}
	uint32_t name, frame, stack, sites = 0;
	CHECK_OK(snap_builder_string(b, "x", 1, &name, NULL), NULL);
	CHECK_OK(snap_builder_frame(b, name, 0, SNAP_NO_FUNCTION, &frame, NULL), NULL);
	CHECK_OK(snap_builder_stack(b, &frame, 1, 1, &stack, NULL), NULL);
	for (uint32_t domain = 0; sites < KEYS; domain++) {
		uint64_t inner = snap_mix(((uint64_t)domain << 32 | stack) + 1), size = 0 - inner;
		if (size > SNAP_BLOCK_SIZE_MAX)
			continue;
		hashes[sites++] = snap_mix(inner + size);
		CHECK_OK(snap_builder_add(b, stack, domain, size, 1, NULL), NULL);
	}
	check_attack(hashes, KEYS);
	check_linear(&b->sites, KEYS);
	free(hashes);
	snap_builder_free(b);
}

TEST(seeds_differ)
{
	struct snap_seed a, b;
	snap_seed_draw(&a);
	snap_seed_draw(&b);
	CHECK(a.words[0] != b.words[0] && a.words[1] != b.words[1]);
	CHECK(a.words[1] % 2 == 1 && b.words[1] % 2 == 1);
}
