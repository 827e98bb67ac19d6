/* Snapshots in an SQLite database, whose tables and views schema/store.sql explains. */
#ifndef SNAP_STORE_H
#define SNAP_STORE_H

#include <snap/snapshot.h>

struct snap_store; /* for one thread at a time */

/* The schema this library writes, `user_version` of a database. */
#define SNAP_STORE_VERSION 1

/* What is called again and again, ten times a second or more often, while a call waits for other programs. */
struct snap_store_wait {
	void (*waiting)(void *context);
	void *context;
};

/* Opens a database to load into. A file that is not there is made; it gets the schema, as does one that is empty,
 * together with what is loaded first, and is removed when that is not committed and no other store has it open (it
 * is left empty then). An older schema is upgraded in
 * a transaction of its own. While another program writes to the database, this and the calls below wait, up to
 * ten minutes. Yours; close with snap_store_close. The path is copied, so is `wait`, which may be NULL.
 * SNAP_ERR_UNSUPPORTED for what is no SQLite database, belongs to another program or has a newer schema;
 * SNAP_ERR_IO when the system or a lock is in the way, SNAP_ERR_DAMAGED, SNAP_ERR_NOMEM. */
SNAP_API enum snap_status snap_store_open(struct snap_store **out, const char *path, const struct snap_store_wait *wait,
                                          struct snap_error *err);

/* What is loaded between snap_store_begin and snap_store_commit is in the database as a whole or not at
 * all, also when the program or the system dies. Others can read meanwhile, and do not see it. After a
 * failure of a load or commit only snap_store_rollback and snap_store_close are allowed.
 * Errors as above, and SNAP_ERR_LIMIT when a database outgrows the limits of the library. */
SNAP_API enum snap_status snap_store_begin(struct snap_store *store, struct snap_error *err);
SNAP_API enum snap_status snap_store_commit(struct snap_store *store, struct snap_error *err);
SNAP_API void snap_store_rollback(struct snap_store *store);

struct snap_store_options {
	bool replace;                  /* what is there already is loaded again, under its number */
	const struct snap_meta *extra; /* set over the snapshot's own metadata, or NULL; no part of its digest */
	const char *source;            /* the file that it comes from, for those who ask the database, or NULL */
	uint64_t member;               /* its number there, from 1; 0 = not known */
};

enum snap_store_result {
	SNAP_STORE_LOADED,
	SNAP_STORE_THERE,    /* the same content was there and stays as it is */
	SNAP_STORE_REPLACED,
};

/* Loads a snapshot or a diff, unless one of the same digest is there (snap_snapshot_digest: all that it
 * says, but for history.N and a time that is only the file's). What is of the same process and moment but
 * differs, a filtered copy, begins a series of its own. What was sampled is loaded as it was counted: estimate
 * it first (snap/estimate.h). Columns but blocks, bytes, old_blocks and old_bytes are left out. `options`
 * may be NULL. */
SNAP_API enum snap_status snap_store_load(struct snap_store *store, const struct snap_snapshot *s,
                                          const struct snap_store_options *options, enum snap_store_result *result,
                                          struct snap_error *err);

/* Rolls back what was not committed. Takes NULL. */
SNAP_API void snap_store_close(struct snap_store *store);

#endif
