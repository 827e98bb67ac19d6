/* Reads a pickled tracemalloc.Snapshot on a machine that knows nothing but names, numbers and the few
 * shapes such a snapshot is made of; see snap/tracemalloc.h. Blocks are counted as their traces arrive.
 *
 * What CPython never writes and a program may: an empty traceback becomes the frame "<unknown>", line 0,
 * as CPython names a block without Python frames; a total_nframe of None counts as unknown. */
#define _POSIX_C_SOURCE 200809L
#include <snap/meta.h>
#include <snap/reader.h>
#include <snap/tracemalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vector.h"
#include "import/pickle.h"
#include "import/traces.h"
#include "import/unpack.h"
#include "model/builder.h"

#define HOW_TO_MAKE "make one with tracemalloc.take_snapshot().dump(path)"

/* A value of the machine: its kind in the low bits, a number above them. Values below 2^32 that are not
 * numbers fit into the memo. */
enum { KIND_BITS = 3, KIND_MASK = (1 << KIND_BITS) - 1 };
enum kind {
	NUMBER,    /* 0 … SNAP_BLOCK_SIZE_MAX */
	NAME,      /* number of a string in the builder */
	FRAME,     /* number of a frame in the builder */
	TRACEBACK, /* number of a traceback in reader.traces */
	TRACE,     /* number of a site there */
	THING,     /* enum thing */
};
/* What there is one of. */
enum thing {
	NONE,
	EMPTY_TUPLE,
	CLASS_SNAPSHOT, /* tracemalloc.Snapshot */
	CLASS_TRACES,   /* tracemalloc._Traces */
	SNAPSHOT,       /* the object */
	TRACES,         /* its attribute `traces` */
	LIST,           /* the attribute `_traces` of that */
	DICT,           /* the first one, and the second behind it */
};
enum {
	MARKS_MAX = 8,       /* four are open in a traceback */
	STACK_MAX = 1 << 17, /* a traceback needs the most; traces are appended 1,000 at a time */
	DICTS_MAX = 2,
	RECENT_MAX = 80,
	MARGIN = 32,     /* bytes ahead that let the fast paths do without checks */
	FAST_RUN = 4096, /* values that a fast path may push */
	BATCH = 32,      /* traces looked up together */
};

static inline uint64_t value(enum kind kind, uint64_t number)
{
	return number << KIND_BITS | kind;
}

static inline enum kind kind_of(uint64_t v)
{
	return (enum kind)(v & KIND_MASK);
}

static inline uint64_t number_of(uint64_t v)
{
	return v >> KIND_BITS;
}

/* CPython stops counting there, too. */
static inline uint32_t total_of(uint64_t total)
{
	return total < SNAP_DEPTH_MAX ? (uint32_t)total : SNAP_DEPTH_MAX;
}

static inline bool is_thing(uint64_t v, enum thing thing)
{
	return v == value(THING, thing);
}

struct dict {
	bool traces, list, limit;
};

/* The text of a name that was read lately, for messages. */
struct recent {
	uint32_t name;
	size_t size;
	char bytes[RECENT_MAX];
};

struct reader {
	struct snap_pickle pickle;
	struct snap_builder *builder;
	struct snap_traces traces;
	struct snap_budget *budget; /* the builder's, for all there is; NULL when that is finished */

	struct snap_u64s stack;
	struct snap_u32s memo;
	size_t marks[MARKS_MAX]; /* heights of the stack */
	size_t mark_count;
	size_t floor; /* height of the last mark: nothing below may be popped */
	uint64_t behind_put;

	uint32_t empty_traceback; /* or SNAP_INDEX_NONE */
	bool three_fields;        /* in the traces so far */

	uint32_t word_tracemalloc, word_snapshot, word_traces_class; /* names in the builder */
	uint32_t word_traces, word_list, word_limit;
	struct recent recent[2];

	bool begun; /* with the class tracemalloc.Snapshot */
	bool has_object[2], is_built[2]; /* SNAPSHOT, TRACES */
	bool has_list;
	struct dict dicts[DICTS_MAX];
	size_t dict_count;
	uint64_t traceback_limit; /* UINT64_MAX where it is not told */
};

static enum snap_status damaged(const struct snap_pickle_op *op, struct snap_error *err, const char *what)
{
	return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "%s", what);
}

/* --- stack and memo --- */

static enum snap_status push(struct reader *r, uint64_t v, struct snap_error *err)
{
	if (r->stack.count == STACK_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, snap_pickle_offset(&r->pickle),
		                 "the pickle piles up more than %d values", STACK_MAX);
	enum snap_status status = snap_vector_reserve(&r->stack, r->stack.count + 1, r->budget, err);
	if (status == SNAP_OK)
		r->stack.at[r->stack.count++] = v;
	return status;
}

/* The topmost `count` values, taken off; valid until the next push. NULL for SNAP_ERR_DAMAGED. */
static const uint64_t *pop(struct reader *r, const struct snap_pickle_op *op, size_t count, struct snap_error *err)
{
	if (r->stack.count - r->floor < count) {
		damaged(op, err, "the pickle takes more values off its stack than there are");
		return NULL;
	}
	r->stack.count -= count;
	return r->stack.at + r->stack.count;
}

static enum snap_status open_mark(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if (r->mark_count == MARKS_MAX)
		return damaged(op, err, "the pickle is nested deeper than a tracemalloc snapshot");
	r->floor = r->marks[r->mark_count++] = r->stack.count;
	return SNAP_OK;
}

/* All values above the last mark, taken off with it; as above. */
static const uint64_t *close_mark(struct reader *r, const struct snap_pickle_op *op, size_t *count,
                                  struct snap_error *err)
{
	if (r->mark_count == 0) {
		damaged(op, err, "an opcode needs a mark and there is none");
		return NULL;
	}
	*count = r->stack.count - r->floor;
	r->stack.count = r->floor;
	r->mark_count--;
	r->floor = r->mark_count > 0 ? r->marks[r->mark_count - 1] : 0;
	return r->stack.at + r->stack.count;
}

static enum snap_status put(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	/* Python numbers its memo in order; a number out of order could ask for any amount of memory. */
	if (op->code != SNAP_PICKLE_MEMOIZE && (uint64_t)op->number != r->memo.count)
		return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "memo entry %lld is written where %llu is due",
		                 (long long)op->number, (unsigned long long)r->memo.count);
	if (r->stack.count == r->floor)
		return damaged(op, err, "the pickle stores a value in its memo and there is none");
	/* Else a few bytes, packed, could make a memo of any size. */
	if (op->offset == r->behind_put)
		return damaged(op, err, "the pickle stores a value in its memo twice");
	r->behind_put = snap_pickle_offset(&r->pickle);
	uint64_t v = r->stack.at[r->stack.count - 1];
	if (kind_of(v) == NUMBER)
		return damaged(op, err, "the pickle stores a number in its memo, which Python never does");
	enum snap_status status = snap_vector_reserve(&r->memo, r->memo.count + 1, r->budget, err);
	if (status == SNAP_OK)
		r->memo.at[r->memo.count++] = (uint32_t)v;
	return status;
}

static enum snap_status get(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if ((uint64_t)op->number >= r->memo.count)
		return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "memo entry %lld is read and was not written",
		                 (long long)op->number);
	return push(r, r->memo.at[op->number], err);
}

/* --- names and numbers --- */

static enum snap_status push_name(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if (memchr(op->text, '\0', op->text_size) != NULL)
		return damaged(op, err, "a file name holds a NUL character, which no snapshot can store");
	uint32_t name;
	enum snap_status status = snap_builder_string(r->builder, op->text, op->text_size, &name, err);
	if (status < 0)
		return status;
	if (name > SNAP_TRACES_NUMBER_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, op->offset, "the pickle holds more than %lu names",
		                 (unsigned long)SNAP_TRACES_NUMBER_MAX);
	r->recent[1] = r->recent[0];
	r->recent[0].name = name;
	r->recent[0].size = op->text_size < RECENT_MAX ? op->text_size : RECENT_MAX;
	memcpy(r->recent[0].bytes, op->text, r->recent[0].size);
	return push(r, value(NAME, name), err);
}

static enum snap_status push_number(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if (op->number < 0)
		return damaged(op, err, "a number below zero where only sizes, lines and the like may stand");
	if ((uint64_t)op->number > SNAP_BLOCK_SIZE_MAX)
		return damaged(op, err, "a number above 2^61 - 1, the largest block size");
	return push(r, value(NUMBER, (uint64_t)op->number), err);
}

/* --- frames, tracebacks, traces --- */

static enum snap_status make_frame(struct reader *r, const struct snap_pickle_op *op, uint64_t name, uint64_t line,
                                   struct snap_error *err)
{
	if (line > UINT32_MAX)
		return damaged(op, err, "a line number above 2^32 - 1");
	uint32_t frame;
	enum snap_status status = snap_traces_frame(&r->traces, (uint32_t)name, (uint32_t)line, &frame, err);
	return status < 0 ? status : push(r, value(FRAME, frame), err);
}

static enum snap_status make_traceback(struct reader *r, const struct snap_pickle_op *op, const uint64_t *frames,
                                       size_t count, struct snap_error *err)
{
	if (count > SNAP_DEPTH_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, op->offset, "a traceback of %zu frames; the limit is %d", count,
		                 SNAP_DEPTH_MAX);
	enum snap_status status = snap_traces_reserve(&r->traces, count, err);
	if (status < 0)
		return status;
	uint32_t *to = r->traces.pool.at + r->traces.pool.count;
	for (size_t i = 0; i < count; i++) {
		if (kind_of(frames[i]) != FRAME)
			return damaged(op, err, "a traceback holds something other than frames");
		to[i] = (uint32_t)number_of(frames[i]);
	}
	uint32_t traceback;
	status = snap_traces_traceback(&r->traces, count, &traceback, err);
	return status < 0 ? status : push(r, value(TRACEBACK, traceback), err);
}

static enum snap_status find_empty_traceback(struct reader *r, uint32_t *traceback, struct snap_error *err)
{
	if (r->empty_traceback == SNAP_INDEX_NONE) {
		uint32_t name, frame;
		enum snap_status status = snap_builder_string(r->builder, "<unknown>", 9, &name, err);
		if (status == SNAP_OK)
			status = snap_traces_frame(&r->traces, name, 0, &frame, err);
		if (status == SNAP_OK)
			status = snap_traces_reserve(&r->traces, 1, err);
		if (status < 0)
			return status;
		r->traces.pool.at[r->traces.pool.count] = frame;
		status = snap_traces_traceback(&r->traces, 1, &r->empty_traceback, err);
		if (status < 0)
			return status;
	}
	*traceback = r->empty_traceback;
	return SNAP_OK;
}

/* (size, traceback) of 3.4 and 3.5, (domain, size, traceback) up to 3.8, then with total_nframe. */
static enum snap_status make_trace(struct reader *r, const struct snap_pickle_op *op, const uint64_t *items,
                                   size_t count, struct snap_error *err)
{
	uint64_t domain = count > 2 ? items[0] : value(NUMBER, 0);
	uint64_t size = items[count > 2 ? 1 : 0];
	uint64_t frames = items[count > 2 ? 2 : 1];
	uint64_t total = count > 3 && !is_thing(items[3], NONE) ? items[3] : value(NUMBER, 0);
	r->three_fields = count == 3;

	if (kind_of(domain) != NUMBER || kind_of(size) != NUMBER || kind_of(total) != NUMBER ||
	    (kind_of(frames) != TRACEBACK && !is_thing(frames, EMPTY_TUPLE)))
		return damaged(op, err, "a trace is not made of domain, size, traceback and total_nframe");
	if (number_of(domain) > UINT32_MAX)
		return damaged(op, err, "a domain above 2^32 - 1");
	struct snap_traces_site like = {
	        .size = number_of(size),
	        .domain = (uint32_t)number_of(domain),
	        .traceback = (uint32_t)number_of(frames),
	        .total = total_of(number_of(total)),
	};
	uint32_t site;
	enum snap_status status = SNAP_OK;
	if (kind_of(frames) != TRACEBACK)
		status = find_empty_traceback(r, &like.traceback, err);
	if (status == SNAP_OK)
		status = snap_traces_site(&r->traces, &like, snap_traces_hash(&r->traces, &like), op->offset, &site, err);
	return status < 0 ? status : push(r, value(TRACE, site), err);
}

static enum snap_status make_tuple(struct reader *r, const struct snap_pickle_op *op, const uint64_t *items,
                                   size_t count, struct snap_error *err)
{
	if (count == 0)
		return push(r, value(THING, EMPTY_TUPLE), err);
	if (kind_of(items[0]) == FRAME)
		return make_traceback(r, op, items, count, err);
	if (kind_of(items[0]) == NUMBER && count >= 2 && count <= 4)
		return make_trace(r, op, items, count, err);
	if (kind_of(items[0]) == NAME && count == 2 && kind_of(items[1]) == NUMBER)
		return make_frame(r, op, number_of(items[0]), number_of(items[1]), err);
	return damaged(op, err, "a tuple that is neither a frame nor a traceback nor a trace");
}

/* --- classes, objects, containers --- */

/* Text for people: of what is not plain ASCII only the code. */
static const char *printable(char *out, size_t size, const char *text, size_t text_size)
{
	size_t n = 0;
	for (size_t i = 0; i < text_size && n + 5 < size; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c < 0x7f)
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}

static enum snap_status foreign_class(const struct reader *r, const struct snap_pickle_op *op, const char *module,
                                      size_t module_size, const char *name, size_t name_size, struct snap_error *err)
{
	char a[RECENT_MAX], b[RECENT_MAX];
	printable(a, sizeof a, module, module_size);
	printable(b, sizeof b, name, name_size);
	if (!r->begun)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, op->offset,
		                 "this pickle holds %s.%s, not a tracemalloc snapshot; " HOW_TO_MAKE, a, b);
	return snap_fail(err, SNAP_ERR_DAMAGED, op->offset,
	                 "the pickle asks for %s.%s; only tracemalloc.Snapshot and tracemalloc._Traces may occur in it, "
	                 "and nothing of it was run",
	                 a, b);
}

static enum snap_status push_class(struct reader *r, bool snapshot, struct snap_error *err)
{
	if (snapshot)
		r->begun = true;
	return push(r, value(THING, snapshot ? CLASS_SNAPSHOT : CLASS_TRACES), err);
}

static bool is_word(const char *text, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(text, word, size) == 0;
}

static enum snap_status global(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if (is_word(op->text, op->text_size, "tracemalloc")) {
		if (is_word(op->second, op->second_size, "Snapshot"))
			return push_class(r, true, err);
		if (is_word(op->second, op->second_size, "_Traces"))
			return push_class(r, false, err);
	}
	return foreign_class(r, op, op->text, op->text_size, op->second, op->second_size, err);
}

static struct snap_text text_of(const struct reader *r, uint32_t name)
{
	if (name == r->word_tracemalloc)
		return (struct snap_text){"tracemalloc", 11};
	for (size_t i = 0; i < 2; i++)
		if (r->recent[i].name == name)
			return (struct snap_text){r->recent[i].bytes, r->recent[i].size};
	return (struct snap_text){"?", 1};
}

static enum snap_status stack_global(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	const uint64_t *items = pop(r, op, 2, err);
	if (items == NULL)
		return SNAP_ERR_DAMAGED;
	if (kind_of(items[0]) != NAME || kind_of(items[1]) != NAME)
		return damaged(op, err, "the name of a class is not text");
	uint32_t module = (uint32_t)number_of(items[0]), name = (uint32_t)number_of(items[1]);
	if (module == r->word_tracemalloc && name == r->word_snapshot)
		return push_class(r, true, err);
	if (module == r->word_tracemalloc && name == r->word_traces_class)
		return push_class(r, false, err);
	struct snap_text a = text_of(r, module), b = text_of(r, name);
	return foreign_class(r, op, a.bytes, a.size, b.bytes, b.size, err);
}

static enum snap_status new_object(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	const uint64_t *items = pop(r, op, 2, err);
	if (items == NULL)
		return SNAP_ERR_DAMAGED;
	bool snapshot = is_thing(items[0], CLASS_SNAPSHOT);
	if ((!snapshot && !is_thing(items[0], CLASS_TRACES)) || !is_thing(items[1], EMPTY_TUPLE))
		return damaged(op, err, "an object is made of something other than a class and no arguments");
	bool *has = &r->has_object[snapshot ? 0 : 1];
	if (*has && snapshot)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, op->offset,
		                 "this pickle holds several snapshots; dump each into a file of its own");
	if (*has)
		return damaged(op, err, "a second object of class tracemalloc._Traces");
	*has = true;
	return push(r, value(THING, snapshot ? SNAPSHOT : TRACES), err);
}

static enum snap_status new_list(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if (r->has_list)
		return damaged(op, err, "a second list; only that of the traces may occur");
	r->has_list = true;
	return push(r, value(THING, LIST), err);
}

static enum snap_status new_dict(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	if (r->dict_count == DICTS_MAX)
		return damaged(op, err, "a third dict; only those of the two objects may occur");
	return push(r, value(THING, DICT + r->dict_count++), err);
}

static enum snap_status append(struct reader *r, const struct snap_pickle_op *op, const uint64_t *items, size_t count,
                               struct snap_error *err)
{
	if (r->stack.count == r->floor || !is_thing(r->stack.at[r->stack.count - 1], LIST))
		return damaged(op, err, "something is appended to what is not the list of traces");
	for (size_t i = 0; i < count; i++) {
		if (kind_of(items[i]) != TRACE)
			return damaged(op, err, "the list of traces holds something other than traces");
		snap_traces_count(&r->traces, (uint32_t)number_of(items[i]));
	}
	return SNAP_OK;
}

static enum snap_status set_items(struct reader *r, const struct snap_pickle_op *op, const uint64_t *items,
                                  size_t count, struct snap_error *err)
{
	uint64_t top = r->stack.count > r->floor ? r->stack.at[r->stack.count - 1] : 0;
	if (kind_of(top) != THING || number_of(top) < DICT)
		return damaged(op, err, "an item is set in what is not a dict");
	if (count % 2 != 0)
		return damaged(op, err, "a key of a dict has no value");
	struct dict *dict = &r->dicts[number_of(top) - DICT];
	for (size_t i = 0; i < count; i += 2) {
		uint64_t key = items[i], v = items[i + 1];
		if (key == value(NAME, r->word_traces) && is_thing(v, TRACES)) {
			dict->traces = true;
		} else if (key == value(NAME, r->word_list) && is_thing(v, LIST)) {
			dict->list = true;
		} else if (key == value(NAME, r->word_limit) && (kind_of(v) == NUMBER || is_thing(v, NONE))) {
			dict->limit = true;
			r->traceback_limit = kind_of(v) == NUMBER ? number_of(v) : UINT64_MAX;
		} else {
			return damaged(op, err, "an attribute that a tracemalloc snapshot does not have, or not with such a value");
		}
	}
	return SNAP_OK;
}

static enum snap_status build(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	const uint64_t *items = pop(r, op, 1, err);
	if (items == NULL)
		return SNAP_ERR_DAMAGED;
	uint64_t object = r->stack.count > r->floor ? r->stack.at[r->stack.count - 1] : 0;
	bool snapshot = is_thing(object, SNAPSHOT);
	if ((!snapshot && !is_thing(object, TRACES)) || kind_of(items[0]) != THING || number_of(items[0]) < DICT)
		return damaged(op, err, "attributes are given to what is not a snapshot, or not as a dict");
	const struct dict *dict = &r->dicts[number_of(items[0]) - DICT];
	bool *built = &r->is_built[snapshot ? 0 : 1];
	if (*built || (snapshot ? !dict->traces || dict->list : !dict->list || dict->traces || dict->limit))
		return damaged(op, err, "an object of the pickle has the wrong attributes");
	*built = true;
	return SNAP_OK;
}

/* --- the machine --- */

/* The operand of an integer below 2^31; gives what follows, or NULL for any other opcode. */
static inline const uint8_t *fast_number(const uint8_t *at, uint32_t *number)
{
	if (*at == SNAP_PICKLE_BININT1) {
		*number = at[1];
		return at + 2;
	}
	if (*at == SNAP_PICKLE_BININT2) {
		*number = snap_pickle_u16(at + 1);
		return at + 3;
	}
	*number = snap_pickle_u32(at + 1);
	return *at == SNAP_PICKLE_BININT && *number <= INT32_MAX ? at + 5 : NULL;
}

/* The same for the number of a memo entry below `known`. */
static inline const uint8_t *fast_get(const uint8_t *at, size_t known, uint32_t *entry)
{
	if (*at == SNAP_PICKLE_BINGET) {
		*entry = at[1];
		at += 2;
	} else {
		*entry = snap_pickle_u32(at + 1);
		at = *at == SNAP_PICKLE_LONG_BINGET ? at + 5 : NULL;
	}
	return *entry < known ? at : NULL;
}

/* The same for what stores a value as memo entry `due`. */
static inline const uint8_t *fast_put(const uint8_t *at, size_t due)
{
	if (*at == SNAP_PICKLE_MEMOIZE)
		return at + 1;
	if (*at == SNAP_PICKLE_LONG_BINPUT && snap_pickle_u32(at + 1) == due)
		return at + 5;
	return *at == SNAP_PICKLE_BINPUT && at[1] == due ? at + 2 : NULL;
}

/* Runs over (name from the memo, line) TUPLE2 MEMOIZE, over and over: nine tenths of a dump with many
 * frames. Stops in front of whatever differs, for the machine to take on. */
static enum snap_status fast_frames(struct reader *r, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	const uint8_t *at = r->pickle.at, *last = r->pickle.end - MARGIN, *next;
	const size_t known = r->memo.count;
	const uint32_t *memo = r->memo.at;
	uint32_t *put = r->memo.at + known, *full = put + FAST_RUN;
	uint64_t *top = r->stack.at + r->stack.count;
	for (; at <= last && put < full; at = next) {
		uint32_t entry, line;
		next = fast_get(at, known, &entry);
		if (next == NULL || kind_of(memo[entry]) != NAME)
			break;
		next = fast_number(next, &line);
		if (next == NULL || *next != SNAP_PICKLE_TUPLE2)
			break;
		next = fast_put(next + 1, (size_t)(put - memo));
		if (next == NULL)
			break;
		uint32_t name = memo[entry] >> KIND_BITS;
		const struct snap_traces_slot *slot = snap_traces_slot(&r->traces, name, line);
		uint32_t frame = slot->frame;
		if (!snap_traces_slot_holds(slot, name, line)) {
			status = snap_traces_frame(&r->traces, name, line, &frame, err);
			if (status < 0)
				break;
		}
		*top++ = value(FRAME, frame);
		*put++ = (uint32_t)value(FRAME, frame);
	}
	r->pickle.at = at;
	r->stack.count = (size_t)(top - r->stack.at);
	r->memo.count = (size_t)(put - r->memo.at);
	return status;
}

/* The same for MARK domain size (traceback from the memo) total TUPLE MEMOIZE, or the three fields in
 * front of TUPLE3: most traces. What they need lies scattered over memory, so a batch of them asks for it
 * ahead, one step after the other. */
static enum snap_status fast_traces(struct reader *r, struct snap_error *err)
{
	struct {
		struct snap_traces_site like;
		uint64_t hash;
		const uint8_t *end;
	} batch[BATCH], *end, *b;
	const struct snap_index *index = &r->traces.site_index;
	const uint8_t *at = r->pickle.at, *last = r->pickle.end - MARGIN;
	const uint32_t *memo = r->memo.at;
	for (end = batch; end < batch + BATCH && at <= last; at = end->end, end++) {
		bool marked = *at == SNAP_PICKLE_MARK;
		uint32_t size, total = 0;
		const uint8_t *next = fast_number(at + marked, &end->like.domain);
		if (next != NULL)
			next = fast_number(next, &size);
		if (next != NULL)
			next = fast_get(next, r->memo.count, &end->like.traceback);
		if (next == NULL)
			break;
		snap_traces_prefetch(&memo[end->like.traceback]);
		if (marked)
			next = fast_number(next, &total);
		if (next == NULL || *next != (marked ? SNAP_PICKLE_TUPLE : SNAP_PICKLE_TUPLE3))
			break;
		end->end = fast_put(next + 1, r->memo.count + (size_t)(end - batch));
		if (end->end == NULL)
			break;
		end->like.size = size;
		end->like.total = total_of(total);
	}
	if (index->slots == NULL)
		return SNAP_OK;
	for (b = batch; b < end; b++) {
		uint32_t traceback = memo[b->like.traceback];
		if (kind_of(traceback) != TRACEBACK) {
			end = b;
			break;
		}
		b->like.traceback = traceback >> KIND_BITS;
		b->hash = snap_traces_hash(&r->traces, &b->like);
		snap_traces_prefetch(&index->slots[snap_index_start(index, b->hash)]);
	}
	for (b = batch; b < end; b++) {
		uint32_t site = (uint32_t)index->slots[snap_index_start(index, b->hash)];
		if (site > 0)
			snap_traces_prefetch(&r->traces.sites.at[site - 1]);
	}
	for (b = batch; b < end; b++) {
		uint32_t site;
		enum snap_status status = snap_traces_site(&r->traces, &b->like, b->hash,
		                                           snap_pickle_offset(&r->pickle), &site, err);
		if (status < 0)
			return status;
		r->stack.at[r->stack.count++] = value(TRACE, site);
		r->memo.at[r->memo.count++] = (uint32_t)value(TRACE, site);
		r->pickle.at = b->end;
	}
	return SNAP_OK;
}

/* Takes the fast paths where they may apply. */
static enum snap_status fast(struct reader *r, struct snap_error *err)
{
	uint8_t code = *r->pickle.at;
	bool frames = code == SNAP_PICKLE_BINGET || code == SNAP_PICKLE_LONG_BINGET;
	bool traces = code == SNAP_PICKLE_MARK || (code == SNAP_PICKLE_BININT1 && r->three_fields);
	if ((!frames && !traces) || r->stack.count > STACK_MAX - FAST_RUN)
		return SNAP_OK;
	enum snap_status status = snap_vector_reserve(&r->stack, r->stack.count + FAST_RUN, r->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&r->memo, r->memo.count + FAST_RUN, r->budget, err);
	if (status < 0)
		return status;
	return traces ? fast_traces(r, err) : fast_frames(r, err);
}

/* What a pickle holds that begins with this opcode; NULL where that is not yet told, or not at all. */
static const char *held(uint8_t code)
{
	switch (code) {
	case SNAP_PICKLE_SHORT_BINUNICODE:
	case SNAP_PICKLE_BINUNICODE:
	case SNAP_PICKLE_MEMOIZE:
	case SNAP_PICKLE_BINPUT:
	case SNAP_PICKLE_LONG_BINPUT:
	case SNAP_PICKLE_GLOBAL:
	case SNAP_PICKLE_STACK_GLOBAL:
	case SNAP_PICKLE_PROTO:
	case SNAP_PICKLE_FRAME:
		return NULL;
	case SNAP_PICKLE_STOP:
		return "a text";
	case SNAP_PICKLE_EMPTY_LIST:
		return "a list";
	case SNAP_PICKLE_EMPTY_DICT:
		return "a dict";
	case SNAP_PICKLE_EMPTY_TUPLE:
	case SNAP_PICKLE_MARK:
		return "a tuple";
	case SNAP_PICKLE_NONE:
		return "None";
	case SNAP_PICKLE_BININT:
	case SNAP_PICKLE_BININT1:
	case SNAP_PICKLE_BININT2:
	case SNAP_PICKLE_LONG1:
		return "a number";
	default:
		return snap_pickle_code_name(code) != NULL ? "something else" : NULL;
	}
}

static enum snap_status no_such_opcode(const struct snap_pickle_op *op, struct snap_error *err)
{
	const char *name = snap_pickle_code_name(op->code);
	if (name == NULL)
		return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "0x%02x is no opcode of a pickle", op->code);
	return snap_fail(err, SNAP_ERR_DAMAGED, op->offset,
	                 "the opcode %s does not occur in tracemalloc snapshots, and nothing of the pickle was run", name);
}

/* Everything but STOP. */
static enum snap_status run_op(struct reader *r, const struct snap_pickle_op *op, struct snap_error *err)
{
	const uint64_t *items;
	size_t count;
	switch (op->code) {
	case SNAP_PICKLE_FRAME:
		return SNAP_OK;
	case SNAP_PICKLE_SHORT_BINUNICODE:
	case SNAP_PICKLE_BINUNICODE:
		return push_name(r, op, err);
	case SNAP_PICKLE_BININT:
	case SNAP_PICKLE_BININT1:
	case SNAP_PICKLE_BININT2:
	case SNAP_PICKLE_LONG1:
		return push_number(r, op, err);
	case SNAP_PICKLE_NONE:
		return push(r, value(THING, NONE), err);
	case SNAP_PICKLE_MEMOIZE:
	case SNAP_PICKLE_BINPUT:
	case SNAP_PICKLE_LONG_BINPUT:
		return put(r, op, err);
	case SNAP_PICKLE_BINGET:
	case SNAP_PICKLE_LONG_BINGET:
		return get(r, op, err);
	case SNAP_PICKLE_MARK:
		return open_mark(r, op, err);
	case SNAP_PICKLE_EMPTY_TUPLE:
		return make_tuple(r, op, NULL, 0, err);
	case SNAP_PICKLE_TUPLE1:
	case SNAP_PICKLE_TUPLE2:
	case SNAP_PICKLE_TUPLE3:
		count = (size_t)(op->code - SNAP_PICKLE_TUPLE1) + 1;
		items = pop(r, op, count, err);
		return items == NULL ? SNAP_ERR_DAMAGED : make_tuple(r, op, items, count, err);
	case SNAP_PICKLE_TUPLE:
		items = close_mark(r, op, &count, err);
		return items == NULL ? SNAP_ERR_DAMAGED : make_tuple(r, op, items, count, err);
	case SNAP_PICKLE_EMPTY_LIST:
		return new_list(r, op, err);
	case SNAP_PICKLE_APPEND:
		items = pop(r, op, 1, err);
		return items == NULL ? SNAP_ERR_DAMAGED : append(r, op, items, 1, err);
	case SNAP_PICKLE_APPENDS:
		items = close_mark(r, op, &count, err);
		return items == NULL ? SNAP_ERR_DAMAGED : append(r, op, items, count, err);
	case SNAP_PICKLE_EMPTY_DICT:
		return new_dict(r, op, err);
	case SNAP_PICKLE_SETITEM:
		items = pop(r, op, 2, err);
		return items == NULL ? SNAP_ERR_DAMAGED : set_items(r, op, items, 2, err);
	case SNAP_PICKLE_SETITEMS:
		items = close_mark(r, op, &count, err);
		return items == NULL ? SNAP_ERR_DAMAGED : set_items(r, op, items, count, err);
	case SNAP_PICKLE_GLOBAL:
		return global(r, op, err);
	case SNAP_PICKLE_STACK_GLOBAL:
		return stack_global(r, op, err);
	case SNAP_PICKLE_NEWOBJ:
		return new_object(r, op, err);
	case SNAP_PICKLE_BUILD:
		return build(r, op, err);
	default:
		return no_such_opcode(op, err);
	}
}

static enum snap_status run(struct reader *r, struct snap_error *err)
{
	for (;;) {
		struct snap_pickle_op op;
		enum snap_status status = SNAP_OK;
		if (r->pickle.end - r->pickle.at >= MARGIN)
			status = fast(r, err);
		if (status == SNAP_OK)
			status = snap_pickle_next(&r->pickle, &op, err);
		if (status < 0)
			return status;
		if (!r->begun && held(op.code) != NULL)
			return snap_fail(err, SNAP_ERR_UNSUPPORTED, op.offset,
			                 "this pickle holds %s, not a tracemalloc snapshot; " HOW_TO_MAKE, held(op.code));
		if (op.code == SNAP_PICKLE_STOP) {
			if (r->stack.count != 1 || r->mark_count != 0 || !is_thing(r->stack.at[0], SNAPSHOT) ||
			    !r->is_built[0] || !r->is_built[1])
				return damaged(&op, err, "the pickle ends before the snapshot is complete");
			return snap_pickle_finish(&r->pickle, err);
		}
		status = run_op(r, &op, err);
		if (status < 0)
			return status;
	}
}

/* --- before and after --- */

static enum snap_status learn_words(struct reader *r, struct snap_error *err)
{
	const struct {
		const char *text;
		uint32_t *name;
	} words[] = {
	        {"tracemalloc", &r->word_tracemalloc}, {"Snapshot", &r->word_snapshot},
	        {"_Traces", &r->word_traces_class},    {"traces", &r->word_traces},
	        {"_traces", &r->word_list},            {"traceback_limit", &r->word_limit},
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		enum snap_status status =
		        snap_builder_string(r->builder, words[i].text, strlen(words[i].text), words[i].name, err);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

static void close_machine(struct reader *r)
{
	snap_pickle_free(&r->pickle);
	snap_vector_free(&r->stack, r->budget);
	snap_vector_free(&r->memo, r->budget);
}

static void reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	close_machine(r);
	snap_traces_free(&r->traces);
	snap_builder_free(r->builder);
	free(r);
}

static enum snap_status reader_new(struct reader **out, const struct snap_limits *limits, struct snap_error *err)
{
	struct reader *r = calloc(1, sizeof *r);
	if (r == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	r->empty_traceback = SNAP_INDEX_NONE;
	r->recent[0].name = r->recent[1].name = UINT32_MAX;
	r->traceback_limit = UINT64_MAX;
	enum snap_status status = snap_builder_new(&r->builder, limits, err);
	if (status == SNAP_OK) {
		r->budget = &r->builder->s->budget;
		status = snap_traces_init(&r->traces, r->builder, r->budget, err);
	}
	if (status == SNAP_OK)
		status = learn_words(r, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&r->stack, FAST_RUN, r->budget, err);
	if (status < 0) {
		reader_free(r);
		return status;
	}
	*out = r;
	return SNAP_OK;
}

static enum snap_status tell_time(struct snap_meta *meta, int64_t ns, struct snap_error *err)
{
	int64_t fraction = ns % 1000000000;
	if (fraction < 0)
		fraction += 1000000000;
	time_t seconds = (time_t)((ns - fraction) / 1000000000);
	struct tm tm;
	if (gmtime_r(&seconds, &tm) == NULL)
		return SNAP_OK;
	char digits[16];
	int shown = fraction % 1000 != 0 ? 9 : fraction % 1000000 != 0 ? 6 : 3;
	snprintf(digits, sizeof digits, ".%09lld", (long long)fraction);
	digits[1 + shown] = '\0';
	enum snap_status status = snap_meta_set_format(meta, "time", err, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
	                                               tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	                                               tm.tm_min, tm.tm_sec, digits);
	return status < 0 ? status : snap_meta_set_text(meta, "time_source", "file modification time", err);
}

static enum snap_status finish(struct reader *r, int64_t mtime_ns, struct snap_snapshot **out, struct snap_error *err)
{
	close_machine(r);
	snap_traces_close(&r->traces);
	struct snap_meta *meta = snap_builder_meta(r->builder);
	enum snap_status status = snap_meta_set_text(meta, "source_format", "tracemalloc", err);
	if (status == SNAP_OK && r->traceback_limit != UINT64_MAX)
		status = snap_meta_set_format(meta, "traceback_limit", err, "%llu", (unsigned long long)r->traceback_limit);
	if (status == SNAP_OK && mtime_ns != INT64_MIN)
		status = tell_time(meta, mtime_ns, err);
	if (status == SNAP_OK)
		status = snap_traces_finish(&r->traces, err);
	snap_traces_free(&r->traces);
	r->budget = r->traces.budget = NULL;
	return status < 0 ? status : snap_builder_finish(r->builder, out, err);
}

bool snap_tracemalloc_sniff(const uint8_t *bytes, size_t size)
{
	return snap_pickle_sniff(bytes, size) || snap_unpack_sniff(bytes, size);
}

/* The first bytes of what is compressed look the same for all; only here is it seen that a .snap is in it. */
static enum snap_status refuse_snap(struct snap_input *unpacked, struct snap_error *err)
{
	const uint8_t *bytes;
	size_t got;
	enum snap_status status = snap_input_peek(unpacked, 8, &bytes, &got, err);
	if (status == SNAP_OK && snap_reader_sniff(bytes, got))
		status = snap_fail(err, SNAP_ERR_UNSUPPORTED, 0,
		                   "a .snap file that was compressed once more; unpack it first, with gzip -d or zstd -d");
	return status;
}

enum snap_status snap_tracemalloc_read(struct snap_snapshot **out, struct snap_input *in,
                                       const struct snap_limits *limits, struct snap_error *err)
{
	*out = NULL;
	struct snap_limits defaults = snap_limits_default();
	if (limits == NULL)
		limits = &defaults;
	struct snap_error trouble = {.status = SNAP_OK, .offset = SNAP_NO_OFFSET};
	struct snap_input *unpacked = NULL;
	struct reader *r = NULL;
	enum snap_status status = reader_new(&r, limits, err);
	if (status == SNAP_OK)
		status = snap_unpack_open(&unpacked, in, r->budget, &trouble, err);
	if (status == SNAP_OK && unpacked != NULL)
		status = refuse_snap(unpacked, err);
	if (status == SNAP_OK)
		status = snap_pickle_init(&r->pickle, unpacked != NULL ? unpacked : in, err);
	if (status == SNAP_OK)
		status = run(r, err);
	snap_input_close(unpacked);
	if (status == SNAP_OK)
		status = finish(r, snap_input_mtime_ns(in), out, err);
	if (status < 0 && trouble.status < 0) {
		status = trouble.status;
		if (err != NULL)
			*err = trouble;
	}
	reader_free(r);
	return status;
}
