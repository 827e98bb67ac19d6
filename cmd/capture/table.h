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

/* Where the value of a key is, until the table changes; NULL if it is not there. */
uint32_t *table_find(const struct table *table, uint64_t key);
/* Adds a key that is not there; the value is not 0. False when there is no memory. */
bool table_insert(struct table *table, uint64_t key, uint32_t value);
/* The value of a key that goes; 0 if it was not there. */
uint32_t table_remove(struct table *table, uint64_t key);

/* If the part that a key would go to is full: removes from it the keys whose value `goes`, which has
 * released it then, or NULL, and grows it unless that has made half of it free. */
void table_make_room(struct table *table, uint64_t key, bool (*goes)(uint32_t value));

uint64_t table_count(const struct table *table);

#endif
