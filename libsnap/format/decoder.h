/* The decoder from inside: its state, and how rows are read. decode.c knows the order of sections; each
 * other decode_*.c knows the rows of some of them. */
#ifndef SNAP_FORMAT_DECODER_H
#define SNAP_FORMAT_DECODER_H

#include "format/decode.h"
#include "format/layout.h"

/* Sections that make one table together, in their order in a member. */
enum group { START, META, COLUMNS, RULE, STRINGS, FRAMES, PAIRS, NODES, STACKS, CHANGES, OLD_STACKS, FREQUENT, SITES, END };

/* A list of siblings that is being read. */
struct level {
	uint32_t parent; /* SNAP_NONE = the virtual root */
	uint32_t depth;
	uint32_t callees[2]; /* the next sibling's callee is here in `callee` or behind, and before there; those of
	                        roots are frames */
};

SNAP_VECTOR(levels, struct level);

/* How a frame is used, in one number, so that reading a node takes one addition: below USE_NODE the stacks that end
 * there, each as much as its bit in the node's token, and above that the nodes. There are never so many stacks that they
 * reach it. */
#define USE_STACK ((uint64_t)SNAP_NODE_STACK)
#define USE_NODE (USE_STACK * 2 * SNAP_ROWS_MAX)

/* Values added up, wrapping around, and the bits that are set in any of them. */
struct sum {
	uint64_t sum, bits;
};

struct snap_decoder {
	struct snap_snapshot *t;      /* the tables of the series; its metadata are those of this member */
	struct snap_meta *meta_before;
	bool started, continues;
	struct snap_stack_rule rule;
	bool deep_roots;              /* some root lies deeper than 1 */
	struct snap_u16s room;        /* by node: how many frames a stack can have there, once that is needed */
	struct snap_u32s callee_begin; /* by frame, and one more: where its callees begin in `callee` */
	struct snap_u32s callee;
	uint32_t first_string, first_frame, first_node, first_stack, first_site;

	enum group group;
	uint32_t previous_tag, previous_index;
	bool member_is_whole;
	struct snap_end end;

	/* Columns of the present group, until all of them are there. All vectors are emptied, not freed. */
	struct snap_u32s lengths;     /* STRP: shared, suffix, shared, suffix … */
	uint64_t suffix_bytes;        /* their sum */
	struct snap_u8s suffixes;     /* STRB */
	struct snap_u32s files;       /* FRMF */
	size_t file_at;               /* FRML: the place in `files`, */
	uint32_t line;                /* and the line before */
	struct snap_u32s functions;   /* FRMU: codes */
	struct snap_u32s callers;     /* PRSC */
	struct snap_u32s list_callers; /* places in `callers` of those that have further callees */
	struct snap_u32s first_callees; /* PRSF */
	struct snap_u32s further_callees; /* PRST: list by list; see LAST_CALLEE */
	struct snap_u32s list_ends;   /* where these lists end in it, */
	bool list_begun;              /* whether another is begun, */
	uint32_t callee_before;       /* and the callee before */
	struct snap_u32s attach;      /* ATCH: codes */
	size_t attach_at;
	struct levels levels;         /* NODE: the list that is being read, behind those that go on after it, all of them
	                                 behind one that has no callees and never ends */
	bool too_deep;                /* a new node's depth does not fit in 16 bits */
	struct snap_u32s roots;       /* new ones */
	struct snap_u64s uses;        /* by frame: USE_NODE for each new node, USE_STACK for each new stack there; once these
	                                 are listed, a place in site_stacks instead of the latter */
	struct snap_u32s root_depths; /* RDEP: as told */
	struct snap_u32s promoted;    /* STKD */
	struct snap_u32s extra;       /* STKX: node, length, total, node … */
	struct snap_u32s changed;     /* CHGI of the present group of sections */
	uint32_t next_changed;
	struct snap_i64s changes;     /* CHGV: residuals of the changed sites, site by site */
	uint64_t frequent[SNAP_FREQUENT_MAX]; /* SITD */
	uint32_t frequent_count;
	struct snap_u32s site_stacks; /* the stacks that new sites belong to, in turn */
	size_t site_stack_at;
	bool site_stacks_known;
	/* The present SITT: its first row, how many are explicit, their residuals column by column. */
	size_t rows_begin, rows_explicit;
	bool rows_open;
	bool stored[SNAP_COLUMNS_MAX];
	struct snap_u16s explicit_rows; /* of these rows, counted from the first */
	bool size_repeated;           /* a site is not above that before it in its stack, */
	struct sum sizes;             /* and all sizes: right once the domains are known */
	struct snap_i64s residuals[SNAP_COLUMNS_MAX];
	bool residuals_are_wide;      /* one of them may need more than 32 bits */
	size_t whole_sites;           /* sites whose values are known, for salvage */
	bool careful;                 /* totals are not known yet */
	uint64_t largest_sum[SNAP_COLUMNS_MAX]; /* while not careful: no sum of absolute values is above it */
	size_t live;                  /* of them: not all values zero */
	bool loose_leaf;              /* a node has neither children nor the stack of the rule */
};

/* A section being read, and the first thing wrong with it. */
struct cursor {
	const uint8_t *at, *end;
	const struct snap_section *section;
	struct snap_error *err;
	enum snap_status status;
};

/* Says that the section breaks a rule, once. */
void snap_damaged(struct cursor *c, const char *what);
/* Says that a number is cut off or too long, and ends the section. */
void snap_bad_number(struct cursor *c);

/* The number at `at`, which is moved behind it; or `at` becomes NULL where there is none. */
struct uint_at {
	uint64_t value;
	const uint8_t *at;
};

/* The general case of uint_at. */
struct uint_at snap_long_uint(const uint8_t *at, const uint8_t *end);

/* By value, so that hot loops keep it all in registers. */
static inline __attribute__((always_inline)) struct uint_at uint_at(const uint8_t *at, const uint8_t *end)
{
	if (at < end && at[0] < 0x80)
		return (struct uint_at){at[0], at + 1};
	if (end - at >= 2 && at[1] - 1u < 0x7F)
		return (struct uint_at){(at[0] & 0x7Fu) | (uint64_t)at[1] << 7, at + 2};
	return snap_long_uint(at, end);
}

static inline uint64_t get_uint(struct cursor *c)
{
	struct uint_at v = uint_at(c->at, c->end);
	if (v.at == NULL) {
		snap_bad_number(c);
		return 0;
	}
	c->at = v.at;
	return v.value;
}

static inline int64_t get_int(struct cursor *c)
{
	uint64_t v = get_uint(c);
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Whether another row begins; a section has at least one and at most 65,536. */
static inline bool more_rows(struct cursor *c, size_t rows)
{
	if (c->status < 0 || c->at == c->end)
		return false;
	if (rows == SNAP_SECTION_ROWS)
		snap_damaged(c, "too many rows");
	return c->status == SNAP_OK;
}

/* A row has at least one byte. */
static inline size_t rows_at_most(const struct cursor *c)
{
	size_t bytes = (size_t)(c->end - c->at);
	return bytes < SNAP_SECTION_ROWS ? bytes : SNAP_SECTION_ROWS;
}

/* For how many rows in all to make room before those of a section are appended to `rows`. Behind a full one
 * others follow: room for some of them spares their rows being copied as the table grows, and what is not
 * written takes no memory. */
static inline size_t rows_to_expect(const struct cursor *c, size_t rows, size_t capacity)
{
	size_t most = rows_at_most(c), needed = rows + most;
	if (needed <= capacity || most < SNAP_SECTION_ROWS || needed > SNAP_ROWS_MAX - 3 * SNAP_SECTION_ROWS)
		return needed;
	return needed + 3 * SNAP_SECTION_ROWS;
}

/* `before` + gap, which must stay below `limit`; before = what the smallest may be. */
static inline uint32_t next_number(struct cursor *c, uint64_t least, uint64_t limit, const char *what)
{
	uint64_t gap = get_uint(c);
	if (gap >= limit || least + gap >= limit) {
		snap_damaged(c, what);
		return 0;
	}
	return (uint32_t)(least + gap);
}

#define PUSH(c, d, vector, value)                                                                           \
	do {                                                                                                \
		if ((c)->status == SNAP_OK)                                                                 \
			(c)->status = snap_vector_push((vector), (value), &(d)->t->budget, (c)->err);       \
	} while (0)

/* decode_tables.c: metadata, columns, strings, frames */
void snap_decode_meta(struct snap_decoder *d, struct cursor *c);
void snap_decode_columns(struct snap_decoder *d, struct cursor *c);
void snap_decode_rule(struct snap_decoder *d, struct cursor *c);
void snap_decode_string_lengths(struct snap_decoder *d, struct cursor *c);
void snap_decode_string_bytes(struct snap_decoder *d, struct cursor *c);
void snap_finish_strings(struct snap_decoder *d, struct cursor *c);
void snap_decode_frame_files(struct snap_decoder *d, struct cursor *c);
void snap_decode_frame_lines(struct snap_decoder *d, struct cursor *c);
void snap_decode_frame_functions(struct snap_decoder *d, struct cursor *c);
void snap_finish_frames(struct snap_decoder *d, struct cursor *c);

/* decode_forest.c: pairs, nodes, stacks */
void snap_decode_callers(struct snap_decoder *d, struct cursor *c);
void snap_decode_first_callees(struct snap_decoder *d, struct cursor *c);
void snap_decode_further_callees(struct snap_decoder *d, struct cursor *c);
void snap_finish_pairs(struct snap_decoder *d, struct cursor *c);
void snap_decode_attachments(struct snap_decoder *d, struct cursor *c);
void snap_decode_nodes(struct snap_decoder *d, struct cursor *c);
/* Makes room for `uses` once frames are known. */
void snap_decoder_open_uses(struct snap_decoder *d, struct cursor *c);
void snap_decode_root_depths(struct snap_decoder *d, struct cursor *c);
void snap_finish_nodes(struct snap_decoder *d, struct cursor *c);
void snap_decode_promoted(struct snap_decoder *d, struct cursor *c);
void snap_decode_extra_stacks(struct snap_decoder *d, struct cursor *c);
void snap_finish_stacks(struct snap_decoder *d, struct cursor *c);

/* decode_sites.c */
void snap_decode_changed(struct snap_decoder *d, struct cursor *c);
void snap_decode_changes(struct snap_decoder *d, struct cursor *c);
void snap_finish_changes(struct snap_decoder *d, struct cursor *c);
void snap_decode_old_stacks(struct snap_decoder *d, struct cursor *c);
void snap_decode_frequent(struct snap_decoder *d, struct cursor *c);
void snap_decode_sites(struct snap_decoder *d, struct cursor *c);
void snap_decode_domains(struct snap_decoder *d, struct cursor *c);
void snap_decode_values(struct snap_decoder *d, struct cursor *c);
void snap_finish_rows(struct snap_decoder *d, struct cursor *c);
void snap_finish_sites(struct snap_decoder *d, struct cursor *c);

#endif
