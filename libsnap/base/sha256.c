/* SHA-256 and HMAC; see sha256.h. Names of variables are those of FIPS 180-4. */
#include "base/sha256.h"

#include <string.h>

enum { BLOCK = 64 };

static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotated(uint32_t x, unsigned by)
{
	return x >> by | x << (32 - by);
}

static void compress(uint32_t state[8], const uint8_t block[BLOCK])
{
	uint32_t w[64];
	for (unsigned t = 0; t < 16; t++, block += 4)
		w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
	for (unsigned t = 16; t < 64; t++) {
		uint32_t s0 = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10;
		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
	for (unsigned t = 0; t < 64; t++) {
		uint32_t s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
		uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + K[t] + w[t];
		uint32_t s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
		uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
		h = g;
		g = f;
		f = e;
		e = d + t1;
		d = c;
		c = b;
		b = a;
		a = t1 + t2;
	}
	const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
	for (unsigned i = 0; i < 8; i++)
		state[i] += sums[i];
}

void snap_sha256_start(struct snap_sha256 *h)
{
	static const uint32_t first[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	memcpy(h->state, first, sizeof first);
	h->size = 0;
}

void snap_sha256_add(struct snap_sha256 *h, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	while (size > 0) {
		size_t used = h->size % BLOCK, n = BLOCK - used < size ? BLOCK - used : size;
		memcpy(h->block + used, p, n);
		h->size += n;
		p += n;
		size -= n;
		if (used + n == BLOCK)
			compress(h->state, h->block);
	}
}

void snap_sha256_finish(struct snap_sha256 *h, uint8_t digest[SNAP_SHA256_SIZE])
{
	static const uint8_t padding[BLOCK] = {0x80};
	uint64_t bits = 8 * h->size;
	uint8_t length[8];
	for (unsigned i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	/* The length takes the last eight bytes of a block, at least one byte of padding stands before it. */
	size_t used = h->size % BLOCK, end = BLOCK - sizeof length;
	snap_sha256_add(h, padding, used < end ? end - used : BLOCK + end - used);
	snap_sha256_add(h, length, sizeof length);
	for (unsigned i = 0; i < SNAP_SHA256_SIZE; i++)
		digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

static void start_padded(struct snap_sha256 *h, const uint8_t key[BLOCK], uint8_t pad)
{
	uint8_t padded[BLOCK];
	for (unsigned i = 0; i < BLOCK; i++)
		padded[i] = key[i] ^ pad;
	snap_sha256_start(h);
	snap_sha256_add(h, padded, sizeof padded);
}

void snap_hmac_start(struct snap_hmac *h, const void *key, size_t key_size)
{
	uint8_t block[BLOCK] = {0};
	if (key_size > sizeof block) {
		snap_sha256_start(&h->inner);
		snap_sha256_add(&h->inner, key, key_size);
		snap_sha256_finish(&h->inner, block);
	} else if (key_size > 0) {
		memcpy(block, key, key_size);
	}
	start_padded(&h->inner, block, 0x36);
	start_padded(&h->outer, block, 0x5c);
}

void snap_hmac_add(struct snap_hmac *h, const void *bytes, size_t size)
{
	snap_sha256_add(&h->inner, bytes, size);
}

void snap_hmac_finish(struct snap_hmac *h, uint8_t code[SNAP_SHA256_SIZE])
{
	uint8_t digest[SNAP_SHA256_SIZE];
	snap_sha256_finish(&h->inner, digest);
	snap_sha256_add(&h->outer, digest, sizeof digest);
	snap_sha256_finish(&h->outer, code);
}
