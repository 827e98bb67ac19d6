/* snap_sites(path, pick): the sites of the snapshots of a file, as they are stored. */
#include <stdlib.h>

#include "by_member.h"
#include "functions.h"
#include "text.h"

enum {
	MEMBER = BY_MEMBER_NUMBER,
	FILE_NAME,
	LINE,
	FUNCTION,
	DOMAIN_NUMBER,
	BLOCK_SIZE,
	BLOCKS,
	BYTES,
	OLD_BLOCKS,
	OLD_BYTES,
	FRAMES,
	TOTAL,
	TRACEBACK,
	COLUMNS
};

static const struct table_column columns[COLUMNS] = {
	[MEMBER] = {"member", "INTEGER"},
	[FILE_NAME] = {"file", "TEXT"},
	[LINE] = {"line", "INTEGER"},
	[FUNCTION] = {"function", "TEXT"},
	[DOMAIN_NUMBER] = {"domain", "INTEGER"},
	[BLOCK_SIZE] = {"block_size", "INTEGER"},
	[BLOCKS] = {"blocks", "INTEGER"},
	[BYTES] = {"bytes", "INTEGER"},
	[OLD_BLOCKS] = {"old_blocks", "INTEGER"},
	[OLD_BYTES] = {"old_bytes", "INTEGER"},
	[FRAMES] = {"frames", "INTEGER"},
	[TOTAL] = {"total", "INTEGER"},
	[TRACEBACK] = {"traceback", "TEXT"},
};

static size_t sites(struct snap_snapshot *snapshot)
{
	return snap_snapshot_sites(snapshot);
}

static bool open_sites(void **rows, const struct table_call *call, char **error)
{
	return by_member_open(rows, call, sites, error);
}

static void put_newest(sqlite3_context *context, const struct snap_snapshot *snapshot, uint32_t stack, int column)
{
	struct snap_frame frame;
	if (snap_snapshot_traceback(snapshot, stack, &frame, 1) == 0)
		return;
	if (column == FILE_NAME)
		text_result(context, frame.file);
	else if (column == FUNCTION)
		text_result(context, frame.function);
	else if (frame.line > 0)
		sqlite3_result_int64(context, frame.line);
}

static void put_traceback(sqlite3_context *context, const struct snap_snapshot *snapshot, uint32_t stack)
{
	size_t count = snap_snapshot_stack(snapshot, stack).length;
	struct snap_frame *frames = malloc((count > 0 ? count : 1) * sizeof *frames);
	if (frames == NULL) {
		sqlite3_result_error_nomem(context);
		return;
	}
	snap_snapshot_traceback(snapshot, stack, frames, count);
	text_result_traceback(context, frames, count);
	free(frames);
}

/* Only what a query makes use of is asked for, so nothing is prepared. */
static void put(void *rows, sqlite3_context *context, int column)
{
	const struct by_member *by = rows;
	const struct snap_snapshot *snapshot = by->members.snapshot;
	int64_t values[SNAP_COLUMNS_MAX];
	struct snap_site site = snap_snapshot_site(snapshot, by->next - 1, values);
	struct snap_stack stack = snap_snapshot_stack(snapshot, site.stack);
	switch (column) {
	case MEMBER:
		sqlite3_result_int64(context, by->members.number);
		break;
	case FILE_NAME:
	case LINE:
	case FUNCTION:
		put_newest(context, snapshot, site.stack, column);
		break;
	case DOMAIN_NUMBER:
		sqlite3_result_int64(context, site.domain);
		break;
	case BLOCK_SIZE:
		sqlite3_result_int64(context, (int64_t)site.size);
		break;
	case BLOCKS:
	case BYTES:
		sqlite3_result_int64(context, site.values[column - BLOCKS]);
		break;
	case OLD_BLOCKS:
	case OLD_BYTES:
		if (snap_snapshot_is_diff(snapshot))
			sqlite3_result_int64(context, site.values[column - BLOCKS]);
		break;
	case FRAMES:
		sqlite3_result_int64(context, stack.length);
		break;
	case TOTAL:
		if (stack.total > 0)
			sqlite3_result_int64(context, stack.total);
		break;
	case TRACEBACK:
		put_traceback(context, snapshot, site.stack);
		break;
	}
}

const struct table function_sites = {
	.name = "snap_sites",
	.usage = "snap_sites('a.snap')",
	.columns = columns,
	.column_count = COLUMNS,
	.arguments = by_member_arguments,
	.argument_count = BY_MEMBER_ARGUMENTS,
	.required = 1,
	.selected = MEMBER,
	.rank = TABLE_NO_COLUMN,
	.rows = 100000,
	.open = open_sites,
	.again = by_member_again,
	.next = by_member_next,
	.column = put,
	.close = by_member_close,
};
