/* capture/shadow.h against an array that is looked through, and the memory it takes. */
#define _GNU_SOURCE
#include "capture/shadow.h"

#include "capture/memory.h"
#include "test.h"

enum { ADDRESSES = 4000, STEPS = 100000 };

/* Neighbours, such as blocks of an arena, then ones that differ in one higher bit each, and both ends of what is
 * covered. */
static uint64_t address_of(uint32_t i)
{
	const uint64_t most = (UINT64_C(1) << SHADOW_ADDRESS_BITS) - 16;
	if (i < ADDRESSES / 2)
		return UINT64_C(0x7f0000000000) + 16 * (uint64_t)i;
	if (i == ADDRESSES - 1)
		return most;
	uint64_t spread = (uint64_t)(i - ADDRESSES / 2) * UINT64_C(0x9E3779B97F4A7C15);
	return i == ADDRESSES / 2 ? 0 : spread & most;
}

TEST(values_are_those_that_were_set)
{
	size_t mapped = memory_mapped();
	static uint32_t expected[ADDRESSES];
	struct shadow shadow = {.first = NULL};
	uint64_t count = 0, random = 1;
	bool same = true;
	CHECK(shadow_find(&shadow, address_of(1)) == NULL);
	CHECK(shadow_remove(&shadow, address_of(1)) == 0);
	for (uint32_t step = 1; step <= STEPS; step++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint32_t i = (uint32_t)(random >> 33) % ADDRESSES, before;
		same = same && shadow_covers(address_of(i));
		if (random >> 60 < 7) {
			same = same && shadow_remove(&shadow, address_of(i)) == expected[i];
			count -= expected[i] != 0;
			expected[i] = 0;
		} else if (random >> 60 < 11) {
			/* Where it is not added there is one, or no page. */
			bool had_page = shadow_find(&shadow, address_of(i)) != NULL,
			     added = shadow_add(&shadow, address_of(i), step);
			same = same && added == (had_page && expected[i] == 0);
			count += added;
			expected[i] = added ? step : expected[i];
		} else {
			same = same && shadow_set(&shadow, address_of(i), step, &before) && before == expected[i];
			count += expected[i] == 0;
			expected[i] = step;
		}
		same = same && shadow.count == count;
	}
	CHECK(same);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		const uint32_t *value = shadow_find(&shadow, address_of(i));
		same = same && (value != NULL ? *value : 0) == expected[i];
	}
	CHECK(same);
	CHECK(memory_mapped() > mapped);
	shadow_clear(&shadow);
	CHECK(memory_mapped() == mapped && shadow.count == 0);
	CHECK(shadow_find(&shadow, address_of(1)) == NULL);
}

TEST(what_is_not_covered)
{
	CHECK(!shadow_covers(8) && !shadow_covers(0x7f0000000001));
	CHECK(!shadow_covers(UINT64_C(1) << SHADOW_ADDRESS_BITS) && !shadow_covers(UINT64_MAX - 15));
	CHECK(shadow_covers(16) && shadow_covers((UINT64_C(1) << SHADOW_ADDRESS_BITS) - 16));
}

/* A quarter of what it covers, where that is used closely. */
TEST(memory_follows_what_is_used)
{
	size_t mapped = memory_mapped();
	struct shadow shadow = {.first = NULL};
	uint32_t before;
	for (uint64_t at = 0; at < 64 << 20; at += 4096)
		CHECK(shadow_set(&shadow, UINT64_C(0x7f0000000000) + at, 1, &before));
	size_t taken = memory_mapped() - mapped;
	CHECK(taken >= 16 << 20 && taken < 18 << 20);
	shadow_clear(&shadow);
}
