/* The mixing functions of schema/snap-format.md, section 6, which also serve the hash tables. */
#ifndef SNAP_BASE_HASH_H
#define SNAP_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t snap_mix(uint64_t h)
{
	h ^= h >> 30;
	h *= UINT64_C(0xBF58476D1CE4E5B9);
	h ^= h >> 27;
	h *= UINT64_C(0x94D049BB133111EB);
	h ^= h >> 31;
	return h;
}

/* K(j): odd constants without structure. */
static inline uint64_t snap_mix_constant(unsigned j)
{
	return snap_mix(j * UINT64_C(0x9E3779B97F4A7C15)) | 1;
}

static inline uint64_t snap_mix_bytes(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	uint64_t h = snap_mix(size + snap_mix_constant(1));
	while (size > 0) {
		uint8_t word[8] = {0};
		size_t n = size < 8 ? size : 8;
		memcpy(word, p, n);
		uint64_t w = 0;
		for (unsigned i = 0; i < 8; i++)
			w |= (uint64_t)word[i] << (8 * i);
		h = snap_mix(h ^ w);
		p += n;
		size -= n;
	}
	return h;
}

#endif
