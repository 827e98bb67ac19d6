/* SQLite with the library's errors. */
#ifndef SNAP_STORE_SQL_H
#define SNAP_STORE_SQL_H

#include <snap/status.h>
#include <sqlite3.h>
#include <stddef.h>

/* Says what SQLite has said: `code` is what a call on `db` has just returned. */
enum snap_status snap_sql_fail(sqlite3 *db, int code, struct snap_error *err);

/* Runs statements that give no rows. */
enum snap_status snap_sql_run(sqlite3 *db, const char *sql, struct snap_error *err);

/* Prepares a statement to be used many times. */
enum snap_status snap_sql_prepare(sqlite3_stmt **out, sqlite3 *db, const char *sql, struct snap_error *err);

/* SNAP_OK with a row, or SNAP_END. Behind the end, and on failure, the statement can be run again. */
enum snap_status snap_sql_step(sqlite3_stmt *statement, struct snap_error *err);

/* The integer that a statement gives in its one row. */
enum snap_status snap_sql_integer(sqlite3 *db, const char *sql, int64_t *value, struct snap_error *err);

/* Texts that stay where they are until the statement was run; NULL binds null. */
enum snap_status snap_sql_bind_text(sqlite3_stmt *statement, int at, const char *text, size_t size,
                                    struct snap_error *err);
/* UTF-8 as it is, with U+FFFD for each maximal part that is none; SQLite keeps a copy. `raw` gets the
 * bytes where they differ, else null; 0 = is not wanted. */
enum snap_status snap_sql_bind_name(sqlite3_stmt *statement, int at, int raw, const char *bytes, size_t size,
                                    struct snap_error *err);

#endif
