/* All tracebacks begin at roots of the shared tree, so what is below a node follows from one pass over the
 * nodes, children before parents; and what a line holds inclusively is what is below its outermost nodes. */
#include "store/totals.h"

#include <stdlib.h>

#include "store/enroll.h"

struct amount {
	int64_t values[4]; /* of which a plain snapshot has two */
};

/* Lines, files or functions, by row. */
struct holders {
	size_t count;
	struct amount *own, *below;
	bool *there;
};

static void add(struct amount *to, const struct amount *more)
{
	for (unsigned c = 0; c < 4; c++)
		to->values[c] += more->values[c];
}

static bool holders_new(struct holders *h, size_t count)
{
	h->count = count;
	h->own = calloc(2 * count + 1, sizeof *h->own);
	h->below = h->own != NULL ? h->own + count : NULL;
	h->there = calloc(count + 1, sizeof *h->there);
	return h->own != NULL && h->there != NULL;
}

static void holders_free(struct holders *h)
{
	free(h->own);
	free(h->there);
}

struct written {
	int64_t id;
	const struct holders *holders;
	const int64_t *before; /* bytes in the snapshot before this one, or NULL */
};

static bool next_total(const void *context, size_t *cursor, int64_t values[SNAP_ROW_COLUMNS])
{
	const struct written *w = context;
	const struct holders *h = w->holders;
	while (*cursor < h->count && !h->there[*cursor])
		++*cursor;
	if (*cursor == h->count)
		return false;
	const struct amount *own = &h->own[*cursor], *below = &h->below[*cursor];
	values[0] = w->id;
	values[1] = (int64_t)++*cursor;
	for (unsigned c = 0; c < 4; c++) {
		unsigned at = c < 2 ? 2 + c : 4 + c; /* blocks, bytes, cum_…; then the older side's */
		values[at] = own->values[c];
		values[at + 2] = below->values[c];
	}
	if (w->before != NULL)
		values[10] = own->values[1] - w->before[*cursor - 1];
	return true;
}

static enum snap_status holders_write(struct snap_store *store, enum snap_store_statement which, int64_t id,
                                      const struct holders *h, bool diff, const int64_t *before,
                                      struct snap_error *err)
{
	struct written w = {id, h, before};
	/* A snapshot has no older side, and no step without one before it. */
	struct snap_rows rows = {&w, next_total, diff ? 0x3ff : before != NULL ? 0x43f : 0x3f};
	return snap_store_insert(store, which, rows, err);
}

/* Bytes of each line in the snapshot of the process before `id`, or NULL when that is the first one. */
static enum snap_status read_before(struct snap_store *store, int64_t id, int64_t **before, struct snap_error *err)
{
	sqlite3_stmt *find, *lines;
	enum snap_status status = snap_store_statement(store, SNAP_FIND_PREVIOUS, &find, err);
	int64_t previous = 0;
	if (status == SNAP_OK) {
		sqlite3_bind_int64(find, 1, id);
		status = snap_store_find(find, &previous, err);
	}
	if (status < 0 || previous == 0)
		return status;
	status = snap_store_statement(store, SNAP_FIND_LINES, &lines, err);
	if (status < 0)
		return status;
	size_t count = store->tables.line_file.count;
	*before = calloc(count + 1, sizeof **before);
	if (*before == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	sqlite3_bind_int64(lines, 1, previous);
	while ((status = snap_sql_step(lines, err)) == SNAP_OK) {
		int64_t line = sqlite3_column_int64(lines, 0);
		if (line >= 1 && (uint64_t)line <= count)
			(*before)[line - 1] = sqlite3_column_int64(lines, 1);
	}
	return status < 0 ? status : SNAP_OK;
}

/* Steps of the snapshot behind one that was loaded late. */
static enum snap_status renew_steps(struct snap_store *store, int64_t id, struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_RENEW_STEPS, &s, err);
	if (status < 0)
		return status;
	sqlite3_bind_int64(s, 1, id);
	return snap_store_step(s, err);
}

struct sums {
	const struct snap_tables *t;
	struct holders lines, files, functions;
	struct amount *node; /* at or below each node */
	bool *met;           /* nodes at or above a site */
	bool by_function;
};

static void add_below(struct holders *h, uint32_t row, bool outermost, const struct amount *amount)
{
	h->there[row] = true;
	if (outermost)
		add(&h->below[row], amount);
}

static void add_up(struct sums *u, const struct snap_store_site *sites, size_t count)
{
	const struct snap_tables *t = u->t;
	for (size_t i = 0; i < count; i++) {
		uint32_t node = sites[i].node, frame = t->node_frame.at[node], line = t->frame_line.at[frame];
		struct amount amount;
		for (unsigned c = 0; c < 4; c++)
			amount.values[c] = sites[i].values[c];
		add(&u->node[node], &amount);
		u->met[node] = true;
		add(&u->lines.own[line], &amount);
		add(&u->files.own[t->line_file.at[line]], &amount);
		if (u->by_function)
			add(&u->functions.own[snap_enrolled_function(t, frame)], &amount);
	}
	for (size_t n = t->node_parent.count; n-- > 0;) {
		if (!u->met[n])
			continue;
		uint32_t frame = t->node_frame.at[n], line = t->frame_line.at[frame], parent = t->node_parent.at[n];
		uint8_t outer = t->node_outer.at[n];
		add_below(&u->lines, line, (outer & SNAP_OUTER_LINE) != 0, &u->node[n]);
		add_below(&u->files, t->line_file.at[line], (outer & SNAP_OUTER_FILE) != 0, &u->node[n]);
		if (u->by_function)
			add_below(&u->functions, snap_enrolled_function(t, frame), (outer & SNAP_OUTER_FUNCTION) != 0,
			          &u->node[n]);
		if (parent != SNAP_NONE) {
			add(&u->node[parent], &u->node[n]);
			u->met[parent] = true;
		}
	}
}

enum snap_status snap_store_totals(struct snap_store *store, int64_t id, const struct snap_store_site *sites,
                                   size_t count, bool diff, bool functions, struct snap_error *err)
{
	const struct snap_tables *t = &store->tables;
	size_t nodes = t->node_parent.count;
	struct sums u = {.t = t, .by_function = functions};
	u.node = calloc(nodes + 1, sizeof *u.node);
	u.met = calloc(nodes + 1, sizeof *u.met);
	int64_t *before = NULL;
	enum snap_status status;
	if (!holders_new(&u.lines, t->line_file.count) || !holders_new(&u.files, t->file_name.end.count) ||
	    !holders_new(&u.functions, functions ? t->function_file.count : 0) || u.node == NULL || u.met == NULL) {
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	} else {
		add_up(&u, sites, count);
		status = diff ? SNAP_OK : read_before(store, id, &before, err);
		if (status == SNAP_OK)
			status = holders_write(store, SNAP_ADD_LINE_TOTALS, id, &u.lines, diff, before, err);
		if (status == SNAP_OK)
			status = holders_write(store, SNAP_ADD_FILE_TOTALS, id, &u.files, diff, NULL, err);
		if (status == SNAP_OK && functions)
			status = holders_write(store, SNAP_ADD_FUNCTION_TOTALS, id, &u.functions, diff, NULL, err);
		if (status == SNAP_OK && !diff)
			status = renew_steps(store, id, err);
	}
	free(before);
	free(u.node);
	free(u.met);
	holders_free(&u.lines);
	holders_free(&u.files);
	holders_free(&u.functions);
	return status;
}
