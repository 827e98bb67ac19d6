/* Both inputs are ordered, so this is merging of sorted lists. Only truncated stacks may say the same at
 * different nodes of the two forests, because what they are hung below depends on the other stacks; those
 * are looked for afterwards. */
#include "ops/combine_tables.h"

#include <stdlib.h>
#include <string.h>

#include "ops/stacks.h"

struct side {
	const struct snap_snapshot *s;
	uint32_t *string, *frame; /* their numbers in the result */
	uint32_t *origin_of;      /* of each origin: the stack of this side */
	struct snap_stack_walk stacks;
	uint32_t stack, stack_node, stack_key; /* the next of them: its node, its length and total */
	/* The walk over the nodes. */
	const uint32_t *node_parent, *node_frame;
	const uint16_t *node_depth;
	uint32_t node, nodes, root_depth;
	int32_t level; /* of the node below its root; -1 behind the last node */
};

struct tables {
	struct snap_snapshot *u;
	struct side side[2];
	uint32_t *memory; /* behind the numbers of both sides */
	uint32_t *path;   /* by level: the last node of the result */
	bool *untidy;
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static inline int compare_numbers(uint64_t a, uint64_t b)
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

static enum snap_status combine_strings(struct tables *t, struct snap_error *err)
{
	const struct side *a = &t->side[0], *b = &t->side[1];
	uint32_t a_count = (uint32_t)a->s->text_end.count, b_count = (uint32_t)b->s->text_end.count;
	uint32_t i = 0, j = 0;
	for (uint32_t string = 0; i < a_count || j < b_count; string++) {
		int order = i == a_count ? 1 : j == b_count ? -1 : compare_strings(a, i, b, j);
		struct snap_text text =
			order <= 0 ? snap_snapshot_string(a->s, i) : snap_snapshot_string(b->s, j);
		enum snap_status status = snap_snapshot_push_string(t->u, text.bytes, text.size, err);
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
static inline uint32_t function_code(const struct side *side, uint32_t i)
{
	uint32_t function = side->s->frame_function.at[i];
	return (function == SNAP_NONE ? SNAP_NONE : side->string[function]) + 1;
}

static inline int compare_frames(const struct side *a, uint32_t i, const struct side *b, uint32_t j)
{
	uint64_t x = (uint64_t)a->string[a->s->frame_file.at[i]] << 32 | a->s->frame_line.at[i];
	uint64_t y = (uint64_t)b->string[b->s->frame_file.at[j]] << 32 | b->s->frame_line.at[j];
	return x != y ? compare_numbers(x, y) : compare_numbers(function_code(a, i), function_code(b, j));
}

static enum snap_status combine_frames(struct tables *t, struct snap_error *err)
{
	const struct side *a = &t->side[0], *b = &t->side[1];
	struct snap_snapshot *u = t->u;
	uint32_t a_count = (uint32_t)a->s->frame_file.count, b_count = (uint32_t)b->s->frame_file.count;
	uint32_t i = 0, j = 0, frame = 0;
	enum snap_status status = snap_snapshot_reserve_frames(u, (size_t)a_count + b_count, err);
	for (; status == SNAP_OK && (i < a_count || j < b_count); frame++) {
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
	return status;
}

/* Nodes and stacks. */

static inline void see_node(struct side *side)
{
	if (side->node == side->nodes) {
		side->level = -1;
		return;
	}
	uint32_t depth = side->node_depth[side->node];
	if (side->node_parent[side->node] == SNAP_NONE)
		side->root_depth = depth;
	side->level = (int32_t)(depth - side->root_depth);
}

/* Which side's node comes first in the result, or 0 for both at once. The deeper one does: the other side
 * is done with that subtree. On the same level they have the same parent. */
static inline int compare_nodes(const struct side *a, const struct side *b)
{
	if (a->level != b->level)
		return a->level > b->level ? -1 : 1;
	uint32_t x = a->frame[a->node_frame[a->node]], y = b->frame[b->node_frame[b->node]];
	if (x != y)
		return x < y ? -1 : 1;
	return a->level == 0 ? compare_numbers(a->root_depth, b->root_depth) : 0;
}

static inline void see_stack(struct side *side)
{
	const struct snap_snapshot *s = side->s;
	side->stack = snap_stack_walk_peek(&side->stacks);
	if (side->stack == SNAP_NONE) {
		side->stack_node = SNAP_NONE;
		return;
	}
	side->stack_node = s->stack_node.at[side->stack];
	side->stack_key = (uint32_t)s->stack_length.at[side->stack] << 16 | s->stack_total.at[side->stack];
}

static inline uint32_t take_stack(struct side *side)
{
	uint32_t stack = side->stack;
	side->stacks.next++;
	see_stack(side);
	return stack;
}

/* The stacks of the nodes that are taken, which become `node`: two lists by (length, total). */
static inline void combine_stacks(struct snap_snapshot *u, uint32_t node, struct side *a, bool take_a,
				  struct side *b, bool take_b)
{
	for (;;) {
		bool from_a = take_a && a->stack_node == a->node, from_b = take_b && b->stack_node == b->node;
		if (!from_a && !from_b)
			return;
		if (from_a && from_b && a->stack_key != b->stack_key) {
			from_a = a->stack_key < b->stack_key;
			from_b = !from_a;
		}
		uint32_t key = from_a ? a->stack_key : b->stack_key;
		size_t stack = u->stack_node.count++;
		u->stack_node.at[stack] = node;
		u->stack_length.at[stack] = (uint16_t)(key >> 16);
		u->stack_total.at[stack] = (uint16_t)key;
		a->origin_of[stack] = from_a ? take_stack(a) : SNAP_NONE;
		b->origin_of[stack] = from_b ? take_stack(b) : SNAP_NONE;
	}
}

static enum snap_status combine_nodes(struct tables *t, struct snap_error *err)
{
	struct snap_snapshot *u = t->u;
	/* Copies, which nothing that is written here can change. */
	struct side a = t->side[0], b = t->side[1];
	size_t nodes = a.nodes > b.nodes ? a.nodes : b.nodes, a_stacks = a.s->stack_node.count,
	       b_stacks = b.s->stack_node.count, stacks = a_stacks > b_stacks ? a_stacks : b_stacks;
	uint32_t node = 0;
	enum snap_status status = snap_snapshot_reserve_nodes(u, (size_t)a.nodes + b.nodes, err);
	if (status == SNAP_OK)
		status = snap_snapshot_reserve_stacks(u, a_stacks + b_stacks, err);
	if (status < 0)
		return status;
	/* At least so many. */
	snap_vector_expect_writes(&u->node_parent, 0, nodes);
	snap_vector_expect_writes(&u->node_frame, 0, nodes);
	snap_vector_expect_writes(&u->node_depth, 0, nodes);
	snap_vector_expect_writes(&u->stack_node, 0, stacks);
	snap_vector_expect_writes(&u->stack_length, 0, stacks);
	snap_vector_expect_writes(&u->stack_total, 0, stacks);
	snap_expect_writes(a.origin_of, stacks * sizeof *a.origin_of);
	snap_expect_writes(b.origin_of, stacks * sizeof *b.origin_of);
	see_node(&a);
	see_node(&b);
	see_stack(&a);
	see_stack(&b);
	for (; a.level >= 0 || b.level >= 0; node++) {
		int order = compare_nodes(&a, &b);
		const struct side *side = order <= 0 ? &a : &b;
		u->node_parent.at[node] = side->level == 0 ? SNAP_NONE : t->path[side->level - 1];
		u->node_frame.at[node] = side->frame[side->node_frame[side->node]];
		u->node_depth.at[node] = side->node_depth[side->node];
		t->path[side->level] = node;
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
static enum snap_status drop_nodes(struct tables *t, struct snap_error *err)
{
	struct snap_snapshot *u = t->u;
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
		*t->untidy |= !used[f];
	free(number);
	free(used);
	return SNAP_OK;
}

/* In a snapshot as the builder makes it no two stacks say the same, so of two that do, each comes from
 * one side only. */
static enum snap_status find_same(struct tables *t, uint32_t *one, size_t *joined, struct snap_error *err)
{
	const struct side *a = &t->side[0], *b = &t->side[1];
	size_t stacks = t->u->stack_node.count;
	bool *one_sided = NULL;
	if (a->s->canonical && b->s->canonical) {
		one_sided = malloc((stacks + 1) * sizeof *one_sided);
		if (one_sided == NULL)
			return out_of_memory(err);
		for (size_t i = 0; i < stacks; i++)
			one_sided[i] = a->origin_of[i] == SNAP_NONE || b->origin_of[i] == SNAP_NONE;
	}
	enum snap_status status = snap_stacks_join(t->u, one_sided, true, one, joined, err);
	free(one_sided);
	return status;
}

/* Keeps of the stacks that say the same the one that one[] names, and puts those that follow the rule
 * first. */
static enum snap_status renumber_stacks(struct tables *t, const uint32_t *one, struct snap_stack_rule rule,
					struct snap_stack_origins *origins, struct snap_error *err)
{
	struct snap_snapshot *u = t->u;
	uint32_t stacks = (uint32_t)u->stack_node.count, kept = 0;
	origins->first = snap_array_new(stacks, sizeof *origins->first);
	origins->next = snap_array_new(stacks, sizeof *origins->next);
	uint32_t *node = snap_array_new(2 * (size_t)stacks, sizeof *node);
	if (origins->first == NULL || origins->next == NULL || node == NULL) {
		free(node);
		return out_of_memory(err);
	}
	uint32_t *key = node + stacks;
	for (unsigned others = 0; others < 2; others++)
		for (uint32_t i = 0; i < stacks; i++)
			if (one[i] == i && snap_stack_follows(u, i, rule) == !others) {
				node[kept] = u->stack_node.at[i];
				key[kept] = (uint32_t)u->stack_length.at[i] << 16 | u->stack_total.at[i];
				origins->first[kept++] = i;
			}
	for (uint32_t i = 0; i < kept; i++) {
		u->stack_node.at[i] = node[i];
		u->stack_length.at[i] = (uint16_t)(key[i] >> 16);
		u->stack_total.at[i] = (uint16_t)key[i];
	}
	u->stack_node.count = u->stack_length.count = u->stack_total.count = kept;
	free(node);
	memset(origins->next, 0xff, stacks * sizeof *origins->next);
	for (uint32_t i = stacks; i-- > 0;)
		if (one[i] != i) {
			origins->next[i] = origins->next[one[i]];
			origins->next[one[i]] = i;
		}
	return kept < stacks ? drop_nodes(t, err) : SNAP_OK;
}

static enum snap_status number_stacks(struct tables *t, struct snap_stack_origins *origins,
				      struct snap_error *err)
{
	const struct snap_snapshot *u = t->u;
	size_t stacks = u->stack_node.count, following = 0, joined;
	struct snap_stack_rule rule = snap_snapshot_stack_rule(u);
	for (uint32_t i = 0; i < stacks; i++)
		following += snap_stack_follows(u, i, rule);
	uint32_t *one = snap_array_new(stacks, sizeof *one);
	if (one == NULL)
		return out_of_memory(err);
	enum snap_status status = find_same(t, one, &joined, err);
	if (status == SNAP_OK && (joined > 0 || following < stacks))
		status = renumber_stacks(t, one, rule, origins, err);
	free(one);
	return status;
}

static enum snap_status start_side(struct side *side, const struct snap_snapshot *s, uint32_t **memory,
				   uint32_t *origin_of, struct snap_error *err)
{
	side->s = s;
	side->origin_of = origin_of;
	side->string = *memory;
	side->frame = side->string + s->text_end.count;
	*memory = side->frame + s->frame_file.count;
	side->node_parent = s->node_parent.at;
	side->node_frame = s->node_frame.at;
	side->node_depth = s->node_depth.at;
	side->nodes = (uint32_t)s->node_parent.count;
	return snap_stack_walk_start(&side->stacks, s, err);
}

static enum snap_status start(struct tables *t, const struct snap_snapshot *const in[2],
			      struct snap_stack_origins *origins, struct snap_error *err)
{
	size_t stacks = in[0]->stack_node.count + in[1]->stack_node.count, numbers = SNAP_DEPTH_MAX + 1;
	for (unsigned n = 0; n < 2; n++)
		numbers += in[n]->text_end.count + in[n]->frame_file.count;
	uint32_t *memory = t->memory = malloc(numbers * sizeof *memory);
	origins->in[0] = malloc((stacks + 1) * sizeof *origins->in[0]);
	origins->in[1] = malloc((stacks + 1) * sizeof *origins->in[1]);
	if (memory == NULL || origins->in[0] == NULL || origins->in[1] == NULL)
		return out_of_memory(err);
	t->path = memory;
	memory += SNAP_DEPTH_MAX + 1;
	enum snap_status status = start_side(&t->side[0], in[0], &memory, origins->in[0], err);
	return status < 0 ? status : start_side(&t->side[1], in[1], &memory, origins->in[1], err);
}

enum snap_status snap_combine_tables(struct snap_snapshot *u, const struct snap_snapshot *const in[2],
				     struct snap_stack_origins *origins, bool *untidy, struct snap_error *err)
{
	struct tables t = {.u = u, .untidy = untidy};
	*origins = (struct snap_stack_origins){{NULL, NULL}, NULL, NULL};
	*untidy = false;
	enum snap_status status = start(&t, in, origins, err);
	if (status == SNAP_OK)
		status = combine_strings(&t, err);
	if (status == SNAP_OK)
		status = combine_frames(&t, err);
	if (status == SNAP_OK)
		status = combine_nodes(&t, err);
	if (status == SNAP_OK)
		status = number_stacks(&t, origins, err);
	free(t.memory);
	snap_stack_walk_free(&t.side[0].stacks);
	snap_stack_walk_free(&t.side[1].stacks);
	return status;
}

void snap_stack_origins_free(struct snap_stack_origins *origins)
{
	free(origins->in[0]);
	free(origins->in[1]);
	free(origins->first);
	free(origins->next);
}
