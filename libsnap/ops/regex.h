/* Regular expressions; only regex.c knows whose. */
#ifndef SNAP_OPS_REGEX_H
#define SNAP_OPS_REGEX_H

#include <snap/snapshot.h>

struct snap_regex;

/* SNAP_ERR_INVALID with the place and reason when `text` is none; SNAP_ERR_NOMEM. */
enum snap_status snap_regex_new(struct snap_regex **out, const char *text, struct snap_error *err);

/* Whether it is found anywhere in the name; from any number of threads. SNAP_ERR_LIMIT when that takes too
 * long or too much memory, SNAP_ERR_NOMEM. */
enum snap_status snap_regex_find(const struct snap_regex *r, struct snap_text name, bool *found,
				 struct snap_error *err);

void snap_regex_free(struct snap_regex *r); /* takes NULL */

#endif
