/* The tables behind struct snap_snapshot, for the rooms of the library. */
#ifndef SNAP_MODEL_SNAPSHOT_H
#define SNAP_MODEL_SNAPSHOT_H

#include <snap/limits.h>
#include <snap/snapshot.h>

#include "base/numbers.h"
#include "base/seed.h"
#include "base/vector.h"

#define SNAP_NONE UINT32_MAX

/* Columns of a plain snapshot and, behind them, those of a diff. */
enum { SNAP_COLUMN_BLOCKS = 0, SNAP_COLUMN_BYTES = 1, SNAP_COLUMN_OLD_BLOCKS = 2, SNAP_COLUMN_OLD_BYTES = 3 };

/* How a value follows from others of its row; see section 5.2 of the format. */
enum snap_predictor { SNAP_PREDICT_NOTHING = 0, SNAP_PREDICT_SAME = 1, SNAP_PREDICT_SIZE_TIMES = 2 };

struct snap_column_info {
	char name[SNAP_COLUMN_NAME_MAX + 1];
	enum snap_unit unit;
	enum snap_predictor predictor;
	uint32_t from;
};

/* Everything is numbered from 0. In any snapshot a parent's number is below its children's, and each
 * (stack, domain, size) has one site. In an *ordered* one, which is all that leaves the library,
 *  - strings ascend by bytes, so numbers compare as names do; no string, frame, stack is unused;
 *  - frames ascend by (file, line, function + 1 or 0 for none), without repetition;
 *  - nodes are in depth-first order, siblings ascending by frame, roots by (frame, depth), none equal;
 *    each node has a stack at or below it;
 *  - stacks that follow the rule (below) come first, by node, then the others by (node, length, total);
 *  - sites ascend by (frame of the stack's node, stack, domain, size); at least one value is not 0.
 * Two stacks may still say the same thing at different nodes when trees were joined; see
 * snap_snapshot_window_hashes. */
struct snap_snapshot {
	struct snap_meta *meta;
	struct snap_column_info columns[SNAP_COLUMNS_MAX];
	uint32_t column_count;
	bool canonical;      /* the forest is the one the builder makes; see section 8 of the format */
	bool said_canonical; /* the file it was read from says so: handed on in streams, never relied on */

	struct snap_u8s text;       /* all strings, one behind the other */
	struct snap_u32s text_end;  /* where string i ends in text; it begins where i - 1 ends */

	struct snap_u32s frame_file, frame_line;
	struct snap_u32s frame_function; /* SNAP_NONE where not known */

	struct snap_u32s node_parent;    /* SNAP_NONE for a root */
	struct snap_u32s node_frame;
	struct snap_u16s node_depth;     /* 1 = the oldest call */

	struct snap_u32s stack_node;
	struct snap_u16s stack_length, stack_total;

	struct snap_u32s site_stack;
	struct snap_u32s site_domain; /* without memory (count 0) while all are 0; see snap_snapshot_domain */
	struct snap_numbers site_size;
	/* A column all of whose values are what its predictor says has no memory (count 0): bytes, nearly
	 * always. Column 0 has no predictor and is always there. See snap_snapshot_value. */
	struct snap_numbers values[SNAP_COLUMNS_MAX];

	int64_t totals[SNAP_COLUMNS_MAX]; /* sums of values; set when ordered */
	struct snap_budget budget;        /* of all tables above */
	struct snap_lineage *lineage;     /* of a reader's own tables once they were lent out; else NULL */
};

/* Says of tables that a series only adds to that they are the same ones: where two snapshots have one lineage,
 * strings, frames, nodes and stacks that both have bear the same numbers. Who holds it can compare its address. */
struct snap_lineage {
	size_t holders;
};
enum snap_status snap_lineage_new(struct snap_lineage **out, struct snap_error *err);
struct snap_lineage *snap_lineage_hold(struct snap_lineage *lineage); /* takes NULL */
void snap_lineage_drop(struct snap_lineage *lineage); /* takes NULL */

/* An empty snapshot with empty metadata. `limits` may be NULL. */
enum snap_status snap_snapshot_new(struct snap_snapshot **out, const struct snap_limits *limits,
                                   struct snap_error *err);

static inline uint32_t snap_snapshot_domain(const struct snap_snapshot *s, size_t site)
{
	return s->site_domain.count == 0 ? 0 : s->site_domain.at[site];
}

/* Gives memory to the domains of all sites that there are. */
enum snap_status snap_snapshot_store_domains(struct snap_snapshot *s, struct snap_error *err);

/* What a column's predictor says of a site. The arithmetic wraps around. */
static inline int64_t snap_snapshot_predicted(const struct snap_snapshot *s, uint32_t column, size_t site);

/* The value of a column at a site, stored or not. */
static inline int64_t snap_snapshot_value(const struct snap_snapshot *s, uint32_t column, size_t site)
{
	return s->values[column].count != 0 ? snap_numbers_get(&s->values[column], site)
	                                    : snap_snapshot_predicted(s, column, site);
}

static inline int64_t snap_snapshot_predicted(const struct snap_snapshot *s, uint32_t column, size_t site)
{
	const struct snap_column_info *c = &s->columns[column];
	if (c->predictor == SNAP_PREDICT_NOTHING)
		return 0;
	uint64_t from = (uint64_t)snap_snapshot_value(s, c->from, site);
	return (int64_t)(c->predictor == SNAP_PREDICT_SAME ? from
	                                                   : (uint64_t)snap_numbers_get(&s->site_size, site) * from);
}

/* The values of a column at `count` <= SNAP_VALUES_CHUNK sites from `begin` on: for loops over all. */
#define SNAP_VALUES_CHUNK 1024
void snap_snapshot_read_values(const struct snap_snapshot *s, uint32_t column, size_t begin, size_t count,
                               int64_t *values);
/* The same of the first `columns` columns at once. */
void snap_snapshot_read_columns(const struct snap_snapshot *s, uint32_t columns, size_t begin, size_t count,
                                int64_t (*values)[SNAP_VALUES_CHUNK]);
/* The same of what the predictor says. */
void snap_snapshot_read_predicted(const struct snap_snapshot *s, uint32_t column, size_t begin, size_t count,
                                  int64_t *values);

/* Makes a column be stored, from what is predicted. */
enum snap_status snap_snapshot_store_column(struct snap_snapshot *s, uint32_t column, struct snap_error *err);

/* Sets the value of a site that is there; columns it is predicted from must be set before. */
enum snap_status snap_snapshot_set_value(struct snap_snapshot *s, uint32_t column, size_t site, int64_t value,
                                         struct snap_error *err);

/* Sets the columns of a plain snapshot, or of a diff. */
void snap_snapshot_set_columns(struct snap_snapshot *s, bool diff);
/* Whether both have the same columns in the same order. */
bool snap_snapshot_same_columns(const struct snap_snapshot *a, const struct snap_snapshot *b);

struct snap_text snap_snapshot_string(const struct snap_snapshot *s, uint32_t string);

/* Appending; the caller keeps the rules above. */
enum snap_status snap_snapshot_push_string(struct snap_snapshot *s, const void *bytes, size_t size,
                                           struct snap_error *err);
enum snap_status snap_snapshot_push_frame(struct snap_snapshot *s, uint32_t file, uint32_t line, uint32_t function,
                                          struct snap_error *err);
enum snap_status snap_snapshot_push_node(struct snap_snapshot *s, uint32_t parent, uint32_t frame, uint32_t depth,
                                         struct snap_error *err);
enum snap_status snap_snapshot_push_stack(struct snap_snapshot *s, uint32_t node, uint32_t length, uint32_t total,
                                          struct snap_error *err);
/* Room for n rows in all; SNAP_ERR_LIMIT above SNAP_ROWS_MAX. */
enum snap_status snap_snapshot_reserve_frames(struct snap_snapshot *s, size_t n, struct snap_error *err);
enum snap_status snap_snapshot_reserve_nodes(struct snap_snapshot *s, size_t n, struct snap_error *err);
enum snap_status snap_snapshot_reserve_stacks(struct snap_snapshot *s, size_t n, struct snap_error *err);
enum snap_status snap_snapshot_reserve_sites(struct snap_snapshot *s, size_t n, struct snap_error *err);
enum snap_status snap_snapshot_push_site(struct snap_snapshot *s, uint32_t stack, uint32_t domain, uint64_t size,
                                         const int64_t *values, struct snap_error *err);

/* Empty tables with the metadata, columns, limit and `canonical` of another. */
enum snap_status snap_snapshot_new_like(struct snap_snapshot **out, const struct snap_snapshot *from,
                                        struct snap_error *err);

/* A copy of everything as it is. */
enum snap_status snap_snapshot_copy(struct snap_snapshot **out, const struct snap_snapshot *from,
                                    struct snap_error *err);

/* Makes of any snapshot's tables an ordered snapshot: drops sites without values and what no site
 * needs, renumbers the rest. Metadata and columns are copied. `canonical` is carried over. */
enum snap_status snap_snapshot_order(struct snap_snapshot **out, const struct snap_snapshot *from,
                                     struct snap_error *err);

/* The same content with the forest that the builder makes; for what is about to be archived. */
enum snap_status snap_snapshot_canonical(struct snap_snapshot **out, const struct snap_snapshot *from,
                                         struct snap_error *err);

/* What most stacks have in common; see section 5.3 of the format. */
struct snap_stack_rule {
	uint32_t limit; /* of the length; 0 = none */
	bool known;     /* total is the depth of the node, else 0 */
};

/* The rule of section 8: limit is the largest length if any stack is truncated, known if any total is. */
struct snap_stack_rule snap_snapshot_stack_rule(const struct snap_snapshot *s);
static inline bool snap_stack_follows(const struct snap_snapshot *s, uint32_t stack, struct snap_stack_rule rule)
{
	uint32_t depth = s->node_depth.at[s->stack_node.at[stack]];
	uint32_t length = rule.limit != 0 && depth > rule.limit ? rule.limit : depth;
	return s->stack_length.at[stack] == length && s->stack_total.at[stack] == (rule.known ? depth : 0);
}

/* Fills totals; SNAP_ERR_LIMIT when the sum of absolute values of a column leaves 63 bits. */
enum snap_status snap_snapshot_sum(struct snap_snapshot *s, struct snap_error *err);

/* For each stack a hash of its known frames (w of section 6 of the format), whatever node it hangs on:
 * equal for equal tracebacks, also across snapshots. `hashes` has room for all stacks. Tables need not
 * be ordered, but a parent's number must be below its children's. SNAP_ERR_NOMEM. */
enum snap_status snap_snapshot_window_hashes(const struct snap_snapshot *s, uint64_t *hashes,
                                             struct snap_error *err);

/* The same for tables, below 2^61: `seed` decides which tracebacks have equal hashes. Those of section 6 can be
 * made equal by who makes the file, by equal hashes of names or in long stacks of two frames. */
enum snap_status snap_snapshot_keyed_windows(const struct snap_snapshot *s, const struct snap_seed *seed,
                                             uint64_t *hashes, struct snap_error *err);

/* Whether two stacks of one snapshot have the same known frames. */
bool snap_snapshot_same_window(const struct snap_snapshot *s, uint32_t a, uint32_t b);

#endif
