/* snap_top(path, group_by, pick, cumulative) and snap_diff(old, new, group_by, cumulative): the groups of a
 * snapshot, or of what changed between two, in the order of snaptop. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <snap/diff.h>
#include <snap/group.h>

#include "functions.h"
#include "members.h"
#include "text.h"

enum {
	RANK,
	FILE_NAME,
	LINE,
	FUNCTION,
	DOMAIN_NUMBER,
	BLOCK_SIZE,
	SIZE,
	COUNT,
	SIZE_DIFF,
	COUNT_DIFF,
	FRAMES,
	TOTAL,
	TRACEBACK,
	COLUMNS
};

static const struct table_column columns[COLUMNS] = {
	[RANK] = {"rank", "INTEGER"},
	[FILE_NAME] = {"file", "TEXT"},
	[LINE] = {"line", "INTEGER"},
	[FUNCTION] = {"function", "TEXT"},
	[DOMAIN_NUMBER] = {"domain", "INTEGER"},
	[BLOCK_SIZE] = {"block_size", "INTEGER"},
	[SIZE] = {"size", "INTEGER"},
	[COUNT] = {"count", "INTEGER"},
	[SIZE_DIFF] = {"size_diff", "INTEGER"},
	[COUNT_DIFF] = {"count_diff", "INTEGER"},
	[FRAMES] = {"frames", "INTEGER"},
	[TOTAL] = {"total", "INTEGER"},
	[TRACEBACK] = {"traceback", "TEXT"},
};

struct ranking {
	struct snap_snapshot *snapshot;
	struct snap_groups *groups;
	enum snap_group_by by;
	size_t next; /* the current row is next - 1 */
};

static void close_ranking(void *rows)
{
	struct ranking *ranking = rows;
	snap_groups_free(ranking->groups);
	snap_snapshot_free(ranking->snapshot);
	free(ranking);
}

static bool read_group_by(const struct table_call *call, int argument, enum snap_group_by *by, char **error)
{
	static const char *const keys[] = {"lineno", "filename", "function", "traceback", "domain", "size"};
	const char *key = keys[0];
	if (!table_text(call, argument, &key, error))
		return false;
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcmp(key, keys[i]) == 0) {
			*by = (enum snap_group_by)i;
			return true;
		}
	}
	sqlite3_str *text = sqlite3_str_new(NULL);
	sqlite3_str_appendf(text, "%s: group_by is lineno, filename, function, traceback, domain or size, not '",
			    call->table->name);
	text_append_shown(text, key);
	sqlite3_str_appendall(text, "'");
	*error = sqlite3_str_finish(text);
	return false;
}

static bool read_cumulative(const struct table_call *call, int argument, enum snap_group_cumulative *cumulative,
			    char **error)
{
	int64_t given = 0;
	if (!table_integer(call, argument, &given, error))
		return false;
	if (given != 0 && given != 1) {
		*error = sqlite3_mprintf("%s: cumulative is 0 or 1, not %lld", call->table->name, (long long)given);
		return false;
	}
	*cumulative = given == 1 ? SNAP_CUMULATIVE : SNAP_SELF;
	return true;
}

static bool group(struct ranking *ranking, const struct snap_group_options *options, size_t top, char **error)
{
	struct snap_error err;
	ranking->by = options->by;
	if (snap_groups_new(&ranking->groups, ranking->snapshot, options, top, &err) < 0)
		return members_fail(error, NULL, &err);
	return true;
}

/* What differs between the functions: where the snapshot is from, and where the other arguments stand. */
typedef bool read_snapshot(struct snap_snapshot **out, const struct table_call *call, char **error);

static bool open_ranking(void **rows, const struct table_call *call, read_snapshot *read, int group_by,
			 int cumulative, char **error)
{
	struct snap_group_options options = {.sort = SNAP_SORT_DEFAULT};
	if (!read_group_by(call, group_by, &options.by, error) ||
	    !read_cumulative(call, cumulative, &options.cumulative, error))
		return false;
	struct ranking *ranking = calloc(1, sizeof *ranking);
	if (ranking == NULL)
		return false;
	if (read(&ranking->snapshot, call, error) && group(ranking, &options, call->top, error)) {
		*rows = ranking;
		return true;
	}
	close_ranking(ranking);
	return false;
}

static bool again(void *rows)
{
	((struct ranking *)rows)->next = 0;
	return true;
}

static bool next(void *rows, bool *over, char **error)
{
	(void)error;
	struct ranking *ranking = rows;
	*over = ranking->next == snap_groups_ranked(ranking->groups);
	ranking->next += !*over;
	return true;
}

static void put_frames(const struct ranking *ranking, sqlite3_context *context, int column, size_t count)
{
	size_t wanted = column == TRACEBACK || count == 0 ? count : 1;
	struct snap_frame newest, *frames = wanted > 1 ? malloc(wanted * sizeof *frames) : &newest;
	if (frames == NULL) {
		sqlite3_result_error_nomem(context);
		return;
	}
	snap_groups_frames(ranking->groups, ranking->next - 1, frames, wanted);
	if (wanted > 0 && column == FILE_NAME)
		text_result(context, frames[0].file);
	else if (wanted > 0 && column == FUNCTION)
		text_result(context, frames[0].function);
	else if (wanted > 0 && column == LINE && frames[0].line > 0)
		sqlite3_result_int64(context, frames[0].line);
	else if (column == TRACEBACK)
		text_result_traceback(context, frames, wanted);
	if (frames != &newest)
		free(frames);
}

static void put(void *rows, sqlite3_context *context, int column)
{
	const struct ranking *ranking = rows;
	struct snap_group_row row = snap_groups_row(ranking->groups, ranking->next - 1);
	bool is_diff = snap_snapshot_is_diff(ranking->snapshot);
	switch (column) {
	case RANK:
		sqlite3_result_int64(context, (int64_t)ranking->next);
		break;
	case FILE_NAME:
	case LINE:
	case FUNCTION:
	case TRACEBACK:
		put_frames(ranking, context, column, row.frames);
		break;
	case DOMAIN_NUMBER:
		if (ranking->by == SNAP_BY_DOMAIN)
			sqlite3_result_int64(context, row.domain);
		break;
	case BLOCK_SIZE:
		if (ranking->by == SNAP_BY_SIZE)
			sqlite3_result_int64(context, (int64_t)row.block_size);
		break;
	case SIZE:
		sqlite3_result_int64(context, row.size);
		break;
	case COUNT:
		sqlite3_result_int64(context, row.count);
		break;
	case SIZE_DIFF:
		if (is_diff)
			sqlite3_result_int64(context, row.size_diff);
		break;
	case COUNT_DIFF:
		if (is_diff)
			sqlite3_result_int64(context, row.count_diff);
		break;
	case FRAMES:
		if (row.frames > 0)
			sqlite3_result_int64(context, (int64_t)row.frames);
		break;
	case TOTAL:
		if (row.total > 0)
			sqlite3_result_int64(context, row.total);
		break;
	}
}

/* --- snap_top ----------------------------------------------------------------------------------- */

enum { TOP_PATH, TOP_GROUP_BY, TOP_PICK, TOP_CUMULATIVE, TOP_ARGUMENTS };

static const struct table_column top_arguments[TOP_ARGUMENTS] = {
	[TOP_PATH] = {"path", "TEXT"},
	[TOP_GROUP_BY] = {"group_by", "TEXT"},
	[TOP_PICK] = {"pick", "INTEGER"},
	[TOP_CUMULATIVE] = {"cumulative", "INTEGER"},
};

static bool read_top(struct snap_snapshot **out, const struct table_call *call, char **error)
{
	const char *path = NULL;
	int64_t pick;
	return table_text(call, TOP_PATH, &path, error) && table_integer(call, TOP_PICK, &pick, error) &&
	       members_read_one(out, path, call->arguments[TOP_PICK] != NULL ? &pick : NULL, error);
}

static bool open_top(void **rows, const struct table_call *call, char **error)
{
	return open_ranking(rows, call, read_top, TOP_GROUP_BY, TOP_CUMULATIVE, error);
}

const struct table function_top = {
	.name = "snap_top",
	.usage = "snap_top('a.snap', 'lineno')",
	.columns = columns,
	.column_count = COLUMNS,
	.arguments = top_arguments,
	.argument_count = TOP_ARGUMENTS,
	.required = TOP_PATH + 1,
	.selected = TABLE_NO_COLUMN,
	.rank = RANK,
	.rows = 5000,
	.open = open_top,
	.again = again,
	.next = next,
	.column = put,
	.close = close_ranking,
};

/* --- snap_diff ---------------------------------------------------------------------------------- */

enum { DIFF_OLD, DIFF_NEW, DIFF_GROUP_BY, DIFF_CUMULATIVE, DIFF_ARGUMENTS };

static const struct table_column diff_arguments[DIFF_ARGUMENTS] = {
	[DIFF_OLD] = {"old_path", "TEXT"},
	[DIFF_NEW] = {"new_path", "TEXT"},
	[DIFF_GROUP_BY] = {"group_by", "TEXT"},
	[DIFF_CUMULATIVE] = {"cumulative", "INTEGER"},
};

static bool read_diff(struct snap_snapshot **out, const struct table_call *call, char **error)
{
	const char *old_path = NULL, *new_path = NULL;
	struct snap_snapshot *older = NULL, *newer = NULL;
	struct snap_error err;
	bool read = table_text(call, DIFF_OLD, &old_path, error) && table_text(call, DIFF_NEW, &new_path, error) &&
		    members_read_one(&older, old_path, NULL, error) &&
		    members_read_one(&newer, new_path, NULL, error);
	if (read && snap_diff_new(out, older, newer, &err) < 0)
		read = members_fail(error, NULL, &err);
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
	return read;
}

static bool open_diff(void **rows, const struct table_call *call, char **error)
{
	return open_ranking(rows, call, read_diff, DIFF_GROUP_BY, DIFF_CUMULATIVE, error);
}

const struct table function_diff = {
	.name = "snap_diff",
	.usage = "snap_diff('a.snap', 'b.snap', 'lineno')",
	.columns = columns,
	.column_count = COLUMNS,
	.arguments = diff_arguments,
	.argument_count = DIFF_ARGUMENTS,
	.required = DIFF_NEW + 1,
	.selected = TABLE_NO_COLUMN,
	.rank = RANK,
	.rows = 5000,
	.open = open_diff,
	.again = again,
	.next = next,
	.column = put,
	.close = close_ranking,
};
