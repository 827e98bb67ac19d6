/* Both inputs are ordered, so nearly all is merging of sorted lists. Only truncated stacks may say the
 * same at different nodes of the two forests, because what they are hung below depends on the other
 * stacks; these are looked for afterwards. */
#include "ops/combine.h"

#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "ops/stacks.h"

struct side {
	const struct snap_snapshot *s;
	uint32_t *string, *frame; /* their numbers in the result */
	uint32_t *site, *site_end; /* of each stack: its sites */
	uint32_t *source;         /* of each stack of the result: the stack it comes from, or SNAP_NONE */
	struct snap_stack_walk stacks;
};

SNAP_VECTOR(keyed_rows, struct snap_keyed);

struct combining {
	struct snap_snapshot *u;
	const struct snap_combination *what;
	struct side side[2];
	uint32_t *memory; /* behind the numbers of both sides */
	uint32_t *path;   /* by level: the last node of the result */

	/* Stacks are found by (node, length, total). Where that is not how they are to be numbered, or some
	 * say the same: */
	bool renumbered;
	uint32_t *numbers;  /* memory of the next two */
	uint32_t *original; /* of each stack of the result: as what it was found */
	uint32_t *same;     /* of each stack as found: the next that says the same, or SNAP_NONE */
	uint32_t *by_frame; /* stacks of the result by newest frame */
	struct keyed_rows rows, scratch; /* sites of stacks that say the same */

	/* Sites whose values are not there yet: their numbers on either side. */
	size_t waiting;
	uint32_t from[2][SNAP_VALUES_CHUNK];
	bool computed[SNAP_COLUMNS_MAX];        /* the column is what its predictor says */
	uint32_t copied_from[SNAP_COLUMNS_MAX]; /* the only side that it has values from, or SNAP_NONE */

	bool untidy; /* something is left that no site needs */
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Strings and frames. */

static int compare_strings(const struct side *a, uint32_t i, const struct side *b, uint32_t j)
{
	struct snap_text x = snap_snapshot_string(a->s, i), y = snap_snapshot_string(b->s, j);
	int order = memcmp(x.bytes, y.bytes, x.size < y.size ? x.size : y.size);
	return order != 0 ? order : compare_numbers(x.size, y.size);
}

static enum snap_status combine_strings(struct combining *m, struct snap_error *err)
{
	struct side *a = &m->side[0], *b = &m->side[1];
	uint32_t i = 0, j = 0, a_count = (uint32_t)a->s->text_end.count, b_count = (uint32_t)b->s->text_end.count;
	while (i < a_count || j < b_count) {
		int order = i == a_count ? 1 : j == b_count ? -1 : compare_strings(a, i, b, j);
		struct snap_text t = order <= 0 ? snap_snapshot_string(a->s, i) : snap_snapshot_string(b->s, j);
		uint32_t string = (uint32_t)m->u->text_end.count;
		enum snap_status status = snap_snapshot_push_string(m->u, t.bytes, t.size, err);
		if (status < 0)
			return status;
		if (order <= 0)
			a->string[i++] = string;
		if (order >= 0)
			b->string[j++] = string;
	}
	return SNAP_OK;
}

/* No function comes first: SNAP_NONE + 1 is 0. */
static uint32_t function_code(const struct side *side, uint32_t i)
{
	uint32_t function = side->s->frame_function.at[i];
	return (function == SNAP_NONE ? SNAP_NONE : side->string[function]) + 1;
}

static int compare_frames(const struct side *a, uint32_t i, const struct side *b, uint32_t j)
{
	uint64_t x = (uint64_t)a->string[a->s->frame_file.at[i]] << 32 | a->s->frame_line.at[i];
	uint64_t y = (uint64_t)b->string[b->s->frame_file.at[j]] << 32 | b->s->frame_line.at[j];
	return x != y ? compare_numbers(x, y) : compare_numbers(function_code(a, i), function_code(b, j));
}

static enum snap_status combine_frames(struct combining *m, struct snap_error *err)
{
	const struct side *a = &m->side[0], *b = &m->side[1];
	struct snap_snapshot *u = m->u;
	uint32_t i = 0, j = 0, a_count = (uint32_t)a->s->frame_file.count, b_count = (uint32_t)b->s->frame_file.count;
	enum snap_status status = snap_snapshot_reserve_frames(u, (size_t)a_count + b_count, err);
	if (status < 0)
		return status;
	uint32_t frame = 0;
	for (; i < a_count || j < b_count; frame++) {
		int order = i == a_count ? 1 : j == b_count ? -1 : compare_frames(a, i, b, j);
		const struct side *side = order <= 0 ? a : b;
		uint32_t n = order <= 0 ? i : j;
		u->frame_file.at[frame] = side->string[side->s->frame_file.at[n]];
		u->frame_line.at[frame] = side->s->frame_line.at[n];
		u->frame_function.at[frame] = function_code(side, n) - 1;
		if (order <= 0)
			a->frame[i++] = frame;
		if (order >= 0)
			b->frame[j++] = frame;
	}
	u->frame_file.count = u->frame_line.count = u->frame_function.count = frame;
	return SNAP_OK;
}

/* Nodes and stacks. */

/* One forest in the walk through both. */
struct cursor {
	struct side *side;
	const uint32_t *parent, *frame, *number; /* of nodes; the result's numbers of frames */
	const uint16_t *depth;
	uint32_t node, count;
	uint32_t root_depth;
	int32_t level; /* of the node below its root; -1 behind the last node */
};

static inline void see_node(struct cursor *c)
{
	if (c->node == c->count)
		c->level = -1;
	else {
		uint32_t depth = c->depth[c->node];
		if (c->parent[c->node] == SNAP_NONE)
			c->root_depth = depth;
		c->level = (int32_t)(depth - c->root_depth);
	}
}

static struct cursor begin_walk(struct side *side)
{
	const struct snap_snapshot *s = side->s;
	struct cursor c = {side, s->node_parent.at, s->node_frame.at, side->frame, s->node_depth.at, 0,
	                   (uint32_t)s->node_parent.count, 0, -1};
	see_node(&c);
	return c;
}

/* Which side's node comes first in the result, or 0 for both at once. The deeper one does: the other side
 * is done with that subtree. On the same level they have the same parent. */
static inline int compare_nodes(const struct cursor *a, const struct cursor *b)
{
	if (a->level != b->level)
		return a->level > b->level ? -1 : 1;
	uint32_t x = a->number[a->frame[a->node]], y = b->number[b->frame[b->node]];
	if (x != y)
		return x < y ? -1 : 1;
	return a->level == 0 ? compare_numbers(a->root_depth, b->root_depth) : 0;
}

static inline uint32_t next_stack(struct cursor *c, bool take, uint32_t *key)
{
	uint32_t stack = take ? snap_stack_walk_next(&c->side->stacks, c->node) : SNAP_NONE;
	if (stack != SNAP_NONE)
		*key = (uint32_t)c->side->s->stack_length.at[stack] << 16 | c->side->s->stack_total.at[stack];
	return stack;
}

/* The stacks of both cursors' nodes, which are `node` in the result, or of the one that is to be taken. */
static inline void combine_stacks(struct snap_snapshot *u, uint32_t node, struct cursor *a, bool take_a,
                                  struct cursor *b, bool take_b)
{
	uint32_t x_key = 0, y_key = 0, x = next_stack(a, take_a, &x_key), y = next_stack(b, take_b, &y_key);
	while (x != SNAP_NONE || y != SNAP_NONE) {
		bool from_a = x != SNAP_NONE && (y == SNAP_NONE || x_key <= y_key);
		bool from_b = y != SNAP_NONE && (x == SNAP_NONE || y_key <= x_key);
		uint32_t key = from_a ? x_key : y_key;
		size_t stack = u->stack_node.count++;
		u->stack_node.at[stack] = node;
		u->stack_length.at[stack] = (uint16_t)(key >> 16);
		u->stack_total.at[stack] = (uint16_t)key;
		a->side->source[stack] = from_a ? x : SNAP_NONE;
		b->side->source[stack] = from_b ? y : SNAP_NONE;
		if (from_a)
			x = next_stack(a, true, &x_key);
		if (from_b)
			y = next_stack(b, true, &y_key);
	}
}

static enum snap_status combine_nodes(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	struct cursor a = begin_walk(&m->side[0]), b = begin_walk(&m->side[1]);
	enum snap_status status = snap_snapshot_reserve_nodes(u, (size_t)a.count + b.count, err);
	if (status == SNAP_OK)
		status = snap_snapshot_reserve_stacks(u, a.side->s->stack_node.count + b.side->s->stack_node.count, err);
	if (status < 0)
		return status;
	uint32_t node = 0;
	for (; a.level >= 0 || b.level >= 0; node++) {
		int order = compare_nodes(&a, &b);
		const struct cursor *c = order <= 0 ? &a : &b;
		u->node_parent.at[node] = c->level == 0 ? SNAP_NONE : m->path[c->level - 1];
		u->node_frame.at[node] = c->number[c->frame[c->node]];
		u->node_depth.at[node] = c->depth[c->node];
		m->path[c->level] = node;
		combine_stacks(u, node, &a, order <= 0, &b, order >= 0);
		if (order <= 0) {
			a.node++;
			see_node(&a);
		}
		if (order >= 0) {
			b.node++;
			see_node(&b);
		}
	}
	u->node_parent.count = u->node_frame.count = u->node_depth.count = node;
	u->stack_length.count = u->stack_total.count = u->stack_node.count;
	return SNAP_OK;
}

/* Stacks that say the same. */

/* Drops nodes that no stack stands on or above any more, and numbers the rest anew. */
static enum snap_status drop_nodes(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	size_t nodes = u->node_parent.count, frames = u->frame_file.count;
	uint32_t *number = calloc(nodes + 1, sizeof *number);
	bool *used = calloc(frames + 1, sizeof *used);
	if (number == NULL || used == NULL) {
		free(number);
		free(used);
		return out_of_memory(err);
	}
	for (size_t i = 0; i < u->stack_node.count; i++)
		number[u->stack_node.at[i]] = 1;
	for (size_t n = nodes; n-- > 0;)
		if (number[n] != 0 && u->node_parent.at[n] != SNAP_NONE)
			number[u->node_parent.at[n]] = 1;
	uint32_t kept = 0;
	for (size_t n = 0; n < nodes; n++) {
		if (number[n] == 0)
			continue;
		uint32_t parent = u->node_parent.at[n];
		u->node_parent.at[kept] = parent == SNAP_NONE ? SNAP_NONE : number[parent];
		u->node_frame.at[kept] = u->node_frame.at[n];
		u->node_depth.at[kept] = u->node_depth.at[n];
		used[u->node_frame.at[kept]] = true;
		number[n] = kept++;
	}
	u->node_parent.count = u->node_frame.count = u->node_depth.count = kept;
	for (size_t i = 0; i < u->stack_node.count; i++)
		u->stack_node.at[i] = number[u->stack_node.at[i]];
	for (size_t f = 0; f < frames; f++)
		m->untidy |= !used[f];
	free(number);
	free(used);
	return SNAP_OK;
}

/* In a snapshot as the builder makes it no two stacks say the same, so of two that do, each comes from
 * one side only. */
static enum snap_status find_same(struct combining *m, uint32_t *one, size_t *joined, struct snap_error *err)
{
	size_t stacks = m->u->stack_node.count;
	bool *one_sided = NULL;
	if (m->side[0].s->canonical && m->side[1].s->canonical) {
		one_sided = malloc((stacks + 1) * sizeof *one_sided);
		if (one_sided == NULL)
			return out_of_memory(err);
		for (size_t i = 0; i < stacks; i++)
			one_sided[i] = m->side[0].source[i] == SNAP_NONE || m->side[1].source[i] == SNAP_NONE;
	}
	enum snap_status status = snap_stacks_join(m->u, one_sided, true, one, joined, err);
	free(one_sided);
	return status;
}

/* Numbers the stacks for good, of those that say the same only one: those that follow the rule first. */
static enum snap_status number_stacks(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	uint32_t stacks = (uint32_t)u->stack_node.count, following = 0, kept = 0;
	struct snap_stack_rule rule = snap_snapshot_stack_rule(u);
	size_t joined;
	m->numbers = malloc((4 * (size_t)stacks + 1) * sizeof *m->numbers);
	if (m->numbers == NULL)
		return out_of_memory(err);
	m->same = m->numbers + stacks;
	m->original = m->same + stacks;
	uint32_t *one = m->numbers, *node = m->original + stacks;
	enum snap_status status = find_same(m, one, &joined, err);
	if (status < 0)
		return status;
	for (uint32_t i = 0; i < stacks; i++)
		following += snap_stack_follows(u, i, rule);
	m->renumbered = joined > 0 || following < stacks;
	if (!m->renumbered)
		return SNAP_OK;

	for (unsigned others = 0; others < 2; others++)
		for (uint32_t i = 0; i < stacks; i++)
			if (one[i] == i && snap_stack_follows(u, i, rule) == !others)
				m->original[kept++] = i;
	memset(m->same, 0xff, stacks * sizeof *m->same);
	for (uint32_t i = stacks; i-- > 0;)
		if (one[i] != i) {
			m->same[i] = m->same[one[i]];
			m->same[one[i]] = i;
		}
	/* `one` has served: it takes length and total on the way to their new places. */
	for (uint32_t i = 0; i < kept; i++) {
		uint32_t from = m->original[i];
		node[i] = u->stack_node.at[from];
		one[i] = (uint32_t)u->stack_length.at[from] << 16 | u->stack_total.at[from];
	}
	u->stack_node.count = u->stack_length.count = u->stack_total.count = 0;
	for (uint32_t i = 0; i < kept && status == SNAP_OK; i++)
		status = snap_snapshot_push_stack(u, node[i], one[i] >> 16, one[i] & 0xffff, err);
	return status < 0 || joined == 0 ? status : drop_nodes(m, err);
}

/* Sites. */

static enum snap_status list_by_frame(struct combining *m, struct snap_error *err)
{
	const struct snap_snapshot *u = m->u;
	size_t frames = u->frame_file.count, stacks = u->stack_node.count;
	m->by_frame = malloc((stacks + 1) * sizeof *m->by_frame);
	uint32_t *begin = calloc(frames + 1, sizeof *begin);
	if (m->by_frame == NULL || begin == NULL) {
		free(begin);
		return out_of_memory(err);
	}
	for (size_t i = 0; i < stacks; i++)
		begin[u->node_frame.at[u->stack_node.at[i]] + 1]++;
	for (size_t f = 0; f < frames; f++)
		begin[f + 1] += begin[f];
	for (uint32_t i = 0; i < stacks; i++)
		m->by_frame[begin[u->node_frame.at[u->stack_node.at[i]]]++] = i;
	free(begin);
	return SNAP_OK;
}

static void find_sites(struct side *side)
{
	const uint32_t *stack = side->s->site_stack.at;
	uint32_t sites = (uint32_t)side->s->site_stack.count;
	for (uint32_t i = 0; i < sites; i++)
		side->site_end[stack[i]] = i + 1;
	for (uint32_t i = sites; i-- > 0;)
		side->site[stack[i]] = i;
}

/* What a column gets from one side only is copied as it is stored there. */
static void copy_values(struct snap_numbers *to, const struct snap_numbers *from, const uint32_t *sites, size_t count)
{
	if (to->is_wide)
		for (size_t i = 0; i < count; i++)
			to->wide[to->count + i] = sites[i] == SNAP_NONE ? 0 : from->wide[sites[i]];
	else
		for (size_t i = 0; i < count; i++)
			to->narrow[to->count + i] = sites[i] == SNAP_NONE ? 0 : from->narrow[sites[i]];
	to->count += count;
}

static enum snap_status add_up_values(struct combining *m, uint32_t column, struct snap_error *err)
{
	int64_t values[SNAP_VALUES_CHUNK] = {0};
	bool overflow = false;
	for (unsigned n = 0; n < 2; n++) {
		uint32_t from = m->what->from[n][column];
		for (size_t i = 0; i < m->waiting && from != SNAP_NONE; i++)
			if (m->from[n][i] != SNAP_NONE)
				overflow |= __builtin_add_overflow(
					values[i], snap_snapshot_value(m->side[n].s, from, m->from[n][i]), &values[i]);
	}
	if (overflow)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "a sum of values does not fit in 63 bits");
	return m->computed[column] ? SNAP_OK
	                           : snap_numbers_append(&m->u->values[column], values, m->waiting, &m->u->budget, err);
}

/* Gives the waiting sites their values. */
static enum snap_status flush_sites(struct combining *m, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t c = 0; c < m->u->column_count && status == SNAP_OK; c++) {
		uint32_t from = m->copied_from[c];
		if (from != SNAP_NONE)
			copy_values(&m->u->values[c], &m->side[from].s->values[m->what->from[from][c]], m->from[from],
			            m->waiting);
		else if (!m->computed[c] || (m->what->from[0][c] != SNAP_NONE && m->what->from[1][c] != SNAP_NONE))
			status = add_up_values(m, c, err);
	}
	m->waiting = 0;
	return status;
}

/* The next site of the result and the sites it comes from, or SNAP_NONE. There is room for all. */
static inline enum snap_status add_site(struct combining *m, uint32_t stack, uint32_t domain, int64_t size, uint32_t a,
                                        uint32_t b, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	size_t site = u->site_stack.count++;
	u->site_stack.at[site] = stack;
	u->site_domain.at[site] = domain;
	if (u->site_size.is_wide)
		u->site_size.wide[site] = size;
	else
		u->site_size.narrow[site] = (int32_t)size;
	m->from[0][m->waiting] = a;
	m->from[1][m->waiting] = b;
	return ++m->waiting < SNAP_VALUES_CHUNK ? SNAP_OK : flush_sites(m, err);
}

/* One more site of side `n` that is added to the last site of the result. */
static enum snap_status add_again(struct combining *m, unsigned n, uint32_t site, struct snap_error *err)
{
	enum snap_status status = flush_sites(m, err);
	int64_t sums[SNAP_COLUMNS_MAX];
	size_t last = m->u->site_stack.count - 1;
	for (uint32_t c = 0; c < m->u->column_count; c++) {
		uint32_t from = m->what->from[n][c];
		int64_t more = from == SNAP_NONE ? 0 : snap_snapshot_value(m->side[n].s, from, site);
		if (status == SNAP_OK && __builtin_add_overflow(snap_snapshot_value(m->u, c, last), more, &sums[c]))
			status = snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
			                   "a sum of values does not fit in 63 bits");
	}
	for (uint32_t c = 0; c < m->u->column_count && status == SNAP_OK; c++)
		status = snap_snapshot_set_value(m->u, c, last, sums[c], err);
	return status;
}

static inline int compare_sites(const struct side *a, size_t i, const struct side *b, size_t j)
{
	uint32_t domain = a->s->site_domain.at[i], other = b->s->site_domain.at[j];
	int64_t x = snap_numbers_get(&a->s->site_size, i), y = snap_numbers_get(&b->s->site_size, j);
	if (domain != other)
		return domain < other ? -1 : 1;
	return x == y ? 0 : x < y ? -1 : 1;
}

/* The sites of a stack that comes from one stack of either side. */
static inline enum snap_status combine_sites(struct combining *m, uint32_t stack, uint32_t original,
                                             struct snap_error *err)
{
	const struct side *a = &m->side[0], *b = &m->side[1];
	uint32_t x = a->source[original], y = b->source[original];
	uint32_t i = 0, i_end = 0, j = 0, j_end = 0;
	if (x != SNAP_NONE) {
		i = a->site[x];
		i_end = a->site_end[x];
	}
	if (y != SNAP_NONE) {
		j = b->site[y];
		j_end = b->site_end[y];
	}
	enum snap_status status = SNAP_OK;
	while ((i < i_end || j < j_end) && status == SNAP_OK) {
		int order = j == j_end ? -1 : i == i_end ? 1 : compare_sites(a, i, b, j);
		const struct snap_snapshot *s = order <= 0 ? a->s : b->s;
		uint32_t site = order <= 0 ? i : j;
		status = add_site(m, stack, s->site_domain.at[site], snap_numbers_get(&s->site_size, site),
		                  order <= 0 ? i : SNAP_NONE, order >= 0 ? j : SNAP_NONE, err);
		i += order <= 0;
		j += order >= 0;
	}
	return status;
}

/* Lists the sites of all stacks that say the same as one by (domain, size). A row is a site of the first
 * side or, from the number of its sites on, of the second. */
static enum snap_status list_joined_sites(struct combining *m, uint32_t original, struct snap_keyed **sorted,
                                          struct snap_error *err)
{
	m->rows.count = 0;
	for (uint32_t k = original; k != SNAP_NONE; k = m->same[k])
		for (unsigned n = 0; n < 2; n++) {
			const struct side *side = &m->side[n];
			uint32_t source = side->source[k], before = n == 0 ? 0 : (uint32_t)m->side[0].s->site_stack.count;
			for (uint32_t i = source == SNAP_NONE ? 0 : side->site[source];
			     source != SNAP_NONE && i < side->site_end[source]; i++) {
				struct snap_keyed row = {(uint64_t)snap_numbers_get(&side->s->site_size, i), before + i};
				enum snap_status status = snap_vector_push(&m->rows, row, NULL, err);
				if (status < 0)
					return status;
			}
		}
	enum snap_status status = snap_vector_reserve(&m->scratch, m->rows.count, NULL, err);
	if (status < 0)
		return status;
	struct snap_keyed *rows = snap_sort(m->rows.at, m->scratch.at, m->rows.count);
	uint32_t behind = (uint32_t)m->side[0].s->site_stack.count;
	for (size_t r = 0; r < m->rows.count; r++) {
		uint32_t i = rows[r].row;
		rows[r].key = i < behind ? m->side[0].s->site_domain.at[i] : m->side[1].s->site_domain.at[i - behind];
	}
	*sorted = snap_sort(rows, rows == m->rows.at ? m->scratch.at : m->rows.at, m->rows.count);
	return SNAP_OK;
}

/* The sites of a stack that comes from several of a side. */
static enum snap_status combine_joined_sites(struct combining *m, uint32_t stack, uint32_t original,
                                             struct snap_error *err)
{
	const uint32_t behind = (uint32_t)m->side[0].s->site_stack.count;
	struct snap_keyed *rows;
	enum snap_status status = list_joined_sites(m, original, &rows, err);
	uint64_t last_domain = 0;
	int64_t last_size = 0;
	uint32_t first[2] = {SNAP_NONE, SNAP_NONE};
	size_t r = 0;
	while (status == SNAP_OK && r < m->rows.count) {
		size_t end = r;
		first[0] = first[1] = SNAP_NONE;
		for (; end < m->rows.count; end++) {
			unsigned n = rows[end].row >= behind;
			uint32_t site = rows[end].row - (n == 0 ? 0 : behind);
			int64_t size = snap_numbers_get(&m->side[n].s->site_size, site);
			if (end > r && (rows[end].key != last_domain || size != last_size))
				break;
			last_domain = rows[end].key;
			last_size = size;
			if (first[n] == SNAP_NONE)
				first[n] = site;
		}
		status = add_site(m, stack, (uint32_t)last_domain, last_size, first[0], first[1], err);
		for (; r < end && status == SNAP_OK; r++) {
			unsigned n = rows[r].row >= behind;
			uint32_t site = rows[r].row - (n == 0 ? 0 : behind);
			if (site != first[n])
				status = add_again(m, n, site, err);
		}
	}
	return status;
}

/* A column needs no memory where all it comes from have none and the prediction stays true of the sum. */
static bool is_computed(const struct snap_combination *what, const struct snap_snapshot *u, uint32_t c)
{
	const struct snap_column_info *info = &u->columns[c];
	if (info->predictor == SNAP_PREDICT_NOTHING)
		return false;
	for (unsigned n = 0; n < 2; n++) {
		uint32_t from = what->from[n][c], base = what->from[n][info->from];
		if (from == SNAP_NONE && base == SNAP_NONE)
			continue;
		if (from == SNAP_NONE || what->in[n]->values[from].count != 0 ||
		    what->in[n]->columns[from].predictor != info->predictor || what->in[n]->columns[from].from != base)
			return false;
	}
	return true;
}

/* Room for all sites, of the width that they need. */
static enum snap_status make_room(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	const struct snap_snapshot *const *in = m->what->in;
	size_t most = in[0]->site_stack.count + in[1]->site_stack.count;
	u->site_size.is_wide = in[0]->site_size.is_wide || in[1]->site_size.is_wide;
	for (uint32_t c = 0; c < u->column_count; c++) {
		const uint32_t from[2] = {m->what->from[0][c], m->what->from[1][c]};
		m->computed[c] = is_computed(m->what, u, c);
		m->copied_from[c] = SNAP_NONE;
		for (unsigned n = 0; n < 2; n++)
			if (!m->computed[c] && from[n] != SNAP_NONE && from[1 - n] == SNAP_NONE &&
			    (from[n] == 0 || in[n]->values[from[n]].count > 0)) {
				m->copied_from[c] = n;
				u->values[c].is_wide = in[n]->values[from[n]].is_wide;
			}
	}
	enum snap_status status = snap_snapshot_reserve_sites(u, most, err);
	for (uint32_t c = 0; c < u->column_count && status == SNAP_OK; c++)
		if (!m->computed[c])
			status = snap_numbers_reserve(&u->values[c], most, &u->budget, err);
	return status;
}

static enum snap_status combine_all_sites(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	enum snap_status status = list_by_frame(m, err);
	if (status == SNAP_OK)
		status = make_room(m, err);
	find_sites(&m->side[0]);
	find_sites(&m->side[1]);
	for (size_t i = 0; i < u->stack_node.count && status == SNAP_OK; i++) {
		uint32_t stack = m->by_frame[i], original = m->renumbered ? m->original[stack] : stack;
		status = m->renumbered && m->same[original] != SNAP_NONE
		                 ? combine_joined_sites(m, stack, original, err)
		                 : combine_sites(m, stack, original, err);
	}
	if (status == SNAP_OK)
		status = flush_sites(m, err);
	u->site_domain.count = u->site_size.count = u->site_stack.count;
	return status;
}

/* Sums, and whether all values of a site may have gone. Where a column has only one source, its values
 * are the same ones. */
static enum snap_status finish(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	uint32_t sources = 0;
	bool added = false;
	for (uint32_t c = 0; c < u->column_count; c++)
		for (unsigned n = 0; n < 2; n++) {
			uint32_t from = m->what->from[n][c];
			if (from == SNAP_NONE)
				continue;
			added |= n == 1 && m->what->from[0][c] != SNAP_NONE;
			u->totals[c] = m->side[n].s->totals[from];
			sources++;
		}
	bool all_kept = !added && sources == m->side[0].s->column_count + m->side[1].s->column_count;
	for (size_t i = 0; i < u->site_stack.count && !all_kept && !m->untidy; i++) {
		bool live = false;
		for (uint32_t c = 0; c < u->column_count; c++)
			live |= snap_snapshot_value(u, c, i) != 0;
		m->untidy = !live;
	}
	return added ? snap_snapshot_sum(u, err) : SNAP_OK;
}

static enum snap_status start_side(struct side *side, uint32_t **memory, const struct snap_snapshot *s, size_t stacks,
                                   struct snap_error *err)
{
	side->s = s;
	side->string = *memory;
	side->frame = side->string + s->text_end.count;
	side->site = side->frame + s->frame_file.count;
	side->site_end = side->site + s->stack_node.count;
	side->source = side->site_end + s->stack_node.count;
	*memory = side->source + stacks;
	return snap_stack_walk_start(&side->stacks, s, err);
}

static enum snap_status start(struct combining *m, struct snap_error *err)
{
	const struct snap_snapshot *const *in = m->what->in;
	size_t stacks = in[0]->stack_node.count + in[1]->stack_node.count;
	size_t words = SNAP_DEPTH_MAX + 1;
	for (unsigned n = 0; n < 2; n++)
		words += in[n]->text_end.count + in[n]->frame_file.count + 2 * in[n]->stack_node.count + stacks;
	uint32_t *memory = m->memory = malloc(words * sizeof *memory);
	if (memory == NULL)
		return out_of_memory(err);
	m->path = memory;
	memory += SNAP_DEPTH_MAX + 1;
	enum snap_status status = start_side(&m->side[0], &memory, in[0], stacks, err);
	return status < 0 ? status : start_side(&m->side[1], &memory, in[1], stacks, err);
}

enum snap_status snap_combine(struct snap_snapshot **out, const struct snap_combination *what,
                              struct snap_error *err)
{
	struct combining m = {.u = *out, .what = what};
	enum snap_status status = start(&m, err);
	if (status == SNAP_OK)
		status = combine_strings(&m, err);
	if (status == SNAP_OK)
		status = combine_frames(&m, err);
	if (status == SNAP_OK)
		status = combine_nodes(&m, err);
	if (status == SNAP_OK)
		status = number_stacks(&m, err);
	if (status == SNAP_OK)
		status = combine_all_sites(&m, err);
	if (status == SNAP_OK)
		status = finish(&m, err);
	free(m.memory);
	free(m.numbers);
	free(m.by_frame);
	snap_vector_free(&m.rows, NULL);
	snap_vector_free(&m.scratch, NULL);
	snap_stack_walk_free(&m.side[0].stacks);
	snap_stack_walk_free(&m.side[1].stacks);
	if (status < 0 || !m.untidy)
		return status;
	struct snap_snapshot *tidy;
	status = snap_snapshot_order(&tidy, m.u, err);
	if (status < 0)
		return status;
	snap_snapshot_free(*out);
	*out = tidy;
	return SNAP_OK;
}

enum snap_status snap_combine_start(struct snap_snapshot **out, const struct snap_combination *what,
                                    struct snap_error *err)
{
	uint64_t a = what->in[0]->budget.limit, b = what->in[1]->budget.limit;
	struct snap_limits limits = {a > UINT64_MAX - b ? UINT64_MAX : a + b};
	return snap_snapshot_new(out, &limits, err);
}
