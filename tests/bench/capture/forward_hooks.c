/* Hooks around Python's allocators that only call on: what hooks cost before they do anything. Loaded into an
 * interpreter by bench_capture.py, and called with the GIL. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* CPython's PyMemAllocatorEx, the same since 3.5. */
struct allocator {
	void *ctx;
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t count, size_t size);
	void *(*realloc)(void *ctx, void *block, size_t size);
	void (*free)(void *ctx, void *block);
};

enum { DOMAINS = 3 };
static struct allocator real[DOMAINS];

static void *forward_malloc(void *ctx, size_t size)
{
	const struct allocator *a = ctx;
	return a->malloc(a->ctx, size);
}

static void *forward_calloc(void *ctx, size_t count, size_t size)
{
	const struct allocator *a = ctx;
	return a->calloc(a->ctx, count, size);
}

static void *forward_realloc(void *ctx, void *block, size_t size)
{
	const struct allocator *a = ctx;
	return a->realloc(a->ctx, block, size);
}

static void forward_free(void *ctx, void *block)
{
	const struct allocator *a = ctx;
	a->free(a->ctx, block);
}

__attribute__((visibility("default"))) int install(void);

/* 0 when the hooks are in. */
int install(void)
{
	void (*get)(int, struct allocator *), (*set)(int, struct allocator *);
	void *symbol = dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
	memcpy(&get, &symbol, sizeof get);
	symbol = dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
	memcpy(&set, &symbol, sizeof set);
	if (get == NULL || set == NULL)
		return -1;
	for (int domain = 0; domain < DOMAINS; domain++) {
		get(domain, &real[domain]);
		struct allocator hooks = {&real[domain], forward_malloc, forward_calloc, forward_realloc, forward_free};
		set(domain, &hooks);
	}
	return 0;
}
