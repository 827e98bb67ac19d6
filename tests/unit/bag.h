/* What a snapshot says, as a multiset of (traceback, total, domain, size) with values: taken through the
 * public functions only, so that two snapshots can be compared whatever their tables look like. */
#ifndef BAG_H
#define BAG_H

#include <snap/snapshot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bag_item {
	uint64_t key[2]; /* hash of everything but the values */
	int64_t values[SNAP_COLUMNS_MAX];
};

struct bag {
	struct bag_item *items;
	size_t count, room;
	size_t merged; /* items that bag_settle added to an equal one */
};

static inline void *bag_memory(void *old, size_t count, size_t element)
{
	void *memory = realloc(old, count > 0 ? count * element : 1);
	if (memory == NULL) {
		fputs("out of memory in a test\n", stderr);
		abort();
	}
	return memory;
}

static inline void bag_free(struct bag *b)
{
	free(b->items);
	*b = (struct bag){.items = NULL};
}

static inline void bag_hash_number(uint64_t h[2], uint64_t n)
{
	h[0] = (h[0] ^ n) * UINT64_C(0x9FB21C651E98DF25);
	h[0] ^= h[0] >> 29;
	h[1] = (h[1] + n) * UINT64_C(0xA24BAED4963EE407);
	h[1] ^= h[1] >> 32;
}

static inline void bag_hash_bytes(uint64_t h[2], const char *bytes, size_t size)
{
	uint64_t word;
	bag_hash_number(h, size);
	for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		bag_hash_number(h, word);
	}
	if (size > 0) {
		word = 0;
		memcpy(&word, bytes, size);
		bag_hash_number(h, word);
	}
}

/* Frames whose hash is known, by where their names stand: most come again and again. */
struct bag_frames {
	struct {
		struct snap_frame frame;
		uint64_t hash[2];
		bool used;
	} at[1024];
};

static inline struct bag_frames *bag_frames_new(void)
{
	struct bag_frames *known = bag_memory(NULL, 1, sizeof *known);
	for (size_t i = 0; i < sizeof known->at / sizeof *known->at; i++)
		known->at[i].used = false;
	return known;
}

/* `known` lives no longer than the names of its frames do. */
static inline void bag_hash_frame(uint64_t h[2], struct snap_frame f, struct bag_frames *known)
{
	uint64_t place[2] = {1, 1};
	bag_hash_number(place, (uintptr_t)f.file.bytes);
	bag_hash_number(place, (uintptr_t)f.function.bytes);
	bag_hash_number(place, (uint64_t)f.line << 32 | (f.file.size + f.function.size));
	size_t i = place[0] % (sizeof known->at / sizeof *known->at);
	const struct snap_frame *k = &known->at[i].frame;
	if (!known->at[i].used || k->file.bytes != f.file.bytes || k->file.size != f.file.size || k->line != f.line ||
	    k->function.bytes != f.function.bytes || k->function.size != f.function.size) {
		uint64_t *hash = known->at[i].hash;
		hash[0] = hash[1] = 1;
		bag_hash_bytes(hash, f.file.bytes, f.file.size);
		bag_hash_number(hash, f.line);
		bag_hash_number(hash, f.function.bytes != NULL);
		if (f.function.bytes != NULL)
			bag_hash_bytes(hash, f.function.bytes, f.function.size);
		known->at[i].frame = f;
		known->at[i].used = true;
	}
	bag_hash_number(h, known->at[i].hash[0]);
	bag_hash_number(h, known->at[i].hash[1]);
}

/* `stack` is a hash of the frames. */
static inline void bag_add(struct bag *b, const uint64_t stack[2], uint32_t length, uint32_t total, uint32_t domain,
                           uint64_t size, const int64_t *values, size_t columns)
{
	if (b->count == b->room) {
		b->room = 2 * b->room + 16;
		b->items = bag_memory(b->items, b->room, sizeof *b->items);
	}
	struct bag_item *item = &b->items[b->count++];
	memset(item, 0, sizeof *item);
	memcpy(item->key, stack, sizeof item->key);
	bag_hash_number(item->key, length);
	bag_hash_number(item->key, total);
	bag_hash_number(item->key, domain);
	bag_hash_number(item->key, size);
	memcpy(item->values, values, columns * sizeof *values);
}

static inline int bag_compare(const void *a, const void *b)
{
	return memcmp(((const struct bag_item *)a)->key, ((const struct bag_item *)b)->key,
	              sizeof ((const struct bag_item *)a)->key);
}

/* Sorts, adds up what is equal, and drops what is zero in all columns. */
static inline void bag_settle(struct bag *b)
{
	static const int64_t zeros[SNAP_COLUMNS_MAX];
	size_t kept = 0;
	if (b->count > 0)
		qsort(b->items, b->count, sizeof *b->items, bag_compare);
	for (size_t i = 0; i < b->count;) {
		struct bag_item item = b->items[i++];
		for (; i < b->count && bag_compare(&item, &b->items[i]) == 0; i++) {
			for (size_t c = 0; c < SNAP_COLUMNS_MAX; c++)
				item.values[c] += b->items[i].values[c];
			b->merged++;
		}
		if (memcmp(item.values, zeros, sizeof zeros) != 0)
			b->items[kept++] = item;
	}
	b->count = kept;
}

static inline struct bag bag_of_snapshot(const struct snap_snapshot *s)
{
	struct bag b = {.items = NULL};
	size_t stacks = snap_snapshot_stacks(s), room = 0;
	uint64_t(*hashes)[2] = bag_memory(NULL, stacks, sizeof *hashes);
	struct snap_frame *frames = NULL;
	struct bag_frames *known = bag_frames_new();
	for (uint32_t i = 0; i < stacks; i++) {
		size_t length = snap_snapshot_stack(s, i).length;
		if (length > room) {
			room = 2 * length;
			frames = bag_memory(frames, room, sizeof *frames);
		}
		snap_snapshot_traceback(s, i, frames, room);
		hashes[i][0] = hashes[i][1] = 1;
		for (size_t f = 0; f < length; f++)
			bag_hash_frame(hashes[i], frames[f], known);
	}
	for (size_t i = 0; i < snap_snapshot_sites(s); i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, i, values);
		struct snap_stack stack = snap_snapshot_stack(s, site.stack);
		bag_add(&b, hashes[site.stack], stack.length, stack.total, site.domain, site.size, site.values,
		        snap_snapshot_columns(s));
	}
	free(known);
	free(frames);
	free(hashes);
	bag_settle(&b);
	return b;
}

static inline bool bag_equal(const struct bag *a, const struct bag *b)
{
	if (a->count != b->count)
		return false;
	return a->count == 0 || memcmp(a->items, b->items, a->count * sizeof *a->items) == 0;
}

/* Whether each item of `part` is in `whole`, with the same values. */
static inline bool bag_within(const struct bag *part, const struct bag *whole)
{
	size_t at = 0;
	for (size_t i = 0; i < part->count; i++, at++) {
		while (at < whole->count && bag_compare(&whole->items[at], &part->items[i]) < 0)
			at++;
		if (at == whole->count || memcmp(&whole->items[at], &part->items[i], sizeof *part->items) != 0)
			return false;
	}
	return true;
}

#endif
