/* Tables whose rows come from the snapshots of a file one after another: snap_sites and snap_meta. Their
 * arguments are the file and the N of FILE@N. */
#ifndef SNAP_STORE_EXTENSION_BY_MEMBER_H
#define SNAP_STORE_EXTENSION_BY_MEMBER_H

#include "members.h"
#include "table.h"

struct by_member {
	struct members members;
	size_t (*rows_of)(struct snap_snapshot *snapshot);
	size_t next, count; /* rows of the present snapshot; the current one is next - 1 */
};

extern const struct table_column by_member_arguments[];
enum { BY_MEMBER_ARGUMENTS = 2, BY_MEMBER_NUMBER = 0 /* the column of the snapshot's number */ };

/* Of struct table, but that `rows_of` has to be told. */
bool by_member_open(void **rows, const struct table_call *call, size_t (*rows_of)(struct snap_snapshot *),
		    char **error);
bool by_member_again(void *rows);
bool by_member_next(void *rows, bool *over, char **error);
void by_member_close(void *rows);

#endif
