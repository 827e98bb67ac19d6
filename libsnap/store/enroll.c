/* See enroll.h. */
#include "store/enroll.h"

#include <stdlib.h>

#include "store/package.h"

static enum snap_status add_file(struct snap_store *store, uint32_t row, struct snap_text name,
                                 const struct snap_package_roots *roots, struct snap_error *err)
{
	sqlite3_stmt *s;
	struct snap_text package;
	enum snap_status status = snap_store_statement(store, SNAP_ADD_FILE, &s, err);
	if (status == SNAP_OK && !snap_package_below(name, roots, &package))
		status = snap_package_of(name, store->stdlib, &package, err);
	if (status < 0)
		return status;
	sqlite3_bind_int64(s, 1, (int64_t)row + 1);
	status = snap_sql_bind_name(s, 2, 4, name.bytes, name.size, err);
	if (status == SNAP_OK)
		status = snap_sql_bind_name(s, 3, 0, package.bytes, package.size, err);
	return status < 0 ? status : snap_store_step(s, err);
}

/* A file that was there may have come with a snapshot that did not know the roots. */
static enum snap_status renew_package(struct snap_store *store, uint32_t row, struct snap_text name,
                                      const struct snap_package_roots *roots, struct snap_error *err)
{
	sqlite3_stmt *s;
	struct snap_text package;
	if (!snap_package_below(name, roots, &package))
		return SNAP_OK;
	enum snap_status status = snap_store_statement(store, SNAP_RENEW_PACKAGE, &s, err);
	if (status < 0)
		return status;
	sqlite3_bind_int64(s, 1, (int64_t)row + 1);
	status = snap_sql_bind_name(s, 2, 0, package.bytes, package.size, err);
	return status < 0 ? status : snap_store_step(s, err);
}

static enum snap_status add_line(struct snap_store *store, uint32_t row, uint32_t file, uint32_t number,
                                 struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_ADD_LINE, &s, err);
	if (status < 0)
		return status;
	sqlite3_bind_int64(s, 1, (int64_t)row + 1);
	sqlite3_bind_int64(s, 2, (int64_t)file + 1);
	sqlite3_bind_int64(s, 3, number);
	return snap_store_step(s, err);
}

/* With a name, or with the line that it stands for. */
static enum snap_status add_function(struct snap_store *store, uint32_t row, uint32_t file, struct snap_text name,
                                     uint32_t line, struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_ADD_FUNCTION, &s, err);
	if (status < 0)
		return status;
	sqlite3_bind_int64(s, 1, (int64_t)row + 1);
	sqlite3_bind_int64(s, 2, (int64_t)file + 1);
	if (name.bytes != NULL) {
		status = snap_sql_bind_name(s, 3, 5, name.bytes, name.size, err);
		sqlite3_bind_null(s, 4);
	} else {
		sqlite3_bind_null(s, 3);
		sqlite3_bind_int64(s, 4, line);
		sqlite3_bind_null(s, 5);
	}
	return status < 0 ? status : snap_store_step(s, err);
}

static enum snap_status add_frame(struct snap_store *store, uint32_t row, uint32_t line, uint32_t function,
                                  struct snap_error *err)
{
	sqlite3_stmt *s;
	enum snap_status status = snap_store_statement(store, SNAP_ADD_FRAME, &s, err);
	if (status < 0)
		return status;
	sqlite3_bind_int64(s, 1, (int64_t)row + 1);
	sqlite3_bind_int64(s, 2, (int64_t)line + 1);
	if (function == SNAP_NONE)
		sqlite3_bind_null(s, 3);
	else
		sqlite3_bind_int64(s, 3, (int64_t)function + 1);
	return snap_store_step(s, err);
}

/* `file` is the row of the frame's file. With `functions` a frame without one gets its line's. */
static enum snap_status enroll_frame(struct snap_store *store, struct snap_frame frame, uint32_t file, bool functions,
                                     uint32_t *row, struct snap_error *err)
{
	struct snap_tables *t = &store->tables;
	uint32_t line, function = SNAP_NONE;
	bool added;
	enum snap_status status = snap_tables_line(t, file, frame.line, &line, &added, err);
	if (status == SNAP_OK && added)
		status = add_line(store, line, file, frame.line, err);
	added = false;
	if (status == SNAP_OK && frame.function.bytes != NULL)
		status = snap_tables_function(t, file, frame.function, &function, &added, err);
	else if (status == SNAP_OK && functions)
		status = snap_tables_nameless(t, line, &function, &added, err);
	if (status == SNAP_OK && added)
		status = add_function(store, function, file, frame.function, frame.line, err);
	if (status == SNAP_OK)
		status = snap_tables_frame(t, line, frame.function.bytes != NULL ? function : SNAP_NONE, row, &added,
		                           err);
	if (status == SNAP_OK && added)
		status = add_frame(store, *row, line, frame.function.bytes != NULL ? function : SNAP_NONE, err);
	return status;
}

enum snap_status snap_enroll_frames(struct snap_store *store, const struct snap_snapshot *s, uint32_t *frames,
                                    bool *functions, struct snap_error *err)
{
	uint32_t count = (uint32_t)s->frame_file.count, last = SNAP_NONE, file = 0;
	struct snap_package_roots roots = snap_package_roots(s->meta);
	*functions = false;
	for (uint32_t i = 0; i < count && !*functions; i++)
		*functions = s->frame_function.at[i] != SNAP_NONE;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < count && status == SNAP_OK; i++) {
		struct snap_frame frame = snap_snapshot_frame(s, i);
		/* Frames of a file stand together. */
		if (s->frame_file.at[i] != last) {
			bool added;
			last = s->frame_file.at[i];
			status = snap_tables_file(&store->tables, frame.file, &file, &added, err);
			if (status == SNAP_OK)
				status = (added ? add_file : renew_package)(store, file, frame.file, &roots, err);
		}
		if (status == SNAP_OK)
			status = enroll_frame(store, frame, file, *functions, &frames[i], err);
	}
	return status;
}
