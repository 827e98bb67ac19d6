/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104): own code, because the core depends on nothing but SQLite,
 * zstd, zlib, PCRE2 and libc. */
#ifndef SNAP_BASE_SHA256_H
#define SNAP_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SNAP_SHA256_SIZE 32

struct snap_sha256 {
	uint32_t state[8];
	uint64_t size;     /* bytes so far; of the last block, size % 64 are in block */
	uint8_t block[64];
};

void snap_sha256_start(struct snap_sha256 *h);
void snap_sha256_add(struct snap_sha256 *h, const void *bytes, size_t size);
/* The digest of all that was added; *h is spent. */
void snap_sha256_finish(struct snap_sha256 *h, uint8_t digest[SNAP_SHA256_SIZE]);

/* A started one may be copied, which saves the work on the key for each further message. */
struct snap_hmac {
	struct snap_sha256 inner, outer;
};

void snap_hmac_start(struct snap_hmac *h, const void *key, size_t key_size);
void snap_hmac_add(struct snap_hmac *h, const void *bytes, size_t size);
void snap_hmac_finish(struct snap_hmac *h, uint8_t code[SNAP_SHA256_SIZE]);

#endif
