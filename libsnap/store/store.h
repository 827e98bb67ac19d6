/* An open database from inside. */
#ifndef SNAP_STORE_STORE_H
#define SNAP_STORE_STORE_H

#include <snap/limits.h>
#include <snap/pattern.h>
#include <snap/store.h>

#include "store/rows.h"
#include "store/tables.h"

enum snap_store_statement {
	SNAP_FIND_DIGEST,
	SNAP_FIND_PROCESS,
	SNAP_ADD_PROCESS,
	SNAP_ADD_SNAPSHOT,
	SNAP_FIND_PREVIOUS,
	SNAP_FIND_LINES,
	SNAP_RENEW_STEPS,
	SNAP_ADD_META,
	SNAP_ADD_FILE,
	SNAP_RENEW_PACKAGE,
	SNAP_ADD_LINE,
	SNAP_ADD_FUNCTION,
	SNAP_ADD_FRAME,
	SNAP_ADD_NODE,
	SNAP_MOVE_NODE,
	SNAP_ADD_SITES, /* this and those below from snap_rows */
	SNAP_ADD_LINE_TOTALS,
	SNAP_ADD_FILE_TOTALS,
	SNAP_ADD_FUNCTION_TOTALS,
	SNAP_STORE_STATEMENTS,
};

struct snap_store {
	sqlite3 *db;
	char *path;
	bool made;  /* the file, and nothing is committed yet */
	int folder; /* locked while the file may be removed, else -1 */
	struct snap_store_wait wait;
	uint64_t wait_begin; /* in milliseconds */
	struct snap_pattern *stdlib;
	sqlite3_stmt *statements[SNAP_STORE_STATEMENTS]; /* prepared when they are first needed */
	struct snap_rows rows;
	bool in_transaction;
	struct snap_tables tables;
	bool has_tables;      /* they are those of the database … */
	int64_t data_version; /* … as long as nobody else has written */
};

/* A statement with nothing bound to it that matters. */
enum snap_status snap_store_statement(struct snap_store *store, enum snap_store_statement which, sqlite3_stmt **out,
                                      struct snap_error *err);

/* Runs one that gives no rows. */
enum snap_status snap_store_step(sqlite3_stmt *statement, struct snap_error *err);

/* The number that one gives, or 0 if it gives none. */
enum snap_status snap_store_find(sqlite3_stmt *statement, int64_t *number, struct snap_error *err);

/* Runs one that inserts rows from snap_rows. */
enum snap_status snap_store_insert(struct snap_store *store, enum snap_store_statement which, struct snap_rows rows,
                                   struct snap_error *err);

/* Brings a database from one version of the schema to another: `scripts[v]` leads from v to v + 1. For
 * what stands in a transaction. */
enum snap_status snap_store_upgrade(sqlite3 *db, const char *const *scripts, int64_t from, int64_t to,
                                    struct snap_error *err);

#endif
