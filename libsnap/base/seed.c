/* Drawing seeds; see seed.h. */
#define _GNU_SOURCE
#include "base/seed.h"

#include <sys/random.h>
#include <time.h>

void snap_seed_draw(struct snap_seed *seed)
{
	if (getrandom(seed->words, sizeof seed->words, GRND_NONBLOCK) != (ssize_t)sizeof seed->words) {
		struct timespec now = {0, 0};
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		seed->words[0] = snap_mix((uint64_t)(uintptr_t)seed ^ snap_mix((uint64_t)now.tv_nsec));
		seed->words[1] = snap_mix(seed->words[0] + (uint64_t)now.tv_sec);
	}
	seed->words[1] |= 1;
}
