/* Joins truncated stacks to the trees they were cut from.
 *
 * A recorder that keeps the newest N frames cuts a stack of total depth T off above depth T - N + 1. In
 * the plain forest it begins a tree of its own there, although its frames mostly stand in other trees
 * at the same depths. Where they do, the stack moves to the node that has them; where they stop to
 * agree, the rest of its tree is hung below the last node that did. On applications this leaves half
 * of the nodes. What a stack says does not change, because its length says how far up its frames go.
 *
 * The result depends only on the set of stacks: trees are joined by ascending depth of their roots, and
 * among nodes that fit equally the one with the smallest hash of its path is taken. */
#include <stdlib.h>
#include <string.h>

#include "model/builder.h"

/* More places than this, for one root, are not looked at: only made-up data have them. */
enum { CANDIDATES_MAX = 256 };

struct step {
	uint32_t node;         /* of the tree that is being joined */
	uint32_t child;        /* the next child of it to look at */
	uint32_t best;         /* the candidate with the smallest hash */
	size_t begin, end;     /* candidates: nodes of the forest with the same frames down to here */
};

SNAP_VECTOR(steps, struct step);

struct join {
	struct snap_builder *b;
	struct snap_snapshot *s;
	uint64_t *path_hash;
	uint32_t *first_child, *sibling; /* of trees not yet joined; roots are siblings too */
	uint32_t *level_next;
	uint32_t *level;         /* by depth: first node of the forest at that depth, chained by level_next */
	uint32_t *root_of_depth; /* by depth: first root of the trees not yet joined */
	uint32_t *root_of_frame; /* by frame: the root of the present depth, as its place among them */
	struct snap_u32s candidates;
	struct steps steps;
};

static void set_path_hash(struct join *j, uint32_t node)
{
	uint32_t parent = j->s->node_parent.at[node];
	/* The depth of a root is part of its path. */
	uint64_t above = parent == SNAP_NONE ? snap_mix(j->s->node_depth.at[node]) : j->path_hash[parent];
	j->path_hash[node] = snap_mix(above + j->b->frame_hash.at[j->s->node_frame.at[node]]);
}

static void add_to_level(struct join *j, uint32_t node)
{
	uint32_t *head = &j->level[j->s->node_depth.at[node]];
	j->level_next[node] = *head;
	*head = node;
}

/* Makes a whole tree part of the forest. */
static void adopt(struct join *j, uint32_t top)
{
	for (uint32_t n = top;;) {
		set_path_hash(j, n);
		add_to_level(j, n);
		if (j->first_child[n] != SNAP_NONE) {
			n = j->first_child[n];
			continue;
		}
		while (n != top && j->sibling[n] == SNAP_NONE)
			n = j->s->node_parent.at[n];
		if (n == top)
			return;
		n = j->sibling[n];
	}
}

static uint32_t find_child(const struct join *j, uint32_t parent, uint32_t frame)
{
	uint64_t hash = snap_builder_node_hash(j->b, parent, frame);
	size_t cursor = snap_index_start(&j->b->nodes, hash);
	uint32_t n;
	while ((n = snap_index_next(&j->b->nodes, hash, &cursor)) != SNAP_INDEX_NONE)
		if (j->s->node_parent.at[n] == parent && j->s->node_frame.at[n] == frame)
			return n;
	return SNAP_NONE;
}

/* Goes down to `node` with the candidates from `begin` on; what ends here moves to the best of them. */
static enum snap_status enter(struct join *j, uint32_t node, size_t begin, struct snap_error *err)
{
	struct step step = {node, j->first_child[node], j->candidates.at[begin], begin, j->candidates.count};
	for (size_t i = begin + 1; i < step.end; i++)
		if (j->path_hash[j->candidates.at[i]] < j->path_hash[step.best])
			step.best = j->candidates.at[i];
	uint32_t stack = j->b->known_stack.at[node];
	if (stack != SNAP_NONE)
		j->s->stack_node.at[stack] = step.best;
	return snap_vector_push(&j->steps, step, &j->s->budget, err);
}

static enum snap_status hang_below(struct join *j, uint32_t node, uint32_t parent, struct snap_error *err)
{
	enum snap_status status = snap_index_reserve(&j->b->nodes, &j->s->budget, err);
	if (status < 0)
		return status;
	j->s->node_parent.at[node] = parent;
	snap_index_insert(&j->b->nodes, snap_builder_node_hash(j->b, parent, j->s->node_frame.at[node]), node);
	adopt(j, node);
	return SNAP_OK;
}

/* Joins the tree of `root`, whose candidates are those in j->candidates. */
static enum snap_status join_tree(struct join *j, uint32_t root, struct snap_error *err)
{
	enum snap_status status = enter(j, root, 0, err);
	while (status == SNAP_OK && j->steps.count > 0) {
		struct step *step = &j->steps.at[j->steps.count - 1];
		uint32_t child = step->child;
		j->candidates.count = step->end;
		if (child == SNAP_NONE) {
			j->steps.count--;
			continue;
		}
		step->child = j->sibling[child];
		status = snap_vector_reserve(&j->candidates, 2 * step->end - step->begin, &j->s->budget, err);
		if (status < 0)
			break;
		for (size_t i = step->begin; i < step->end; i++) {
			uint32_t fits = find_child(j, j->candidates.at[i], j->s->node_frame.at[child]);
			if (fits != SNAP_NONE)
				j->candidates.at[j->candidates.count++] = fits;
		}
		status = j->candidates.count > step->end ? enter(j, child, step->end, err)
		                                         : hang_below(j, child, step->best, err);
	}
	return status;
}

struct place {
	uint64_t path_hash;
	uint32_t root; /* as its place among the roots of this depth */
	uint32_t node;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return (x->path_hash > y->path_hash) - (x->path_hash < y->path_hash);
}

/* All trees whose roots stand at `depth`. Roots of one depth have different frames, so their trees end
 * up in different places and their order does not matter. */
static enum snap_status join_depth(struct join *j, uint32_t depth, struct snap_error *err)
{
	struct snap_snapshot *s = j->s;
	uint32_t roots = 0;
	for (uint32_t r = j->root_of_depth[depth]; r != SNAP_NONE; r = j->sibling[r])
		j->root_of_frame[s->node_frame.at[r]] = roots++;
	size_t count = 0, found = 0;
	for (uint32_t n = j->level[depth]; n != SNAP_NONE; n = j->level_next[n])
		count += j->root_of_frame[s->node_frame.at[n]] != SNAP_NONE;
	struct place *places = malloc((count + 1) * sizeof *places);
	if (places == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (uint32_t n = j->level[depth]; n != SNAP_NONE; n = j->level_next[n]) {
		uint32_t root = j->root_of_frame[s->node_frame.at[n]];
		if (root != SNAP_NONE)
			places[found++] = (struct place){j->path_hash[n], root, n};
	}
	qsort(places, count, sizeof *places, compare_places);

	enum snap_status status = SNAP_OK;
	size_t at = 0;
	uint32_t place = 0, next;
	for (uint32_t r = j->root_of_depth[depth]; r != SNAP_NONE && status == SNAP_OK; r = next, place++) {
		next = j->sibling[r];
		j->root_of_frame[s->node_frame.at[r]] = SNAP_NONE;
		j->candidates.count = 0;
		for (; at < count && places[at].root == place && status == SNAP_OK; at++)
			if (j->candidates.count < CANDIDATES_MAX)
				status = snap_vector_push(&j->candidates, places[at].node, &s->budget, err);
		if (status < 0)
			break;
		if (j->candidates.count == 0)
			adopt(j, r);
		else
			status = join_tree(j, r, err);
	}
	free(places);
	return status;
}

enum snap_status snap_forest_join(struct snap_builder *b, struct snap_error *err)
{
	struct snap_snapshot *s = b->s;
	size_t nodes = s->node_parent.count, frames = s->frame_file.count;
	uint32_t deepest = 0;
	for (size_t i = 0; i < nodes; i++)
		if (s->node_parent.at[i] == SNAP_NONE && s->node_depth.at[i] > deepest)
			deepest = s->node_depth.at[i];
	if (deepest < 2)
		return SNAP_OK;

	const size_t levels = SNAP_DEPTH_MAX + 1;
	size_t words = 3 * nodes + 2 * levels + frames;
	struct join j = {.b = b, .s = s};
	enum snap_status status = SNAP_OK;
	uint32_t *memory = malloc(words * sizeof *memory);
	uint8_t *joined = malloc(nodes); /* of the trees from depth 1 */
	j.path_hash = malloc(nodes * sizeof *j.path_hash);
	if (memory == NULL || joined == NULL || j.path_hash == NULL) {
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		goto done;
	}
	memset(memory, 0xff, words * sizeof *memory);
	j.first_child = memory;
	j.sibling = j.first_child + nodes;
	j.level_next = j.sibling + nodes;
	j.level = j.level_next + nodes;
	j.root_of_depth = j.level + levels;
	j.root_of_frame = j.root_of_depth + levels;
	for (uint32_t n = 0; n < nodes; n++) {
		uint32_t parent = s->node_parent.at[n];
		joined[n] = parent == SNAP_NONE ? s->node_depth.at[n] == 1 : joined[parent];
		if (joined[n]) {
			set_path_hash(&j, n);
			add_to_level(&j, n);
			continue;
		}
		uint32_t *head = parent == SNAP_NONE ? &j.root_of_depth[s->node_depth.at[n]] : &j.first_child[parent];
		j.sibling[n] = *head;
		*head = n;
	}
	for (uint32_t depth = 2; depth <= deepest && status == SNAP_OK; depth++)
		if (j.root_of_depth[depth] != SNAP_NONE)
			status = join_depth(&j, depth, err);
done:
	snap_vector_free(&j.candidates, &s->budget);
	snap_vector_free(&j.steps, &s->budget);
	free(j.path_hash);
	free(joined);
	free(memory);
	return status;
}
