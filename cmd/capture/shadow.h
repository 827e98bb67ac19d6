/* Shadow memory: for each 16 bytes of the program's address space a 32-bit value, in pages that are made where one
 * is set for the first time. What is near in memory is near here too, which a hash table cannot offer to a program
 * that takes and frees blocks one after another. */
#ifndef CMD_CAPTURE_SHADOW_H
#define CMD_CAPTURE_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the address: 12 bits in the first directory, 11 in the second, 11 in the third, 10 in a page, 4 not used. */
enum {
	SHADOW_STEP_BITS = 4,
	SHADOW_PAGE_BITS = 10,
	SHADOW_THIRD_BITS = 11,
	SHADOW_SECOND_BITS = 11,
	SHADOW_FIRST_BITS = 12,
	SHADOW_ADDRESS_BITS =
		SHADOW_STEP_BITS + SHADOW_PAGE_BITS + SHADOW_THIRD_BITS + SHADOW_SECOND_BITS + SHADOW_FIRST_BITS,
};

/* Zeroed, it is empty. */
struct shadow {
	uint32_t ****first;
	uint64_t count;  /* of values that are not 0 */
	char *chunks;    /* what pages and directories are made of, each led by the one before */
	size_t room;     /* left in the newest */
};

void shadow_clear(struct shadow *shadow);

/* Whether an address can have a value. */
static inline bool shadow_covers(uint64_t address)
{
	return address >> SHADOW_ADDRESS_BITS == 0 && address % (1u << SHADOW_STEP_BITS) == 0;
}

/* Digits of an address, from the last. */
static inline size_t shadow_digit(uint64_t address, unsigned below, unsigned bits)
{
	return (size_t)(address >> below & ((UINT64_C(1) << bits) - 1));
}

enum {
	SHADOW_THIRD = SHADOW_STEP_BITS + SHADOW_PAGE_BITS,
	SHADOW_SECOND = SHADOW_THIRD + SHADOW_THIRD_BITS,
	SHADOW_FIRST = SHADOW_SECOND + SHADOW_SECOND_BITS,
};

/* Where the value of an address that is covered is; NULL if none near it was ever set. */
static inline uint32_t *shadow_find(const struct shadow *shadow, uint64_t address)
{
	uint32_t ***second = shadow->first != NULL
				     ? shadow->first[shadow_digit(address, SHADOW_FIRST, SHADOW_FIRST_BITS)]
				     : NULL;
	uint32_t **third = second != NULL ? second[shadow_digit(address, SHADOW_SECOND, SHADOW_SECOND_BITS)] : NULL;
	uint32_t *page = third != NULL ? third[shadow_digit(address, SHADOW_THIRD, SHADOW_THIRD_BITS)] : NULL;
	return page != NULL ? &page[shadow_digit(address, SHADOW_STEP_BITS, SHADOW_PAGE_BITS)] : NULL;
}

/* shadow_find where none was set yet: makes the page. NULL when there is no memory. */
uint32_t *shadow_make(struct shadow *shadow, uint64_t address);

/* Sets the value, not 0, of an address that is covered; *before is the one it had, or 0. False when there is no
 * memory: then nothing has changed. */
static inline bool shadow_set(struct shadow *shadow, uint64_t address, uint32_t value, uint32_t *before)
{
	uint32_t *at = shadow_find(shadow, address);
	if (at == NULL && (at = shadow_make(shadow, address)) == NULL)
		return false;
	*before = *at;
	*at = value;
	shadow->count += *before == 0;
	return true;
}

/* shadow_set where there is none yet, in a page that was made before. False when it is not so: then nothing has changed. */
static inline bool shadow_add(struct shadow *shadow, uint64_t address, uint32_t value)
{
	uint32_t *at = shadow_find(shadow, address);
	if (at == NULL || *at != 0)
		return false;
	*at = value;
	shadow->count++;
	return true;
}

/* The value of an address that is covered, which goes; 0 if it has none. */
static inline uint32_t shadow_remove(struct shadow *shadow, uint64_t address)
{
	uint32_t *at = shadow_find(shadow, address), value = at != NULL ? *at : 0;
	if (value != 0) {
		*at = 0;
		shadow->count--;
	}
	return value;
}

#endif
