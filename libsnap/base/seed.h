/* Hashes for tables whose keys come from files: keyed by a seed that no file knows, so that none can be made
 * whose keys collide. Unlike the hashes of base/hash.h they differ from run to run, and nothing that is
 * written or shown may depend on them. */
#ifndef SNAP_BASE_SEED_H
#define SNAP_BASE_SEED_H

#include "base/hash.h"

struct snap_seed {
	uint64_t words[2]; /* the second is odd, so a seed of zeros is one not drawn yet */
};

/* From the kernel; where that gives none, from the clock and an address. */
void snap_seed_draw(struct snap_seed *seed);

static inline uint64_t snap_keyed(const struct snap_seed *seed, uint64_t n)
{
	return snap_mix((n ^ seed->words[0]) * seed->words[1]);
}

/* Of two numbers; of three when `n` is such a hash, and so on. */
static inline uint64_t snap_keyed_pair(const struct snap_seed *seed, uint64_t n, uint64_t more)
{
	return snap_mix(snap_keyed(seed, n) + more);
}

/* Of a list of numbers of 32 bits: begin with their count, then add them one by one, then snap_mix. Cheaper than
 * the above for long lists; no two differences of 32 bits cancel, whatever the seed. */
static inline uint64_t snap_keyed_begin(const struct snap_seed *seed, uint64_t count)
{
	return seed->words[0] ^ count;
}

static inline uint64_t snap_keyed_add(const struct snap_seed *seed, uint64_t hash, uint32_t n)
{
	hash = (hash ^ n) * seed->words[1];
	return hash ^ hash >> 32;
}

static inline uint64_t snap_keyed_bytes(const struct snap_seed *seed, const void *bytes, size_t size)
{
	return snap_mix_chain(snap_keyed(seed, size), bytes, size);
}

#endif
