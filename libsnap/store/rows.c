/* A virtual table without a name in any schema; see rows.h. */
#include "store/rows.h"

#include "store/sql.h"

struct table {
	sqlite3_vtab base;
	struct snap_rows *rows;
};

struct cursor {
	sqlite3_vtab_cursor base;
	size_t next;
	sqlite3_int64 number; /* of the row it stands on, from 1 */
	bool there;
	int64_t values[SNAP_ROW_COLUMNS];
};

static int connect(sqlite3 *db, void *rows, int argc, const char *const *argv, sqlite3_vtab **out, char **message)
{
	(void)argc, (void)argv, (void)message;
	struct table *table = sqlite3_malloc(sizeof *table);
	*out = NULL;
	if (table == NULL)
		return SQLITE_NOMEM;
	*table = (struct table){.rows = rows};
	int code = sqlite3_declare_vtab(db, "CREATE TABLE t(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11)");
	if (code != SQLITE_OK)
		sqlite3_free(table);
	else
		*out = &table->base;
	return code;
}

static int disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
	(void)table, (void)info;
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
	(void)table;
	struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
	if (cursor == NULL)
		return SQLITE_NOMEM;
	*cursor = (struct cursor){.there = false};
	*out = &cursor->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;
	const struct snap_rows *rows = ((struct table *)base->pVtab)->rows;
	cursor->there = rows->next(rows->context, &cursor->next, cursor->values);
	cursor->number++;
	return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int index, const char *name, int argc, sqlite3_value **argv)
{
	(void)index, (void)name, (void)argc, (void)argv;
	struct cursor *cursor = (struct cursor *)base;
	cursor->next = 0;
	cursor->number = 0;
	return next(base);
}

static int at_end(sqlite3_vtab_cursor *base)
{
	return !((struct cursor *)base)->there;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	const struct snap_rows *rows = ((struct table *)base->pVtab)->rows;
	if ((rows->columns >> column & 1) != 0)
		sqlite3_result_int64(context, ((struct cursor *)base)->values[column]);
	return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *id)
{
	*id = ((struct cursor *)base)->number;
	return SQLITE_OK;
}

static const sqlite3_module module = {
	.xConnect = connect, /* and no xCreate: it is there without being created, and cannot be */
	.xBestIndex = best_index,
	.xDisconnect = disconnect,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = at_end,
	.xColumn = column,
	.xRowid = row_id,
};

enum snap_status snap_rows_register(sqlite3 *db, struct snap_rows *rows, struct snap_error *err)
{
	int code = sqlite3_create_module(db, "snap_rows", &module, rows);
	return code == SQLITE_OK ? SNAP_OK : snap_sql_fail(db, code, err);
}
