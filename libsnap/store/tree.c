/* See tree.h. A stack that knows its frames up to the root of its tree shares the work for what it has in
 * common with others; of one that was cut off below, its own frames are walked. */
#include "store/tree.h"

#include <stdlib.h>

#include "store/outer.h"

struct climb {
	struct snap_tables *t;
	const struct snap_snapshot *s;
	const uint32_t *frames; /* rows of the snapshot's frames */
	uint32_t *met;          /* of each node of the snapshot: the node it is from its root, or SNAP_NONE */
	uint32_t *height;       /* nodes from its root down to itself */
	uint32_t *way;          /* nodes of the snapshot, newest first */
};

/* From `from` down along the `count` nodes in way, last first. */
static enum snap_status descend(struct climb *c, uint32_t from, size_t count, bool remember, uint32_t *node,
                                struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	while (count > 0 && status == SNAP_OK) {
		uint32_t next = c->way[--count];
		status = snap_tables_node(c->t, from, c->frames[c->s->node_frame.at[next]], &from, err);
		if (remember)
			c->met[next] = from;
	}
	*node = from;
	return status;
}

static enum snap_status find(struct climb *c, uint32_t stack, uint32_t *node, struct snap_error *err)
{
	const uint32_t *parent = c->s->node_parent.at;
	uint32_t at = c->s->stack_node.at[stack], length = c->s->stack_length.at[stack], count = 0;
	bool whole = length == c->height[at];
	for (; count < length && !(whole && c->met[at] != SNAP_NONE); at = parent[at])
		c->way[count++] = at;
	return descend(c, count < length ? c->met[at] : SNAP_NONE, count, whole, node, err);
}

static enum snap_status find_all(struct climb *c, uint32_t *nodes, struct snap_error *err)
{
	const struct snap_snapshot *s = c->s;
	size_t count = s->node_parent.count;
	for (size_t n = 0; n < count; n++) {
		uint32_t parent = s->node_parent.at[n];
		c->met[n] = SNAP_NONE;
		c->height[n] = parent == SNAP_NONE ? 1 : c->height[parent] + 1;
	}
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < s->stack_node.count && status == SNAP_OK; i++)
		status = find(c, i, &nodes[i], err);
	return status;
}

static void bind_interval(sqlite3_stmt *s, int at, const struct snap_intervals *t, uint32_t node)
{
	sqlite3_bind_int64(s, at, (int64_t)t->pre.at[node]);
	sqlite3_bind_int64(s, at + 1, (int64_t)t->post.at[node]);
}

static enum snap_status move_nodes(struct snap_store *store, uint32_t count, struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_MOVE_NODE, &s, err);
	for (uint32_t n = 0; n < count && status == SNAP_OK; n++) {
		sqlite3_bind_int64(s, 1, (int64_t)n + 1);
		bind_interval(s, 2, &store->tables.intervals, n);
		status = snap_store_step(s, err);
	}
	return status;
}

static enum snap_status add_nodes(struct snap_store *store, uint32_t from, struct snap_error *err)
{
	const struct snap_tables *t = &store->tables;
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_ADD_NODE, &s, err);
	for (uint32_t n = from; n < t->node_parent.count && status == SNAP_OK; n++) {
		sqlite3_bind_int64(s, 1, (int64_t)n + 1);
		if (t->node_parent.at[n] == SNAP_NONE)
			sqlite3_bind_null(s, 2);
		else
			sqlite3_bind_int64(s, 2, (int64_t)t->node_parent.at[n] + 1);
		sqlite3_bind_int64(s, 3, (int64_t)t->node_frame.at[n] + 1);
		sqlite3_bind_int64(s, 4, t->node_depth.at[n]);
		bind_interval(s, 5, &t->intervals, n);
		sqlite3_bind_int64(s, 7, (t->node_outer.at[n] & SNAP_OUTER_LINE) != 0);
		sqlite3_bind_int64(s, 8, (t->node_outer.at[n] & SNAP_OUTER_FILE) != 0);
		sqlite3_bind_int64(s, 9, (t->node_outer.at[n] & SNAP_OUTER_FUNCTION) != 0);
		status = snap_store_step(s, err);
	}
	return status;
}

enum snap_status snap_tree_nodes(struct snap_store *store, const struct snap_snapshot *s, const uint32_t *frames,
                                 uint32_t *nodes, struct snap_error *err)
{
	struct snap_tables *t = &store->tables;
	size_t count = s->node_parent.count;
	uint32_t old = (uint32_t)t->node_parent.count;
	bool renumbered;
	uint32_t *memory = malloc((2 * count + SNAP_DEPTH_MAX) * sizeof *memory);
	if (memory == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	struct climb c = {t, s, frames, memory, memory + count, memory + 2 * count};
	enum snap_status status = find_all(&c, nodes, err);
	free(memory);
	if (status == SNAP_OK)
		status = snap_intervals_add(&t->intervals, t->node_parent.at, (uint32_t)t->node_parent.count,
		                            &renumbered, &t->budget, err);
	if (status == SNAP_OK && renumbered)
		status = move_nodes(store, old, err);
	if (status == SNAP_OK)
		status = snap_outer_mark(t, old, err);
	return status < 0 ? status : add_nodes(store, old, err);
}
