/* Tables between a stream of traces and a builder: tracebacks that are told once and used often, and
 * how many blocks there are of each (traceback, total, domain, size). Knows nothing of pickles. */
#ifndef SNAP_IMPORT_TRACES_H
#define SNAP_IMPORT_TRACES_H

#include <snap/builder.h>

#include "base/hash.h"
#include "base/index.h"
#include "base/vector.h"

/* Frames, tracebacks and sites are numbered from 0, at most to this. */
#define SNAP_TRACES_NUMBER_MAX ((UINT32_C(1) << 29) - 1)

#if defined(__GNUC__)
#define snap_traces_prefetch(address) __builtin_prefetch(address)
#else
#define snap_traces_prefetch(address) ((void)(address))
#endif

/* A frame used lately. Names and lines that need more than 16 bits are not kept. */
struct snap_traces_slot {
	uint32_t key; /* name << 16 | line */
	uint32_t frame;
};

struct snap_traces_traceback {
	uint32_t first; /* in pool, the newest frame */
	uint16_t length;
	uint16_t total; /* what the stack was made with */
	uint32_t stack; /* SNAP_INDEX_NONE before the first */
};
SNAP_VECTOR(snap_traces_tracebacks, struct snap_traces_traceback);

/* The stack of a traceback for a second total, or a third. CPython has none; programs that rewrite
 * dumps may. */
struct snap_traces_variant {
	uint32_t traceback, total, stack;
};
SNAP_VECTOR(snap_traces_variants, struct snap_traces_variant);

struct snap_traces_site {
	uint64_t size, blocks;
	uint32_t traceback, total, domain, stack;
};
SNAP_VECTOR(snap_traces_sites, struct snap_traces_site);

struct snap_traces {
	struct snap_builder *builder; /* borrowed */
	struct snap_budget *budget;   /* borrowed */
	struct snap_traces_slot *slots; /* 2^slot_bits */
	unsigned slot_bits;
	size_t slots_filled; /* how often one was, since there are that many */
	struct snap_u32s pool; /* the frames of all tracebacks */
	struct snap_traces_tracebacks tracebacks;
	struct snap_traces_variants variants;
	struct snap_index variant_index;
	struct snap_traces_sites sites;
	struct snap_index site_index;
	uint64_t repeated; /* frames told to the builder once more, for another total */
};

enum snap_status snap_traces_init(struct snap_traces *t, struct snap_builder *builder, struct snap_budget *budget,
                                  struct snap_error *err);
void snap_traces_free(struct snap_traces *t);

enum snap_status snap_traces_frame(struct snap_traces *t, uint32_t name, uint32_t line, uint32_t *frame,
                                   struct snap_error *err);

/* Room for `count` more frames behind the last one in the pool, for the caller to fill … */
enum snap_status snap_traces_reserve(struct snap_traces *t, size_t count, struct snap_error *err);
/* … and the new traceback of 1 to SNAP_DEPTH_MAX frames that were put there, newest first. */
enum snap_status snap_traces_traceback(struct snap_traces *t, size_t count, uint32_t *traceback,
                                       struct snap_error *err);

/* Makes a site for snap_traces_site. */
enum snap_status snap_traces_new_site(struct snap_traces *t, const struct snap_traces_site *like, uint64_t hash,
                                      uint64_t offset, uint32_t *site, struct snap_error *err);

/* Frees what only new frames, tracebacks and sites need; then only snap_traces_finish may follow. */
void snap_traces_close(struct snap_traces *t);
/* Tells all blocks to the builder. */
enum snap_status snap_traces_finish(struct snap_traces *t, struct snap_error *err);

static inline uint64_t snap_traces_hash(struct snap_traces *t, const struct snap_traces_site *like)
{
	const struct snap_seed *seed = snap_index_seed(&t->site_index);
	uint64_t where = (uint64_t)like->traceback << 32 | like->domain;
	return snap_mix(where * seed->words[1] + like->total * (seed->words[0] | 1) + like->size);
}

/* The site that `like` describes but for stack and blocks, with its hash; `total` is at most
 * SNAP_DEPTH_MAX, 0 = unknown. `offset` is where the input is, for errors and as a measure of how much
 * work it may ask for. */
static inline enum snap_status snap_traces_site(struct snap_traces *t, const struct snap_traces_site *like,
                                                uint64_t hash, uint64_t offset, uint32_t *site, struct snap_error *err)
{
	size_t cursor = snap_index_start(&t->site_index, hash);
	while ((*site = snap_index_next(&t->site_index, hash, &cursor)) != SNAP_INDEX_NONE) {
		const struct snap_traces_site *s = &t->sites.at[*site];
		if (s->traceback == like->traceback && s->size == like->size && s->total == like->total &&
		    s->domain == like->domain)
			return SNAP_OK;
	}
	return snap_traces_new_site(t, like, hash, offset, site, err);
}

static inline void snap_traces_count(struct snap_traces *t, uint32_t site)
{
	t->sites.at[site].blocks++;
}

static inline const struct snap_traces_slot *snap_traces_slot(const struct snap_traces *t, uint32_t name, uint32_t line)
{
	return &t->slots[((name << 16 | line) * UINT32_C(0x9E3779B1)) >> (32 - t->slot_bits)];
}

static inline bool snap_traces_slot_holds(const struct snap_traces_slot *slot, uint32_t name, uint32_t line)
{
	return (name | line) <= UINT16_MAX && slot->key == (name << 16 | line);
}

#endif
