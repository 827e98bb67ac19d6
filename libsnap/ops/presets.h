/* What a pattern is made of, and the presets that patterns take from. */
#ifndef SNAP_OPS_PRESETS_H
#define SNAP_OPS_PRESETS_H

#include <stdatomic.h>

#include "base/vector.h"
#include "ops/glob.h"
#include "ops/pattern.h"
#include "ops/regex.h"

/* So many patterns may one consist of, and so deep may presets take from each other; by hand nobody gets
 * there. */
#define SNAP_PATTERN_PARTS_MAX 65536
#define SNAP_PATTERN_DEPTH_MAX 32

/* What a name has to begin with, and the glob is for the rest. Only built-in presets make use of it. */
enum snap_place { SNAP_ANYWHERE, SNAP_BELOW_STDLIB, SNAP_BELOW_SITE };

/* One of glob, regex, set. */
struct snap_pattern {
	struct snap_glob *glob;
	struct snap_regex *regex;
	struct snap_pattern_set *set;
	enum snap_place place; /* of a glob */
	bool has_line;
	uint32_t line;
	bool takes_away; /* of a part of a set: what it matches the set does not */
};

SNAP_VECTOR(snap_pattern_parts, struct snap_pattern);

/* A preset. It does not change once it is made, so all patterns that take from it share it. */
struct snap_pattern_set {
	atomic_size_t users;
	struct snap_pattern_parts parts;
	size_t leaves; /* globs and regular expressions, those of sets in it included */
	unsigned depth;
};

/* Reads GLOB, GLOB:LINE or @PRESET; SNAP_ERR_INVALID for a preset that is not there. */
enum snap_status snap_pattern_parse(struct snap_pattern *p, const char *text, size_t size,
				    const struct snap_presets *presets, struct snap_error *err);
/* Frees what is in it. */
void snap_pattern_clear(struct snap_pattern *p);

enum snap_status snap_pattern_set_new(struct snap_pattern_set **out, struct snap_error *err);
/* Puts a part into a set, which owns it then, also if the call fails. SNAP_ERR_INVALID beyond the limits
 * above. */
enum snap_status snap_pattern_set_add(struct snap_pattern_set *set, struct snap_pattern part,
				      struct snap_error *err);
/* One user more, one less. */
struct snap_pattern_set *snap_pattern_set_share(struct snap_pattern_set *set);
void snap_pattern_set_free(struct snap_pattern_set *set); /* takes NULL */

/* The set behind a name without '@', for the caller to free. `presets` may be NULL. */
enum snap_status snap_presets_find(struct snap_pattern_set **out, const struct snap_presets *presets,
				   const char *name, size_t size, struct snap_error *err);

#endif
