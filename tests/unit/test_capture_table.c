/* capture/table.h against an array that is looked through, and the memory it takes. */
#define _GNU_SOURCE
#include "capture/table.h"

#include "capture/memory.h"
#include "test.h"

enum { KEYS = 5000, STEPS = 200000 };

static uint32_t expected[KEYS]; /* 0 = not there */

/* Addresses that are alike, hashes, and both ends of the range. */
static uint64_t key_of(uint32_t i)
{
	return i < KEYS / 2 ? UINT64_C(0x7f0000000010) + 16 * (uint64_t)i : ~(uint64_t)i * UINT64_C(0x100000001b3);
}

static bool is_odd(uint32_t value)
{
	return value % 2 == 1;
}

static void check_all(const struct table *table, uint64_t count)
{
	bool same = true;
	for (uint32_t i = 0; i < KEYS; i++) {
		const uint32_t *value = table_find(table, key_of(i));
		same = same && (value != NULL ? *value : 0) == expected[i];
	}
	CHECK(same);
	CHECK(table_count(table) == count);
}

static void exercise(unsigned part_bits)
{
	size_t mapped = memory_mapped();
	struct table table;
	uint64_t count = 0, random = 1;
	bool same = true;
	memset(expected, 0, sizeof expected);
	CHECK(table_begin(&table, part_bits));
	for (uint32_t step = 1; step <= STEPS; step++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint32_t i = (uint32_t)(random >> 33) % KEYS, before;
		if ((random >> 60) < 7) {
			same = same && table_remove(&table, key_of(i)) == expected[i];
			count -= expected[i] != 0;
			expected[i] = 0;
		} else {
			same = same && table_set(&table, key_of(i), step, &before) && before == expected[i];
			count += expected[i] == 0;
			expected[i] = step;
		}
		if (step % (STEPS / 8) == 0)
			check_all(&table, count);
	}
	CHECK(same);
	table_clear(&table);
	CHECK(memory_mapped() == mapped);
}

TEST(in_one_part)
{
	exercise(0);
}

TEST(in_many_parts)
{
	exercise(6);
}

/* Parts that are full of what goes stay as they are, others grow. */
TEST(making_room)
{
	struct table table;
	uint32_t before;
	CHECK(table_begin(&table, 0));
	memset(expected, 0, sizeof expected);
	size_t mapped = memory_mapped();
	for (uint32_t i = 0; i < KEYS; i++) {
		/* One in 100 stays. */
		uint32_t value = 2 * i + 1 + (i % 100 == 0);
		table_make_room(&table, key_of(i), is_odd);
		CHECK(table_set(&table, key_of(i), value, &before));
		if (value % 2 == 0)
			expected[i] = value;
	}
	CHECK(memory_mapped() - mapped <= 8192);
	for (uint32_t i = 0; i < KEYS; i++) {
		const uint32_t *value = table_find(&table, key_of(i));
		if (expected[i] != 0 && !CHECK(value != NULL && *value == expected[i]))
			return;
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		table_make_room(&table, key_of(i), NULL);
		CHECK(table_set(&table, key_of(i), 2, &before));
		expected[i] = 2;
	}
	check_all(&table, KEYS);
	table_clear(&table);
}

TEST(records_and_pieces)
{
	size_t mapped = memory_mapped();
	struct records records = {.size = 24};
	for (uint32_t i = 1; i <= 3000; i++) {
		CHECK(records_take(&records) == i);
		memset(records_at(&records, i), (int)i, records.size);
	}
	CHECK(*(unsigned char *)records_at(&records, 77) == 77);
	records_return(&records, 77);
	records_return(&records, 2999);
	CHECK(records_take(&records) == 2999);
	CHECK(*(unsigned char *)records_at(&records, 2999) == 0);
	CHECK(records_take(&records) == 77);
	CHECK(records_take(&records) == 3001);
	records_clear(&records);
	CHECK(memory_mapped() == mapped);

	struct pool pool = {.chunks = NULL};
	unsigned char *pieces[64];
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 64; i++) {
			pieces[i] = pool_take(&pool, i * 97 + 1);
			memset(pieces[i], (int)i, i * 97 + 1);
		}
		for (unsigned i = 0; i < 64; i++) {
			CHECK(pieces[i][0] == i && pieces[i][i * 97] == i);
			if (i % 3 != round)
				pool_return(&pool, pieces[i], i * 97 + 1);
		}
	}
	pool_clear(&pool);
	CHECK(memory_mapped() == mapped);
}
