/* See details.h. */
#define _GNU_SOURCE
#include "details.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "python_api.h"

/* As glibc 2.33 and later lay it out; others lack the function. */
struct malloc_figures {
	size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

static bool look_up(void *function, const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	memcpy(function, &symbol, sizeof symbol);
	return symbol != NULL;
}

void details_read(struct details *details)
{
	struct malloc_figures (*mallinfo2)(void);
	*details = (struct details){.pss = process_pss()};
	if (!look_up(&mallinfo2, "mallinfo2"))
		return;
	struct malloc_figures figures = mallinfo2();
	details->malloc.is_known = true;
	details->malloc.heap = figures.arena;
	details->malloc.mapped = figures.hblkhd;
	details->malloc.free = figures.fordblks;
}

static void put(struct snap_meta *meta, const char *key, uint64_t number)
{
	(void)snap_meta_set_format(meta, key, NULL, "%" PRIu64, number);
}

/* "1,234" behind the '=' of the line that has `words`; false if there is none. */
static bool number_of(const char *text, const char *words, uint64_t *number)
{
	const char *line = strstr(text, words), *c = line != NULL ? strchr(line, '=') : NULL;
	if (c == NULL)
		return false;
	*number = 0;
	for (c++; *c == ' ' || *c == ',' || (*c >= '0' && *c <= '9'); c++)
		if (*c >= '0' && *c <= '9')
			*number = *number * 10 + (uint64_t)(*c - '0');
	return true;
}

/* What Python calls PyObjectArenaAllocator. */
struct arena_allocator {
	void *context;
	void *(*allocate)(void *context, size_t size);
	void (*release)(void *context, void *arena, size_t size);
};

static struct {
	struct arena_allocator before;
	atomic_size_t bytes;
	bool are_counted;
} arenas;

static void *allocate_arena(void *context, size_t size)
{
	(void)context;
	void *arena = arenas.before.allocate(arenas.before.context, size);
	if (arena != NULL)
		atomic_fetch_add(&arenas.bytes, size);
	return arena;
}

static void release_arena(void *context, void *arena, size_t size)
{
	(void)context;
	arenas.before.release(arenas.before.context, arena, size);
	atomic_fetch_sub(&arenas.bytes, size);
}

/* Python tells of its arenas only people, on a stream, and only while nothing is traced. */
static bool count_arenas(uint64_t *bytes)
{
	int (*print)(FILE *);
	char *text = NULL;
	size_t size = 0;
	FILE *stream = look_up(&print, "_PyObject_DebugMallocStats") ? open_memstream(&text, &size) : NULL;
	if (stream == NULL)
		return false;
	(void)print(stream);
	bool known = fclose(stream) == 0 && number_of(text, "bytes/arena", bytes);
	free(text);
	return known;
}

void details_begin(void)
{
	uint64_t bytes;
	void (*get)(struct arena_allocator *), (*set)(struct arena_allocator *);
	if (arenas.are_counted || !look_up(&get, "PyObject_GetArenaAllocator") ||
	    !look_up(&set, "PyObject_SetArenaAllocator") || !count_arenas(&bytes))
		return;
	struct arena_allocator ours = {.allocate = allocate_arena, .release = release_arena};
	get(&arenas.before);
	atomic_store(&arenas.bytes, (size_t)bytes);
	set(&ours);
	arenas.are_counted = true;
}

void details_put(const struct details *details, struct snap_meta *meta)
{
	unsigned long long blocks;
	if (details->pss > 0)
		put(meta, "pss_bytes", details->pss);
	if (details->malloc.is_known) {
		put(meta, "malloc.heap_bytes", details->malloc.heap);
		put(meta, "malloc.mapped_bytes", details->malloc.mapped);
		put(meta, "malloc.free_bytes", details->malloc.free);
	}
	if (python_call_number("sys", "getallocatedblocks", &blocks))
		put(meta, "python.blocks", blocks);
}

void details_put_arenas(struct snap_meta *meta)
{
	if (arenas.are_counted)
		put(meta, "python.arena_bytes", atomic_load(&arenas.bytes));
}
