/* What picks frames: a glob, a regular expression, or a preset. A pattern is made once and then matched
 * once for each distinct name, never for each block or stack. */
#ifndef SNAP_PATTERN_H
#define SNAP_PATTERN_H

#include <snap/snapshot.h>

struct snap_pattern;
struct snap_presets;

/* Sets of patterns that have a name; those of the library are there by themselves:
 *   @tracer         what takes snapshots: tracemalloc, linecache, pickle and fnmatch of the standard
 *                   library, and the capture agent
 *   @importlib      the import system
 *   @stdlib         the standard library, frozen modules included, without site-packages
 *   @site-packages  what is installed beside it (site-packages, dist-packages)
 * They hold for any Python version, prefix and virtual environment; where the metadata of a snapshot
 * name `root.stdlib` and `root.site`, these count as well. */
SNAP_API enum snap_status snap_presets_new(struct snap_presets **out, struct snap_error *err);
SNAP_API void snap_presets_free(struct snap_presets *presets); /* takes NULL */

/* Adds a preset `name` (letters, digits, '-', '_', '.'; without the '@'), or replaces one. `text` has a
 * pattern a line, as snap_pattern_glob reads it; '!' before it takes away what it matches, wherever the
 * line stands; blank lines and lines that begin with '#' do not count,
 * nor do blanks at either end of a line. SNAP_ERR_INVALID with the number
 * of the line. */
SNAP_API enum snap_status snap_presets_add(struct snap_presets *presets, const char *name, const char *text,
                                           size_t size, struct snap_error *err);

/* GLOB, GLOB:LINE or @PRESET. A glob is matched as CPython's fnmatch.fnmatch does on POSIX, against the
 * whole file name, code point by code point: `*`, `?`, `[seq]`, `[!seq]`; `*` crosses '/'; a byte that is
 * not UTF-8 is one code point, the same as the lone surrogate by which CPython stands for it. A `.pyc` at the end means `.py` on both sides.
 * Digits behind the last ':' are a line, which must be the frame's own. `presets` may be NULL; what is
 * needed of it is copied. SNAP_ERR_INVALID for a preset that is not there. */
SNAP_API enum snap_status snap_pattern_glob(struct snap_pattern **out, const char *glob,
                                            const struct snap_presets *presets, struct snap_error *err);

/* A Perl-compatible regular expression (PCRE2, UTF-8), found anywhere in the file name, of which `.pyc`
 * is read as `.py`. SNAP_ERR_INVALID with the place and reason when it cannot be compiled. */
SNAP_API enum snap_status snap_pattern_regex(struct snap_pattern **out, const char *regex, struct snap_error *err);

/* Whether a frame in `file` at `line` matches. SNAP_ERR_LIMIT when a regular expression runs away on the
 * name (its limits of matching, depth and memory are fixed), SNAP_ERR_NOMEM. */
SNAP_API enum snap_status snap_pattern_matches(const struct snap_pattern *p, struct snap_text file, uint32_t line,
                                               bool *matches, struct snap_error *err);

SNAP_API void snap_pattern_free(struct snap_pattern *p); /* takes NULL */

#endif
