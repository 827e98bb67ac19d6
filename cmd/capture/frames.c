/* Layouts of CPython, and the walk; see frames.h. */
#define _GNU_SOURCE
#include "frames.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "statics.h"

enum { LEAST_MINOR = 8 };

/* Offsets in bytes, by offsetof with each version's own headers. From 3.11 on frames are no objects; 3.11
 * and 3.12 keep the newest one in a structure on the C stack. Since 3.13 the interpreter publishes all but
 * one of them. */
static const struct layout {
	int minor;
	bool has_objects;   /* frames are Python objects, and an instruction is a number in the code */
	bool has_cframe;
	bool has_hidden_frames; /* where C calls Python, and where a call makes an object before it runs __init__ */
	uint8_t unit;       /* bytes that count as one in that number */
	uint8_t resume;     /* the instruction a call begins with */
	uint16_t thread_frame, cframe_frame, code, previous, instruction, owner;
	uint16_t first, start, file, function; /* of a code object: first traceable unit, instructions, names */
	uint16_t type_size;    /* 0 = objects of Python's own types are not to be released in another way */
	bool float_slot;       /* floats go through the slot of their type */
	uint8_t dict_watchers; /* bits of a dict's version that stand for who watches it */
	struct {
		uint8_t longest; /* tuple; 0 = it is not known where objects that have gone are kept */
		uint32_t tuples, tuple_counts, list, list_count, dict, dict_count, floats, float_count;
	} keeps; /* in an interpreter's state, the first two for tuples of one item, others behind them; or, where all these
		  * are 0, in static variables */
} layouts[] = {
	{.minor = 8, .has_objects = true, .unit = 1, .thread_frame = 24, .code = 32, .previous = 24,
	 .instruction = 104, .file = 104, .function = 112, .type_size = 416, .float_slot = true,
	 .keeps = {.longest = 19}},
	{.minor = 9, .has_objects = true, .unit = 1, .thread_frame = 24, .code = 32, .previous = 24,
	 .instruction = 104, .file = 104, .function = 112, .type_size = 408, .float_slot = true,
	 .keeps = {.longest = 19}},
	{.minor = 10, .has_objects = true, .unit = 2, .thread_frame = 24, .code = 32, .previous = 24,
	 .instruction = 96, .file = 104, .function = 112, .type_size = 408, .float_slot = true,
	 .keeps = {19, 9808, 9964, 10040, 10680, 10688, 11328, 9784, 9776}},
	{.minor = 11, .has_cframe = true, .resume = 151, .thread_frame = 56, .cframe_frame = 8, .code = 32,
	 .previous = 48, .instruction = 56, .owner = 69, .first = 168, .start = 184, .file = 112, .function = 128,
	 .type_size = 408, .keeps = {20, 3632, 3792, 3872, 4512, 4520, 5160, 3616, 3608}},
	{.minor = 12, .has_cframe = true, .has_hidden_frames = true, .resume = 151, .thread_frame = 56,
	 .cframe_frame = 0, .code = 0, .previous = 8, .instruction = 56, .owner = 70, .first = 176, .start = 192,
	 .file = 112, .function = 128, .type_size = 416, .dict_watchers = 0xff,
	 .keeps = {20, 269832, 269992, 270072, 270712, 270736, 272016, 267416, 267408}},
	{.minor = 13, .has_hidden_frames = true, .resume = 149, .thread_frame = 72, .code = 0, .previous = 8,
	 .instruction = 56, .owner = 70, .first = 184, .start = 200, .file = 112, .function = 128},
};

/* The words of `_PyRuntime.debug_offsets` of 3.13. */
enum {
	PUBLISHED_VERSION = 1,
	PUBLISHED_FREE_THREADED = 2,
	PUBLISHED_THREAD_FRAME = 23,
	PUBLISHED_PREVIOUS = 29,
	PUBLISHED_CODE = 30,
	PUBLISHED_INSTRUCTION = 31,
	PUBLISHED_OWNER = 33,
	PUBLISHED_FILE = 35,
	PUBLISHED_FUNCTION = 37,
	PUBLISHED_START = 43,
	PUBLISHED_WORDS
};

enum { OWNER_GENERATOR = 1, OWNER_C = 3 }; /* what made a frame; the second since 3.12 */
enum { TYPE_OF = FRAMES_TYPE_OF, DICT_VERSION = 24 }; /* of an object: its type, and of a dict */
enum { TYPE_NAME = 24, TYPE_SIZE = 32, TYPE_RELEASE = FRAMES_TYPE_RELEASE, TYPE_FLAGS = FRAMES_TYPE_FLAGS }; /* of a type */
enum { DEPTH_CHECKED = 10000 };

static struct layout layout;

/* Numbers of code objects that are gone, by where they were: they take part in keys, so that a new object at the
 * place of an old one has keys of its own. Places share a number where they must; then keys of objects that are
 * still there change, which costs a look at their names and no more. */
enum { DEATHS = 8192, PLACE_BITS = 8, OBJECT_SIZE = 16 };
static uint32_t deaths[DEATHS];

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t *deaths_at(uintptr_t address)
{
	return &deaths[(address >> PLACE_BITS) % DEATHS];
}

/* --- reading, where it is known that there is something, and where that is to be found out --- */

static int probe_pipe[2] = {-1, -1};
/* Pages of which the system has said that they are there since it was begun to ask: their number + 1, by its last bits. */
enum { PAGE_BITS = 12, PAGES_SEEN = 64 };
static uintptr_t pages_seen[PAGES_SEEN];

static bool begin_to_probe(void)
{
	memset(pages_seen, 0, sizeof pages_seen);
	return pipe2(probe_pipe, O_CLOEXEC | O_NONBLOCK) == 0;
}

static void end_probing(void)
{
	close(probe_pipe[0]);
	close(probe_pipe[1]);
}

static bool is_there(uintptr_t address)
{
	uintptr_t page = address >> PAGE_BITS, *seen = &pages_seen[page % PAGES_SEEN];
	char byte;
	if (*seen != page + 1 && write(probe_pipe[1], (const void *)address, 1) == 1 &&
	    read(probe_pipe[0], &byte, 1) == 1)
		*seen = page + 1;
	return *seen == page + 1;
}

/* At most a page. */
static bool probe(uintptr_t address, void *to, size_t size)
{
	uintptr_t last = address + size - 1;
	memset(to, 0, size);
	if (last < address || !is_there(address) || !is_there(last))
		return false;
	memcpy(to, (const void *)address, size);
	return true;
}

#define READER(name, type)                                                                                             \
	static inline __attribute__((always_inline)) type name(uintptr_t address, bool unsure)                        \
	{                                                                                                              \
		type value;                                                                                            \
		if (unsure)                                                                                            \
			(void)probe(address, &value, sizeof value);                                                    \
		else                                                                                                   \
			memcpy(&value, (const void *)address, sizeof value);                                           \
		return value;                                                                                          \
	}
READER(read_pointer, uintptr_t)
READER(read_int, int)
READER(read_byte, uint8_t)
#undef READER

/* --- the walk --- */

static inline uintptr_t newest_frame(const struct layout *of, bool unsure)
{
	uintptr_t thread = (uintptr_t)py.PyGILState_GetThisThreadState();
	if (thread == 0)
		return 0;
	uintptr_t frame = read_pointer(thread + of->thread_frame, unsure);
	if (of->has_cframe && frame != 0)
		frame = read_pointer(frame + of->cframe_frame, unsure);
	return frame;
}

/* The frame at `frame`, or the first behind it that Python shows, and the one behind that. Not shown are
 * frames that have not begun, and those between C and Python. */
static inline __attribute__((always_inline)) bool next_frame(const struct layout *of, uintptr_t *frame,
								 struct frame_place *place, bool unsure)
{
	for (; *frame != 0; *frame = read_pointer(*frame + of->previous, unsure)) {
		if (of->has_objects) {
			place->code = (py_object *)read_pointer(*frame + of->code, unsure);
			place->instruction = (uintptr_t)(intptr_t)read_int(*frame + of->instruction, unsure);
			break;
		}
		uint8_t owner = read_byte(*frame + of->owner, unsure);
		if (owner == OWNER_C)
			continue;
		uintptr_t code = read_pointer(*frame + of->code, unsure);
		place->code = (py_object *)code;
		place->instruction = read_pointer(*frame + of->instruction, unsure);
		if (owner == OWNER_GENERATOR ||
		    place->instruction >=
			    code + of->start + 2 * (uintptr_t)(unsigned)read_int(code + of->first, unsure))
			break;
	}
	if (*frame == 0)
		return false;
	*frame = read_pointer(*frame + of->previous, unsure);
	return true;
}

/* An instruction that has an address lies in its code object. Places are multiplied each on its own, and are added up by
 * what takes two cycles: else each frame would wait for the one before. */
static inline uint64_t mix_place(uint64_t key, const struct frame_place *place, bool has_objects)
{
	uintptr_t at = has_objects ? (uintptr_t)place->code : place->instruction;
	uint64_t where = has_objects ? at ^ place->instruction * UINT64_C(0xD6E8FEB86659FD93) : at;
	/* Addresses are small; with that, no bit of the product is the same for all of them. */
	return key * 5 + fold(where ^ UINT64_C(0x452821E638D01377), UINT64_C(0x9E3779B97F4A7C15) + *deaths_at(at));
}

/* Mixes in the frames behind the newest, where all are Python's. One that has not begun, which Python does not show, is
 * only found among them while the collector runs something within such a frame; then it is mixed in as well, which tells
 * stacks apart that are the same and no more, for there is one frame above the limit in place of it. */
static inline __attribute__((always_inline)) uint64_t mix_older(const struct layout *of, uint64_t key, uintptr_t frame,
								unsigned count)
{
	for (; frame != 0; frame = read_pointer(frame + of->previous, false)) {
		struct frame_place place = {.code = NULL};
		if (of->has_objects) {
			place.code = (py_object *)read_pointer(frame + of->code, false);
			place.instruction = (uintptr_t)(intptr_t)read_int(frame + of->instruction, false);
		} else {
			place.instruction = read_pointer(frame + of->instruction, false);
		}
		key = mix_place(key, &place, of->has_objects);
		if (--count == 0)
			break;
	}
	return key;
}

/* Where there are frames between them that Python does not show. */
static inline __attribute__((always_inline)) uint64_t mix_older_shown(const struct layout *of, uint64_t key,
								      uintptr_t frame, unsigned count)
{
	struct frame_place place;
	for (; count > 0 && next_frame(of, &frame, &place, false); count--)
		key = mix_place(key, &place, false);
	return key;
}

static inline __attribute__((always_inline)) struct frames_key key_of(const struct layout *of, unsigned limit)
{
	uint64_t key = 1;
	uintptr_t frame = newest_frame(of, false), newest = 0;
	struct frame_place place;
	if (next_frame(of, &frame, &place, false)) {
		newest = place.instruction ^ (uintptr_t)place.code >> PLACE_BITS;
		key = mix_place(key, &place, of->has_objects);
		key = of->has_hidden_frames ? mix_older_shown(of, key, frame, limit) : mix_older(of, key, frame, limit);
	}
	key = fold(key, UINT64_C(0x243F6A8885A308D3));
	return (struct frames_key){.key = key != 0 ? key : 1, .newest = newest};
}

/* One for each layout, so that the compiler knows it; and one for the layout that the interpreter tells. */
#define KEY(minor)                                                                                                     \
	static struct frames_key key_of_3_##minor(unsigned limit)                                                      \
	{                                                                                                              \
		return key_of(&layouts[minor - LEAST_MINOR], limit);                                                   \
	}
KEY(8)
KEY(9)
KEY(10)
KEY(11)
KEY(12)
#undef KEY

static struct frames_key key_of_published(unsigned limit)
{
	return key_of(&layout, limit);
}

static struct frames_key (*const keys[])(unsigned limit) = {key_of_3_8,  key_of_3_9,  key_of_3_10,
							    key_of_3_11, key_of_3_12, key_of_published};
_Static_assert(sizeof keys / sizeof *keys == sizeof layouts / sizeof *layouts, "a walk for each layout");
struct frames_key (*frames_key)(unsigned limit);

uint64_t frames_place_key(const struct frame_place *place)
{
	uint64_t key = mix_place(0, place, layout.has_objects);
	return key != 0 ? key : 1;
}

uint64_t frames_code_key(const struct frame_place *place)
{
	const struct frame_place start = {.code = place->code, .instruction = (uintptr_t)place->code};
	return frames_place_key(&start);
}

size_t frames_read(struct frame_place *places, size_t limit, size_t *total)
{
	uintptr_t frame = newest_frame(&layout, false);
	struct frame_place place;
	size_t depth = 0;
	for (; next_frame(&layout, &frame, &place, false); depth++)
		if (depth < limit)
			places[depth] = place;
	*total = depth;
	return depth < limit ? depth : limit;
}

static int byte_of(const struct frame_place *place)
{
	if (layout.has_objects)
		return (int)(intptr_t)place->instruction * layout.unit;
	return (int)(place->instruction - ((uintptr_t)place->code + layout.start));
}

uint32_t frames_line(const struct frame_place *place)
{
	int line = py.PyCode_Addr2Line(place->code, byte_of(place));
	return line > 0 ? (uint32_t)line : 0;
}

py_object *frames_file(const struct frame_place *place)
{
	return (py_object *)read_pointer((uintptr_t)place->code + layout.file, false);
}

py_object *frames_function(const struct frame_place *place)
{
	return (py_object *)read_pointer((uintptr_t)place->code + layout.function, false);
}

/* --- code objects that go --- */

static void (*release_code)(py_object *);

static void note_death(py_object *code)
{
	uintptr_t begin = (uintptr_t)code, end = begin;
	if (!layout.has_objects)
		end += layout.start + 2 * read_pointer(begin + OBJECT_SIZE, false);
	for (uintptr_t at = begin >> PLACE_BITS; at <= end >> PLACE_BITS; at++)
		(*deaths_at(at << PLACE_BITS))++;
	release_code(code);
}

static bool number_attribute(py_object *object, const char *name, unsigned long long *number)
{
	py_object *value = object != NULL ? py.PyObject_GetAttrString(object, name) : NULL;
	bool known = value != NULL && python_number(value, number);
	py.PyErr_Clear();
	py.Py_DecRef(value);
	return known;
}

static bool is_laid_out(uintptr_t type, bool unsure)
{
	unsigned long long size, flags;
	return number_attribute((py_object *)type, "__basicsize__", &size) &&
	       size == read_pointer(type + TYPE_SIZE, unsure) &&
	       number_attribute((py_object *)type, "__flags__", &flags) &&
	       flags == read_pointer(type + TYPE_FLAGS, unsure);
}

/* The slot of the type through which every code object goes, in all versions and all interpreters. */
static bool watch_code(void)
{
	static const char name[] = "code";
	char found[sizeof name];
	uintptr_t type = (uintptr_t)dlsym(RTLD_DEFAULT, "PyCode_Type");
	uintptr_t at = type + TYPE_RELEASE, release = type != 0 ? read_pointer(at, true) : 0;
	void (*ours)(py_object *) = note_death;
	if (type == 0 || release == 0 || !probe(read_pointer(type + TYPE_NAME, true), found, sizeof found) ||
	    memcmp(found, name, sizeof name) != 0 || !is_laid_out(type, true))
		return false;
	memcpy(&release_code, &release, sizeof release);
	memcpy((void *)at, &ours, sizeof ours);
	return true;
}

/* --- types that Python defines itself --- */

static bool is_in_interpreter(frames_release function)
{
	Dl_info ours, its;
	void *address, *python;
	memcpy(&address, &function, sizeof address);
	memcpy(&python, &py.PyTuple_Size, sizeof python);
	return address != NULL && dladdr(address, &ours) != 0 && dladdr(python, &its) != 0 &&
	       ours.dli_fbase == its.dli_fbase;
}

/* Where types have their names is known from the one of code. */
void *frames_own_type(const char *symbol, const char *name)
{
	uintptr_t type = (uintptr_t)dlsym(RTLD_DEFAULT, symbol), type_of_types = (uintptr_t)dlsym(RTLD_DEFAULT, "PyType_Type");
	unsigned long long size;
	if (layout.type_size == 0 || type == 0 || type_of_types == 0 ||
	    read_pointer(type + TYPE_OF, false) != type_of_types || !is_laid_out(type, false) ||
	    strcmp((const char *)read_pointer(type + TYPE_NAME, false), name) != 0)
		return NULL;
	py_object *number = py.PyObject_CallMethod((py_object *)type_of_types, "__sizeof__", "O", (py_object *)type);
	bool known = number != NULL && python_number(number, &size) && size == layout.type_size;
	py.PyErr_Clear();
	py.Py_DecRef(number);
	return known && is_in_interpreter(*frames_release_slot((void *)type)) ? (void *)type : NULL;
}

size_t frames_type_size(void)
{
	return layout.type_size;
}

bool frames_is_watched_dict(py_object *dict)
{
	return layout.dict_watchers != 0 &&
	       (read_pointer((uintptr_t)dict + DICT_VERSION, false) & layout.dict_watchers) != 0;
}

bool frames_floats_use_slot(void)
{
	return layout.float_slot;
}

bool frames_interpreters_are_seen(void)
{
	return layout.minor == 10 || layout.minor == 11;
}

/* --- where objects that have gone are kept --- */

static uintptr_t newest_in(const struct frames_keep *keep, int count)
{
	return read_pointer((uintptr_t)(keep->link != 0 ? keep->objects : keep->objects + count - 1), true);
}

/* An object that goes is the newest one there, and the next that is made is this one. */
static bool goes_by(const struct frames_keep *keep, const char *example)
{
	py_object *object = py.Py_BuildValue(example, 0.5), *next = NULL;
	uintptr_t address = (uintptr_t)object;
	int before = read_int((uintptr_t)keep->count, true);
	py.Py_DecRef(object);
	bool fits = object != NULL && before >= 0 && before < keep->most &&
		    read_int((uintptr_t)keep->count, true) == before + 1 && newest_in(keep, before + 1) == address;
	if (fits)
		next = py.Py_BuildValue(example, 0.5);
	fits = fits && (uintptr_t)next == address && read_int((uintptr_t)keep->count, true) == before;
	py.PyErr_Clear();
	py.Py_DecRef(next);
	return fits;
}

static bool frees_as_expected(enum frames_kind kind)
{
	static const char *const names[FRAMES_KINDS][2] = {[FRAMES_TUPLE] = {"PyTuple_Type", "PyObject_GC_Del"},
							   [FRAMES_LIST] = {"PyList_Type", "PyObject_GC_Del"},
							   [FRAMES_DICT] = {"PyDict_Type", "PyObject_GC_Del"},
							   [FRAMES_FLOAT] = {"PyFloat_Type", "PyObject_Free"}};
	uintptr_t type = (uintptr_t)dlsym(RTLD_DEFAULT, names[kind][0]);
	return type != 0 && read_pointer(type + FRAMES_TYPE_FREE, true) == (uintptr_t)dlsym(RTLD_DEFAULT, names[kind][1]);
}

static const char *const examples[FRAMES_KINDS] = {
	[FRAMES_TUPLE] = "(())", [FRAMES_LIST] = "[]", [FRAMES_DICT] = "{}", [FRAMES_FLOAT] = "d"};

static struct frames_keep shape_of(enum frames_kind kind, size_t items)
{
	enum { HEAD = 16, ITEMS = 24, ITEM = 8, TUPLES_KEPT = 2000, FLOATS_KEPT = 100 };
	switch (kind) {
	case FRAMES_TUPLE:
		return (struct frames_keep){.most = TUPLES_KEPT, .link = ITEMS, .size = HEAD + ITEMS + items * ITEM, .before = HEAD};
	case FRAMES_FLOAT:
		return (struct frames_keep){.most = FLOATS_KEPT, .link = FRAMES_TYPE_OF, .size = 24};
	default:
		return (struct frames_keep){
			.most = FRAMES_ARRAY_MOST, .size = HEAD + (kind == FRAMES_LIST ? 40 : 48), .before = HEAD};
	}
}

/* Looks at what changes when an object goes, and takes what goes by that also while another object is there. */
static bool search_keep(struct statics *statics, enum frames_kind kind, struct frames_keep *keep)
{
	enum { MOST = 64 };
	uintptr_t places[MOST], counts[MOST];
	struct frames_keep found = shape_of(kind, 1);
	unsigned fitting = 0;
	py_object *object = py.Py_BuildValue(examples[kind], 0.5);
	statics_note(statics);
	py.Py_DecRef(object);
	size_t place_count = statics_find_pointer(statics, object, places, MOST),
	       count_count = statics_find_raised(statics, counts, MOST);
	for (size_t i = 0; i < place_count * count_count; i++) {
		uintptr_t place = places[i / count_count], before;
		found.count = (int *)counts[i % count_count];
		before = found.link == 0 ? (uintptr_t)(*found.count - 1) * sizeof(void *) : 0;
		if (*found.count <= 0 || *found.count > found.most || before > place - statics->begin)
			continue;
		found.objects = (void **)(place - before);
		object = NULL;
		if (goes_by(&found, examples[kind]) && (object = py.Py_BuildValue(examples[kind], 0.5)) != NULL &&
		    goes_by(&found, examples[kind])) {
			*keep = found;
			fitting++;
		}
		py.PyErr_Clear();
		py.Py_DecRef(object);
	}
	return fitting == 1;
}

/* The variables of 3.8 and 3.9, of all interpreters. */
static bool search_keeps(struct frames_keep *keeps)
{
	struct statics statics;
	unsigned found = 0;
	if (statics_begin(&statics, dlsym(RTLD_DEFAULT, "PyTuple_Type")))
		while (found < FRAMES_KINDS && search_keep(&statics, (enum frames_kind)found, &keeps[found]))
			found++;
	statics_end(&statics);
	return found == FRAMES_KINDS;
}

/* Where tuples of one item are kept, and the other kinds. */
static bool find_keeps(struct frames_keep *keeps)
{
	const uint32_t at[FRAMES_KINDS][2] = {[FRAMES_TUPLE] = {layout.keeps.tuples, layout.keeps.tuple_counts},
					      [FRAMES_LIST] = {layout.keeps.list, layout.keeps.list_count},
					      [FRAMES_DICT] = {layout.keeps.dict, layout.keeps.dict_count},
					      [FRAMES_FLOAT] = {layout.keeps.floats, layout.keeps.float_count}};
	uintptr_t state = (uintptr_t)py.PyInterpreterState_Main();
	if (layout.keeps.tuples == 0)
		return search_keeps(keeps);
	for (unsigned kind = 0; kind < FRAMES_KINDS; kind++) {
		keeps[kind].objects = (void **)(state + at[kind][0]);
		keeps[kind].count = (int *)(state + at[kind][1]);
	}
	return state != 0;
}

static bool find_keep(const struct frames_keep *kinds, enum frames_kind kind, size_t items, struct frames_keep *keep)
{
	size_t behind = kind == FRAMES_TUPLE ? items - 1 : 0;
	char tuple[2 * FRAMES_TUPLES_MOST + 3] = "(";
	if (kind == FRAMES_TUPLE && items > layout.keeps.longest)
		return false;
	for (size_t i = 0; kind == FRAMES_TUPLE && i < items; i++)
		strcat(tuple, "()");
	strcat(tuple, ")");
	*keep = shape_of(kind, items);
	keep->objects = kinds[kind].objects + behind;
	keep->count = kinds[kind].count + behind;
	return frees_as_expected(kind) && goes_by(keep, kind == FRAMES_TUPLE ? tuple : examples[kind]);
}

bool frames_find_keeps(struct frames_keep keeps[FRAMES_PLACES])
{
	struct frames_keep kinds[FRAMES_KINDS];
	bool found = false;
	memset(keeps, 0, FRAMES_PLACES * sizeof *keeps);
	if (layout.keeps.longest == 0 || !begin_to_probe())
		return false;
	bool known = find_keeps(kinds);
	for (size_t place = 0; known && place < FRAMES_PLACES; place++) {
		struct frames_keep keep;
		if (!find_keep(kinds, frames_kind_at(place), place + 1, &keep))
			continue;
		keeps[place] = keep;
		found = true;
	}
	end_probing();
	return found;
}

/* --- the check --- */

static bool is_attribute(py_object *object, const char *name, uintptr_t expected)
{
	py_object *value = py.PyObject_GetAttrString(object, name);
	py.PyErr_Clear();
	py.Py_DecRef(value); /* its owner has it still */
	return value != NULL && (uintptr_t)value == expected;
}

/* The instruction that is said to be the first traceable one begins a call. */
static bool begins_call(uintptr_t code)
{
	int first = read_int(code + layout.first, true);
	char *bytes;
	ssize_t size;
	py_object *all = py.PyObject_GetAttrString((py_object *)code, "co_code");
	bool begins = all != NULL && py.PyBytes_AsStringAndSize(all, &bytes, &size) == 0 && first >= 0 &&
		      first < size / 2 && (uint8_t)bytes[2 * (ssize_t)first] == layout.resume;
	py.PyErr_Clear();
	py.Py_DecRef(all);
	return begins;
}

/* What the walk found against a frame of Python's own. */
static bool agrees(py_object *frame, const struct frame_place *place)
{
	uintptr_t code = (uintptr_t)place->code;
	unsigned long long line;
	py_object *none = py.none, *number = py.PyObject_GetAttrString(frame, "f_lineno");
	bool has_line = number != none && number != NULL && python_number(number, &line);
	py.Py_DecRef(number);
	py_object *last = py.PyObject_GetAttrString(frame, "f_lasti");
	unsigned long long byte;
	bool known = last != NULL && python_number(last, &byte) && (int)byte == byte_of(place);
	py.PyErr_Clear();
	py.Py_DecRef(last);
	return known && is_attribute(frame, "f_code", code) &&
	       is_attribute(place->code, "co_filename", read_pointer(code + layout.file, true)) &&
	       is_attribute(place->code, layout.has_objects ? "co_name" : "co_qualname",
			    read_pointer(code + layout.function, true)) &&
	       (layout.has_objects || begins_call(code)) && frames_line(place) == (has_line ? line : 0);
}

static bool stack_agrees;

/* Called by the code below. */
static py_object *compare_stacks(py_object *self, py_object *arguments)
{
	(void)self;
	(void)arguments;
	uintptr_t at = newest_frame(&layout, true);
	struct frame_place place;
	py_object *frame = python_call_module("sys", "_getframe");
	size_t depth = 0;
	stack_agrees = true;
	while (stack_agrees && frame != NULL && frame != py.none && depth++ < DEPTH_CHECKED) {
		stack_agrees = next_frame(&layout, &at, &place, true) && agrees(frame, &place);
		py_object *previous = py.PyObject_GetAttrString(frame, "f_back");
		py.Py_DecRef(frame);
		frame = previous;
	}
	stack_agrees = stack_agrees && frame == py.none && depth > 4 && !next_frame(&layout, &at, &place, true);
	py.PyErr_Clear();
	py.Py_DecRef(frame);
	py.Py_IncRef(py.none);
	return py.none;
}

/* With all kinds of frames that are laid out in ways of their own: of a class body, a function that a class
 * calls, a generator, and code between C and Python. */
static const char stacks_of_each_kind[] = "class Kinds:\n"
					  "    def __init__(self, check):\n"
					  "        self.all = [kind for kind in map(self.each, [check])]\n"
					  "\n"
					  "    def each(self, check):\n"
					  "        def generate():\n"
					  "            yield \\\n"
					  "                check()\n"
					  "        return list(generate())\n"
					  "\n"
					  "Kinds(check)\n";

static bool compare(void)
{
	static struct python_method methods[] = {{"check", compare_stacks, PYTHON_NO_ARGUMENTS, NULL},
						 {NULL, NULL, 0, NULL}};
	py_object *object = python_new_object("snapcapture.Check", methods);
	py_object *method = object != NULL ? py.PyObject_GetAttrString(object, "check") : NULL;
	py_object *names = method != NULL ? py.Py_BuildValue("{sO}", "check", method) : NULL;
	py_object *builtins = py.PyImport_ImportModule("builtins");
	py_object *result = names != NULL && builtins != NULL
				    ? py.PyObject_CallMethod(builtins, "exec", "sO", stacks_of_each_kind, names)
				    : NULL;
	bool same = result != NULL && stack_agrees;
	py.PyErr_Clear();
	py.Py_DecRef(result);
	py.Py_DecRef(builtins);
	py.Py_DecRef(names);
	py.Py_DecRef(method);
	py.Py_DecRef(object);
	return same;
}

/* What the interpreter says itself; false if it says something else than we know how to read. */
static bool take_published(void)
{
	uint64_t words[PUBLISHED_WORDS];
	const void *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
	if (runtime == NULL || !probe((uintptr_t)runtime, words, sizeof words) ||
	    memcmp(words, "xdebugpy", sizeof *words) != 0 ||
	    words[PUBLISHED_VERSION] >> 16 != (0x0300 | (unsigned)layout.minor) || words[PUBLISHED_FREE_THREADED] != 0)
		return false;
	const struct {
		uint16_t *offset;
		unsigned word;
	} all[] = {{&layout.thread_frame, PUBLISHED_THREAD_FRAME}, {&layout.previous, PUBLISHED_PREVIOUS},
		   {&layout.code, PUBLISHED_CODE},		   {&layout.instruction, PUBLISHED_INSTRUCTION},
		   {&layout.owner, PUBLISHED_OWNER},		   {&layout.file, PUBLISHED_FILE},
		   {&layout.function, PUBLISHED_FUNCTION},	   {&layout.start, PUBLISHED_START}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (words[all[i].word] > UINT16_MAX)
			return false;
		*all[i].offset = (uint16_t)words[all[i].word];
	}
	return true;
}

static bool find_layout(void)
{
	int minor = python_minor();
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (layouts[i].minor == minor) {
			layout = layouts[i];
			frames_key = keys[i];
			return true;
		}
	return false;
}

bool frames_learn(const char **why)
{
	static bool learned;
	if (learned)
		return true;
	if (sizeof(void *) != 8 || !find_layout()) {
		*why = "the frames of this version of Python are unknown, so tracemalloc traces";
		return false;
	}
	*why = "the frames of this Python are not where they are expected, so tracemalloc traces";
	if (!begin_to_probe())
		return false;
	learned = (layout.minor < 13 || take_published()) && compare() && watch_code();
	end_probing();
	return learned;
}
