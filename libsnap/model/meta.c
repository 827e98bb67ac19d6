/* Metadata: an ordered list of unique keys with text values, found by hash; see snap/meta.h. */
#include <snap/meta.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/seed.h"

/* What an entry counts for beside its text. */
enum { ENTRY_BYTES = 16, FORMAT_MAX = 4095, HISTORY_MAX = 65536 };

struct entry {
	char *key;
	char *value; /* NUL-terminated */
	size_t size;
	uint32_t hash;
};

struct snap_meta {
	struct entry *entries;
	uint32_t *slots; /* open addressing: number of an entry + 1, or 0; twice as many as `capacity` */
	size_t count, capacity; /* a power of two */
	struct snap_seed seed; /* of the hashes of keys */
	size_t bytes; /* as SNAP_META_BYTES_MAX counts them */
};

static enum snap_status no_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

enum snap_status snap_meta_new(struct snap_meta **out, struct snap_error *err)
{
	struct snap_meta *meta = calloc(1, sizeof *meta);
	if (meta == NULL)
		return no_memory(err);
	snap_seed_draw(&meta->seed);
	*out = meta;
	return SNAP_OK;
}

static void drop(struct snap_meta *meta, struct entry *e)
{
	meta->bytes -= strlen(e->key) + e->size + ENTRY_BYTES;
	free(e->key);
	free(e->value);
}

void snap_meta_free(struct snap_meta *meta)
{
	if (meta == NULL)
		return;
	for (size_t i = 0; i < meta->count; i++)
		drop(meta, &meta->entries[i]);
	free(meta->entries);
	free(meta->slots);
	free(meta);
}

static uint32_t hash_of(const struct snap_meta *meta, const char *key)
{
	return (uint32_t)snap_keyed_bytes(&meta->seed, key, strlen(key));
}

/* The slot that holds the key, or the free one where it belongs. There must be slots. */
static size_t slot_of(const struct snap_meta *meta, const char *key, uint32_t hash)
{
	size_t mask = 2 * meta->capacity - 1;
	size_t i = hash & mask;
	while (meta->slots[i] != 0) {
		const struct entry *e = &meta->entries[meta->slots[i] - 1];
		if (e->hash == hash && strcmp(e->key, key) == 0)
			break;
		i = (i + 1) & mask;
	}
	return i;
}

static struct entry *find(const struct snap_meta *meta, const char *key)
{
	if (meta->count == 0)
		return NULL;
	uint32_t number = meta->slots[slot_of(meta, key, hash_of(meta, key))];
	return number != 0 ? &meta->entries[number - 1] : NULL;
}

static void index_again(struct snap_meta *meta)
{
	if (meta->capacity == 0)
		return;
	memset(meta->slots, 0, 2 * meta->capacity * sizeof *meta->slots);
	for (size_t i = 0; i < meta->count; i++) {
		const struct entry *e = &meta->entries[i];
		meta->slots[slot_of(meta, e->key, e->hash)] = (uint32_t)i + 1;
	}
}

static enum snap_status grow(struct snap_meta *meta, struct snap_error *err)
{
	size_t capacity = meta->capacity == 0 ? 16 : 2 * meta->capacity;
	struct entry *entries = realloc(meta->entries, capacity * sizeof *entries);
	if (entries == NULL)
		return no_memory(err);
	meta->entries = entries;
	uint32_t *slots = calloc(2 * capacity, sizeof *slots);
	if (slots == NULL)
		return no_memory(err);
	free(meta->slots);
	meta->slots = slots;
	meta->capacity = capacity;
	index_again(meta);
	return SNAP_OK;
}

static bool good_key(const char *key)
{
	for (const unsigned char *p = (const unsigned char *)key; *p != '\0'; p++)
		if (*p <= 0x20 || *p == '=' || *p == 0x7f)
			return false;
	return key[0] != '\0';
}

enum snap_status snap_meta_set(struct snap_meta *meta, const char *key, const void *value, size_t size,
                               struct snap_error *err)
{
	size_t key_size = strlen(key);
	if (key_size > SNAP_META_KEY_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a metadata key has more than %d bytes",
		                 SNAP_META_KEY_MAX);
	if (!good_key(key))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
		                 "a metadata key is empty or has a space, '=' or control character: '%s'", key);
	if (size > SNAP_META_VALUE_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the metadata value of %s has more than %d bytes", key,
		                 SNAP_META_VALUE_MAX);
	if (size > 0 && memchr(value, '\0', size) != NULL)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the metadata value of %s has a NUL byte", key);

	struct entry *old = find(meta, key);
	size_t bytes = meta->bytes + size;
	if (old != NULL)
		bytes -= old->size;
	else
		bytes += key_size + ENTRY_BYTES;
	if (bytes > SNAP_META_BYTES_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the metadata have more than %d bytes",
		                 SNAP_META_BYTES_MAX);
	if (old == NULL && meta->count >= SNAP_META_ENTRIES_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "there are more than %d metadata entries",
		                 SNAP_META_ENTRIES_MAX);
	if (old == NULL && meta->count == meta->capacity) {
		enum snap_status status = grow(meta, err);
		if (status < 0)
			return status;
	}

	char *text = malloc(size + 1);
	char *name = text != NULL && old == NULL ? malloc(key_size + 1) : NULL;
	if (text == NULL || (old == NULL && name == NULL)) {
		free(text);
		return no_memory(err);
	}
	if (size > 0)
		memcpy(text, value, size);
	text[size] = '\0';
	meta->bytes = bytes;
	if (old != NULL) {
		free(old->value);
		old->value = text;
		old->size = size;
		return SNAP_OK;
	}
	memcpy(name, key, key_size + 1);
	uint32_t hash = hash_of(meta, name);
	size_t slot = slot_of(meta, name, hash);
	meta->entries[meta->count] = (struct entry){.key = name, .value = text, .size = size, .hash = hash};
	meta->slots[slot] = (uint32_t)++meta->count;
	return SNAP_OK;
}

enum snap_status snap_meta_set_text(struct snap_meta *meta, const char *key, const char *value, struct snap_error *err)
{
	return snap_meta_set(meta, key, value, strlen(value), err);
}

enum snap_status snap_meta_set_format(struct snap_meta *meta, const char *key, struct snap_error *err,
                                      const char *format, ...)
{
	char text[FORMAT_MAX + 1];
	va_list args;
	va_start(args, format);
	int size = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (size < 0 || size > FORMAT_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the metadata value of %s has more than %d bytes", key,
		                 FORMAT_MAX);
	return snap_meta_set(meta, key, text, (size_t)size, err);
}

void snap_meta_remove(struct snap_meta *meta, const char *key)
{
	struct entry *e = find(meta, key);
	if (e == NULL)
		return;
	drop(meta, e); /* `key` may have been its own */
	size_t behind = --meta->count - (size_t)(e - meta->entries);
	memmove(e, e + 1, behind * sizeof *e);
	index_again(meta);
}

enum snap_status snap_meta_copy(struct snap_meta **out, const struct snap_meta *from, struct snap_error *err)
{
	struct snap_meta *copy = NULL;
	enum snap_status status = snap_meta_new(&copy, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < from->count; i++) {
		const struct entry *e = &from->entries[i];
		status = snap_meta_set(copy, e->key, e->value, e->size, err);
		if (status < 0) {
			snap_meta_free(copy);
			return status;
		}
	}
	*out = copy;
	return SNAP_OK;
}

size_t snap_meta_count(const struct snap_meta *meta)
{
	return meta->count;
}

const char *snap_meta_at(const struct snap_meta *meta, size_t i, const char **value, size_t *size)
{
	const struct entry *e = &meta->entries[i];
	*value = e->value;
	*size = e->size;
	return e->key;
}

const char *snap_meta_get(const struct snap_meta *meta, const char *key)
{
	const struct entry *e = find(meta, key);
	return e != NULL ? e->value : NULL;
}

/* N of `history.N`, or 0 if the key is another. */
static uint64_t history_number(const char *key)
{
	static const char prefix[] = "history.";
	if (strncmp(key, prefix, sizeof prefix - 1) != 0)
		return 0;
	const char *p = key + sizeof prefix - 1;
	if (*p < '1' || *p > '9')
		return 0;
	uint64_t n = 0;
	for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	return *p == '\0' ? n : 0;
}

static bool is_history(const char *key)
{
	size_t old = strncmp(key, SNAP_META_OLD, sizeof SNAP_META_OLD - 1) == 0 ? sizeof SNAP_META_OLD - 1 : 0;
	return history_number(key + old) != 0;
}

void snap_meta_drop_history(struct snap_meta *meta)
{
	size_t kept = 0;
	for (size_t i = 0; i < meta->count; i++) {
		if (is_history(meta->entries[i].key))
			drop(meta, &meta->entries[i]);
		else
			meta->entries[kept++] = meta->entries[i];
	}
	meta->count = kept;
	index_again(meta);
}

/* A command line that is cut short, and says so, rather than taking all the room there is. */
struct line {
	char *at;
	size_t size;
	bool full;
};

static void append(struct line *line, const char *text, size_t size)
{
	static const char cut[] = " ...";
	if (line->full)
		return;
	if (size > HISTORY_MAX - (sizeof cut - 1) - line->size) {
		line->full = true;
		text = cut;
		size = sizeof cut - 1;
	}
	memcpy(line->at + line->size, text, size);
	line->size += size;
}

static bool needs_quotes(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./@:=,+%";
	return word[0] == '\0' || word[strspn(word, plain)] != '\0';
}

/* A word is appended whole or not at all, so that what is there can be read. */
static enum snap_status append_word(struct line *line, const char *word, struct snap_error *err)
{
	size_t size = strlen(word);
	if (size > HISTORY_MAX)
		size = HISTORY_MAX;
	char *quoted = malloc(4 * size + 4);
	if (quoted == NULL)
		return no_memory(err);
	char *p = quoted;
	*p++ = ' ';
	if (!needs_quotes(word)) {
		memcpy(p, word, size);
		p += size;
	} else {
		*p++ = '\'';
		for (size_t i = 0; i < size; i++) {
			if (word[i] == '\'') {
				memcpy(p, "'\\''", 4);
				p += 4;
			} else {
				*p++ = word[i];
			}
		}
		*p++ = '\'';
	}
	append(line, quoted, (size_t)(p - quoted));
	free(quoted);
	return SNAP_OK;
}

enum snap_status snap_meta_add_history(struct snap_meta *meta, const char *tool, int argc, char *const argv[],
                                       struct snap_error *err)
{
	uint64_t last = 0;
	for (size_t i = 0; i < meta->count; i++) {
		uint64_t n = history_number(meta->entries[i].key);
		if (n > last)
			last = n;
	}
	struct line line = {.at = malloc(HISTORY_MAX)};
	if (line.at == NULL)
		return no_memory(err);
	append(&line, tool, strlen(tool));
	append(&line, " ", 1);
	append(&line, snap_version(), strlen(snap_version()));
	append(&line, ":", 1);
	enum snap_status status = SNAP_OK;
	for (int i = 0; status == SNAP_OK && i < argc && !line.full; i++)
		status = append_word(&line, argv[i], err);
	if (status == SNAP_OK) {
		char key[40];
		snprintf(key, sizeof key, "history.%llu", (unsigned long long)last + 1);
		status = snap_meta_set(meta, key, line.at, line.size, err);
	}
	free(line.at);
	return status;
}
