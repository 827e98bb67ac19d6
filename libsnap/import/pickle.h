/* Reads the opcodes of a pickle one by one: how long each is and what stands in it, not what it means.
 * Nothing is ever run; opcodes that no plain data needs are handed out without their operands. */
#ifndef SNAP_IMPORT_PICKLE_H
#define SNAP_IMPORT_PICKLE_H

#include <snap/input.h>
#include <stdbool.h>

enum snap_pickle_code {
	SNAP_PICKLE_MARK = '(',
	SNAP_PICKLE_EMPTY_TUPLE = ')',
	SNAP_PICKLE_STOP = '.',
	SNAP_PICKLE_BININT = 'J',
	SNAP_PICKLE_BININT1 = 'K',
	SNAP_PICKLE_BININT2 = 'M',
	SNAP_PICKLE_NONE = 'N',
	SNAP_PICKLE_BINUNICODE = 'X',
	SNAP_PICKLE_EMPTY_LIST = ']',
	SNAP_PICKLE_APPEND = 'a',
	SNAP_PICKLE_BUILD = 'b',
	SNAP_PICKLE_GLOBAL = 'c',
	SNAP_PICKLE_APPENDS = 'e',
	SNAP_PICKLE_BINGET = 'h',
	SNAP_PICKLE_LONG_BINGET = 'j',
	SNAP_PICKLE_BINPUT = 'q',
	SNAP_PICKLE_LONG_BINPUT = 'r',
	SNAP_PICKLE_SETITEM = 's',
	SNAP_PICKLE_TUPLE = 't',
	SNAP_PICKLE_SETITEMS = 'u',
	SNAP_PICKLE_EMPTY_DICT = '}',
	SNAP_PICKLE_PROTO = 0x80,
	SNAP_PICKLE_NEWOBJ = 0x81,
	SNAP_PICKLE_TUPLE1 = 0x85,
	SNAP_PICKLE_TUPLE2 = 0x86,
	SNAP_PICKLE_TUPLE3 = 0x87,
	SNAP_PICKLE_LONG1 = 0x8a,
	SNAP_PICKLE_SHORT_BINUNICODE = 0x8c,
	SNAP_PICKLE_STACK_GLOBAL = 0x93,
	SNAP_PICKLE_MEMOIZE = 0x94,
	SNAP_PICKLE_FRAME = 0x95,
};

/* The longest text of BINUNICODE, and of each of the two lines of GLOBAL. */
#define SNAP_PICKLE_TEXT_MAX 65535
#define SNAP_PICKLE_LINE_MAX 255

struct snap_pickle {
	const uint8_t *at, *end; /* buffered and not consumed; a reader in a hurry may consume by itself */
	uint8_t *buffer;
	uint64_t base;      /* offset of buffer[0] in the unpacked bytes */
	uint64_t frame_end; /* where the last FRAME says that it ends */
	bool at_end;        /* the input has no more than what is buffered */
	struct snap_input *in;
};

struct snap_pickle_op {
	uint64_t offset;
	uint8_t code;   /* any byte, see enum snap_pickle_code for those with operands */
	int64_t number; /* integers (saturated), memo numbers, protocol; bytes of a FRAME */
	const char *text, *second; /* BINUNICODE; module and name of GLOBAL. Borrowed until the next call */
	size_t text_size, second_size;
};

/* The input is borrowed until snap_pickle_free. Its first byte must be PROTO of protocols 2 to 5. */
enum snap_status snap_pickle_init(struct snap_pickle *p, struct snap_input *in, struct snap_error *err);
void snap_pickle_free(struct snap_pickle *p);

/* The next opcode. SNAP_ERR_TRUNCATED at the end of the input. */
enum snap_status snap_pickle_next(struct snap_pickle *p, struct snap_pickle_op *op, struct snap_error *err);

/* Checks what must hold behind STOP: the input ends, and no frame reaches past it. */
enum snap_status snap_pickle_finish(struct snap_pickle *p, struct snap_error *err);

/* Whether bytes begin as a pickle of any protocol may, as far as that can be told. */
bool snap_pickle_sniff(const uint8_t *bytes, size_t size);

/* "REDUCE", or NULL for a byte that is no opcode up to protocol 5; a constant. */
const char *snap_pickle_code_name(uint8_t code);

static inline uint64_t snap_pickle_offset(const struct snap_pickle *p)
{
	return p->base + (uint64_t)(p->at - p->buffer);
}

static inline uint32_t snap_pickle_u16(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t snap_pickle_u32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

#endif
