/* From the name of a file, or FILE@N, to its snapshots. Failures are the sentences of the tools, as text
 * for SQLite; see table.h. */
#ifndef SNAP_STORE_EXTENSION_MEMBERS_H
#define SNAP_STORE_EXTENSION_MEMBERS_H

#include <snap/snapshot.h>
#include <snap/source.h>
#include <stdbool.h>
#include <stdint.h>

struct members {
	const char *name;               /* as given */
	struct snap_snapshot *snapshot; /* the present one, borrowed until the next call */
	int64_t number;                 /* its number, from 1 */
	/* Private from here. */
	char *path;
	struct snap_source *source;
	int64_t wanted; /* the number of the only one wanted, 0 = all */
	bool may_lack;  /* it need not be there */
	bool over;
};

/* `name` is borrowed. `pick` is the N of FILE@N given apart: counted from 1, or from -1 backwards; NULL
 * where it is not. `only` > 0 leaves out all members but that one, if it is there. */
bool members_open(struct members *members, const char *name, const int64_t *pick, int64_t only, char **error);
bool members_next(struct members *members, bool *over, char **error);
/* Goes back before the first member, if it is still at hand and the only one. */
bool members_again(struct members *members);
void members_close(struct members *members);

/* The one snapshot of a file: yours; free with snap_snapshot_free. A failure names FILE@N when there are
 * several. */
bool members_read_one(struct snap_snapshot **out, const char *name, const int64_t *pick, char **error);

/* What a call of the library came to, with the name of the file if it is not NULL; returns false. */
bool members_fail(char **error, const char *name, const struct snap_error *err);

#endif
