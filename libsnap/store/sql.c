/* Errors and small helpers; see sql.h. */
#include "store/sql.h"

#include <errno.h>
#include <string.h>

#include "store/text.h"

enum snap_status snap_sql_fail(sqlite3 *db, int code, struct snap_error *err)
{
	int extended = db != NULL ? sqlite3_extended_errcode(db) : code;
	errno = db != NULL ? sqlite3_system_errno(db) : 0;
	const char *reason = errno != 0 ? strerror(errno) : sqlite3_errstr(extended);
	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	case SQLITE_FULL:
		errno = ENOSPC;
		return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot write: %s", strerror(ENOSPC));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "another program keeps the database locked");
	case SQLITE_READONLY:
		return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot write: the database is read-only");
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot open: %s", reason);
	case SQLITE_IOERR:
		if (extended == SQLITE_IOERR_NOMEM)
			return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot %s: %s",
		                 extended == SQLITE_IOERR_READ || extended == SQLITE_IOERR_SHORT_READ ? "read" : "write",
		                 reason);
	case SQLITE_NOTADB:
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, SNAP_NO_OFFSET, "it is no SQLite database");
	case SQLITE_CORRUPT:
		return snap_fail(err, SNAP_ERR_DAMAGED, SNAP_NO_OFFSET, "the database is damaged: %s",
		                 sqlite3_errmsg(db));
	case SQLITE_TOOBIG:
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "the database takes no values of that length");
	default:
		/* A table that is not as it was made, a trigger that refuses. */
		return snap_fail(err, SNAP_ERR_DAMAGED, SNAP_NO_OFFSET, "the database does not take it: %s",
		                 sqlite3_errmsg(db));
	}
}

enum snap_status snap_sql_run(sqlite3 *db, const char *sql, struct snap_error *err)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? SNAP_OK : snap_sql_fail(db, code, err);
}

enum snap_status snap_sql_prepare(sqlite3_stmt **out, sqlite3 *db, const char *sql, struct snap_error *err)
{
	int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	return code == SQLITE_OK ? SNAP_OK : snap_sql_fail(db, code, err);
}

enum snap_status snap_sql_step(sqlite3_stmt *statement, struct snap_error *err)
{
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return SNAP_OK;
	enum snap_status status = SNAP_END;
	if (code != SQLITE_DONE)
		status = snap_sql_fail(sqlite3_db_handle(statement), code, err);
	sqlite3_reset(statement);
	return status;
}

enum snap_status snap_sql_integer(sqlite3 *db, const char *sql, int64_t *value, struct snap_error *err)
{
	sqlite3_stmt *statement;
	enum snap_status status = snap_sql_prepare(&statement, db, sql, err);
	if (status < 0)
		return status;
	status = snap_sql_step(statement, err);
	if (status == SNAP_OK)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return status < 0 ? status : SNAP_OK;
}

enum snap_status snap_sql_bind_text(sqlite3_stmt *statement, int at, const char *text, size_t size,
                                    struct snap_error *err)
{
	int code = text == NULL ? sqlite3_bind_null(statement, at)
	                        : sqlite3_bind_text64(statement, at, text, size, SQLITE_STATIC, SQLITE_UTF8);
	return code == SQLITE_OK ? SNAP_OK : snap_sql_fail(sqlite3_db_handle(statement), code, err);
}

enum snap_status snap_sql_bind_name(sqlite3_stmt *statement, int at, int raw, const char *bytes, size_t size,
                                    struct snap_error *err)
{
	int code = raw == 0 ? SQLITE_OK : sqlite3_bind_null(statement, raw);
	if (code != SQLITE_OK)
		return snap_sql_fail(sqlite3_db_handle(statement), code, err);
	if (snap_text_is_valid(bytes, size))
		return snap_sql_bind_text(statement, at, size > 0 ? bytes : "", size, err);
	size_t length = snap_text_repaired_size(bytes, size);
	char *repaired = sqlite3_malloc64(length + 1);
	if (repaired == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	snap_text_repair(bytes, size, repaired);
	code = sqlite3_bind_text64(statement, at, repaired, length, sqlite3_free, SQLITE_UTF8);
	if (code == SQLITE_OK && raw != 0)
		code = sqlite3_bind_blob64(statement, raw, bytes, size, SQLITE_STATIC);
	return code == SQLITE_OK ? SNAP_OK : snap_sql_fail(sqlite3_db_handle(statement), code, err);
}
