/* The options of all tools in one table: the same letter and name mean the same everywhere. */
#ifndef CMD_FRONTEND_OPTIONS_H
#define CMD_FRONTEND_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "tool.h"

enum option_id {
	OPTION_DONE = -1,
	/* with a letter */
	OPTION_ALL_FRAMES = 'a',
	OPTION_CUMULATIVE = 'c',
	OPTION_DOMAIN = 'd',
	OPTION_EXCLUDE_DOMAIN = 'D',
	OPTION_FORCE = 'f',
	OPTION_GROUP_BY = 'g',
	OPTION_HELP = 'h',
	OPTION_INCLUDE = 'i',
	OPTION_INCLUDE_REGEX = 'I',
	OPTION_SNAPSHOTS = 'n',
	OPTION_OUTPUT = 'o',
	OPTION_QUIET = 'q',
	OPTION_SORT = 's',
	OPTION_FRAMES = 't',
	OPTION_VERSION = 'V',
	OPTION_EXCLUDE = 'x',
	OPTION_EXCLUDE_REGEX = 'X',
	/* without */
	OPTION_BASELINE = 256,
	OPTION_CHECK,
	OPTION_COLOR,
	OPTION_DETAILS,
	OPTION_EVERY,
	OPTION_EXIT_CODE,
	OPTION_FAIL_OVER,
	OPTION_FORMAT,
	OPTION_GC,
	OPTION_HIDE,
	OPTION_INTERSECT,
	OPTION_JSON,
	OPTION_IGNORE_LIMIT,
	OPTION_KEEP,
	OPTION_KEEP_BYTES,
	OPTION_KEEP_FOR,
	OPTION_LABEL,
	OPTION_LEVEL,
	OPTION_LIMIT,
	OPTION_MAP,
	OPTION_MAX_SIZE,
	OPTION_MERGE,
	OPTION_MIN_SIZE,
	OPTION_MIN_TOTAL,
	OPTION_MODE,
	OPTION_MOST_RECENT_FIRST,
	OPTION_NO_HISTORY,
	OPTION_NO_SOURCE,
	OPTION_ONLY,
	OPTION_PER,
	OPTION_PRESET_FILE,
	OPTION_REDACT,
	OPTION_REDACT_ALL,
	OPTION_REPLACE,
	OPTION_RSS_ABOVE,
	OPTION_RSS_STEP,
	OPTION_SALVAGE,
	OPTION_SET,
	OPTION_SHOW_FROM,
	OPTION_SIGNAL,
	OPTION_SOURCE_ROOT,
	OPTION_STRIP_PREFIX,
	OPTION_TOP,
	OPTION_TSV,
};

/* The next option of the command line with its argument, or OPTION_DONE: then the operands begin at
 * argv[optind]. --help, --version, --quiet and --color are dealt with here; a wrong command line ends
 * the tool. */
int option_next(const struct tool *tool, int argc, char **argv, const char **argument);

/* What an argument names or says; a wrong one ends the tool. */
size_t option_choice(int option, const char *argument, const char *const *names, size_t count);
uint64_t option_count(int option, const char *argument, uint64_t min, uint64_t max);
int64_t option_size(int option, const char *argument);
uint64_t option_time(int option, const char *argument); /* in milliseconds, never 0 */
/* KEY=VALUE: where the '=' stands, which is not the first byte. */
size_t option_pair(int option, const char *argument);

#endif
