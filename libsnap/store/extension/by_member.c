/* Rows of all snapshots of a file; see by_member.h. */
#include "by_member.h"

const struct table_column by_member_arguments[] = {{"path", "TEXT"}, {"pick", "INTEGER"}};

bool by_member_open(void **rows, const struct table_call *call, size_t (*rows_of)(struct snap_snapshot *),
		    char **error)
{
	const char *path = NULL;
	int64_t pick;
	if (!table_text(call, 0, &path, error) || !table_integer(call, 1, &pick, error))
		return false;
	struct by_member *by = sqlite3_malloc(sizeof *by);
	if (by == NULL)
		return false;
	*by = (struct by_member){.rows_of = rows_of};
	if (!members_open(&by->members, path, call->arguments[1] != NULL ? &pick : NULL, call->only, error)) {
		sqlite3_free(by);
		return false;
	}
	*rows = by;
	return true;
}

bool by_member_again(void *rows)
{
	struct by_member *by = rows;
	by->next = 0;
	return members_again(&by->members);
}

bool by_member_next(void *rows, bool *over, char **error)
{
	struct by_member *by = rows;
	*over = false;
	while (by->next >= by->count) {
		if (!members_next(&by->members, over, error))
			return false;
		if (*over)
			return true;
		by->next = 0;
		by->count = by->rows_of(by->members.snapshot);
	}
	by->next++;
	return true;
}

void by_member_close(void *rows)
{
	struct by_member *by = rows;
	members_close(&by->members);
	sqlite3_free(by);
}
