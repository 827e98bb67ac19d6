/* Which blocks are sampled: a Poisson process over the bytes that are allocated, with one sample in
 * `period` bytes on average. A block of s bytes is hit with the probability 1 - exp(-s / period), exactly
 * and whatever came before it, since the process has no memory; so sums divided by that are unbiased
 * (Horvitz and Thompson, "A generalization of sampling without replacement", 1952). */
#ifndef CMD_CAPTURE_SAMPLER_H
#define CMD_CAPTURE_SAMPLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream of allocations: that of a thread. Zeroed, it has not begun. */
struct sampler_stream {
	int64_t left; /* a block is hit that takes it down to sampler_floor: it counts bytes */
};

/* That of the calling thread. A library that is loaded late gets few such bytes. */
extern __thread __attribute__((tls_model("initial-exec"), visibility("hidden"))) struct sampler_stream sampler_own;

/* Sampled blocks that may be at an address. Neighbours share a counter, and few of them are sampled: so the counters that
 * a program comes by are few as well, and stay in the processor's nearest cache. */
enum { SAMPLER_COUNTERS = 1 << 16 };
extern atomic_uint_least16_t sampler_counters[SAMPLER_COUNTERS];

static inline atomic_uint_least16_t *sampler_counter(uint64_t block)
{
	enum { NEIGHBOURHOOD_BITS = 8 };
	return &sampler_counters[(block >> NEIGHBOURHOOD_BITS) % SAMPLER_COUNTERS];
}

/* Whoever frees a block has learned of it after it was made, so it is seen here. */
static inline bool sampler_may_have(uint64_t block)
{
	return atomic_load_explicit(sampler_counter(block), memory_order_relaxed) != 0;
}

/* It rises with each of the sampler's lives, above what any stream may have left from those before: these are found
 * to be below it, and begin anew. Without a life it is above all of them. */
extern atomic_int_fast64_t sampler_floor;

/* Begins anew, for all streams. `seed` 0 takes one from the system. */
void sampler_start(uint64_t period, uint64_t seed);
uint64_t sampler_period(void);
/* Ends this life, so that no stream misses anything. */
void sampler_stop(void);
/* So that the child of a fork does not repeat what its parent does. */
void sampler_reseed(void);

/* When `size` bytes, at least 1, have taken stream->left down to the floor: whether the block is hit. Threads may call
 * it at the same time, each for its own stream. */
bool sampler_passed(struct sampler_stream *stream, size_t size);

/* Whether a block of `size` bytes is hit; one of no bytes counts as one of one byte. */
static inline bool sampler_hits(struct sampler_stream *stream, size_t size)
{
	size += size == 0;
	stream->left -= (int64_t)size;
	return stream->left <= atomic_load_explicit(&sampler_floor, memory_order_relaxed) && sampler_passed(stream, size);
}

/* Whether it is known at a glance that a block of `size` bytes, at least 1 and at most INT32_MAX, is not hit: then it
 * has been counted, and else not. */
static inline bool sampler_misses(struct sampler_stream *stream, size_t size)
{
	int64_t left = stream->left - (int64_t)size;
	if (left <= atomic_load_explicit(&sampler_floor, memory_order_relaxed))
		return false;
	stream->left = left;
	return true;
}

#endif
