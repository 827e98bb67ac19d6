/* The SQLite extension: snapshots as tables, without loading them. What the functions take and give is in
 * snap_sqlite(3). */
#include "functions.h"

SQLITE_EXTENSION_INIT1

/* SQLite makes this name of the file's: what stands between "lib" and ".so", letters only. */
__attribute__((visibility("default"))) int sqlite3_snapsqlite_init(sqlite3 *db, char **error,
								   const sqlite3_api_routines *api);

int sqlite3_snapsqlite_init(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
	static const struct table *const functions[] = {&function_sites, &function_top, &function_diff,
							&function_meta};
	enum { SQLITE_WITH_DIRECTONLY = 3031000 };
	SQLITE_EXTENSION_INIT2(api);
	if (sqlite3_libversion_number() < SQLITE_WITH_DIRECTONLY) {
		*error = sqlite3_mprintf("libsnap_sqlite needs SQLite 3.31 or newer");
		return SQLITE_ERROR;
	}
	int code = SQLITE_OK;
	for (size_t i = 0; i < sizeof functions / sizeof *functions && code == SQLITE_OK; i++)
		code = table_register(db, functions[i]);
	/* When this fails, SQLite unloads the library, and what is known of it would lead nowhere. */
	for (size_t i = 0; i < sizeof functions / sizeof *functions && code != SQLITE_OK; i++)
		table_forget(db, functions[i]);
	return code;
}
