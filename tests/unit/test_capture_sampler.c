/* What capture/sampler.h promises, over many seeds: each block is hit with the probability its size gives, so
 * that estimates are unbiased and spread as they say. */
#define _GNU_SOURCE
#include "capture/sampler.h"

#include <math.h>

#include "test.h"

enum { SEEDS = 1000, KINDS = 3 };

static const struct kind {
	size_t size;
	unsigned blocks, every; /* one of `every` calls in the mixed stream */
} kinds[KINDS] = {{64, 50000, 1}, {4096, 2500, 20}, {1 << 20, 25, 2000}};

static const double period = 65536;

static double hit_probability(size_t size)
{
	return -expm1(-(double)size / period);
}

/* As hooks ask. */
static bool is_hit(struct sampler_stream *stream, size_t size)
{
	return !(size > 0 && sampler_misses(stream, size)) && sampler_hits(stream, size);
}

TEST(mixed_stream_is_unbiased_and_spreads_as_stated)
{
	double sum[KINDS] = {0}, squares[KINDS] = {0};
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sampler_stream stream = {.left = 0};
		unsigned hits[KINDS] = {0};
		sampler_start((uint64_t)period, seed);
		for (unsigned call = 0; call < kinds[0].blocks; call++)
			for (unsigned k = 0; k < KINDS; k++)
				if (call % kinds[k].every == 0)
					hits[k] += is_hit(&stream, kinds[k].size);
		for (unsigned k = 0; k < KINDS; k++) {
			double estimate = hits[k] / hit_probability(kinds[k].size);
			sum[k] += estimate;
			squares[k] += estimate * estimate;
		}
	}
	for (unsigned k = 0; k < KINDS; k++) {
		double p = hit_probability(kinds[k].size), mean = sum[k] / SEEDS;
		double deviation = sqrt(squares[k] / SEEDS - mean * mean);
		double stated = sqrt(kinds[k].blocks * (1 - p)) / sqrt(p);
		CHECK(fabs(mean - kinds[k].blocks) <= 3 * stated / sqrt(SEEDS));
		/* A block of 16 periods is hit as good as always. */
		CHECK(p > 0.999 || (deviation > 0.9 * stated && deviation < 1.1 * stated));
	}
}

/* Also where one block is hit several times, and where others come before it. */
TEST(probability_of_a_block)
{
	static const size_t sizes[] = {0, 1, 100, 65536, 200000};
	enum { DRAWS = 200000 };
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct sampler_stream stream = {.left = 0};
		unsigned hits = 0;
		sampler_start(i < 2 ? 10 : (uint64_t)period, 7 + i);
		double p = i < 2 ? -expm1(-0.1) : hit_probability(sizes[i]);
		for (unsigned draw = 0; draw < DRAWS; draw++) {
			(void)is_hit(&stream, draw % 1000);
			hits += is_hit(&stream, sizes[i]);
		}
		CHECK(fabs(hits - DRAWS * p) <= 4 * sqrt(DRAWS * p * (1 - p)));
	}
}

TEST(hits_of_neighbours_do_not_depend_on_each_other)
{
	enum { DRAWS = 400000, SIZE = 30000 };
	struct sampler_stream stream = {.left = 0};
	bool before = false;
	unsigned both = 0;
	sampler_start((uint64_t)period, 11);
	double p = hit_probability(SIZE);
	for (unsigned draw = 0; draw < DRAWS; draw++) {
		bool hit = sampler_hits(&stream, SIZE);
		both += hit && before;
		before = hit;
	}
	CHECK(fabs(both - DRAWS * p * p) <= 6 * sqrt(DRAWS * p * p));
}

TEST(streams_begin_anew_with_the_sampler)
{
	struct sampler_stream stream = {.left = 0};
	bool first[64], again = true;
	sampler_start(1 << 20, 3);
	(void)sampler_hits(&stream, 1);
	sampler_start(100, 5);
	for (unsigned i = 0; i < 64; i++)
		first[i] = sampler_hits(&stream, 50);
	sampler_start(100, 5);
	for (unsigned i = 0; i < 64; i++)
		again = again && sampler_hits(&stream, 50) == first[i];
	CHECK(again);
	/* Of its own seed nobody knows; two that are the same would be one in 2^64. */
	struct sampler_stream one = {.left = 0}, other = {.left = 0};
	sampler_start(UINT64_C(1) << 40, 0);
	(void)sampler_hits(&one, 1);
	sampler_reseed();
	(void)sampler_hits(&other, 1);
	CHECK(one.left != other.left);
}

TEST(a_stream_has_something_left_in_one_life_only)
{
	struct sampler_stream stream = {.left = 0};
	for (uint64_t life = 0; life < 200; life++) {
		sampler_start(life % 2 == 0 ? UINT64_C(1) << 40 : 1, life + 1);
		CHECK(!sampler_misses(&stream, 100));
		CHECK(sampler_hits(&stream, 100) == (life % 2 != 0));
		CHECK(sampler_misses(&stream, 100) == (life % 2 == 0));
	}
	sampler_start(UINT64_C(1) << 40, 1);
	(void)sampler_hits(&stream, 1);
	sampler_stop();
	for (unsigned i = 0; i < 1000; i++)
		CHECK(!sampler_misses(&stream, 1) && !sampler_hits(&stream, 1));
}
