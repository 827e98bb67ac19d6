/* Variables of a shared object or program that it has for itself alone, so that no table of symbols need name them: found
 * by how their values change. Other threads may change others meanwhile. */
#ifndef CMD_CAPTURE_STATICS_H
#define CMD_CAPTURE_STATICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct statics {
	uintptr_t begin;  /* of the memory that it may write to */
	size_t size;      /* bytes */
	unsigned *before; /* its ints, as they were noted */
};

/* Of the object that `variable` lies in. False if it lies in none, in one with very much memory, or memory is short: then
 * only statics_end may be called. */
bool statics_begin(struct statics *statics, const void *variable);
/* Frees what was taken, in either case. */
void statics_end(struct statics *statics);

void statics_note(struct statics *statics);
/* Where an int is one more than it was, and where there is that pointer now: at most `most`, by address; returns how many. */
size_t statics_find_raised(const struct statics *statics, uintptr_t *found, size_t most);
size_t statics_find_pointer(const struct statics *statics, const void *pointer, uintptr_t *found, size_t most);

#endif
