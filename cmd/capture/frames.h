/* The Python frames of the calling thread, read where each minor version of CPython keeps them: no object
 * is made, no reference is counted, nothing is allocated, and the GIL is not needed, for a thread's own
 * frames stand still while it is here. What is known of the layout of CPython is in this file, and checked
 * against what Python itself says before it is used. */
#ifndef CMD_CAPTURE_FRAMES_H
#define CMD_CAPTURE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python_api.h"

/* Where a frame is: in a code object, and where in it. */
struct frame_place {
	py_object *code;
	uintptr_t instruction;
};

/* Learns the layout for the interpreter this runs in, checks it, and begins to watch code objects. False
 * with a sentence in *why when the version is unknown or anything is not as expected: then none of the
 * functions below may be called. With the GIL, called from Python code; runs some. Once is enough. */
bool frames_learn(const char **why);

/* Tells stacks apart: a hash of the `limit` newest frames, at least 1, and of one or none more, that is never 0, and
 * never again that of frames one of whose code objects is gone. `newest` tells places apart, not always, and is known
 * sooner. */
struct frames_key {
	uint64_t key;
	uintptr_t newest;
};
extern struct frames_key (*frames_key)(unsigned limit);
/* The same frames, newest first; returns how many. *total is how deep the stack is. */
size_t frames_read(struct frame_place *places, size_t limit, size_t *total);

/* Of a frame of the calling thread's. The names are borrowed from the code object; the line is 0 where there
 * is none. */
uint32_t frames_line(const struct frame_place *place);
py_object *frames_file(const struct frame_place *place);
py_object *frames_function(const struct frame_place *place); /* qualified since 3.11 */
/* Tell places, and code objects, apart as frames_key does stacks. */
uint64_t frames_place_key(const struct frame_place *place);
uint64_t frames_code_key(const struct frame_place *place);

/* --- objects and their types --- */

enum { FRAMES_TYPE_OF = 8, FRAMES_SIZE_OF = 16, FRAMES_TYPE_RELEASE = 48, FRAMES_TYPE_FLAGS = 168, FRAMES_TYPE_FREE = 320 };
/* Flags of types whose objects have something before them, and how much that is for each of the two, and at most. */
enum { FRAMES_COLLECTED = 1 << 14, FRAMES_WITH_POINTERS = 1 << 3 | 1 << 4, FRAMES_BEFORE_OBJECT = 16,
       FRAMES_BEFORE_OBJECT_MOST = 2 * FRAMES_BEFORE_OBJECT };
/* Where an object has its type. */
static inline void **frames_type_of(py_object *object)
{
	return (void **)((uintptr_t)object + FRAMES_TYPE_OF);
}
/* Where the block begins that an object lies in. */
static inline uintptr_t frames_block_of(py_object *object)
{
	unsigned long flags = *(const unsigned long *)((uintptr_t)*frames_type_of(object) + FRAMES_TYPE_FLAGS);
	return (uintptr_t)object - ((flags & FRAMES_COLLECTED) != 0 ? FRAMES_BEFORE_OBJECT : 0) -
	       ((flags & FRAMES_WITH_POINTERS) != 0 ? FRAMES_BEFORE_OBJECT : 0);
}

/* --- types that Python defines itself, of 3.8 to 3.12 --- */

typedef void (*frames_release)(py_object *object);

/* NULL if the type is not called that, not laid out as expected, or another has put a function of his own
 * into its slot. With the GIL. */
void *frames_own_type(const char *symbol, const char *name);
size_t frames_type_size(void);
enum { FRAMES_TYPE_SIZE = 416 }; /* the largest */
/* The slot of a type through which its objects go. */
static inline frames_release *frames_release_slot(void *type)
{
	return (frames_release *)((uintptr_t)type + FRAMES_TYPE_RELEASE);
}
static inline frames_release *frames_free_slot(void *type)
{
	return (frames_release *)((uintptr_t)type + FRAMES_TYPE_FREE);
}
static inline size_t frames_items(py_object *tuple)
{
	return *(const size_t *)((uintptr_t)tuple + FRAMES_SIZE_OF);
}
/* There is one that never goes. */
static inline bool frames_is_empty_tuple(py_object *tuple)
{
	return frames_items(tuple) == 0;
}
/* Others are asked before it goes, and may keep it. */
bool frames_is_watched_dict(py_object *dict);
/* Later versions have other ways for most of them. */
bool frames_floats_use_slot(void);
/* Interpreters of a process have one GIL, and a new one takes its zeroed memory from the domain RAW. */
bool frames_interpreters_are_seen(void);

/* --- where Python keeps objects that have gone, for the next of their kind, before 3.13 --- */

enum frames_kind { FRAMES_TUPLE, FRAMES_LIST, FRAMES_DICT, FRAMES_FLOAT, FRAMES_KINDS };
/* Used from its end. That of one interpreter, or before 3.10 of all. */
struct frames_keep {
	void **objects; /* an array, or the first of a chain */
	int *count;
	int most;      /* it takes no more */
	unsigned link; /* where an object of a chain has the next one; 0 = it is an array */
	size_t size;   /* of an object's block, */
	size_t before; /* and what of it is before the object */
};
enum { FRAMES_ARRAY_MOST = 80, FRAMES_TUPLES_MOST = 20 };
static inline void **frames_link(void *object, unsigned link)
{
	return (void **)((uintptr_t)object + link);
}
/* Tuples by their items, less one, and then the other kinds. */
enum { FRAMES_OTHERS = FRAMES_TUPLES_MOST - 1, FRAMES_PLACES = FRAMES_OTHERS + FRAMES_KINDS };
static inline enum frames_kind frames_kind_at(size_t place)
{
	return place < FRAMES_TUPLES_MOST ? FRAMES_TUPLE : (enum frames_kind)(place - FRAMES_OTHERS);
}
/* Those of the main interpreter, found to be there by objects that are made and go; where that is not known, or not as
 * expected, zeroed. False if all are. With the GIL, before reuse_prevent. */
bool frames_find_keeps(struct frames_keep keeps[FRAMES_PLACES]);

#endif
