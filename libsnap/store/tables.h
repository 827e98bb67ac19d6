/* What all snapshots of a database share, in memory: files, lines, functions, frames and the tree of
 * tracebacks. Rows are numbered from 0 here, and row i has the id i + 1 in the database. */
#ifndef SNAP_STORE_TABLES_H
#define SNAP_STORE_TABLES_H

#include <snap/limits.h>
#include <snap/snapshot.h>

#include "base/index.h"
#include "store/intervals.h"
#include "store/sql.h"

/* Names, one behind the other. */
struct snap_names {
	struct snap_u8s bytes;
	struct snap_u64s end;
};

/* Bits of node_outer: no node above has the same … */
enum { SNAP_OUTER_LINE = 1, SNAP_OUTER_FILE = 2, SNAP_OUTER_FUNCTION = 4 };

struct snap_tables {
	struct snap_budget budget;

	struct snap_names file_name; /* the bytes as they were recorded */
	struct snap_index file_index;

	struct snap_u32s line_file, line_number;
	struct snap_u32s line_function; /* the function without a name that stands for the line, or SNAP_NONE */
	struct snap_index line_index;

	struct snap_u32s function_file;
	struct snap_names function_name; /* empty for those without */
	struct snap_index function_index; /* of those with a name */

	struct snap_u32s frame_line, frame_function; /* SNAP_NONE where not known */
	struct snap_index frame_index;

	/* A parent's number is below its children's; that of a root is SNAP_NONE. */
	struct snap_u32s node_parent, node_frame, node_depth;
	struct snap_u8s node_outer;
	struct snap_intervals intervals;
	struct snap_index node_index;
};

/* Reads all of it into zeroed tables, which are to be freed also on failure. SNAP_ERR_DAMAGED when a table
 * is not as it was written, SNAP_ERR_LIMIT when it is larger than `limits`. */
enum snap_status snap_tables_read(struct snap_tables *t, sqlite3 *db, const struct snap_limits *limits,
                                  struct snap_error *err);
void snap_tables_free(struct snap_tables *t);

/* The row of something, in *row; *added when it was not there and is now. The two of a function without a
 * name are told by the line. */
enum snap_status snap_tables_file(struct snap_tables *t, struct snap_text name, uint32_t *row, bool *added,
                                  struct snap_error *err);
enum snap_status snap_tables_line(struct snap_tables *t, uint32_t file, uint32_t number, uint32_t *row, bool *added,
                                  struct snap_error *err);
enum snap_status snap_tables_function(struct snap_tables *t, uint32_t file, struct snap_text name, uint32_t *row,
                                      bool *added, struct snap_error *err);
enum snap_status snap_tables_nameless(struct snap_tables *t, uint32_t line, uint32_t *row, bool *added,
                                      struct snap_error *err);
enum snap_status snap_tables_frame(struct snap_tables *t, uint32_t line, uint32_t function, uint32_t *row, bool *added,
                                   struct snap_error *err);
/* A new node has neither its interval nor its node_outer yet. */
enum snap_status snap_tables_node(struct snap_tables *t, uint32_t parent, uint32_t frame, uint32_t *row,
                                  struct snap_error *err);

#endif
