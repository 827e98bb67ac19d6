/* Changes of a table; see table.h. What follows a removed slot moves up, so that nothing is marked. */
#include "table.h"

#include "memory.h"

enum { FIRST_BITS = 8, LAST_BITS = 31 };

static size_t bytes_of(const struct table_part *part)
{
	return sizeof *part->slots << part->bits;
}

bool table_begin(struct table *table, unsigned part_bits)
{
	table->part_bits = part_bits;
	table->parts = memory_map(sizeof *table->parts << part_bits);
	return table->parts != NULL;
}

void table_clear(struct table *table)
{
	for (size_t i = 0; table->parts != NULL && i < (size_t)1 << table->part_bits; i++)
		if (table->parts[i].slots != NULL)
			memory_unmap(table->parts[i].slots, bytes_of(&table->parts[i]));
	memory_unmap(table->parts, sizeof *table->parts << table->part_bits);
	*table = (struct table){.parts = NULL};
}

static bool is_full(const struct table_part *part)
{
	return part->slots == NULL || (uint64_t)part->count * 4 >= UINT64_C(3) << part->bits;
}

static bool grow(struct table_part *part, unsigned part_bits)
{
	struct table_part grown = {.bits = part->slots == NULL ? FIRST_BITS : part->bits + 1, .count = part->count};
	if (grown.bits > LAST_BITS)
		return false;
	grown.slots = memory_map(bytes_of(&grown));
	if (grown.slots == NULL)
		return false;
	for (size_t i = 0; part->slots != NULL && i < (size_t)1 << part->bits; i++) {
		const struct table_slot *slot = &part->slots[i];
		if (slot->value != 0)
			grown.slots[table_look(&grown, part_bits, table_key_in(slot), table_scatter(table_key_in(slot)))] = *slot;
	}
	if (part->slots != NULL)
		memory_unmap(part->slots, bytes_of(part));
	*part = grown;
	return true;
}

bool table_set(struct table *table, uint64_t key, uint32_t value, uint32_t *before)
{
	uint64_t hash = table_scatter(key);
	struct table_part *part = table_part_of(table, hash);
	if (is_full(part) && !grow(part, table->part_bits))
		return false;
	struct table_slot *slot = &part->slots[table_look(part, table->part_bits, key, hash)];
	*before = slot->value;
	part->count += slot->value == 0;
	*slot = (struct table_slot){.key_low = (uint32_t)key, .key_high = (uint32_t)(key >> 32), .value = value};
	return true;
}

static void remove_slot(struct table_part *part, unsigned part_bits, uint32_t hole)
{
	uint32_t mask = (uint32_t)((UINT64_C(1) << part->bits) - 1);
	for (uint32_t i = (hole + 1) & mask; part->slots[i].value != 0; i = (i + 1) & mask) {
		uint32_t wanted = table_home(part, part_bits, table_scatter(table_key_in(&part->slots[i])));
		/* It may move up if its home is not behind the hole. */
		if (((i - wanted) & mask) >= ((i - hole) & mask)) {
			part->slots[hole] = part->slots[i];
			hole = i;
		}
	}
	part->slots[hole].value = 0;
	part->count--;
}

uint32_t table_remove(struct table *table, uint64_t key)
{
	uint64_t hash = table_scatter(key);
	struct table_part *part = table_part_of(table, hash);
	if (part->slots == NULL)
		return 0;
	uint32_t i = table_look(part, table->part_bits, key, hash), value = part->slots[i].value;
	if (value != 0)
		remove_slot(part, table->part_bits, i);
	return value;
}

/* What moves up into a hole comes from behind it, so it is looked at again where it has moved to. */
static void sweep(struct table_part *part, unsigned part_bits, bool (*goes)(uint32_t value))
{
	for (size_t i = 0; i < (size_t)1 << part->bits;) {
		if (part->slots[i].value != 0 && goes(part->slots[i].value))
			remove_slot(part, part_bits, (uint32_t)i);
		else
			i++;
	}
}

void table_make_room(struct table *table, uint64_t key, bool (*goes)(uint32_t value))
{
	struct table_part *part = table_part_of(table, table_scatter(key));
	if (part->slots == NULL || !is_full(part))
		return;
	if (goes != NULL)
		sweep(part, table->part_bits, goes);
	if ((uint64_t)part->count * 2 > UINT64_C(1) << part->bits)
		(void)grow(part, table->part_bits);
}

uint64_t table_count(const struct table *table)
{
	uint64_t count = 0;
	for (size_t i = 0; table->parts != NULL && i < (size_t)1 << table->part_bits; i++)
		count += table->parts[i].count;
	return count;
}
