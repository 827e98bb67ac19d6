/* Sampling of objects that Python makes in the memory of earlier ones, before 3.13, without keeping Python from it.
 *
 * Python keeps the memory of some objects that have gone, and makes the next ones in what it has kept last. Of that
 * nobody is told. So whether the next object in some memory is sampled is drawn when the one before it goes. If it is
 * not, which is nearly always so, Python keeps the memory as ever. If it is, the memory is freed, and what is kept
 * below it is hidden: when Python has used up all above, it has to ask the allocator, for the very object that would
 * have been made in that memory. It is known by its size and, as soon as it is looked at, by its type. Then what was
 * hidden is there again.
 *
 * All of this is called with the GIL. */
#ifndef CMD_CAPTURE_REBIRTH_H
#define CMD_CAPTURE_REBIRTH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "frames.h"
#include "sampler.h"

/* Learns where Python keeps objects. False if that is not known: then none of the others may be called. Before
 * reuse_prevent. */
bool rebirth_learn(void);

/* What is looked for: a type as Python defines it, and as it is while an object of it goes. */
void rebirth_know_type(enum frames_kind kind, const void *type, const void *copy, frames_release free_object);

/* `forget`: a block that was recorded is to count no more. */
void rebirth_begin(void (*forget)(uintptr_t block));
/* All that was hidden is there again. */
void rebirth_end(void);

extern struct frames_keep rebirth_keep[FRAMES_PLACES]; /* one that is not known takes nothing */
extern void *rebirth_interpreter; /* whose objects these are; NULL = it is not on */
extern atomic_bool rebirth_alone; /* it is on, and there is no other interpreter */

/* Zeroed memory of the domain RAW is about to be taken, which may be for another interpreter. Also called without the
 * GIL. */
static inline void rebirth_doubt(size_t size)
{
	enum { INTERPRETER_LEAST = 4096 };
	if (size >= INTERPRETER_LEAST)
		atomic_store_explicit(&rebirth_alone, false, memory_order_relaxed);
}

/* An object, with all in it, has gone, of a type that is known, and is not sampled. True: Python keeps its memory. False:
 * it is to be freed. */
bool rebirth_keeps(enum frames_kind kind, py_object *object);

/* Where Python keeps it, if it has not too many; else NULL. */
static inline const struct frames_keep *rebirth_place(enum frames_kind kind, py_object *object)
{
	size_t place = kind == FRAMES_TUPLE ? frames_items(object) - 1 : (size_t)kind + FRAMES_OTHERS;
	if (kind == FRAMES_TUPLE && place >= FRAMES_TUPLES_MOST)
		return NULL;
	const struct frames_keep *keep = &rebirth_keep[place];
	return *keep->count < keep->most ? keep : NULL;
}

static inline void rebirth_put(enum frames_kind kind, const struct frames_keep *keep, py_object *object)
{
	if (kind == FRAMES_TUPLE || kind == FRAMES_FLOAT) {
		*frames_link(object, keep->link) = *keep->objects;
		*keep->objects = object;
	} else {
		keep->objects[*keep->count] = object;
	}
	++*keep->count;
}

/* The same as rebirth_keeps where true is seen at a glance; nothing was done where it is not. */
static inline bool rebirth_keeps_plainly(enum frames_kind kind, py_object *object)
{
	const struct frames_keep *keep = rebirth_place(kind, object);
	if (keep == NULL || !atomic_load_explicit(&rebirth_alone, memory_order_relaxed) ||
	    !sampler_misses(&sampler_own, keep->size))
		return false;
	rebirth_put(kind, keep, object);
	return true;
}

/* The block of the domain OBJ that is about to be made may be of an object that is to be sampled. */
bool rebirth_awaits(size_t size);
/* The same at a glance: objects of that size may be awaited. */
enum { REBIRTH_STEP = 8, REBIRTH_SIZES = 512 / REBIRTH_STEP + 1 };
extern uint8_t rebirth_sizes[REBIRTH_SIZES]; /* how many, by size in steps */
static inline bool rebirth_may_await(size_t size)
{
	return rebirth_sizes[size / REBIRTH_STEP] != 0;
}
/* It was made, and was recorded; `is_drawn`: in any case. */
void rebirth_try(uintptr_t block, size_t size, bool is_drawn);
/* Before anything else is done with objects: whether what was made last is one that was awaited is seen by now. */
void rebirth_settle(void);
/* A block goes, or changes; also called without the GIL. */
extern atomic_uintptr_t rebirth_tried; /* what was made last, while it is not seen to be what it is; 0 = nothing */
static inline void rebirth_forget(uintptr_t block)
{
	if (__builtin_expect(atomic_load_explicit(&rebirth_tried, memory_order_relaxed) == block, false))
		atomic_store_explicit(&rebirth_tried, 0, memory_order_relaxed);
}

#endif
