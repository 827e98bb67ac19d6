/* A hash table from 64-bit keys to 32-bit values, split by key into parts that grow one by one, so that no
 * caller ever waits for more than a part of it. */
#ifndef CMD_CAPTURE_TABLE_H
#define CMD_CAPTURE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 12 bytes: a slot with an 8-byte member would take 16. */
struct table_slot {
	uint32_t key_low, key_high, value; /* value 0 = free */
};

struct table_part {
	struct table_slot *slots;
	uint32_t bits, count; /* 1 << bits slots, none while slots is NULL */
};

struct table {
	struct table_part *parts;
	unsigned part_bits;
};

/* False when there is no memory. */
bool table_begin(struct table *table, unsigned part_bits);
void table_clear(struct table *table); /* what was never begun, too */

/* What follows up to the next function is how keys are looked up: open addressing with linear probing. */

static inline uint64_t table_scatter(uint64_t key)
{
	key ^= key >> 32;
	return key * UINT64_C(0x9E3779B97F4A7C15);
}

static inline struct table_part *table_part_of(const struct table *table, uint64_t hash)
{
	return &table->parts[table->part_bits > 0 ? hash >> (64 - table->part_bits) : 0];
}

static inline uint32_t table_home(const struct table_part *part, unsigned part_bits, uint64_t hash)
{
	return (uint32_t)((hash << part_bits) >> (64 - part->bits));
}

static inline uint64_t table_key_in(const struct table_slot *slot)
{
	return (uint64_t)slot->key_high << 32 | slot->key_low;
}

/* The slot of a key, or the free one where it would go. */
static inline uint32_t table_look(const struct table_part *part, unsigned part_bits, uint64_t key, uint64_t hash)
{
	uint32_t mask = (uint32_t)((UINT64_C(1) << part->bits) - 1), i = table_home(part, part_bits, hash);
	while (part->slots[i].value != 0 && table_key_in(&part->slots[i]) != key)
		i = (i + 1) & mask;
	return i;
}

/* Where the value of a key is, until the table changes; NULL if it is not there. */
static inline uint32_t *table_find(const struct table *table, uint64_t key)
{
	uint64_t hash = table_scatter(key);
	const struct table_part *part = table_part_of(table, hash);
	if (part->slots == NULL)
		return NULL;
	uint32_t i = table_look(part, table->part_bits, key, hash);
	return part->slots[i].value != 0 ? &part->slots[i].value : NULL;
}

/* Sets the value of a key, which is not 0; *before is the one it had, or 0. False when there is no memory:
 * then nothing has changed. */
bool table_set(struct table *table, uint64_t key, uint32_t value, uint32_t *before);
/* The value of a key that goes; 0 if it was not there. */
uint32_t table_remove(struct table *table, uint64_t key);

/* If the part that a key would go to is full: removes from it the keys whose value `goes`, which has
 * released it then, or NULL, and grows it unless that has made half of it free. */
void table_make_room(struct table *table, uint64_t key, bool (*goes)(uint32_t value));

uint64_t table_count(const struct table *table);

#endif
