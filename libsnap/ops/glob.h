/* Shell patterns as CPython's fnmatch reads them, on code points. */
#ifndef SNAP_OPS_GLOB_H
#define SNAP_OPS_GLOB_H

#include <snap/status.h>
#include <stdbool.h>
#include <stddef.h>

struct snap_glob;

/* Any bytes are a glob. What is decoded from them is what bytes.decode("utf-8", "surrogateescape") gives.
 * SNAP_ERR_NOMEM. */
enum snap_status snap_glob_new(struct snap_glob **out, const char *text, size_t size, struct snap_error *err);

/* Whether the whole name matches. Takes at most (length of the glob) x (length of the name) steps. */
bool snap_glob_matches(const struct snap_glob *g, const char *name, size_t size);

void snap_glob_free(struct snap_glob *g); /* takes NULL */

#endif
