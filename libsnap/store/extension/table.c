/* What SQLite asks of a table-valued function; see table.h. */
#include "table.h"

#include <limits.h>
#include <string.h>

#include "text.h"

/* SQLite before 3.38 never asks for these. */
#ifndef SQLITE_INDEX_CONSTRAINT_LIMIT
#define SQLITE_INDEX_CONSTRAINT_LIMIT  73
#define SQLITE_INDEX_CONSTRAINT_OFFSET 74
#endif

/* What a plan hands to xFilter, in this order; idxNum has a bit for each. */
enum { SLOT_ONLY = TABLE_ARGUMENTS_MAX, SLOT_LIMIT, SLOT_OFFSET, SLOT_COUNT, NO_SLOT = -1 };

/* A call that lacks an argument is planned all the same, so that it can say what it lacks: refused, it
 * would end in "no query solution". It costs more than any other plan. */
static const double COST_OF_NOTHING = 1e30, COST_OF_READING = 1e6;

struct vtab {
	sqlite3_vtab base;
	const struct table *table;
};

struct cursor {
	sqlite3_vtab_cursor base;
	const struct table *table;
	struct table_call call; /* what `rows` answers; its arguments are ours */
	void *rows;             /* NULL = none */
	sqlite3_int64 row;
	bool over;
};

static void declare_columns(sqlite3_str *text, const struct table_column *columns, int count, const char *suffix)
{
	for (int i = 0; i < count; i++)
		sqlite3_str_appendf(text, "%s\"%w\" %s%s", sqlite3_str_length(text) > 0 ? ", " : "", columns[i].name,
				    columns[i].type, suffix);
}

static int declare(sqlite3 *db, const struct table *table)
{
	sqlite3_str *text = sqlite3_str_new(db);
	declare_columns(text, table->columns, table->column_count, "");
	declare_columns(text, table->arguments, table->argument_count, " HIDDEN");
	char *columns = sqlite3_str_finish(text);
	char *statement = columns != NULL ? sqlite3_mprintf("CREATE TABLE x(%s)", columns) : NULL;
	int code = statement != NULL ? sqlite3_declare_vtab(db, statement) : SQLITE_NOMEM;
	sqlite3_free(columns);
	sqlite3_free(statement);
	return code;
}

static int vtab_connect(sqlite3 *db, void *table, int argc, const char *const *argv, sqlite3_vtab **out,
			char **error)
{
	(void)argc, (void)argv, (void)error;
	*out = NULL;
	int code = declare(db, table);
	/* A database from elsewhere must not read files by a view or a trigger. */
	if (code == SQLITE_OK)
		code = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
	if (code != SQLITE_OK)
		return code;
	struct vtab *vtab = sqlite3_malloc(sizeof *vtab);
	if (vtab == NULL)
		return SQLITE_NOMEM;
	*vtab = (struct vtab){.table = table};
	*out = &vtab->base;
	return SQLITE_OK;
}

static int vtab_disconnect(sqlite3_vtab *vtab)
{
	sqlite3_free(vtab);
	return SQLITE_OK;
}

/* --- planning ----------------------------------------------------------------------------------- */

static int slot_of(const struct table *table, const struct sqlite3_index_constraint *constraint)
{
	if (constraint->op == SQLITE_INDEX_CONSTRAINT_LIMIT)
		return SLOT_LIMIT;
	if (constraint->op == SQLITE_INDEX_CONSTRAINT_OFFSET)
		return SLOT_OFFSET;
	if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ)
		return NO_SLOT;
	if (constraint->iColumn >= table->column_count)
		return constraint->iColumn - table->column_count;
	return constraint->iColumn == table->selected && table->selected >= 0 ? SLOT_ONLY : NO_SLOT;
}

static int vtab_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	const struct table *table = ((struct vtab *)vtab)->table;
	int taken[SLOT_COUNT];
	bool later[SLOT_COUNT] = {false}, rest = false; /* `rest`: SQLite will drop rows by itself */
	memset(taken, -1, sizeof taken);
	for (int i = 0; i < info->nConstraint; i++) {
		int slot = slot_of(table, &info->aConstraint[i]);
		bool usable = info->aConstraint[i].usable;
		if (slot != NO_SLOT && usable && taken[slot] < 0)
			taken[slot] = i;
		else if (slot != NO_SLOT && !usable)
			later[slot] = rest = true;
		else
			rest = true;
	}
	for (int i = 0; i < table->argument_count; i++)
		if (taken[i] < 0 && later[i])
			return SQLITE_CONSTRAINT; /* only behind the table that the argument comes from */

	/* The rank is different in all rows, so whatever else they are ordered by does not matter. */
	info->orderByConsumed = info->nOrderBy > 0 && table->rank >= 0 &&
				info->aOrderBy[0].iColumn == table->rank && !info->aOrderBy[0].desc;
	bool ordered = info->nOrderBy == 0 || info->orderByConsumed;
	if (table->rank < 0 || rest || !ordered || taken[SLOT_LIMIT] < 0)
		taken[SLOT_LIMIT] = taken[SLOT_OFFSET] = -1;

	int arguments = 0;
	for (int slot = 0; slot < SLOT_COUNT; slot++) {
		if (taken[slot] < 0)
			continue;
		info->idxNum |= 1 << slot;
		info->aConstraintUsage[taken[slot]].argvIndex = ++arguments;
		info->aConstraintUsage[taken[slot]].omit = slot < table->argument_count;
	}
	int lacking = ~info->idxNum & ((1 << table->required) - 1);
	info->estimatedCost = lacking ? COST_OF_NOTHING : COST_OF_READING;
	info->estimatedRows = (sqlite3_int64)table->rows;
	return SQLITE_OK;
}

/* --- rows --------------------------------------------------------------------------------------- */

static int vtab_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
	struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
	*out = NULL;
	if (cursor == NULL)
		return SQLITE_NOMEM;
	*cursor = (struct cursor){.table = ((struct vtab *)vtab)->table};
	*out = &cursor->base;
	return SQLITE_OK;
}

static void forget(struct cursor *cursor)
{
	if (cursor->rows != NULL)
		cursor->table->close(cursor->rows);
	for (int i = 0; i < cursor->table->argument_count; i++)
		sqlite3_value_free(cursor->call.arguments[i]);
	cursor->rows = NULL;
	cursor->call = (struct table_call){.table = cursor->table};
}

static int vtab_close(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;
	forget(cursor);
	sqlite3_free(cursor);
	return SQLITE_OK;
}

/* Not SQLITE_IOERR and the like, on which SQLite would roll a whole transaction back. */
static int fail(struct cursor *cursor, char *error)
{
	sqlite3_free(cursor->base.pVtab->zErrMsg);
	cursor->base.pVtab->zErrMsg = error;
	return error != NULL ? SQLITE_ERROR : SQLITE_NOMEM;
}

static bool same_value(sqlite3_value *a, sqlite3_value *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	int type = sqlite3_value_type(a);
	if (type != sqlite3_value_type(b))
		return false;
	if (type == SQLITE_INTEGER)
		return sqlite3_value_int64(a) == sqlite3_value_int64(b);
	if (type != SQLITE_TEXT)
		return false;
	const void *left = sqlite3_value_text(a), *right = sqlite3_value_text(b);
	int size = sqlite3_value_bytes(a);
	return left != NULL && right != NULL && size == sqlite3_value_bytes(b) &&
	       memcmp(left, right, (size_t)size) == 0;
}

static bool same_call(const struct table_call *a, const struct table_call *b)
{
	for (int i = 0; i < a->table->argument_count; i++)
		if (!same_value(a->arguments[i], b->arguments[i]))
			return false;
	return a->only == b->only && a->top == b->top;
}

/* LIMIT with OFFSET; 0 where there is no end. */
static size_t top_of(sqlite3_value *limit, sqlite3_value *offset)
{
	int64_t top = limit != NULL ? sqlite3_value_int64(limit) : -1;
	int64_t over = offset != NULL ? sqlite3_value_int64(offset) : 0;
	if (top < 0 || __builtin_add_overflow(top, over > 0 ? over : 0, &top))
		return 0;
	return top > 0 ? (size_t)top : 1;
}

static struct table_call read_call(const struct table *table, int plan, sqlite3_value **argv)
{
	sqlite3_value *slots[SLOT_COUNT] = {NULL};
	struct table_call call = {.table = table};
	for (int slot = 0; slot < SLOT_COUNT; slot++)
		if (plan & 1 << slot)
			slots[slot] = *argv++;
	memcpy(call.arguments, slots, sizeof call.arguments);
	/* Other types are left to SQLite's rules of comparison. */
	sqlite3_value *only = slots[SLOT_ONLY];
	if (only != NULL && sqlite3_value_type(only) == SQLITE_INTEGER && sqlite3_value_int64(only) > 0)
		call.only = sqlite3_value_int64(only);
	call.top = top_of(slots[SLOT_LIMIT], slots[SLOT_OFFSET]);
	return call;
}

static bool keep_call(struct cursor *cursor, const struct table_call *call)
{
	forget(cursor);
	cursor->call.only = call->only;
	cursor->call.top = call->top;
	for (int i = 0; i < cursor->table->argument_count; i++) {
		if (call->arguments[i] == NULL)
			continue;
		cursor->call.arguments[i] = sqlite3_value_dup(call->arguments[i]);
		if (cursor->call.arguments[i] == NULL)
			return false;
	}
	return true;
}

static int vtab_next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;
	char *error = NULL;
	cursor->row++;
	return cursor->table->next(cursor->rows, &cursor->over, &error) ? SQLITE_OK : fail(cursor, error);
}

static int vtab_filter(sqlite3_vtab_cursor *base, int plan, const char *name, int argc, sqlite3_value **argv)
{
	(void)name, (void)argc;
	struct cursor *cursor = (struct cursor *)base;
	const struct table *table = cursor->table;
	struct table_call call = read_call(table, plan, argv);
	char *error = NULL;
	for (int i = 0; i < table->required; i++)
		if (call.arguments[i] == NULL)
			return fail(cursor, sqlite3_mprintf("%s: there is no %s: %s", table->name,
							    table->arguments[i].name, table->usage));
	/* As the inner loop of a join the same is asked for over and over; the file is read once. */
	if (cursor->rows == NULL || !same_call(&cursor->call, &call) || !table->again(cursor->rows)) {
		if (!keep_call(cursor, &call))
			return SQLITE_NOMEM;
		if (!table->open(&cursor->rows, &cursor->call, &error)) {
			cursor->rows = NULL;
			return fail(cursor, error);
		}
	}
	cursor->row = 0;
	return vtab_next(base);
}

static int vtab_eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->over;
}

static int vtab_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
	struct cursor *cursor = (struct cursor *)base;
	int argument = column - cursor->table->column_count;
	if (argument < 0)
		cursor->table->column(cursor->rows, context, column);
	else if (cursor->call.arguments[argument] != NULL)
		sqlite3_result_value(context, cursor->call.arguments[argument]);
	return SQLITE_OK;
}

static int vtab_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *row)
{
	*row = ((struct cursor *)base)->row;
	return SQLITE_OK;
}

int table_register(sqlite3 *db, const struct table *table)
{
	/* Without xCreate there is no CREATE VIRTUAL TABLE, only the function. */
	static const sqlite3_module module = {
		.xConnect = vtab_connect,
		.xBestIndex = vtab_best_index,
		.xDisconnect = vtab_disconnect,
		.xOpen = vtab_open,
		.xClose = vtab_close,
		.xFilter = vtab_filter,
		.xNext = vtab_next,
		.xEof = vtab_eof,
		.xColumn = vtab_column,
		.xRowid = vtab_rowid,
	};
	return sqlite3_create_module_v2(db, table->name, &module, (void *)(uintptr_t)table, NULL);
}

void table_forget(sqlite3 *db, const struct table *table)
{
	sqlite3_create_module_v2(db, table->name, NULL, NULL, NULL);
}

/* --- arguments ---------------------------------------------------------------------------------- */

static bool wrong(const struct table_call *call, int argument, const char *type, char **error)
{
	static const char *const found[] = {
		[SQLITE_INTEGER] = "a number", [SQLITE_FLOAT] = "a fraction", [SQLITE_TEXT] = "text",
		[SQLITE_BLOB] = "a blob",      [SQLITE_NULL] = "NULL",
	};
	*error = sqlite3_mprintf("%s: %s is %s, not %s", call->table->name, call->table->arguments[argument].name, type,
				 found[sqlite3_value_type(call->arguments[argument])]);
	return false;
}

bool table_text(const struct table_call *call, int argument, const char **value, char **error)
{
	sqlite3_value *given = call->arguments[argument];
	if (given == NULL)
		return true;
	if (sqlite3_value_type(given) != SQLITE_TEXT)
		return wrong(call, argument, "text", error);
	const char *text = (const char *)sqlite3_value_text(given);
	if (text == NULL)
		return false;
	if (strlen(text) != (size_t)sqlite3_value_bytes(given)) {
		*error = sqlite3_mprintf("%s: %s has a NUL character", call->table->name,
					 call->table->arguments[argument].name);
		return false;
	}
	*value = text;
	return true;
}

bool table_integer(const struct table_call *call, int argument, int64_t *value, char **error)
{
	sqlite3_value *given = call->arguments[argument];
	if (given == NULL)
		return true;
	if (sqlite3_value_type(given) != SQLITE_INTEGER)
		return wrong(call, argument, "a whole number", error);
	*value = sqlite3_value_int64(given);
	return true;
}
