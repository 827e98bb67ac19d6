/* See statics.h. */
#define _GNU_SOURCE
#include "statics.h"

#include <link.h>
#include <stdlib.h>

enum { MOST_BYTES = 16 << 20 };

static int take_segment(struct dl_phdr_info *object, size_t size, void *data)
{
	struct statics *statics = data;
	uintptr_t wanted = statics->begin;
	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
		if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_R | PF_W)) != (PF_R | PF_W) ||
		    wanted < begin || wanted - begin >= segment->p_memsz)
			continue;
		uintptr_t aligned = begin + -begin % sizeof(uintptr_t);
		statics->begin = aligned;
		statics->size = (segment->p_memsz - (aligned - begin)) / sizeof(uintptr_t) * sizeof(uintptr_t);
		return 1;
	}
	return 0;
}

bool statics_begin(struct statics *statics, const void *variable)
{
	*statics = (struct statics){.begin = (uintptr_t)variable};
	if (variable == NULL || dl_iterate_phdr(take_segment, statics) == 0 || statics->size > MOST_BYTES)
		return false;
	statics->before = malloc(statics->size);
	return statics->before != NULL;
}

void statics_end(struct statics *statics)
{
	free(statics->before);
}

/* One by one: a sanitizer that is in the program takes what lies between its variables for an overflow of memcpy's. */
void statics_note(struct statics *statics)
{
	const volatile unsigned *now = (const volatile unsigned *)statics->begin;
	for (size_t i = 0; i < statics->size / sizeof *now; i++)
		statics->before[i] = now[i];
}

size_t statics_find_raised(const struct statics *statics, uintptr_t *found, size_t most)
{
	const volatile unsigned *now = (const volatile unsigned *)statics->begin;
	size_t count = 0;
	for (size_t i = 0; i < statics->size / sizeof *now && count < most; i++)
		if (now[i] == statics->before[i] + 1)
			found[count++] = (uintptr_t)&now[i];
	return count;
}

size_t statics_find_pointer(const struct statics *statics, const void *pointer, uintptr_t *found, size_t most)
{
	const volatile uintptr_t *now = (const volatile uintptr_t *)statics->begin;
	size_t count = 0;
	for (size_t i = 0; i < statics->size / sizeof *now && count < most; i++)
		if (now[i] == (uintptr_t)pointer)
			found[count++] = (uintptr_t)&now[i];
	return count;
}
