/* Databases through the public header: what a store says of each load, and what it leaves behind. */
#define _GNU_SOURCE
#include <snap/diff.h>
#include <snap/store.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "random_snapshot.h"
#include "test.h"

/* In the test's folder; to be freed. */
static char *path_to(const char *name)
{
	size_t size = strlen(test_folder()) + strlen(name) + 2;
	char *path = bag_memory(NULL, size, 1);
	snprintf(path, size, "%s/%s", test_folder(), name);
	return path;
}

static int64_t ask(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t answer = INT64_MIN;
	CHECK_INT(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK) &&
	    CHECK_INT(sqlite3_step(statement), SQLITE_ROW))
		answer = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return answer;
}

static void check_whole(const char *path)
{
	CHECK_INT(ask(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
	CHECK_INT(ask(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	CHECK_INT(ask(path, "PRAGMA application_id"), 0x534e4150);
	CHECK_INT(ask(path, "PRAGMA user_version"), SNAP_STORE_VERSION);
}

static struct snap_store *store_open(const char *path)
{
	struct snap_store *store = NULL;
	struct snap_error err;
	told_must(snap_store_open(&store, path, NULL, &err), &err);
	return store;
}

static struct snap_snapshot *some(const struct shape *shape, uint64_t seed)
{
	struct told told = told_random(shape, seed);
	struct snap_snapshot *s = told_snapshot(&told, told.sites, told.site_count, NULL);
	told_free(&told);
	return s;
}

/* Every shape there is, in one database, each seed in a transaction. */
TEST(snapshots_of_all_shapes)
{
	char *path = path_to("all.db");
	struct snap_store *store = store_open(path);
	struct snap_error err;
	enum snap_store_result result;
	int64_t sites = 0, distinct = 0;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		CHECK_OK(snap_store_begin(store, &err), &err);
		for (size_t i = 0; i < SMALL_SHAPES; i++) {
			struct snap_snapshot *s = some(&small_shapes[i], seed);
			if (CHECK_OK(snap_store_load(store, s, NULL, &result, &err), &err) &&
			    result == SNAP_STORE_LOADED) {
				sites += (int64_t)snap_snapshot_sites(s);
				distinct++;
			}
			CHECK_OK(snap_store_load(store, s, NULL, &result, &err), &err);
			CHECK_INT(result, SNAP_STORE_THERE);
			snap_snapshot_free(s);
		}
		CHECK_OK(snap_store_commit(store, &err), &err);
	}
	snap_store_close(store);
	check_whole(path);
	CHECK_INT(ask(path, "SELECT count(*) FROM snapshot"), distinct);
	CHECK_INT(ask(path, "SELECT count(*) FROM site"), sites);
	CHECK_INT(ask(path, "SELECT count(*) FROM node c JOIN node p ON p.id = c.parent"
	                    " WHERE c.pre <= p.pre OR c.post >= p.post OR c.depth <> p.depth + 1"), 0);
	CHECK_INT(ask(path, "SELECT count(*) FROM snapshot s WHERE bytes <> (SELECT ifnull(sum(bytes), 0) FROM line_total"
	                    " WHERE snapshot = s.id)"), 0);
	free(path);
}

TEST(what_is_not_committed_is_not_there)
{
	char *path = path_to("rollback.db");
	struct snap_store *store = store_open(path);
	struct snap_snapshot *s = some(&small_shapes[3], 1);
	struct snap_error err;
	enum snap_store_result result;
	CHECK_INT(snap_store_load(store, s, NULL, &result, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_store_commit(store, &err), SNAP_ERR_INVALID);
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK_INT(snap_store_begin(store, &err), SNAP_ERR_INVALID);
	CHECK_OK(snap_store_load(store, s, NULL, &result, &err), &err);
	snap_store_rollback(store);
	snap_store_rollback(store);
	CHECK_INT(access(path, F_OK), -1);
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK_OK(snap_store_load(store, s, NULL, &result, &err), &err);
	CHECK_INT(result, SNAP_STORE_LOADED);
	snap_store_close(store);
	CHECK_INT(access(path, F_OK), -1);
	store = store_open(path);
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK_OK(snap_store_commit(store, &err), &err);
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK_OK(snap_store_load(store, s, NULL, &result, &err), &err);
	snap_store_rollback(store);
	CHECK_INT(ask(path, "SELECT count(*) FROM node"), 0);
	snap_store_close(store);
	check_whole(path);
	snap_snapshot_free(s);
	snap_store_close(NULL);
	free(path);
}

/* The file that one makes, and fails to fill, stays while another has it open; and one that was there stays, empty
 * as it is. */
TEST(files_of_others_stay)
{
	char *path = path_to("shared.db");
	struct snap_store *first = store_open(path), *second = store_open(path);
	struct snap_snapshot *s = some(&small_shapes[3], 1);
	struct snap_error err;
	enum snap_store_result result;
	CHECK_OK(snap_store_begin(first, &err), &err);
	CHECK_OK(snap_store_load(first, s, NULL, &result, &err), &err);
	snap_store_rollback(first);
	CHECK_INT(access(path, F_OK), 0);
	CHECK_OK(snap_store_begin(second, &err), &err);
	CHECK_OK(snap_store_load(second, s, NULL, &result, &err), &err);
	CHECK_OK(snap_store_commit(second, &err), &err);
	CHECK_OK(snap_store_begin(first, &err), &err);
	CHECK_OK(snap_store_load(first, s, NULL, &result, &err), &err);
	CHECK_INT(result, SNAP_STORE_THERE);
	snap_store_rollback(first);
	snap_store_close(first);
	snap_store_close(second);
	check_whole(path);
	CHECK_INT(ask(path, "SELECT count(*) FROM snapshot"), 1);
	CHECK_INT(truncate(path, 0), 0);
	snap_store_close(store_open(path));
	CHECK_INT(access(path, F_OK), 0);
	CHECK_INT(unlink(path), 0);
	snap_store_close(store_open(path));
	CHECK_INT(access(path, F_OK), -1);
	snap_snapshot_free(s);
	free(path);
}

static void count_calls(void *calls)
{
	++*(unsigned *)calls;
}

/* A child holds the lock until it is seen that somebody waits. */
TEST(waiting_is_told)
{
	char *path = path_to("waiting.db");
	unsigned calls = 0;
	struct snap_error err;
	struct snap_store *store;
	told_must(snap_store_open(&store, path, &(struct snap_store_wait){count_calls, &calls}, &err), &err);
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK_OK(snap_store_commit(store, &err), &err);
	CHECK_INT(calls, 0);
	int ready[2];
	CHECK_INT(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct snap_store *other;
		bool locked = snap_store_open(&other, path, NULL, &err) == SNAP_OK &&
			      snap_store_begin(other, &err) == SNAP_OK && write(ready[1], "", 1) == 1;
		usleep(200000);
		_exit(locked ? 0 : 1);
	}
	char byte;
	CHECK_INT(read(ready[0], &byte, 1), 1);
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK(calls > 1);
	int status;
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	snap_store_close(store);
	free(path);
}

TEST(two_stores_take_turns)
{
	char *path = path_to("two.db");
	struct snap_store *stores[2] = {store_open(path), store_open(path)};
	struct snap_error err;
	enum snap_store_result result;
	for (uint64_t i = 0; i < 6; i++) {
		struct snap_snapshot *s = some(&small_shapes[9], 1 + i);
		CHECK_OK(snap_store_begin(stores[i % 2], &err), &err);
		CHECK_OK(snap_store_load(stores[i % 2], s, NULL, &result, &err), &err);
		CHECK_OK(snap_store_commit(stores[i % 2], &err), &err);
		CHECK_INT(result, SNAP_STORE_LOADED);
		snap_snapshot_free(s);
	}
	snap_store_close(stores[0]);
	snap_store_close(stores[1]);
	check_whole(path);
	CHECK_INT(ask(path, "SELECT count(*) FROM snapshot"), 6);
	CHECK_INT(ask(path, "SELECT count(*) FROM (SELECT 1 FROM node GROUP BY parent, frame HAVING count(*) > 1)"), 0);
	free(path);
}

TEST(options)
{
	char *path = path_to("options.db");
	struct snap_store *store = store_open(path);
	struct snap_snapshot *s = some(&small_shapes[1], 1);
	struct snap_meta *extra;
	struct snap_error err;
	enum snap_store_result result;
	told_must(snap_meta_new(&extra, &err), &err);
	told_must(snap_meta_set(extra, "label.bad", "\xff", 1, &err), &err);
	struct snap_store_options options = {.extra = extra, .source = "it's", .member = 7};
	CHECK_OK(snap_store_begin(store, &err), &err);
	CHECK_OK(snap_store_load(store, s, &options, &result, &err), &err);
	options.replace = true;
	CHECK_OK(snap_store_load(store, s, &options, &result, &err), &err);
	CHECK_INT(result, SNAP_STORE_REPLACED);
	CHECK_OK(snap_store_commit(store, &err), &err);
	snap_store_close(store);
	check_whole(path);
	CHECK_INT(ask(path, "SELECT count(*) FROM snapshot WHERE id = 1 AND source = 'it''s' AND member = 7"), 1);
	CHECK_INT(ask(path, "SELECT value = x'ff' AND typeof(value) = 'blob' FROM meta WHERE key = 'label.bad'"), 1);
	CHECK_INT(snap_meta_count(snap_snapshot_meta(s)), 1);
	snap_meta_free(extra);
	snap_snapshot_free(s);
	free(path);
}

TEST(folders_and_missing_folders)
{
	struct snap_store *store;
	struct snap_error err;
	char *path = path_to("none/a.db");
	CHECK_INT(snap_store_open(&store, path, NULL, &err), SNAP_ERR_IO);
	CHECK(store == NULL);
	free(path);
	CHECK_INT(snap_store_open(&store, "/", NULL, &err), SNAP_ERR_IO);
}
