/* Pages, records and pieces; see memory.h. */
#define _GNU_SOURCE
#include "memory.h"

#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, CHUNK = 16 * PAGE, RECORDS_FIRST = 256 };

static size_t mapped;

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

void *memory_map(size_t bytes)
{
	if (bytes == 0 || bytes > PTRDIFF_MAX - PAGE)
		return NULL;
	size_t size = whole_pages(bytes);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	mapped += size;
	return at;
}

void memory_unmap(void *at, size_t bytes)
{
	if (at == NULL)
		return;
	munmap(at, whole_pages(bytes));
	mapped -= whole_pages(bytes);
}

size_t memory_mapped(void)
{
	return mapped;
}

/* --- records --- */

static bool records_grow(struct records *records)
{
	if (records->room > UINT32_MAX / 2)
		return false;
	uint32_t room = records->room == 0 ? RECORDS_FIRST : 2 * records->room;
	size_t before = records->size * records->room, after = records->size * room;
	void *at = records->at == NULL ? memory_map(after)
				       : mremap(records->at, whole_pages(before), whole_pages(after), MREMAP_MAYMOVE);
	if (at == NULL || at == MAP_FAILED)
		return false;
	if (records->at != NULL)
		mapped += whole_pages(after) - whole_pages(before);
	records->at = at;
	records->room = room;
	return true;
}

uint32_t records_take(struct records *records)
{
	uint32_t number = records->free_one;
	if (number != 0) {
		memcpy(&records->free_one, records_at(records, number), sizeof records->free_one);
		memset(records_at(records, number), 0, records->size);
		return number;
	}
	if (records->used + 1 >= records->room && !records_grow(records))
		return 0;
	return ++records->used;
}

void records_return(struct records *records, uint32_t number)
{
	memset(records_at(records, number), 0, records->size);
	memcpy(records_at(records, number), &records->free_one, sizeof records->free_one);
	records->free_one = number;
}

void records_clear(struct records *records)
{
	memory_unmap(records->at, records->size * records->room);
	*records = (struct records){.size = records->size};
}

/* --- pieces --- */

/* In front of a piece that has pages of its own. */
struct pool_large {
	struct pool_large *before, *behind;
	size_t bytes;
	size_t padding;
};

static void *take_large(struct pool *pool, size_t bytes)
{
	struct pool_large *piece = bytes < PTRDIFF_MAX - sizeof *piece ? memory_map(sizeof *piece + bytes) : NULL;
	if (piece == NULL)
		return NULL;
	*piece = (struct pool_large){.behind = pool->large, .bytes = sizeof *piece + bytes};
	if (pool->large != NULL)
		pool->large->before = piece;
	pool->large = piece;
	return piece + 1;
}

static void return_large(struct pool *pool, struct pool_large *piece)
{
	if (piece->before != NULL)
		piece->before->behind = piece->behind;
	else
		pool->large = piece->behind;
	if (piece->behind != NULL)
		piece->behind->before = piece->before;
	memory_unmap(piece, piece->bytes);
}

static size_t class_of(size_t bytes)
{
	return bytes == 0 ? 0 : (bytes - 1) / POOL_STEP;
}

static bool add_chunk(struct pool *pool)
{
	char *chunk = memory_map(CHUNK);
	if (chunk == NULL)
		return false;
	memcpy(chunk, &pool->chunks, sizeof pool->chunks);
	pool->chunks = chunk;
	pool->rest = chunk + POOL_STEP;
	pool->rest_size = CHUNK - POOL_STEP;
	return true;
}

void *pool_take(struct pool *pool, size_t bytes)
{
	size_t class = class_of(bytes), size = (class + 1) * POOL_STEP;
	if (class >= POOL_CLASSES)
		return take_large(pool, bytes);
	void *piece = pool->free[class];
	if (piece != NULL) {
		memcpy(&pool->free[class], piece, sizeof piece);
		return piece;
	}
	if (pool->rest_size < size && !add_chunk(pool))
		return NULL;
	piece = pool->rest;
	pool->rest += size;
	pool->rest_size -= size;
	return piece;
}

void pool_return(struct pool *pool, void *piece, size_t bytes)
{
	size_t class = class_of(bytes);
	if (class >= POOL_CLASSES) {
		return_large(pool, (struct pool_large *)piece - 1);
		return;
	}
	memcpy(piece, &pool->free[class], sizeof piece);
	pool->free[class] = piece;
}

void pool_clear(struct pool *pool)
{
	while (pool->large != NULL)
		return_large(pool, pool->large);
	for (void *chunk = pool->chunks, *next; chunk != NULL; chunk = next) {
		memcpy(&next, chunk, sizeof next);
		memory_unmap(chunk, CHUNK);
	}
	*pool = (struct pool){.chunks = NULL};
}
