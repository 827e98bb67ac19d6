/* The mixing functions of schema/snap-format.md, section 6. They are no secret: anybody can make
 * names that collide, so tables use those of base/seed.h. */
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

/* Eight bytes as a little-endian number. */
static inline uint64_t snap_mix_word(const uint8_t *p)
{
	uint64_t w = 0;
	for (unsigned i = 0; i < 8; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

/* Goes on from `h` with the bytes in words of eight, the last one filled with zeros. */
static inline uint64_t snap_mix_chain(uint64_t h, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	for (; size >= 8; p += 8, size -= 8)
		h = snap_mix(h ^ snap_mix_word(p));
	if (size > 0) {
		uint8_t rest[8] = {0};
		memcpy(rest, p, size);
		h = snap_mix(h ^ snap_mix_word(rest));
	}
	return h;
}

static inline uint64_t snap_mix_bytes(const void *bytes, size_t size)
{
	return snap_mix_chain(snap_mix(size + snap_mix_constant(1)), bytes, size);
}

#endif
