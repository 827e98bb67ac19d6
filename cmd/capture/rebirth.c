/* What is hidden, and what is awaited; see rebirth.h. */
#define _GNU_SOURCE
#include "rebirth.h"

#include <string.h>

/* What was hidden first lies lowest. More at a time are not sampled. */
enum { LEVELS = 64 };

struct level {
	void *newest; /* of a chain, also where Python has an array */
	int count;
};

/* In each place as many objects are awaited as there are levels. */
static struct hidden {
	unsigned levels;
	struct level level[LEVELS];
} hidden[FRAMES_PLACES];

struct frames_keep rebirth_keep[FRAMES_PLACES];
void *rebirth_interpreter;
atomic_bool rebirth_alone;
uint8_t rebirth_sizes[REBIRTH_SIZES];
atomic_uintptr_t rebirth_tried;

static struct {
	const void *type, *copy;
	frames_release free_object;
} types[FRAMES_KINDS];

static struct {
	void (*forget)(uintptr_t block);
	size_t tried_size;   /* of the block that was made last, */
	bool tried_is_drawn; /* which counts in any case */
} rebirth;

bool rebirth_learn(void)
{
	static int none;
	bool known = frames_find_keeps(rebirth_keep);
	for (size_t place = 0; place < FRAMES_PLACES; place++)
		if (rebirth_keep[place].count == NULL)
			rebirth_keep[place].count = &none;
	return known;
}

void rebirth_know_type(enum frames_kind kind, const void *type, const void *copy, frames_release free_object)
{
	types[kind].type = type;
	types[kind].copy = copy;
	types[kind].free_object = free_object;
}

/* Where objects of an array are linked while they are hidden: all that they have there is made anew. */
enum { HIDDEN_LINK = FRAMES_SIZE_OF };

static void **link_of(const struct frames_keep *keep, void *object)
{
	return frames_link(object, keep->link != 0 ? keep->link : (unsigned)HIDDEN_LINK);
}

static void hide(size_t place)
{
	const struct frames_keep *keep = &rebirth_keep[place];
	struct level *level = &hidden[place].level[hidden[place].levels++];
	*level = (struct level){.newest = keep->link != 0 ? *keep->objects : NULL, .count = *keep->count};
	if (keep->link != 0)
		*keep->objects = NULL;
	for (int i = 0; keep->link == 0 && i < level->count; i++) {
		*link_of(keep, keep->objects[i]) = level->newest;
		level->newest = keep->objects[i];
	}
	*keep->count = 0;
	rebirth_sizes[keep->size / REBIRTH_STEP]++;
}

/* Below what is there, which is seldom anything. */
static void show(size_t place)
{
	const struct frames_keep *keep = &rebirth_keep[place];
	const struct level *level = &hidden[place].level[--hidden[place].levels];
	void *newest = level->newest;
	int count = *keep->count, fit = level->count < keep->most - count ? level->count : keep->most - count;
	if (keep->link != 0) {
		void **end = keep->objects;
		while (*end != NULL)
			end = link_of(keep, *end);
		*end = newest;
		*keep->count += level->count;
	} else {
		memmove(keep->objects + fit, keep->objects, (size_t)count * sizeof *keep->objects);
		*keep->count += fit;
		for (int i = level->count; i-- > 0;) {
			void *next = *link_of(keep, newest);
			if (i < fit)
				keep->objects[i] = newest;
			else
				types[frames_kind_at(place)].free_object(newest);
			newest = next;
		}
	}
	rebirth_sizes[keep->size / REBIRTH_STEP]--;
}

/* Whoever makes one has the GIL, so that none is half made while this looks. */
static void look_for_others(void)
{
	bool alone = frames_interpreters_are_seen() && py.PyInterpreterState_Head() == rebirth_interpreter;
	atomic_store_explicit(&rebirth_alone, alone, memory_order_relaxed);
}

void rebirth_begin(void (*forget)(uintptr_t block))
{
	rebirth.forget = forget;
	rebirth_interpreter = py.PyInterpreterState_Main();
	look_for_others();
}

void rebirth_end(void)
{
	rebirth_settle();
	rebirth_interpreter = NULL;
	atomic_store_explicit(&rebirth_alone, false, memory_order_relaxed);
	for (size_t place = 0; place < FRAMES_PLACES; place++)
		while (hidden[place].levels > 0)
			show(place);
}

/* Whether what comes next in that memory is not sampled, or cannot be. */
static bool misses(size_t place)
{
	size_t size = rebirth_keep[place].size;
	if (sampler_misses(&sampler_own, size) || !sampler_hits(&sampler_own, size) || hidden[place].levels == LEVELS)
		return true;
	hide(place);
	return false;
}

bool rebirth_keeps(enum frames_kind kind, py_object *object)
{
	const struct frames_keep *keep = rebirth_place(kind, object);
	if (keep == NULL || py.current_interpreter() != rebirth_interpreter)
		return false;
	if (!atomic_load_explicit(&rebirth_alone, memory_order_relaxed))
		look_for_others();
	if (!misses((size_t)(keep - rebirth_keep)))
		return false;
	rebirth_put(kind, keep, object);
	return true;
}

/* Where objects of that kind and size are awaited; FRAMES_PLACES = nowhere. */
static size_t place_awaiting(size_t size, enum frames_kind kind)
{
	enum { LEAST_TUPLE = 48 };
	size_t place = kind == FRAMES_TUPLE ? (size - LEAST_TUPLE) / sizeof(void *) : (size_t)kind + FRAMES_OTHERS;
	bool fits = place < FRAMES_PLACES && frames_kind_at(place) == kind && hidden[place].levels > 0;
	return fits && rebirth_keep[place].size == size ? place : (size_t)FRAMES_PLACES;
}

static bool is_empty(const struct frames_keep *keep)
{
	return keep->link != 0 ? *keep->objects == NULL : *keep->count == 0;
}

bool rebirth_awaits(size_t size)
{
	if (!rebirth_may_await(size) || py.current_interpreter() != rebirth_interpreter)
		return false;
	rebirth_settle();
	for (unsigned kind = 0; kind < FRAMES_KINDS; kind++) {
		size_t place = place_awaiting(size, (enum frames_kind)kind);
		if (place < FRAMES_PLACES && is_empty(&rebirth_keep[place]))
			return true;
	}
	return false;
}

void rebirth_try(uintptr_t block, size_t size, bool is_drawn)
{
	/* What was there before may have left a type. */
	memset((void *)block, 0, size);
	rebirth.tried_size = size;
	rebirth.tried_is_drawn = is_drawn;
	atomic_store_explicit(&rebirth_tried, block, memory_order_relaxed);
}

/* The place where the object of a block was awaited. */
static size_t place_of(uintptr_t block, size_t size)
{
	for (unsigned kind = 0; kind < FRAMES_KINDS; kind++) {
		size_t place = place_awaiting(size, (enum frames_kind)kind);
		if (place == FRAMES_PLACES)
			continue;
		const void *type = *(void **)(block + rebirth_keep[place].before + FRAMES_TYPE_OF);
		if (type == types[kind].type || type == types[kind].copy)
			return place;
	}
	return FRAMES_PLACES;
}

void rebirth_settle(void)
{
	uintptr_t block = atomic_load_explicit(&rebirth_tried, memory_order_relaxed);
	if (block == 0 || py.current_interpreter() != rebirth_interpreter)
		return;
	atomic_store_explicit(&rebirth_tried, 0, memory_order_relaxed);
	size_t place = place_of(block, rebirth.tried_size);
	if (place < FRAMES_PLACES)
		show(place);
	else if (!rebirth.tried_is_drawn)
		rebirth.forget(block);
}
