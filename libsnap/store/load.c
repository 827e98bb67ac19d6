/* One snapshot into the database; see snap/store.h. */
#include <inttypes.h>
#include <snap/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/enroll.h"
#include "store/sites.h"
#include "store/store.h"
#include "store/totals.h"
#include "store/tree.h"

enum { DIGEST_SIZE = 33 };

/* A metadata value that is a number as it should be, else NULL. */
static const char *number(const struct snap_meta *meta, const char *key, bool fraction)
{
	const char *value = snap_meta_get(meta, key);
	if (value == NULL || value[0] == '\0' || strlen(value) > 18)
		return NULL;
	size_t digits = strspn(value, "0123456789");
	if (fraction && digits > 0 && value[digits] == '.')
		digits += 1 + strspn(value + digits + 1, "0123456789");
	return value[digits] == '\0' ? value : NULL;
}

/* The column makes a number of it. */
static enum snap_status bind_number(sqlite3_stmt *s, int at, const char *value, struct snap_error *err)
{
	return snap_sql_bind_text(s, at, value, value != NULL ? strlen(value) : 0, err);
}

static enum snap_status bind_meta(sqlite3_stmt *s, int at, const struct snap_meta *meta, const char *key,
                                  struct snap_error *err)
{
	const char *value = snap_meta_get(meta, key);
	if (value != NULL)
		return snap_sql_bind_name(s, at, 0, value, strlen(value), err);
	sqlite3_bind_null(s, at);
	return SNAP_OK;
}

static enum snap_status find_digest(struct snap_store *store, const char *digest, int64_t *id, struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_FIND_DIGEST, &s, err);
	if (status == SNAP_OK)
		status = snap_sql_bind_text(s, 1, digest, strlen(digest), err);
	return status < 0 ? status : snap_store_find(s, id, err);
}

static enum snap_status bind_process(sqlite3_stmt *s, const struct snap_meta *meta, struct snap_error *err)
{
	enum snap_status status = bind_meta(s, 1, meta, "host", err);
	const char *pid = number(meta, "pid", false);
	if (pid != NULL)
		sqlite3_bind_int64(s, 2, strtoll(pid, NULL, 10));
	else
		sqlite3_bind_null(s, 2);
	return status < 0 ? status : bind_meta(s, 3, meta, "start_time", err);
}

/* What a copy of a snapshot of the process would have in common with it; nothing where it has no time of its own. */
static enum snap_status bind_moment(sqlite3_stmt *s, const struct snap_meta *meta, bool diff, struct snap_error *err)
{
	sqlite3_bind_null(s, 4);
	enum snap_status status = diff ? SNAP_OK : bind_meta(s, 4, meta, "time", err);
	return status < 0 ? status : bind_number(s, 5, number(meta, "seq", false), err);
}

static enum snap_status enroll_process(struct snap_store *store, const struct snap_meta *meta, bool diff, int64_t *id,
                                       struct snap_error *err)
{
	sqlite3_stmt *find, *insert;
	enum snap_status status = snap_store_statement(store, SNAP_FIND_PROCESS, &find, err);
	if (status == SNAP_OK)
		status = bind_process(find, meta, err);
	if (status == SNAP_OK)
		status = bind_moment(find, meta, diff, err);
	if (status == SNAP_OK)
		status = snap_store_find(find, id, err);
	if (status < 0 || *id != 0)
		return status;
	status = snap_store_statement(store, SNAP_ADD_PROCESS, &insert, err);
	if (status == SNAP_OK)
		status = bind_process(insert, meta, err);
	if (status == SNAP_OK)
		status = snap_store_step(insert, err);
	*id = sqlite3_last_insert_rowid(store->db);
	return status;
}

/* With all that the tables know of it: a trigger sees to that. */
static enum snap_status remove_snapshot(struct snap_store *store, int64_t id, struct snap_error *err)
{
	char sql[100];
	snprintf(sql, sizeof sql, "DELETE FROM snapshot WHERE id = %" PRId64, id);
	return snap_sql_run(store->db, sql, err);
}

struct loading {
	struct snap_store *store;
	const struct snap_snapshot *s;
	const struct snap_store_options *options;
	const char *digest;
	const struct snap_meta *meta; /* with what is set over it */
	bool diff, functions;
	struct snap_store_site *sites;
	size_t site_count;
	int64_t id; /* 0 = the next one */
};

static enum snap_status add_snapshot(struct loading *l, struct snap_error *err)
{
	sqlite3_stmt *s;
	int64_t process = 0;
	const struct snap_meta *meta = l->meta;
	enum snap_status status = enroll_process(l->store, meta, l->diff, &process, err);
	if (status == SNAP_OK)
		status = snap_store_statement(l->store, SNAP_ADD_SNAPSHOT, &s, err);
	if (status < 0)
		return status;
	if (l->id != 0)
		sqlite3_bind_int64(s, 1, l->id);
	else
		sqlite3_bind_null(s, 1);
	status = snap_sql_bind_text(s, 2, l->digest, strlen(l->digest), err);
	sqlite3_bind_text(s, 3, l->diff ? "diff" : "snapshot", -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, process);
	if (status == SNAP_OK)
		status = bind_meta(s, 5, meta, "time", err);
	static const char *const numbers[] = {"seq", "uptime_s", "rss_bytes", "traced_bytes"};
	for (int i = 0; i < 4 && status == SNAP_OK; i++)
		status = bind_number(s, 6 + i, number(meta, numbers[i], i == 1), err);
	for (int c = 0; c < 4; c++)
		if (c < 2 || l->diff)
			sqlite3_bind_int64(s, 10 + c, l->s->totals[c]);
		else
			sqlite3_bind_null(s, 10 + c);
	sqlite3_bind_int64(s, 14, (int64_t)l->site_count);
	sqlite3_bind_int64(s, 15, l->functions);
	if (l->options->source != NULL && status == SNAP_OK)
		status = snap_sql_bind_name(s, 16, 0, l->options->source, strlen(l->options->source), err);
	else
		sqlite3_bind_null(s, 16);
	if (l->options->member != 0)
		sqlite3_bind_int64(s, 17, (int64_t)l->options->member);
	else
		sqlite3_bind_null(s, 17);
	if (status == SNAP_OK)
		status = snap_store_step(s, err);
	l->id = sqlite3_last_insert_rowid(l->store->db);
	return status;
}

static enum snap_status add_meta(struct loading *l, struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(l->store, SNAP_ADD_META, &s, err);
	for (size_t i = 0; i < snap_meta_count(l->meta) && status == SNAP_OK; i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(l->meta, i, &value, &size);
		sqlite3_bind_int64(s, 1, l->id);
		sqlite3_bind_int64(s, 2, (int64_t)i + 1);
		status = snap_sql_bind_name(s, 3, 0, key, strlen(key), err);
		if (status == SNAP_OK)
			status = snap_sql_bind_name(s, 4, 5, value, size, err);
		if (status == SNAP_OK)
			status = snap_store_step(s, err);
	}
	return status;
}

static bool next_site(const void *context, size_t *cursor, int64_t values[SNAP_ROW_COLUMNS])
{
	const struct loading *l = context;
	if (*cursor == l->site_count)
		return false;
	const struct snap_store_site *site = &l->sites[(*cursor)++];
	values[0] = l->id;
	values[1] = (int64_t)site->node + 1;
	values[2] = site->total;
	values[3] = site->domain;
	values[4] = (int64_t)site->size;
	memcpy(&values[5], site->values, sizeof site->values);
	return true;
}

static enum snap_status add_sites(struct loading *l, struct snap_error *err)
{
	return snap_store_insert(l->store, SNAP_ADD_SITES, (struct snap_rows){l, next_site, l->diff ? 0x1ff : 0x7f}, err);
}

static enum snap_status find_sites(struct loading *l, struct snap_error *err)
{
	const struct snap_snapshot *s = l->s;
	uint32_t *frames = malloc((s->frame_file.count + s->stack_node.count + 1) * sizeof *frames);
	if (frames == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	uint32_t *nodes = frames + s->frame_file.count;
	enum snap_status status = snap_enroll_frames(l->store, s, frames, &l->functions, err);
	if (status == SNAP_OK)
		status = snap_tree_nodes(l->store, s, frames, nodes, err);
	if (status == SNAP_OK)
		status = snap_store_sites(s, nodes, &l->sites, &l->site_count, err);
	free(frames);
	return status;
}

static enum snap_status load(struct loading *l, struct snap_error *err)
{
	enum snap_status status = l->id != 0 ? remove_snapshot(l->store, l->id, err) : SNAP_OK;
	if (status == SNAP_OK)
		status = find_sites(l, err);
	if (status == SNAP_OK)
		status = add_snapshot(l, err);
	if (status == SNAP_OK)
		status = add_meta(l, err);
	if (status == SNAP_OK)
		status = add_sites(l, err);
	if (status == SNAP_OK)
		status = snap_store_totals(l->store, l->id, l->sites, l->site_count, l->diff, l->functions, err);
	free(l->sites);
	return status;
}

static enum snap_status copy_meta(struct snap_meta **out, const struct snap_meta *own, const struct snap_meta *extra,
                                  struct snap_error *err)
{
	enum snap_status status = snap_meta_copy(out, own, err);
	for (size_t i = 0; status == SNAP_OK && extra != NULL && i < snap_meta_count(extra); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(extra, i, &value, &size);
		status = snap_meta_set(*out, key, value, size, err);
	}
	return status;
}

/* The digest without a time that is only the file's: copied or packed, a dump stays the same dump. */
static enum snap_status identify(const struct snap_snapshot *s, uint64_t digest[2], struct snap_error *err)
{
	static const char *const sides[] = {"", SNAP_META_OLD};
	struct snap_snapshot timeless = *s;
	enum snap_status status = snap_meta_copy(&timeless.meta, s->meta, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < 2; i++) {
		char key[32];
		snprintf(key, sizeof key, "%stime_source", sides[i]);
		const char *source = snap_meta_get(timeless.meta, key);
		if (source == NULL || strcmp(source, "file modification time") != 0)
			continue;
		snap_meta_remove(timeless.meta, key);
		snprintf(key, sizeof key, "%stime", sides[i]);
		snap_meta_remove(timeless.meta, key);
	}
	status = snap_snapshot_digest(&timeless, digest, err);
	snap_meta_free(timeless.meta);
	return status;
}

enum snap_status snap_store_load(struct snap_store *store, const struct snap_snapshot *s,
                                 const struct snap_store_options *options, enum snap_store_result *result,
                                 struct snap_error *err)
{
	static const struct snap_store_options none;
	uint64_t digest[2];
	char text[DIGEST_SIZE];
	struct snap_meta *meta = NULL;
	struct loading l = {.store = store, .s = s, .options = options != NULL ? options : &none, .digest = text,
	                    .diff = snap_snapshot_is_diff(s)};
	if (!store->in_transaction)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "no transaction has begun");
	enum snap_status status = identify(s, digest, err);
	if (status < 0)
		return status;
	snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, digest[0], digest[1]);
	status = find_digest(store, text, &l.id, err);
	if (status < 0)
		return status;
	*result = l.id == 0 ? SNAP_STORE_LOADED : l.options->replace ? SNAP_STORE_REPLACED : SNAP_STORE_THERE;
	if (*result == SNAP_STORE_THERE)
		return SNAP_OK;
	status = copy_meta(&meta, s->meta, l.options->extra, err);
	l.meta = meta;
	if (status == SNAP_OK)
		status = load(&l, err);
	snap_meta_free(meta);
	return status;
}
