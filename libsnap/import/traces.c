/* Tables of a stream of traces; see traces.h. */
#include "import/traces.h"

#include <stdlib.h>

/* A dump of few frames needs few slots, and clearing all of them would cost more than reading it. */
enum { SLOT_BITS_MIN = 8, SLOT_BITS_STEP = 4, SLOT_BITS_MAX = 16 };

/* Frames that may be repeated at once, and for each byte of input: so many that only a file made to
 * waste time and memory meets the limit. */
enum { REPEATED_FREE = 1 << 20, REPEATED_PER_BYTE = 4 };

/* Empty slots in place of those there are: what they held is found again in the builder. */
static enum snap_status make_slots(struct snap_traces *t, unsigned bits, struct snap_error *err)
{
	struct snap_traces_slot *slots = calloc((size_t)1 << bits, sizeof *slots);
	if (slots == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	free(t->slots);
	t->slots = slots;
	t->slots[0].key = 1; /* key 0 belongs here and nowhere else, so now no slot holds it */
	t->slot_bits = bits;
	t->slots_filled = 0;
	return SNAP_OK;
}

enum snap_status snap_traces_init(struct snap_traces *t, struct snap_builder *builder, struct snap_budget *budget,
                                  struct snap_error *err)
{
	*t = (struct snap_traces){.builder = builder, .budget = budget};
	return make_slots(t, SLOT_BITS_MIN, err);
}

void snap_traces_close(struct snap_traces *t)
{
	snap_vector_free(&t->pool, t->budget);
	snap_vector_free(&t->tracebacks, t->budget);
	snap_vector_free(&t->variants, t->budget);
	snap_index_free(&t->variant_index, t->budget);
	snap_index_free(&t->site_index, t->budget);
	free(t->slots);
	t->slots = NULL;
}

void snap_traces_free(struct snap_traces *t)
{
	snap_traces_close(t);
	snap_vector_free(&t->sites, t->budget);
}

static enum snap_status too_many(struct snap_error *err, const char *what)
{
	return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "the input holds more than %lu distinct %s",
	                 (unsigned long)SNAP_TRACES_NUMBER_MAX, what);
}

enum snap_status snap_traces_frame(struct snap_traces *t, uint32_t name, uint32_t line, uint32_t *frame,
                                   struct snap_error *err)
{
	const struct snap_traces_slot *held = snap_traces_slot(t, name, line);
	if (snap_traces_slot_holds(held, name, line)) {
		*frame = held->frame;
		return SNAP_OK;
	}
	enum snap_status status = snap_builder_frame(t->builder, name, line, SNAP_NO_FUNCTION, frame, err);
	if (status < 0)
		return status;
	if (*frame > SNAP_TRACES_NUMBER_MAX)
		return too_many(err, "frames");
	if ((name | line) > UINT16_MAX)
		return SNAP_OK;
	if (t->slots_filled >> (t->slot_bits - 1) > 0 && t->slot_bits < SLOT_BITS_MAX)
		status = make_slots(t, t->slot_bits + SLOT_BITS_STEP, err);
	if (status < 0)
		return status;
	t->slots[snap_traces_slot(t, name, line) - t->slots] =
	        (struct snap_traces_slot){.key = name << 16 | line, .frame = *frame};
	t->slots_filled++;
	return SNAP_OK;
}

enum snap_status snap_traces_reserve(struct snap_traces *t, size_t count, struct snap_error *err)
{
	return snap_vector_reserve(&t->pool, t->pool.count + count, t->budget, err);
}

enum snap_status snap_traces_traceback(struct snap_traces *t, size_t count, uint32_t *traceback,
                                       struct snap_error *err)
{
	if (t->tracebacks.count > SNAP_TRACES_NUMBER_MAX || t->pool.count > UINT32_MAX)
		return too_many(err, "tracebacks");
	enum snap_status status = snap_vector_reserve(&t->tracebacks, t->tracebacks.count + 1, t->budget, err);
	if (status < 0)
		return status;
	*traceback = (uint32_t)t->tracebacks.count++;
	t->tracebacks.at[*traceback] = (struct snap_traces_traceback){
	        .first = (uint32_t)t->pool.count,
	        .length = (uint16_t)count,
	        .stack = SNAP_INDEX_NONE,
	};
	t->pool.count += count;
	return SNAP_OK;
}

static enum snap_status find_variant(struct snap_traces *t, uint32_t traceback, uint32_t total, uint64_t offset,
                                     uint32_t *stack, struct snap_error *err)
{
	uint64_t hash = snap_keyed(snap_index_seed(&t->variant_index), (uint64_t)traceback << 32 | total);
	size_t cursor = snap_index_start(&t->variant_index, hash);
	uint32_t i;
	while ((i = snap_index_next(&t->variant_index, hash, &cursor)) != SNAP_INDEX_NONE)
		if (t->variants.at[i].traceback == traceback && t->variants.at[i].total == total) {
			*stack = t->variants.at[i].stack;
			return SNAP_OK;
		}

	const struct snap_traces_traceback *from = &t->tracebacks.at[traceback];
	t->repeated += from->length;
	if (t->repeated > REPEATED_FREE && (t->repeated - REPEATED_FREE) / REPEATED_PER_BYTE > offset)
		return snap_fail(err, SNAP_ERR_LIMIT, offset,
		                 "the same tracebacks come with too many different values of total_nframe");
	enum snap_status status = snap_index_reserve(&t->variant_index, t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&t->variants, t->variants.count + 1, t->budget, err);
	if (status == SNAP_OK)
		status = snap_builder_stack(t->builder, t->pool.at + from->first, from->length, total, stack, err);
	if (status < 0)
		return status;
	snap_index_insert(&t->variant_index, hash, (uint32_t)t->variants.count);
	t->variants.at[t->variants.count++] = (struct snap_traces_variant){traceback, total, *stack};
	return SNAP_OK;
}

static enum snap_status find_stack(struct snap_traces *t, uint32_t traceback, uint32_t total, uint64_t offset,
                                   uint32_t *stack, struct snap_error *err)
{
	struct snap_traces_traceback *from = &t->tracebacks.at[traceback];
	if (from->stack != SNAP_INDEX_NONE && from->total != total)
		return find_variant(t, traceback, total, offset, stack, err);
	if (from->stack == SNAP_INDEX_NONE) {
		enum snap_status status = snap_builder_stack(t->builder, t->pool.at + from->first, from->length, total,
		                                             &from->stack, err);
		if (status < 0)
			return status;
		from->total = (uint16_t)total;
	}
	*stack = from->stack;
	return SNAP_OK;
}

enum snap_status snap_traces_new_site(struct snap_traces *t, const struct snap_traces_site *like, uint64_t hash,
                                      uint64_t offset, uint32_t *site, struct snap_error *err)
{
	unsigned length = t->tracebacks.at[like->traceback].length;
	if (like->total > 0 && like->total < length)
		return snap_fail(err, SNAP_ERR_DAMAGED, offset, "a traceback of %u frames has a total_nframe of %u", length,
		                 like->total);
	if (t->sites.count > SNAP_TRACES_NUMBER_MAX)
		return too_many(err, "traces");
	struct snap_traces_site new = *like;
	new.blocks = 0;
	enum snap_status status = find_stack(t, like->traceback, like->total, offset, &new.stack, err);
	if (status == SNAP_OK)
		status = snap_index_reserve(&t->site_index, t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&t->sites, t->sites.count + 1, t->budget, err);
	if (status < 0)
		return status;
	*site = (uint32_t)t->sites.count++;
	t->sites.at[*site] = new;
	snap_index_insert(&t->site_index, hash, *site);
	return SNAP_OK;
}

enum snap_status snap_traces_finish(struct snap_traces *t, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < t->sites.count; i++) {
		const struct snap_traces_site *s = &t->sites.at[i];
		if (s->blocks > 0)
			status = snap_builder_add(t->builder, s->stack, s->domain, s->size, (int64_t)s->blocks, err);
	}
	return status;
}
