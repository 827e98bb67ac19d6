/* Rows of integers that a statement selects from: one statement inserts them all, which takes half the
 * time of running one for each. */
#ifndef SNAP_STORE_ROWS_H
#define SNAP_STORE_ROWS_H

#include <snap/status.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

enum { SNAP_ROW_COLUMNS = 11 };

/* What the table snap_rows(c1, …, c11) of a connection shows. */
struct snap_rows {
	const void *context;
	/* Fills the columns of the next row from *cursor on, which is 0 at first; false behind the last. */
	bool (*next)(const void *context, size_t *cursor, int64_t values[SNAP_ROW_COLUMNS]);
	unsigned columns; /* bit i - 1 for column i; the others are null */
};

/* Makes the table; `rows` is borrowed as long as the connection is open, and may change between statements. */
enum snap_status snap_rows_register(sqlite3 *db, struct snap_rows *rows, struct snap_error *err);

#endif
