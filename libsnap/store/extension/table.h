/* Table-valued functions for SQLite from a description of their columns: planning, cursors and errors are
 * the same for all of them; what differs is how rows are come by. */
#ifndef SNAP_STORE_EXTENSION_TABLE_H
#define SNAP_STORE_EXTENSION_TABLE_H

#include <sqlite3ext.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

SQLITE_EXTENSION_INIT3

enum { TABLE_ARGUMENTS_MAX = 4, TABLE_NO_COLUMN = -1 };

struct table_column {
	const char *name, *type;
};

/* One use of a function in a query. */
struct table_call {
	const struct table *table;
	sqlite3_value *arguments[TABLE_ARGUMENTS_MAX]; /* borrowed as long as the rows live; NULL = left out */
	int64_t only; /* rows with another value in `table->selected` need not come; 0 = all are wanted */
	size_t top;   /* rows behind this many need not come; 0 = all are wanted */
};

/* Where a function fails, it returns false with *error, which is sqlite3_free's; NULL is "out of memory". */
struct table {
	const char *name;
	const char *usage; /* how it is called */
	const struct table_column *columns, *arguments;
	int column_count, argument_count;
	int required; /* so many arguments have to be given */
	int selected; /* an integer column > 0 of which open() heeds `only`, or TABLE_NO_COLUMN */
	int rank;     /* the column that numbers the rows in their order, or TABLE_NO_COLUMN; with it open() heeds
	                 `top` */
	double rows;  /* about so many, for the planner */

	/* The cursor stands before the first row. *rows is closed also where this fails. */
	bool (*open)(void **rows, const struct table_call *call, char **error);
	/* Goes back before the first row; false where the rows have to be opened anew. */
	bool (*again)(void *rows);
	bool (*next)(void *rows, bool *over, char **error);
	void (*column)(void *rows, sqlite3_context *context, int column);
	void (*close)(void *rows); /* takes NULL */
};

/* Makes the function known, or forgotten; SQLite's result code. */
int table_register(sqlite3 *db, const struct table *table);
void table_forget(sqlite3 *db, const struct table *table);

/* The value of an argument, *value untouched where it was left out. False when it is of another type. */
bool table_text(const struct table_call *call, int argument, const char **value, char **error);
bool table_integer(const struct table_call *call, int argument, int64_t *value, char **error);

#endif
