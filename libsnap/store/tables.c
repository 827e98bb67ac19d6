/* Shared rows in memory; see tables.h. */
#include "store/tables.h"

#include <snap/limits.h>
#include <string.h>

#include "model/snapshot.h"

static struct snap_text name_at(const struct snap_names *n, uint32_t i)
{
	uint64_t begin = i == 0 ? 0 : n->end.at[i - 1];
	return (struct snap_text){(const char *)n->bytes.at + begin, (size_t)(n->end.at[i] - begin)};
}

static enum snap_status push_name(struct snap_names *n, struct snap_text name, struct snap_budget *budget,
                                  struct snap_error *err)
{
	enum snap_status status = snap_vector_reserve(&n->bytes, n->bytes.count + name.size, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&n->end, n->bytes.count + name.size, budget, err);
	if (status == SNAP_OK && name.size > 0) {
		memcpy(n->bytes.at + n->bytes.count, name.bytes, name.size);
		n->bytes.count += name.size;
	}
	return status;
}

static bool same_text(struct snap_text a, struct snap_text b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static uint64_t pair_hash(struct snap_index *index, uint32_t a, uint32_t b)
{
	return snap_keyed(snap_index_seed(index), (uint64_t)a << 32 | b);
}

/* Finds the row whose two columns have these values; SNAP_NONE if there is none. */
static uint32_t find_pair(const struct snap_index *index, uint64_t hash, const uint32_t *first, uint32_t a,
                          const uint32_t *second, uint32_t b)
{
	size_t cursor = snap_index_start(index, hash);
	uint32_t row;
	while ((row = snap_index_next(index, hash, &cursor)) != SNAP_INDEX_NONE)
		if (first[row] == a && second[row] == b)
			break;
	return row; /* SNAP_INDEX_NONE is SNAP_NONE */
}

/* A row is in the index when it is in all columns. */
static enum snap_status room_for_row(struct snap_tables *t, struct snap_index *index, size_t rows,
                                     struct snap_error *err)
{
	if (rows >= SNAP_ROWS_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "the database has too many names or nodes");
	return index == NULL ? SNAP_OK : snap_index_reserve(index, &t->budget, err);
}

enum snap_status snap_tables_file(struct snap_tables *t, struct snap_text name, uint32_t *row, bool *added,
                                  struct snap_error *err)
{
	uint64_t hash = snap_keyed_bytes(snap_index_seed(&t->file_index), name.bytes, name.size);
	size_t cursor = snap_index_start(&t->file_index, hash);
	*added = false;
	while ((*row = snap_index_next(&t->file_index, hash, &cursor)) != SNAP_INDEX_NONE)
		if (same_text(name_at(&t->file_name, *row), name))
			return SNAP_OK;
	*row = (uint32_t)t->file_name.end.count;
	*added = true;
	enum snap_status status = room_for_row(t, &t->file_index, *row, err);
	if (status == SNAP_OK)
		status = push_name(&t->file_name, name, &t->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(&t->file_index, hash, *row);
	return status;
}

enum snap_status snap_tables_line(struct snap_tables *t, uint32_t file, uint32_t number, uint32_t *row, bool *added,
                                  struct snap_error *err)
{
	uint64_t hash = pair_hash(&t->line_index, file, number);
	*row = find_pair(&t->line_index, hash, t->line_file.at, file, t->line_number.at, number);
	*added = *row == SNAP_NONE;
	if (!*added)
		return SNAP_OK;
	*row = (uint32_t)t->line_file.count;
	enum snap_status status = room_for_row(t, &t->line_index, *row, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->line_file, file, &t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->line_number, number, &t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->line_function, SNAP_NONE, &t->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(&t->line_index, hash, *row);
	return status;
}

enum snap_status snap_tables_function(struct snap_tables *t, uint32_t file, struct snap_text name, uint32_t *row,
                                      bool *added, struct snap_error *err)
{
	const struct snap_seed *seed = snap_index_seed(&t->function_index);
	uint64_t hash = snap_keyed_pair(seed, snap_keyed_bytes(seed, name.bytes, name.size), file);
	size_t cursor = snap_index_start(&t->function_index, hash);
	*added = false;
	while ((*row = snap_index_next(&t->function_index, hash, &cursor)) != SNAP_INDEX_NONE)
		if (t->function_file.at[*row] == file && same_text(name_at(&t->function_name, *row), name))
			return SNAP_OK;
	*row = (uint32_t)t->function_file.count;
	*added = true;
	enum snap_status status = room_for_row(t, &t->function_index, *row, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->function_file, file, &t->budget, err);
	if (status == SNAP_OK)
		status = push_name(&t->function_name, name, &t->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(&t->function_index, hash, *row);
	return status;
}

enum snap_status snap_tables_nameless(struct snap_tables *t, uint32_t line, uint32_t *row, bool *added,
                                      struct snap_error *err)
{
	*row = t->line_function.at[line];
	*added = *row == SNAP_NONE;
	if (!*added)
		return SNAP_OK;
	*row = (uint32_t)t->function_file.count;
	enum snap_status status = room_for_row(t, NULL, *row, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->function_file, t->line_file.at[line], &t->budget, err);
	if (status == SNAP_OK)
		status = push_name(&t->function_name, (struct snap_text){NULL, 0}, &t->budget, err);
	if (status == SNAP_OK)
		t->line_function.at[line] = *row;
	return status;
}

enum snap_status snap_tables_frame(struct snap_tables *t, uint32_t line, uint32_t function, uint32_t *row, bool *added,
                                   struct snap_error *err)
{
	uint64_t hash = pair_hash(&t->frame_index, line, function);
	*row = find_pair(&t->frame_index, hash, t->frame_line.at, line, t->frame_function.at, function);
	*added = *row == SNAP_NONE;
	if (!*added)
		return SNAP_OK;
	*row = (uint32_t)t->frame_line.count;
	enum snap_status status = room_for_row(t, &t->frame_index, *row, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->frame_line, line, &t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->frame_function, function, &t->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(&t->frame_index, hash, *row);
	return status;
}

enum snap_status snap_tables_node(struct snap_tables *t, uint32_t parent, uint32_t frame, uint32_t *row,
                                  struct snap_error *err)
{
	uint64_t hash = pair_hash(&t->node_index, parent, frame);
	*row = find_pair(&t->node_index, hash, t->node_parent.at, parent, t->node_frame.at, frame);
	if (*row != SNAP_NONE)
		return SNAP_OK;
	*row = (uint32_t)t->node_parent.count;
	uint32_t depth = parent == SNAP_NONE ? 1 : t->node_depth.at[parent] + 1;
	enum snap_status status = room_for_row(t, &t->node_index, *row, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->node_parent, parent, &t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->node_frame, frame, &t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->node_depth, depth, &t->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&t->node_outer, 0, &t->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(&t->node_index, hash, *row);
	return status;
}

/* Reading. The same functions that add rows find out whether one is there twice. */

static enum snap_status damaged(const char *table, struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_DAMAGED, SNAP_NO_OFFSET,
	                 "table %s is not as it was written: rows were changed or removed", table);
}

/* A column that holds an id of one of `rows` rows, or null where `none` is allowed. */
static bool reference(sqlite3_stmt *s, int column, size_t rows, bool none, uint32_t *row)
{
	*row = SNAP_NONE;
	if (none && sqlite3_column_type(s, column) == SQLITE_NULL)
		return true;
	int64_t id = sqlite3_column_int64(s, column);
	*row = (uint32_t)(id - 1);
	return id >= 1 && (uint64_t)id <= rows;
}

/* The bytes of a name, of which the database has either a text or, further right, the raw bytes. */
static bool name_of(sqlite3_stmt *s, int text, int raw, struct snap_text *name)
{
	int column = sqlite3_column_type(s, raw) == SQLITE_NULL ? text : raw;
	const char *bytes = sqlite3_column_blob(s, column);
	size_t size = (size_t)sqlite3_column_bytes(s, column);
	*name = (struct snap_text){size > 0 ? bytes : "", size};
	return size <= SNAP_STRING_MAX && (size == 0 || bytes != NULL);
}

static enum snap_status read_file(struct snap_tables *t, sqlite3_stmt *s, uint32_t *row, bool *added,
                                  struct snap_error *err)
{
	struct snap_text name;
	return name_of(s, 1, 2, &name) ? snap_tables_file(t, name, row, added, err) : damaged("file", err);
}

static enum snap_status read_line(struct snap_tables *t, sqlite3_stmt *s, uint32_t *row, bool *added,
                                  struct snap_error *err)
{
	uint32_t file;
	int64_t number = sqlite3_column_int64(s, 2);
	if (!reference(s, 1, t->file_name.end.count, false, &file) || number < 0 || number > UINT32_MAX)
		return damaged("line", err);
	return snap_tables_line(t, file, (uint32_t)number, row, added, err);
}

static enum snap_status read_function(struct snap_tables *t, sqlite3_stmt *s, uint32_t *row, bool *added,
                                      struct snap_error *err)
{
	uint32_t file, line;
	struct snap_text name;
	bool is_new;
	if (!reference(s, 1, t->file_name.end.count, false, &file) || !name_of(s, 2, 4, &name))
		return damaged("function", err);
	if (sqlite3_column_type(s, 2) != SQLITE_NULL)
		return snap_tables_function(t, file, name, row, added, err);
	enum snap_status status =
		snap_tables_line(t, file, (uint32_t)sqlite3_column_int64(s, 3), &line, &is_new, err);
	if (status < 0)
		return status;
	return is_new ? damaged("function", err) : snap_tables_nameless(t, line, row, added, err);
}

static enum snap_status read_frame(struct snap_tables *t, sqlite3_stmt *s, uint32_t *row, bool *added,
                                   struct snap_error *err)
{
	uint32_t line, function;
	if (!reference(s, 1, t->line_file.count, false, &line) ||
	    !reference(s, 2, t->function_file.count, true, &function))
		return damaged("frame", err);
	return snap_tables_frame(t, line, function, row, added, err);
}

static enum snap_status read_node(struct snap_tables *t, sqlite3_stmt *s, uint32_t *row, bool *added,
                                  struct snap_error *err)
{
	uint32_t parent, frame, nodes = (uint32_t)t->node_parent.count;
	if (!reference(s, 1, nodes, true, &parent) || !reference(s, 2, t->frame_line.count, false, &frame))
		return damaged("node", err);
	enum snap_status status = snap_tables_node(t, parent, frame, row, err);
	if (status < 0)
		return status;
	*added = *row == nodes;
	t->node_outer.at[*row] = (uint8_t)((sqlite3_column_int64(s, 5) != 0 ? SNAP_OUTER_LINE : 0) |
	                                   (sqlite3_column_int64(s, 6) != 0 ? SNAP_OUTER_FILE : 0) |
	                                   (sqlite3_column_int64(s, 7) != 0 ? SNAP_OUTER_FUNCTION : 0));
	if (!*added || t->node_depth.at[*row] > SNAP_DEPTH_MAX)
		return damaged("node", err);
	return snap_intervals_push(&t->intervals, parent, (uint64_t)sqlite3_column_int64(s, 3),
	                           (uint64_t)sqlite3_column_int64(s, 4), &t->budget, err);
}

static const struct {
	const char *name, *sql;
	enum snap_status (*read)(struct snap_tables *t, sqlite3_stmt *s, uint32_t *row, bool *added,
	                         struct snap_error *err);
} readings[] = {
	{"file", "SELECT id, path, raw FROM file ORDER BY id", read_file},
	{"line", "SELECT id, file, number FROM line ORDER BY id", read_line},
	{"function", "SELECT id, file, name, line, raw FROM function ORDER BY id", read_function},
	{"frame", "SELECT id, line, function FROM frame ORDER BY id", read_frame},
	{"node", "SELECT id, parent, frame, pre, post, outer_line, outer_file, outer_function FROM node ORDER BY id",
	 read_node},
};

enum snap_status snap_tables_read(struct snap_tables *t, sqlite3 *db, const struct snap_limits *limits,
                                  struct snap_error *err)
{
	t->budget.limit = limits->memory;
	for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
		sqlite3_stmt *s;
		enum snap_status status = snap_sql_prepare(&s, db, readings[i].sql, err);
		if (status < 0)
			return status;
		int64_t rows = 0;
		while ((status = snap_sql_step(s, err)) == SNAP_OK) {
			uint32_t row = 0;
			bool added = true;
			/* Without holes, so that row and id are the same number. */
			if (sqlite3_column_int64(s, 0) != ++rows)
				status = damaged(readings[i].name, err);
			if (status == SNAP_OK)
				status = readings[i].read(t, s, &row, &added, err);
			if (status == SNAP_OK && (!added || row != (uint32_t)rows - 1))
				status = damaged(readings[i].name, err);
			if (status < 0)
				break;
		}
		sqlite3_finalize(s);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

void snap_tables_free(struct snap_tables *t)
{
	struct snap_budget *budget = &t->budget;
	struct snap_u32s *columns[] = {&t->line_file,  &t->line_number,    &t->line_function, &t->function_file,
	                               &t->frame_line, &t->frame_function, &t->node_parent,   &t->node_frame,
	                               &t->node_depth};
	struct snap_index *indexes[] = {&t->file_index, &t->line_index, &t->function_index, &t->frame_index,
	                                &t->node_index};
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		snap_vector_free(columns[i], budget);
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
		snap_index_free(indexes[i], budget);
	snap_vector_free(&t->file_name.bytes, budget);
	snap_vector_free(&t->file_name.end, budget);
	snap_vector_free(&t->function_name.bytes, budget);
	snap_vector_free(&t->function_name.end, budget);
	snap_vector_free(&t->node_outer, budget);
	snap_intervals_free(&t->intervals, budget);
}
