/* The opcode scanner; see pickle.h. */
#include "import/pickle.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_SIZE = 256 * 1024, OP_SIZE_MAX = 9 };

#define HOW_TO_DUMP "dump the snapshot with Snapshot.dump(path) or pickle.dump(snapshot, file, 2) or higher"

/* How protocols 0 and 1 begin an object of a class: with or without Python 2's name of the module. */
static const char *const old_beginnings[] = {"ccopy_reg\n_reconstructor\n", "ccopyreg\n_reconstructor\n"};

static bool begins_old(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < sizeof old_beginnings / sizeof *old_beginnings; i++) {
		size_t n = strlen(old_beginnings[i]);
		if (size > 0 && memcmp(bytes, old_beginnings[i], size < n ? size : n) == 0)
			return true;
	}
	return false;
}

bool snap_pickle_sniff(const uint8_t *bytes, size_t size)
{
	/* No protocol is above 5 yet; the next few are taken for pickles so that the message fits. */
	if (size > 0 && bytes[0] == SNAP_PICKLE_PROTO)
		return size == 1 || bytes[1] < 16;
	return begins_old(bytes, size);
}

/* Makes the buffer as full as the input allows. */
static enum snap_status fill(struct snap_pickle *p, struct snap_error *err)
{
	size_t kept = (size_t)(p->end - p->at);
	p->base += (uint64_t)(p->at - p->buffer);
	memmove(p->buffer, p->at, kept);
	p->at = p->buffer;
	p->end = p->buffer + kept;
	size_t got;
	enum snap_status status = snap_input_read(p->in, p->buffer + kept, BUFFER_SIZE - kept, &got, err);
	if (status < 0)
		return status;
	p->end += got;
	p->at_end = got < BUFFER_SIZE - kept;
	return SNAP_OK;
}

static enum snap_status truncated(const struct snap_pickle *p, struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_TRUNCATED, p->base + (uint64_t)(p->end - p->buffer),
	                 "the input ends in the middle of the pickle");
}

/* Makes at least `size` bytes visible at p->at. */
static enum snap_status need(struct snap_pickle *p, size_t size, struct snap_error *err)
{
	if ((size_t)(p->end - p->at) >= size)
		return SNAP_OK;
	enum snap_status status = p->at_end ? SNAP_OK : fill(p, err);
	if (status < 0)
		return status;
	return (size_t)(p->end - p->at) >= size ? SNAP_OK : truncated(p, err);
}

enum snap_status snap_pickle_init(struct snap_pickle *p, struct snap_input *in, struct snap_error *err)
{
	*p = (struct snap_pickle){.in = in, .base = snap_input_offset(in), .buffer = malloc(BUFFER_SIZE)};
	if (p->buffer == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	p->at = p->end = p->buffer;
	enum snap_status status = fill(p, err);
	if (status < 0)
		return status;
	size_t size = (size_t)(p->end - p->at);
	if (size == 0)
		return snap_fail(err, SNAP_ERR_TRUNCATED, p->base, "the input is empty");
	if (begins_old(p->at, size))
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, p->base, "pickle protocols 0 and 1 are not read; " HOW_TO_DUMP);
	if (p->at[0] != SNAP_PICKLE_PROTO)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, p->base, "this is not a pickle of protocol 2 or higher; " HOW_TO_DUMP);
	status = need(p, 2, err);
	if (status < 0)
		return status;
	if (p->at[1] < 2 || p->at[1] > 5)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, p->base + 1, "pickle protocol %u is not read, only 2 to 5; %s",
		                 p->at[1], p->at[1] < 2 ? HOW_TO_DUMP : "dump the snapshot with pickle.dump(snapshot, file, 5)");
	p->at += 2;
	return SNAP_OK;
}

void snap_pickle_free(struct snap_pickle *p)
{
	free(p->buffer);
	p->buffer = NULL;
}

/* Little-endian two's complement of any length; what does not fit becomes INT64_MIN or INT64_MAX. */
static int64_t saturated(const uint8_t *at, size_t size)
{
	bool negative = size > 0 && at[size - 1] >= 0x80;
	uint64_t value = negative ? UINT64_MAX : 0;
	for (size_t i = size; i-- > 0;) {
		if (i < 8)
			value = value << 8 | at[i];
		else if (at[i] != (negative ? 0xff : 0))
			return negative ? INT64_MIN : INT64_MAX;
	}
	if ((value > INT64_MAX) != negative)
		return negative ? INT64_MIN : INT64_MAX;
	return negative ? -(int64_t)~value - 1 : (int64_t)value;
}

/* UTF-8 as Python's "surrogatepass" reads it: surrogates may stand alone, the rest is as ever. */
static bool is_text(const uint8_t *at, size_t size)
{
	const uint8_t *end = at + size;
	while (at < end) {
		uint8_t first = *at++;
		if (first < 0x80)
			continue;
		int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
		if (first < 0xc2 || first > 0xf4 || end - at < more)
			return false;
		if ((first == 0xe0 && *at < 0xa0) || (first == 0xf0 && *at < 0x90) || (first == 0xf4 && *at > 0x8f))
			return false;
		for (; more > 0; more--)
			if ((*at++ & 0xc0) != 0x80)
				return false;
	}
	return true;
}

/* The opcode and the `header` bytes in front of the text are visible. */
static enum snap_status read_text(struct snap_pickle *p, struct snap_pickle_op *op, size_t header, uint32_t size,
                                  struct snap_error *err)
{
	if (size > SNAP_PICKLE_TEXT_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, op->offset, "a name of %lu bytes; the limit is %d", (unsigned long)size,
		                 SNAP_PICKLE_TEXT_MAX);
	enum snap_status status = need(p, header + size, err);
	if (status < 0)
		return status;
	if (!is_text(p->at + header, size))
		return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "a name is not UTF-8");
	op->text = (const char *)p->at + header;
	op->text_size = size;
	p->at += header + size;
	return SNAP_OK;
}

static enum snap_status read_line(struct snap_pickle *p, const uint8_t **at, const char **text, size_t *size,
                                  struct snap_error *err)
{
	size_t here = (size_t)(p->end - *at);
	const uint8_t *end = memchr(*at, '\n', here < SNAP_PICKLE_LINE_MAX + 1 ? here : SNAP_PICKLE_LINE_MAX + 1);
	if (end == NULL && here <= SNAP_PICKLE_LINE_MAX)
		return truncated(p, err);
	if (end == NULL)
		return snap_fail(err, SNAP_ERR_LIMIT, snap_pickle_offset(p), "the name of a class is longer than %d bytes",
		                 SNAP_PICKLE_LINE_MAX);
	*text = (const char *)*at;
	*size = (size_t)(end - *at);
	*at = end + 1;
	return SNAP_OK;
}

static enum snap_status read_global(struct snap_pickle *p, struct snap_pickle_op *op, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	if (p->end - p->at < 1 + 2 * (SNAP_PICKLE_LINE_MAX + 1) && !p->at_end)
		status = fill(p, err);
	const uint8_t *at = p->at + 1;
	if (status == SNAP_OK)
		status = read_line(p, &at, &op->text, &op->text_size, err);
	if (status == SNAP_OK)
		status = read_line(p, &at, &op->second, &op->second_size, err);
	if (status == SNAP_OK)
		p->at = at;
	return status;
}

static enum snap_status read_long(struct snap_pickle *p, struct snap_pickle_op *op, struct snap_error *err)
{
	size_t size = p->at[1];
	enum snap_status status = need(p, 2 + size, err);
	if (status < 0)
		return status;
	op->number = saturated(p->at + 2, size);
	p->at += 2 + size;
	return SNAP_OK;
}

static enum snap_status read_frame(struct snap_pickle *p, struct snap_pickle_op *op, struct snap_error *err)
{
	uint64_t size = snap_pickle_u32(p->at + 1) | (uint64_t)snap_pickle_u32(p->at + 5) << 32;
	p->at += OP_SIZE_MAX;
	if (op->offset < p->frame_end)
		return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "a frame of the pickle begins within another");
	if (size > INT64_MAX - op->offset)
		return snap_fail(err, SNAP_ERR_DAMAGED, op->offset, "a frame of the pickle is longer than any file");
	p->frame_end = snap_pickle_offset(p) + size;
	op->number = (int64_t)size;
	return SNAP_OK;
}

/* Bytes of an opcode with its operands, or with what tells how long they are; 0 for those without. */
static const uint8_t op_size[256] = {
        [SNAP_PICKLE_PROTO] = 2,
        [SNAP_PICKLE_BININT] = 5,
        [SNAP_PICKLE_BININT1] = 2,
        [SNAP_PICKLE_BININT2] = 3,
        [SNAP_PICKLE_LONG1] = 2,
        [SNAP_PICKLE_BINGET] = 2,
        [SNAP_PICKLE_LONG_BINGET] = 5,
        [SNAP_PICKLE_BINPUT] = 2,
        [SNAP_PICKLE_LONG_BINPUT] = 5,
        [SNAP_PICKLE_SHORT_BINUNICODE] = 2,
        [SNAP_PICKLE_BINUNICODE] = 5,
        [SNAP_PICKLE_FRAME] = OP_SIZE_MAX,
};

enum snap_status snap_pickle_next(struct snap_pickle *p, struct snap_pickle_op *op, struct snap_error *err)
{
	if (p->end - p->at < OP_SIZE_MAX && !p->at_end) {
		enum snap_status status = fill(p, err);
		if (status < 0)
			return status;
	}
	size_t here = (size_t)(p->end - p->at), size = here > 0 ? op_size[*p->at] : 1;
	if (here < size)
		return truncated(p, err);
	op->offset = snap_pickle_offset(p);
	op->code = *p->at;
	switch (op->code) {
	case SNAP_PICKLE_PROTO:
	case SNAP_PICKLE_BININT1:
	case SNAP_PICKLE_BINGET:
	case SNAP_PICKLE_BINPUT:
		op->number = p->at[1];
		break;
	case SNAP_PICKLE_BININT2:
		op->number = snap_pickle_u16(p->at + 1);
		break;
	case SNAP_PICKLE_LONG_BINGET:
	case SNAP_PICKLE_LONG_BINPUT:
		op->number = snap_pickle_u32(p->at + 1);
		break;
	case SNAP_PICKLE_BININT:
		op->number = saturated(p->at + 1, 4);
		break;
	case SNAP_PICKLE_LONG1:
		return read_long(p, op, err);
	case SNAP_PICKLE_SHORT_BINUNICODE:
		return read_text(p, op, size, p->at[1], err);
	case SNAP_PICKLE_BINUNICODE:
		return read_text(p, op, size, snap_pickle_u32(p->at + 1), err);
	case SNAP_PICKLE_GLOBAL:
		return read_global(p, op, err);
	case SNAP_PICKLE_FRAME:
		return read_frame(p, op, err);
	default:
		size = 1;
	}
	p->at += size;
	return SNAP_OK;
}

enum snap_status snap_pickle_finish(struct snap_pickle *p, struct snap_error *err)
{
	if (p->at == p->end && !p->at_end) {
		enum snap_status status = fill(p, err);
		if (status < 0)
			return status;
	}
	uint64_t offset = snap_pickle_offset(p);
	if (p->at != p->end)
		return snap_fail(err, SNAP_ERR_DAMAGED, offset, "the pickle ends here and the input goes on; "
		                                                "a file must hold one pickle and nothing else");
	if (p->frame_end > offset)
		return snap_fail(err, SNAP_ERR_DAMAGED, offset, "the pickle ends within one of its frames");
	return SNAP_OK;
}

const char *snap_pickle_code_name(uint8_t code)
{
	static const char *const names[256] = {
	        ['('] = "MARK",
	        [')'] = "EMPTY_TUPLE",
	        ['.'] = "STOP",
	        ['0'] = "POP",
	        ['1'] = "POP_MARK",
	        ['2'] = "DUP",
	        ['B'] = "BINBYTES",
	        ['C'] = "SHORT_BINBYTES",
	        ['F'] = "FLOAT",
	        ['G'] = "BINFLOAT",
	        ['I'] = "INT",
	        ['J'] = "BININT",
	        ['K'] = "BININT1",
	        ['L'] = "LONG",
	        ['M'] = "BININT2",
	        ['N'] = "NONE",
	        ['P'] = "PERSID",
	        ['Q'] = "BINPERSID",
	        ['R'] = "REDUCE",
	        ['S'] = "STRING",
	        ['T'] = "BINSTRING",
	        ['U'] = "SHORT_BINSTRING",
	        ['V'] = "UNICODE",
	        ['X'] = "BINUNICODE",
	        [']'] = "EMPTY_LIST",
	        ['a'] = "APPEND",
	        ['b'] = "BUILD",
	        ['c'] = "GLOBAL",
	        ['d'] = "DICT",
	        ['e'] = "APPENDS",
	        ['g'] = "GET",
	        ['h'] = "BINGET",
	        ['i'] = "INST",
	        ['j'] = "LONG_BINGET",
	        ['l'] = "LIST",
	        ['o'] = "OBJ",
	        ['p'] = "PUT",
	        ['q'] = "BINPUT",
	        ['r'] = "LONG_BINPUT",
	        ['s'] = "SETITEM",
	        ['t'] = "TUPLE",
	        ['u'] = "SETITEMS",
	        ['}'] = "EMPTY_DICT",
	        [0x80] = "PROTO",
	        [0x81] = "NEWOBJ",
	        [0x82] = "EXT1",
	        [0x83] = "EXT2",
	        [0x84] = "EXT4",
	        [0x85] = "TUPLE1",
	        [0x86] = "TUPLE2",
	        [0x87] = "TUPLE3",
	        [0x88] = "NEWTRUE",
	        [0x89] = "NEWFALSE",
	        [0x8a] = "LONG1",
	        [0x8b] = "LONG4",
	        [0x8c] = "SHORT_BINUNICODE",
	        [0x8d] = "BINUNICODE8",
	        [0x8e] = "BINBYTES8",
	        [0x8f] = "EMPTY_SET",
	        [0x90] = "ADDITEMS",
	        [0x91] = "FROZENSET",
	        [0x92] = "NEWOBJ_EX",
	        [0x93] = "STACK_GLOBAL",
	        [0x94] = "MEMOIZE",
	        [0x95] = "FRAME",
	        [0x96] = "BYTEARRAY8",
	        [0x97] = "NEXT_BUFFER",
	        [0x98] = "READONLY_BUFFER",
	};
	return names[code];
}
