/* What threads wait for: a word in memory, by the kernel's futex. There is no descriptor that the program
 * could see or close, and the handler of a signal may ring. */
#ifndef CMD_CAPTURE_BELL_H
#define CMD_CAPTURE_BELL_H

#include <stdatomic.h>
#include <stdint.h>

struct bell {
	atomic_uint rings;
};

/* To be read before looking whether there is something to do, so that no ring in between is missed. */
unsigned bell_rings(struct bell *bell);
/* Wakes whoever waits. */
void bell_ring(struct bell *bell);
/* Until it rings again after `heard`, or that many milliseconds have passed; INT64_MAX = any number. May
 * return early. */
void bell_wait(struct bell *bell, unsigned heard, int64_t ms);

#endif
