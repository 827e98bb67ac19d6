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
	int64_t left; /* bytes up to and with the next hit; 0 or less when it was passed or not drawn yet */
	uint64_t era; /* of the sampler, when that was drawn */
};

/* Begins anew, for all streams. `seed` 0 takes one from the system. */
void sampler_start(uint64_t period, uint64_t seed);
uint64_t sampler_period(void);
/* Ends this life, so that no stream misses anything. */
void sampler_stop(void);
/* So that the child of a fork does not repeat what its parent does. */
void sampler_reseed(void);

/* When `size` bytes, at least 1, have taken stream->left to 0 or less: whether the block is hit. Threads may call it at
 * the same time, each for its own stream. */
bool sampler_passed(struct sampler_stream *stream, size_t size);

/* Whether a block of `size` bytes is hit; one of no bytes counts as one of one byte. */
static inline bool sampler_hits(struct sampler_stream *stream, size_t size)
{
	size += size == 0;
	stream->left -= (int64_t)size;
	return stream->left <= 0 && sampler_passed(stream, size);
}

/* Counts through the sampler's lives; 0 before the first. */
extern atomic_uint_fast64_t sampler_era;

/* Whether it is known at a glance that a block of `size` bytes, at most INT32_MAX, is not hit: then it has been counted,
 * and else not. False for a stream whose distance is not of this era. */
static inline bool sampler_misses(struct sampler_stream *stream, size_t size)
{
	int64_t left = stream->left - (int64_t)(size + (size == 0));
	if (left <= 0 || stream->era != atomic_load_explicit(&sampler_era, memory_order_relaxed))
		return false;
	stream->left = left;
	return true;
}

#endif
