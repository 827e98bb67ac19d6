/* snap_meta(path, pick): the metadata of the snapshots of a file. */
#include <string.h>

#include "by_member.h"
#include "functions.h"
#include "text.h"

enum { MEMBER = BY_MEMBER_NUMBER, KEY, VALUE, COLUMNS };

static const struct table_column columns[COLUMNS] = {
	[MEMBER] = {"member", "INTEGER"},
	[KEY] = {"key", "TEXT"},
	[VALUE] = {"value", "TEXT"},
};

static size_t entries(struct snap_snapshot *snapshot)
{
	return snap_meta_count(snap_snapshot_meta(snapshot));
}

static bool open_entries(void **rows, const struct table_call *call, char **error)
{
	return by_member_open(rows, call, entries, error);
}

static void put(void *rows, sqlite3_context *context, int column)
{
	const struct by_member *by = rows;
	const char *value;
	size_t size;
	const char *key = snap_meta_at(snap_snapshot_meta(by->members.snapshot), by->next - 1, &value, &size);
	switch (column) {
	case MEMBER:
		sqlite3_result_int64(context, by->members.number);
		break;
	case KEY:
		text_result(context, (struct snap_text){key, strlen(key)});
		break;
	case VALUE:
		text_result(context, (struct snap_text){value, size});
		break;
	}
}

const struct table function_meta = {
	.name = "snap_meta",
	.usage = "snap_meta('a.snap')",
	.columns = columns,
	.column_count = COLUMNS,
	.arguments = by_member_arguments,
	.argument_count = BY_MEMBER_ARGUMENTS,
	.required = 1,
	.selected = MEMBER,
	.rank = TABLE_NO_COLUMN,
	.rows = 25,
	.open = open_entries,
	.again = by_member_again,
	.next = by_member_next,
	.column = put,
	.close = by_member_close,
};
