/* The slots of up to four types; see reuse.h. Slots are shared by all interpreters of the process: what is
 * read when an object goes is written once, before. */
#define _GNU_SOURCE
#include "reuse.h"

#include <string.h>

#include "rebirth.h"

static struct kind {
	const char *symbol, *name;
	const char *example; /* for Py_BuildValue: with nothing in it that goes as well */
	void *type;          /* NULL = not known yet */
	frames_release release, free_object;
	_Alignas(16) char copy[FRAMES_TYPE_SIZE];
} kinds[FRAMES_KINDS] = {
	[FRAMES_TUPLE] = {.symbol = "PyTuple_Type", .name = "tuple", .example = "(())"},
	[FRAMES_LIST] = {.symbol = "PyList_Type", .name = "list", .example = "[]"},
	[FRAMES_DICT] = {.symbol = "PyDict_Type", .name = "dict", .example = "{}"},
	[FRAMES_FLOAT] = {.symbol = "PyFloat_Type", .name = "float", .example = "d"},
};

/* `may_stay`: somebody may still have the object when this is over. */
static inline void release(const struct kind *kind, frames_release ours, py_object *object, bool may_stay)
{
	void **type = frames_type_of(object);
	if (*type == kind->type) {
		if (!may_stay)
			*type = (void *)kind->copy;
	} else if (*frames_release_slot(*type) == ours) {
		/* Derived in C, while the slot was ours: it has to have what it would have had. */
		*frames_release_slot(*type) = kind->release;
	}
	kind->release(object);
}

static void release_tuple(py_object *object)
{
	release(&kinds[FRAMES_TUPLE], release_tuple, object, frames_is_empty_tuple(object));
}

static void release_list(py_object *object)
{
	release(&kinds[FRAMES_LIST], release_list, object, false);
}

static void release_dict(py_object *object)
{
	release(&kinds[FRAMES_DICT], release_dict, object, frames_is_watched_dict(object));
}

static void release_float(py_object *object)
{
	release(&kinds[FRAMES_FLOAT], release_float, object, false);
}

/* A sampled one is freed in any case: what is made in its memory later is not what was sampled. */
static __attribute__((noinline)) void free_or_keep(enum frames_kind kind, py_object *object)
{
	bool is_sampled = sampler_may_have((uintptr_t)object);
	if (is_sampled)
		rebirth_settle();
	if (is_sampled || !rebirth_keeps(kind, object))
		kinds[kind].free_object(object);
}

/* Of an object with the type's copy, when all in it has gone. */
static inline void free_object(enum frames_kind kind, py_object *object)
{
	*frames_type_of(object) = kinds[kind].type;
	if (__builtin_expect(sampler_may_have((uintptr_t)object) || !rebirth_keeps_plainly(kind, object), false))
		free_or_keep(kind, object);
}

static void free_tuple(py_object *object)
{
	free_object(FRAMES_TUPLE, object);
}

static void free_list(py_object *object)
{
	free_object(FRAMES_LIST, object);
}

static void free_dict(py_object *object)
{
	free_object(FRAMES_DICT, object);
}

static void free_float(py_object *object)
{
	free_object(FRAMES_FLOAT, object);
}

size_t reuse_float_size;
struct frames_keep reuse_floats;

static const frames_release frees[FRAMES_KINDS] = {free_tuple, free_list, free_dict, free_float};
static const frames_release releases[FRAMES_KINDS] = {release_tuple, release_list, release_dict, release_float};

static int kind_count(void)
{
	return frames_floats_use_slot() ? FRAMES_KINDS : FRAMES_FLOAT;
}

/* The copy has Python's own function in its slot: Python compares with that to find out whether a release
 * may be put off, and calls that later. Types that were known once are not looked at again, so that what is
 * called here never becomes a function of another that calls us. */
static bool know_types(void)
{
	for (int i = 0; i < kind_count(); i++) {
		struct kind *kind = &kinds[i];
		void *type = kind->type == NULL ? frames_own_type(kind->symbol, kind->name) : kind->type;
		if (type == NULL)
			return false;
		if (kind->type != NULL)
			continue;
		kind->release = *frames_release_slot(type);
		kind->free_object = *frames_free_slot(type);
		memcpy(kind->copy, type, frames_type_size());
		kind->type = type;
		rebirth_know_type((enum frames_kind)i, type, kind->copy, kind->free_object);
	}
	return true;
}

static bool are_slots(bool ours)
{
	for (int i = 0; i < kind_count(); i++)
		if (kinds[i].type == NULL ||
		    *frames_release_slot(kinds[i].type) != (ours ? releases[i] : kinds[i].release))
			return false;
	return true;
}

/* An object that is made takes from a free list that is full, so one that goes then would get into it. */
static bool examples_are_freed(bool (*is_freed)(py_object *))
{
	for (int i = 0; i < kind_count(); i++) {
		py_object *example = py.Py_BuildValue(kinds[i].example, 0.5);
		if (example == NULL)
			py.PyErr_Clear();
		if (example == NULL || !is_freed(example))
			return false;
	}
	return true;
}

bool reuse_prevent(bool (*is_freed)(py_object *object), bool reborn)
{
	if (!know_types() || !are_slots(false))
		return false;
	/* Python may be working without our GIL, in an interpreter that has one of its own. */
	for (int i = 0; i < kind_count(); i++) {
		*frames_free_slot(kinds[i].copy) = reborn ? frees[i] : kinds[i].free_object;
		__atomic_store_n(frames_release_slot(kinds[i].type), releases[i], __ATOMIC_RELEASE);
	}
	if (examples_are_freed(is_freed))
		return true;
	reuse_allow();
	return false;
}

bool reuse_is_prevented(void)
{
	return are_slots(true);
}

/* The count is what is there again. */
static void allow_floats(void)
{
	int count = 0;
	for (void *object = *reuse_floats.objects; object != NULL; object = *frames_link(object, reuse_floats.link))
		count++;
	*reuse_floats.count = count;
	reuse_float_size = 0;
}

/* What is there is taken, and freed when there is to be nothing. */
static void use_up_floats(void)
{
	enum { MOST = 100 };
	py_object *taken[MOST];
	size_t count = 0;
	while (count < MOST && *reuse_floats.objects != NULL && (taken[count] = py.Py_BuildValue("d", 0.5)) != NULL)
		count++;
	reuse_refuse_floats();
	while (count > 0)
		py.Py_DecRef(taken[--count]);
}

bool reuse_prevent_floats(bool (*is_freed)(py_object *))
{
	struct frames_keep keeps[FRAMES_PLACES];
	if (frames_floats_use_slot())
		return false;
	/* A store that is full says nothing of where it is. */
	py_object *some = py.Py_BuildValue("(ddd)", 0.5, 1.5, 2.5);
	bool found = some != NULL && frames_find_keeps(keeps) && keeps[FRAMES_OTHERS + FRAMES_FLOAT].count != NULL;
	py.PyErr_Clear();
	py.Py_DecRef(some);
	if (!found)
		return false;
	reuse_floats = keeps[FRAMES_OTHERS + FRAMES_FLOAT];
	use_up_floats();
	py_object *example = py.Py_BuildValue("d", 0.5);
	if (example != NULL && is_freed(example)) {
		reuse_float_size = reuse_floats.size;
		return true;
	}
	py.PyErr_Clear();
	allow_floats();
	return false;
}

bool reuse_misses_floats(void)
{
	return !frames_floats_use_slot() && reuse_float_size == 0;
}

void reuse_allow(void)
{
	if (reuse_float_size != 0)
		allow_floats();
	for (int i = 0; i < FRAMES_KINDS; i++) {
		frames_release *slot = kinds[i].type != NULL ? frames_release_slot(kinds[i].type) : NULL;
		if (slot != NULL && *slot == releases[i])
			__atomic_store_n(slot, kinds[i].release, __ATOMIC_RELEASE);
	}
}
