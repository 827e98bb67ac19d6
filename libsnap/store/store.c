/* Opening, transactions, versions; see snap/store.h. */
#define _POSIX_C_SOURCE 200809L
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/schema.h"

/* "SNAP", as schema/store.sql sets it. */
#define APPLICATION_ID 0x534e4150
/* How long a writer waits for others, in milliseconds, and what SQLite may keep of the file, in KiB. */
#define PATIENCE 600000
#define CACHE "65536"

#define WITHOUT_STEP " SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, c10 FROM snap_rows"

static const char *const statements[SNAP_STORE_STATEMENTS] = {
	[SNAP_FIND_DIGEST] = "SELECT id FROM snapshot WHERE digest = ?1",
	/* A process is at one moment only once: what says the same moment again is a filtered or edited copy. */
	[SNAP_FIND_PROCESS] = "SELECT id FROM process p WHERE host IS ?1 AND pid IS ?2 AND started IS ?3 AND NOT EXISTS"
			      " (SELECT 1 FROM snapshot s WHERE s.process = p.id AND s.kind = 'snapshot' AND s.time = ?4"
			      " AND s.seq IS ?5) ORDER BY id LIMIT 1",
	[SNAP_ADD_PROCESS] = "INSERT INTO process(host, pid, started) VALUES (?1, ?2, ?3)",
	[SNAP_ADD_SNAPSHOT] = "INSERT INTO snapshot(id, digest, kind, process, time, time_s, seq, uptime_s, rss_bytes,"
			      " traced_bytes, blocks, bytes, old_blocks, old_bytes, sites, has_functions, source,"
			      " member) VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN ?5 GLOB '[0-9][0-9][0-9][0-9]-*'"
			      " THEN round((julianday(?5) - 2440587.5) * 86400.0, 3) END, ?6, CAST(?7 AS REAL), ?8, ?9,"
			      " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
	[SNAP_FIND_PREVIOUS] = "SELECT previous FROM series WHERE snapshot = ?1 AND process ="
			       " (SELECT process FROM snapshot WHERE id = ?1)",
	[SNAP_FIND_LINES] = "SELECT line, bytes FROM line_total WHERE snapshot = ?1",
	[SNAP_RENEW_STEPS] = "UPDATE line_total AS t SET step_bytes = bytes - ifnull((SELECT p.bytes FROM line_total p"
			     " WHERE p.snapshot = ?1 AND p.line = t.line), 0) WHERE snapshot ="
			     " (SELECT snapshot FROM series WHERE previous = ?1 AND process ="
			     " (SELECT process FROM snapshot WHERE id = ?1))",
	[SNAP_ADD_META] = "INSERT INTO meta VALUES (?1, ?2, ?3, coalesce(?5, ?4))",
	[SNAP_ADD_FILE] = "INSERT INTO file VALUES (?1, ?2, ?3, ?4)",
	[SNAP_RENEW_PACKAGE] = "UPDATE file SET package = ?2 WHERE id = ?1 AND package <> ?2",
	[SNAP_ADD_LINE] = "INSERT INTO line VALUES (?1, ?2, ?3)",
	[SNAP_ADD_FUNCTION] = "INSERT INTO function VALUES (?1, ?2, ?3, ?4, ?5)",
	[SNAP_ADD_FRAME] = "INSERT INTO frame VALUES (?1, ?2, ?3)",
	[SNAP_ADD_NODE] = "INSERT INTO node VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[SNAP_MOVE_NODE] = "UPDATE node SET pre = ?2, post = ?3 WHERE id = ?1",
	[SNAP_ADD_SITES] = "INSERT INTO site SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9 FROM snap_rows",
	[SNAP_ADD_LINE_TOTALS] = "INSERT INTO line_total SELECT * FROM snap_rows",
	[SNAP_ADD_FILE_TOTALS] = "INSERT INTO file_total" WITHOUT_STEP,
	[SNAP_ADD_FUNCTION_TOTALS] = "INSERT INTO function_total" WITHOUT_STEP,
};

/* upgrades[v] makes of version v what version v + 1 is; version 1 is the first. */
static const char *const upgrades[SNAP_STORE_VERSION] = {NULL};

enum snap_status snap_store_statement(struct snap_store *store, enum snap_store_statement which, sqlite3_stmt **out,
                                      struct snap_error *err)
{
	sqlite3_stmt **statement = &store->statements[which];
	enum snap_status status =
		*statement != NULL ? SNAP_OK : snap_sql_prepare(statement, store->db, statements[which], err);
	*out = *statement;
	return status;
}

enum snap_status snap_store_step(sqlite3_stmt *statement, struct snap_error *err)
{
	enum snap_status status = snap_sql_step(statement, err);
	return status < 0 ? status : SNAP_OK;
}

enum snap_status snap_store_find(sqlite3_stmt *statement, int64_t *number, struct snap_error *err)
{
	enum snap_status status = snap_sql_step(statement, err);
	*number = status == SNAP_OK ? sqlite3_column_int64(statement, 0) : 0;
	sqlite3_reset(statement);
	return status < 0 ? status : SNAP_OK;
}

enum snap_status snap_store_insert(struct snap_store *store, enum snap_store_statement which, struct snap_rows rows,
                                   struct snap_error *err)
{
	sqlite3_stmt *s;
	store->rows = rows;
	enum snap_status status = snap_store_statement(store, which, &s, err);
	return status < 0 ? status : snap_store_step(s, err);
}

static void roll_back(struct snap_store *store)
{
	/* SQLite has done it already after some errors. */
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->in_transaction = false;
}

enum snap_status snap_store_upgrade(sqlite3 *db, const char *const *scripts, int64_t from, int64_t to,
                                    struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (int64_t version = from; version < to && status == SNAP_OK; version++)
		status = snap_sql_run(db, scripts[version], err);
	return status;
}

struct state {
	int64_t application, version, tables, utf8;
};

static enum snap_status read_state(sqlite3 *db, struct state *state, struct snap_error *err)
{
	enum snap_status status = snap_sql_integer(db, "PRAGMA application_id", &state->application, err);
	if (status == SNAP_OK)
		status = snap_sql_integer(db, "PRAGMA user_version", &state->version, err);
	if (status == SNAP_OK)
		status = snap_sql_integer(db, "SELECT count(*) FROM sqlite_schema", &state->tables, err);
	if (status == SNAP_OK)
		status = snap_sql_integer(db, "SELECT encoding = 'UTF-8' FROM pragma_encoding", &state->utf8, err);
	return status;
}

static bool is_empty(const struct state *state)
{
	return state->application == 0 && state->version == 0 && state->tables == 0;
}

static enum snap_status judge(const struct state *state, struct snap_error *err)
{
	if (!state->utf8)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, SNAP_NO_OFFSET,
		                 "its texts are in UTF-16, and snapshots need a database in UTF-8");
	if (is_empty(state))
		return SNAP_OK;
	if (state->application != APPLICATION_ID)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, SNAP_NO_OFFSET,
		                 "it is an SQLite database of something else (application_id 0x%08x)",
		                 (unsigned)state->application);
	if (state->version > SNAP_STORE_VERSION)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, SNAP_NO_OFFSET,
		                 "its schema has version %lld and this program knows version %d: a newer one made it",
		                 (long long)state->version, SNAP_STORE_VERSION);
	if (state->version < 1)
		return snap_fail(err, SNAP_ERR_DAMAGED, SNAP_NO_OFFSET, "its schema has no version that there is");
	return SNAP_OK;
}

/* Brings the schema up to date, when that is still to do once the database is ours. */
static enum snap_status upgrade_schema(struct snap_store *store, struct snap_error *err)
{
	struct state state;
	enum snap_status status = snap_sql_run(store->db, "BEGIN IMMEDIATE", err);
	if (status == SNAP_OK)
		status = read_state(store->db, &state, err);
	if (status == SNAP_OK)
		status = judge(&state, err);
	if (status == SNAP_OK && !is_empty(&state))
		status = snap_store_upgrade(store->db, upgrades, state.version, SNAP_STORE_VERSION, err);
	if (status == SNAP_OK)
		status = snap_sql_run(store->db, "COMMIT", err);
	if (status < 0)
		roll_back(store);
	return status;
}

static uint64_t milliseconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* SQLite asks whether to try again. */
static int wait_for_others(void *context, int tries)
{
	struct snap_store *store = context;
	uint64_t now = milliseconds_now();
	if (tries == 0)
		store->wait_begin = now;
	if (now - store->wait_begin >= PATIENCE)
		return 0;
	if (store->wait.waiting != NULL)
		store->wait.waiting(store->wait.context);
	sqlite3_sleep(tries < 6 ? 1 << tries : 50);
	return 1;
}

/* A shared lock on the folder of the database says that somebody has opened a file that may be removed again: under
 * SQLite's feet that would do harm. SQLite's own locks end when anything closes the file, so they do not serve. */
static void lock_folder(struct snap_store *store)
{
	char *end = strrchr(store->path, '/');
	char kept = end[1];
	end[1] = '\0';
	store->folder = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	end[1] = kept;
	/* Where folders cannot be locked no file is removed. */
	if (store->folder >= 0)
		flock(store->folder, LOCK_SH);
}

static void unlock_folder(struct snap_store *store)
{
	if (store->folder >= 0)
		close(store->folder);
	store->folder = -1;
}

static enum snap_status set_up(struct snap_store *store, struct snap_error *err)
{
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_handler(store->db, wait_for_others, store);
	/* What a database brings along is not to do more than hold data. */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* In a transaction, so that all of it is of one moment: others may be making the schema. */
	struct state state;
	enum snap_status status = snap_sql_run(store->db, "BEGIN", err);
	if (status == SNAP_OK)
		status = read_state(store->db, &state, err);
	roll_back(store);
	if (status == SNAP_OK)
		status = judge(&state, err);
	if (status == SNAP_OK && sqlite3_db_readonly(store->db, "main") == 1)
		status = snap_sql_fail(NULL, SQLITE_READONLY, err);
	if (status == SNAP_OK)
		/* References are right by construction; looking each one up would cost more than loading. */
		status = snap_sql_run(store->db, "PRAGMA foreign_keys = OFF; PRAGMA cache_size = -" CACHE, err);
	if (status == SNAP_OK)
		status = snap_rows_register(store->db, &store->rows, err);
	if (status == SNAP_OK && !is_empty(&state))
		unlock_folder(store);
	if (status == SNAP_OK && !is_empty(&state) && state.version < SNAP_STORE_VERSION)
		status = upgrade_schema(store, err);
	return status;
}

/* SQLite takes "", ":memory:" and "file:…" for more than names. */
static char *file_path(const char *path)
{
	char *file = malloc(strlen(path) + 3);
	if (file != NULL) {
		strcpy(file, path[0] == '/' ? "" : "./");
		strcat(file, path);
	}
	return file;
}

static enum snap_status open_file(struct snap_store *store, struct snap_error *err)
{
	/* A file of one byte is empty to SQLite, which would write over it. */
	struct stat found;
	if (stat(store->path, &found) == 0 && found.st_size == 1)
		return snap_sql_fail(NULL, SQLITE_NOTADB, err);
	lock_folder(store);
	/* SQLite does not tell whether it has made the file. */
	int made = open(store->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* SQLite would try to read what cannot be made, and say that it is not there. */
	if (made < 0 && errno != EEXIST)
		return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot open: %s", strerror(errno));
	if (made >= 0)
		close(made);
	store->made = made >= 0;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int code = sqlite3_open_v2(store->path, &store->db, flags, NULL);
	return code != SQLITE_OK ? snap_sql_fail(store->db, code, err) : set_up(store, err);
}

static void close_file(struct snap_store *store)
{
	for (size_t i = 0; i < SNAP_STORE_STATEMENTS; i++) {
		sqlite3_finalize(store->statements[i]);
		store->statements[i] = NULL;
	}
	sqlite3_close(store->db); /* rolls back */
	store->db = NULL;
}

/* Removes, and closes, the file that this store has made, if it is empty still and nobody else has opened it. */
static void remove_made(struct snap_store *store)
{
	struct state state;
	struct snap_error ignored;
	bool removed = false;
	if (store->made && store->folder >= 0 && store->db != NULL && flock(store->folder, LOCK_EX | LOCK_NB) == 0) {
		sqlite3_busy_timeout(store->db, 0);
		removed = snap_sql_run(store->db, "BEGIN IMMEDIATE", &ignored) == SNAP_OK &&
		          read_state(store->db, &state, &ignored) == SNAP_OK && is_empty(&state) &&
		          unlink(store->path) == 0;
		roll_back(store);
		sqlite3_busy_handler(store->db, wait_for_others, store);
	}
	if (removed)
		close_file(store);
	store->made = false;
	unlock_folder(store);
}

enum snap_status snap_store_open(struct snap_store **out, const char *path, const struct snap_store_wait *wait,
                                 struct snap_error *err)
{
	*out = NULL;
	struct snap_store *store = calloc(1, sizeof *store);
	if (store == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	store->folder = -1;
	if (wait != NULL)
		store->wait = *wait;
	store->path = file_path(path);
	enum snap_status status = store->path == NULL ? snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory")
	                                              : snap_pattern_glob(&store->stdlib, "@stdlib", NULL, err);
	if (status == SNAP_OK)
		status = open_file(store, err);
	if (status < 0)
		snap_store_close(store);
	else
		*out = store;
	return status;
}

static void forget_tables(struct snap_store *store)
{
	snap_tables_free(&store->tables);
	store->tables = (struct snap_tables){.budget = {0, 0}};
	store->has_tables = false;
}

/* Reads the shared tables where they are not known, or somebody else has written since. */
static enum snap_status refresh(struct snap_store *store, struct snap_error *err)
{
	int64_t version;
	enum snap_status status = snap_sql_integer(store->db, "PRAGMA data_version", &version, err);
	if (status < 0 || (store->has_tables && version == store->data_version))
		return status;
	struct snap_limits limits = snap_limits_default();
	forget_tables(store);
	store->data_version = version;
	store->has_tables = true;
	return snap_tables_read(&store->tables, store->db, &limits, err);
}

enum snap_status snap_store_begin(struct snap_store *store, struct snap_error *err)
{
	struct state state;
	if (store->in_transaction)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a transaction has begun already");
	enum snap_status status = store->db != NULL ? SNAP_OK : open_file(store, err);
	if (status == SNAP_OK)
		status = snap_sql_run(store->db, "BEGIN IMMEDIATE", err);
	if (status < 0)
		return status;
	store->in_transaction = true;
	/* A newer program may have been there meanwhile. */
	status = read_state(store->db, &state, err);
	if (status == SNAP_OK)
		status = judge(&state, err);
	if (status == SNAP_OK && is_empty(&state))
		status = snap_sql_run(store->db, snap_store_schema, err);
	if (status == SNAP_OK)
		status = refresh(store, err);
	if (status < 0)
		snap_store_rollback(store);
	return status;
}

enum snap_status snap_store_commit(struct snap_store *store, struct snap_error *err)
{
	if (!store->in_transaction)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "no transaction has begun");
	enum snap_status status = snap_sql_run(store->db, "COMMIT", err);
	if (status == SNAP_OK) {
		store->in_transaction = store->made = false;
		unlock_folder(store);
	}
	return status;
}

void snap_store_rollback(struct snap_store *store)
{
	if (!store->in_transaction)
		return;
	roll_back(store);
	forget_tables(store);
	remove_made(store);
}

void snap_store_close(struct snap_store *store)
{
	if (store == NULL)
		return;
	if (store->db != NULL)
		roll_back(store);
	remove_made(store);
	close_file(store);
	free(store->path);
	snap_pattern_free(store->stdlib);
	snap_tables_free(&store->tables);
	free(store);
}
