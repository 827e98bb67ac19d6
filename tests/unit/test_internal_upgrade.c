/* A schema that is older is brought up to date step by step, or stays as it was. */
#define _GNU_SOURCE
#include "store/store.h"
#include "test.h"

static int64_t version(sqlite3 *db)
{
	struct snap_error err;
	int64_t found = -1;
	CHECK_OK(snap_sql_integer(db, "PRAGMA user_version", &found, &err), &err);
	return found;
}

TEST(step_by_step)
{
	static const char *const scripts[] = {
		NULL,
		"CREATE TABLE a(x); PRAGMA user_version = 2",
		"ALTER TABLE a ADD COLUMN y; PRAGMA user_version = 3",
		"INSERT INTO missing VALUES (1)",
	};
	sqlite3 *db;
	struct snap_error err;
	CHECK_INT(sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
	CHECK_OK(snap_sql_run(db, "PRAGMA user_version = 1; BEGIN", &err), &err);
	CHECK_OK(snap_store_upgrade(db, scripts, 1, 1, &err), &err);
	CHECK_INT(version(db), 1);
	CHECK_OK(snap_store_upgrade(db, scripts, 1, 3, &err), &err);
	CHECK_INT(version(db), 3);
	CHECK_OK(snap_sql_run(db, "COMMIT; INSERT INTO a(x, y) VALUES (1, 2); BEGIN", &err), &err);
	CHECK_INT(snap_store_upgrade(db, scripts, 1, 3, &err), SNAP_ERR_DAMAGED);
	CHECK_INT(snap_store_upgrade(db, scripts, 3, 4, &err), SNAP_ERR_DAMAGED);
	CHECK_OK(snap_sql_run(db, "ROLLBACK", &err), &err);
	CHECK_INT(version(db), 3);
	sqlite3_close(db);
}
