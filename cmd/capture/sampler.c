/* Distances between hits; see sampler.h. */
#define _GNU_SOURCE
#include "sampler.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

static uint64_t period;
static atomic_uint_fast64_t state;
static atomic_int_fast64_t floor_of_life;
atomic_int_fast64_t sampler_floor = INT64_MAX;
__thread struct sampler_stream sampler_own;
atomic_uint_least16_t sampler_counters[SAMPLER_COUNTERS];

/* No distance is longer: 2^-54 is the smallest number that one is drawn by, and -log of that below 38. */
static int64_t longest(void)
{
	return (int64_t)(38 * period + 1);
}

static uint64_t seed_from_system(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
		return seed;
	/* Early in the system's life there is no randomness yet. */
	errno = 0;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&seed;
}

void sampler_start(uint64_t new_period, uint64_t seed)
{
	/* What streams have left of the life before is at most the longest distance above its floor. */
	atomic_fetch_add(&floor_of_life, longest());
	period = new_period;
	atomic_store(&state, seed != 0 ? seed : seed_from_system());
	atomic_store(&sampler_floor, atomic_load(&floor_of_life));
}

void sampler_stop(void)
{
	atomic_store(&sampler_floor, INT64_MAX);
}

uint64_t sampler_period(void)
{
	return period;
}

void sampler_reseed(void)
{
	atomic_store(&state, seed_from_system());
}

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): its state is
 * a counter, so threads share it without a lock. */
static uint64_t random_bits(void)
{
	uint64_t z = atomic_fetch_add_explicit(&state, UINT64_C(0x9E3779B97F4A7C15), memory_order_relaxed);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* Exponential, rounded up to whole bytes: that leaves "more than s bytes" as probable for each s. */
static int64_t distance(void)
{
	double uniform = ((double)(random_bits() >> 11) + 0.5) * 0x1p-53;
	return (int64_t)ceil(-log(uniform) * (double)period);
}

bool sampler_passed(struct sampler_stream *stream, size_t size)
{
	int64_t floor = atomic_load(&floor_of_life);
	if (atomic_load(&sampler_floor) != floor)
		return false;
	bool has_begun = stream->left + (int64_t)size > floor;
	if (!has_begun)
		stream->left = floor + distance() - (int64_t)size;
	if (stream->left > floor)
		return false;
	stream->left = floor + distance();
	return true;
}
