/* The tracer's own memory: pages from the system, so that nothing it keeps lies among what it counts, and
 * so that no hook of an allocator enters another one. One caller at a time. */
#ifndef CMD_CAPTURE_MEMORY_H
#define CMD_CAPTURE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed pages, NULL when there are none; the size is rounded up to whole pages. */
void *memory_map(size_t bytes);
void memory_unmap(void *at, size_t bytes); /* takes NULL */
/* Bytes that are mapped now, with those of pools and records. */
size_t memory_mapped(void);

/* Numbered records of one size in one piece of memory, which moves as it grows. */
struct records {
	char *at;
	size_t size;                  /* of a record, at least 4 */
	uint32_t used, room, free_one; /* numbers given out so far, and the last one that came back */
};

/* A number from 1, whose record is zeroed; 0 when there is no memory. */
uint32_t records_take(struct records *records);
void records_return(struct records *records, uint32_t number);
void records_clear(struct records *records);

static inline void *records_at(const struct records *records, uint32_t number)
{
	return records->at + records->size * number;
}

/* Pieces of any size that stay where they are. */
enum { POOL_STEP = 16, POOL_CLASSES = 128 };
struct pool {
	void *free[POOL_CLASSES]; /* by size, in steps */
	struct pool_large *large; /* too large for a class */
	void *chunks;
	char *rest; /* of the newest chunk */
	size_t rest_size;
};

void *pool_take(struct pool *pool, size_t bytes); /* not zeroed; NULL when there is no memory */
void pool_return(struct pool *pool, void *piece, size_t bytes);
void pool_clear(struct pool *pool); /* all pieces at once */

#endif
