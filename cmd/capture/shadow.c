/* Pages and directories of shadow memory; see shadow.h. */
#include "shadow.h"

#include <string.h>

#include "memory.h"

/* A page at its beginning is kept for the link, so that pages are aligned as the system's are. */
enum { CHUNK = 1 << 18, CHUNK_HEAD = 4096 };

static void *take(struct shadow *shadow, size_t bytes)
{
	if (shadow->room < bytes) {
		char *chunk = memory_map(CHUNK);
		if (chunk == NULL)
			return NULL;
		memcpy(chunk, &shadow->chunks, sizeof shadow->chunks);
		shadow->chunks = chunk;
		shadow->room = CHUNK - CHUNK_HEAD;
	}
	shadow->room -= bytes;
	return shadow->chunks + CHUNK - shadow->room - bytes;
}

void shadow_clear(struct shadow *shadow)
{
	for (char *chunk = shadow->chunks, *before; chunk != NULL; chunk = before) {
		memcpy(&before, chunk, sizeof before);
		memory_unmap(chunk, CHUNK);
	}
	*shadow = (struct shadow){.first = NULL};
}

uint32_t *shadow_make(struct shadow *shadow, uint64_t address)
{
	if (shadow->first == NULL)
		shadow->first = take(shadow, sizeof *shadow->first << SHADOW_FIRST_BITS);
	if (shadow->first == NULL)
		return NULL;
	uint32_t ****second = &shadow->first[shadow_digit(address, SHADOW_FIRST, SHADOW_FIRST_BITS)];
	if (*second == NULL)
		*second = take(shadow, sizeof **second << SHADOW_SECOND_BITS);
	if (*second == NULL)
		return NULL;
	uint32_t ***third = &(*second)[shadow_digit(address, SHADOW_SECOND, SHADOW_SECOND_BITS)];
	if (*third == NULL)
		*third = take(shadow, sizeof **third << SHADOW_THIRD_BITS);
	if (*third == NULL)
		return NULL;
	uint32_t **page = &(*third)[shadow_digit(address, SHADOW_THIRD, SHADOW_THIRD_BITS)];
	if (*page == NULL)
		*page = take(shadow, sizeof **page << SHADOW_PAGE_BITS);
	return *page != NULL ? shadow_find(shadow, address) : NULL;
}
