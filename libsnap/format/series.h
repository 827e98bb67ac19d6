/* The tables of a series as a writer keeps them, to find what a later snapshot has in common with them. */
#ifndef SNAP_FORMAT_SERIES_H
#define SNAP_FORMAT_SERIES_H

#include "format/encode.h"

struct snap_series;

/* Starts with the tables of the first snapshot, which is ordered, as they were written; it is copied. */
enum snap_status snap_series_new(struct snap_series **out, const struct snap_snapshot *first,
                                 struct snap_stack_rule rule, struct snap_error *err);

/* Adds an ordered snapshot with the same columns, in which no two stacks say the same (unlike in the first,
 * where they may), to the tables and says what is new: *m is borrowed until
 * the next call; flags and digest are left to the caller. After a failure only snap_series_free is
 * allowed. */
enum snap_status snap_series_add(struct snap_series *series, const struct snap_snapshot *s, struct snap_member *m,
                                 struct snap_error *err);

const struct snap_snapshot *snap_series_tables(const struct snap_series *series);

void snap_series_free(struct snap_series *series); /* takes NULL */

#endif
