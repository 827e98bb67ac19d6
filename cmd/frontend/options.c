/* The table of options and its reading; see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snap/reader.h>

#include "messages.h"
#include "numbers.h"
#include "terminal.h"

/* In the order of --help. */
static const struct option_row {
	int id;
	const char *name;
	const char *argument; /* NULL if it takes none */
	const char *help;
} table[] = {
	{OPTION_GROUP_BY, "group-by", "KEY", "lineno (default), filename, function, traceback, domain, size"},
	{OPTION_CUMULATIVE, "cumulative", NULL, "count a block for each group on its stack, once"},
	{OPTION_SORT, "sort", "KEY", "size, count, size-diff, count-diff"},
	{OPTION_FRAMES, "frames", "N", "newest frames shown of a traceback (10; 0 = all)"},
	{OPTION_MOST_RECENT_FIRST, "most-recent-first", NULL, "the newest frame of a traceback first"},
	{OPTION_INCLUDE, "include", "GLOB", "keep blocks whose newest frame's file matches GLOB[:LINE]"},
	{OPTION_EXCLUDE, "exclude", "GLOB", "drop those blocks, whatever else keeps them"},
	{OPTION_INCLUDE_REGEX, "include-regex", "RE", "keep blocks by a regular expression (PCRE2)"},
	{OPTION_EXCLUDE_REGEX, "exclude-regex", "RE", "drop blocks by a regular expression"},
	{OPTION_ALL_FRAMES, "all-frames", NULL, "patterns look at all frames of a stack"},
	{OPTION_DOMAIN, "domain", "N", "keep blocks of domain N (0 = Python, 389047 = numpy)"},
	{OPTION_EXCLUDE_DOMAIN, "exclude-domain", "N", "drop blocks of domain N"},
	{OPTION_INTERSECT, "intersect", NULL, "keep what matches a pattern and a domain, not either"},
	{OPTION_MIN_SIZE, "min-size", "SIZE", "keep blocks of at least SIZE: 512, 64K, 5MiB"},
	{OPTION_MAX_SIZE, "max-size", "SIZE", "keep blocks of at most SIZE"},
	{OPTION_MIN_TOTAL, "min-total", "SIZE", "keep sites (stack, domain, size) with at least SIZE"},
	{OPTION_ONLY, "only", "LIST", "of a diff, tracebacks that are grown,shrunk,new,gone"},
	{OPTION_PRESET_FILE, "preset-file", "FILE", "patterns for @FILE, one a line; NAME=FILE for @NAME"},
	{OPTION_HIDE, "hide", "GLOB", "take matching frames out of the stacks"},
	{OPTION_SHOW_FROM, "show-from", "GLOB", "cut off what called the oldest matching frame"},
	{OPTION_SOURCE_ROOT, "source-root", "DIR", "look for source files below DIR"},
	{OPTION_MAP, "map", "OLD=NEW", "files whose names begin with OLD are in NEW"},
	{OPTION_STRIP_PREFIX, "strip-prefix", "DIR", "file names begin below DIR"},
	{OPTION_REDACT, "redact", "KEYFILE", "hash names under the key in KEYFILE"},
	{OPTION_REDACT_ALL, "redact-all", NULL, "names of libraries as well"},
	{OPTION_NO_SOURCE, "no-source", NULL, "do not look for sources"},
	{OPTION_FORMAT, "format", "FORMAT", "table (default), tracemalloc, json, tsv"},
	{OPTION_CHECK, "check", NULL, "verify everything"},
	{OPTION_SALVAGE, "salvage", NULL, "write what is whole in a damaged file"},
	{OPTION_JSON, "json", NULL, "JSON, one object on one line"},
	{OPTION_TSV, "tsv", NULL, "tab-separated values, for databases"},
	{OPTION_OUTPUT, "output", "FILE", "write to FILE, which appears when it is whole"},
	{OPTION_FORCE, "force", NULL, "let -o replace a file that is no snapshot"},
	{OPTION_LEVEL, "level", "N", "compress by zstd at level N, 1 to 19"},
	{OPTION_MERGE, "merge", NULL, "add all snapshots up to one"},
	{OPTION_SET, "set", "KEY=VALUE", "set a metadata key, e.g. label.rev=1a2b"},
	{OPTION_NO_HISTORY, "no-history", NULL, "leave out how the snapshot was made"},
	{OPTION_PER, "per", "KEY", "growth per this metadata key, e.g. label.requests, not time"},
	{OPTION_LIMIT, "limit", "SIZE", "say when this much is reached; else the container's limit"},
	{OPTION_BASELINE, "baseline", "FILE", "suspects that are known and accepted"},
	{OPTION_EXIT_CODE, "exit-code", NULL, "exit with 1 when there is a leak"},
	{OPTION_FAIL_OVER, "fail-over", "SIZE", "exit with 1 on growth by more than SIZE: 512, 64K, 5MiB"},
	{OPTION_REPLACE, "replace", NULL, "load again what is there already"},
	{OPTION_LABEL, "label", "KEY=VALUE", "set metadata label.KEY of what is loaded"},
	{OPTION_MODE, "mode", "MODE", "sampled[=SIZE] (sampled=64K by default), exact, tracemalloc"},
	{OPTION_EVERY, "every", "TIME", "take one at this interval: 30s, 10m, 2h"},
	{OPTION_RSS_ABOVE, "rss-above", "SIZE", "take one when resident memory crosses SIZE"},
	{OPTION_RSS_STEP, "rss-step", "SIZE", "take one each time it has grown by SIZE"},
	{OPTION_IGNORE_LIMIT, "ignore-limit", NULL, "take none close to the container's limit"},
	{OPTION_SIGNAL, "signal", "NAME", "take one at this signal, such as SIGRTMIN+6"},
	{OPTION_SNAPSHOTS, "snapshots", "N", "take at most N in each process"},
	{OPTION_KEEP, "keep", "N", "remove the oldest files but the first of more than N"},
	{OPTION_KEEP_BYTES, "keep-bytes", "SIZE", "likewise when they are larger together"},
	{OPTION_KEEP_FOR, "keep-for", "TIME", "likewise those that are older: 7d"},
	{OPTION_DETAILS, "details", NULL, "record figures of the allocators as well"},
	{OPTION_TOP, "top", "N", "print the N biggest groups of the last one, by snaptop"},
	{OPTION_GC, "gc", NULL, "collect garbage before each snapshot"},
	{OPTION_QUIET, "quiet", NULL, "no progress and no remarks"},
	{OPTION_COLOR, "color", "WHEN", "auto, always, never"},
	{OPTION_HELP, "help", NULL, "this text"},
	{OPTION_VERSION, "version", NULL, "the version"},
};
enum { TABLE_ROWS = sizeof table / sizeof *table };

static const int common[] = {OPTION_QUIET, OPTION_COLOR, OPTION_HELP, OPTION_VERSION, 0};

static bool is_in(const int *list, int id)
{
	for (; *list != 0; list++)
		if (*list == id)
			return true;
	return false;
}

static bool takes(const struct tool *tool, int id)
{
	return is_in(tool->options, id) || is_in(common, id);
}

static const char *name_of(int id)
{
	for (size_t i = 0; i < TABLE_ROWS; i++)
		if (table[i].id == id)
			return table[i].name;
	return "";
}

static struct tool_words words_of(const struct tool *tool, const struct option_row *row)
{
	for (const struct tool_words *words = tool->words; words != NULL && words->option != 0; words++)
		if (words->option == row->id)
			return *words;
	return (struct tool_words){row->id, row->argument, row->help};
}

static void show_help(const struct tool *tool)
{
	printf("Usage: %s [OPTION]... %s\n%s\n\nOptions:\n", tool->name, tool->operands, tool->purpose);
	for (size_t i = 0; i < TABLE_ROWS; i++) {
		const struct option_row *row = &table[i];
		char words[40];
		if (!takes(tool, row->id))
			continue;
		const struct tool_words said = words_of(tool, row);
		snprintf(words, sizeof words, "--%s%s%s", row->name, said.argument != NULL ? " " : "",
			 said.argument != NULL ? said.argument : "");
		if (row->id < 256)
			printf("  -%c, %-19s %s\n", row->id, words, said.help);
		else
			printf("      %-19s %s\n", words, said.help);
	}
	printf("\nExamples:\n");
	for (const char *const *example = tool->examples; *example != NULL; example++)
		printf("  %s\n", *example);
	printf("\nSee %s(1).\n", tool->name);
}

static void show_version(const struct tool *tool)
{
	printf("%s %s (libsnap %s, format %d)\n", tool->name, snap_version(), snap_version(), SNAP_FORMAT_VERSION);
}

/* A letter as "-x", a word as it was typed. */
_Noreturn static void refuse(int result, char **argv)
{
	const char *typed = argv[optind - 1];
	if (result == ':' && optopt < 256)
		message_usage("option -%c needs an argument", optopt);
	if (result == ':')
		message_usage("option --%s needs an argument", name_of(optopt));
	if (optopt >= 256 || (optopt > 0 && strncmp(typed, "--", 2) == 0 && name_of(optopt)[0] != '\0'))
		message_usage("option --%s takes no argument", name_of(optopt));
	if (optopt > 0)
		message_usage("there is no option -%c", optopt);
	message_usage("there is no option %s, or it is the beginning of several", typed);
}

/* -@N, a snapshot of standard input, which getopt takes for an option. */
static bool is_part_of_input(const char *word)
{
	return word[0] == '-' && word[1] == '@' && number_is_whole(word + 2);
}

/* What getopt does by itself where it knows what an operand is. */
static void put_operands_last(int argc, char **argv, const bool *is_operand)
{
	char **words = malloc((size_t)argc * sizeof *words);
	if (words == NULL) {
		message_fail(NULL, "out of memory");
		exit(TOOL_FAILED);
	}
	int options = 0, operands = 0;
	for (int i = 0; i < optind; i++)
		if (is_operand[i])
			words[operands++] = argv[i];
		else
			argv[options++] = argv[i];
	memcpy(argv + options, words, (size_t)operands * sizeof *words);
	optind = options;
	free(words);
}

int option_next(const struct tool *tool, int argc, char **argv, const char **argument)
{
	enum { OPERAND = 1, PART_OF_INPUT = '@' };
	static const char *const colors[] = {"auto", "always", "never"};
	static struct option names[TABLE_ROWS + 1];
	static char letters[2 * TABLE_ROWS + 5];
	static bool *is_operand; /* by word */
	if (letters[0] == '\0') {
		struct option *name = names;
		char *letter = letters;
		/* A command's options are its own; else operands come as they stand among the options. */
		*letter++ = tool->runs_command ? '+' : '-';
		*letter++ = ':';
		if (!tool->runs_command)
			letter = stpcpy(letter, "@::");
		is_operand = calloc((size_t)argc, sizeof *is_operand);
		if (is_operand == NULL) {
			message_fail(NULL, "out of memory");
			exit(TOOL_FAILED);
		}
		for (size_t i = 0; i < TABLE_ROWS; i++) {
			const struct option_row *row = &table[i];
			if (!takes(tool, row->id))
				continue;
			*name++ = (struct option){.name = row->name,
						  .has_arg = row->argument != NULL ? required_argument
										   : no_argument,
						  .val = row->id};
			if (row->id < 256)
				*letter++ = (char)row->id;
			if (row->id < 256 && row->argument != NULL)
				*letter++ = ':';
		}
		opterr = 0;
	}
	for (;;) {
		int option = getopt_long(argc, argv, letters, names, NULL);
		*argument = optarg;
		switch (option) {
		case OPTION_DONE:
			put_operands_last(argc, argv, is_operand);
			free(is_operand);
			return option;
		case PART_OF_INPUT:
			optopt = PART_OF_INPUT;
			if (!is_part_of_input(argv[optind - 1]))
				refuse('?', argv);
			is_operand[optind - 1] = true;
			break;
		case OPERAND:
			is_operand[optind - 1] = true;
			break;
		case '?':
		case ':':
			refuse(option, argv);
		case OPTION_HELP:
			show_help(tool);
			exit(tool_finish(TOOL_DONE));
		case OPTION_VERSION:
			show_version(tool);
			exit(tool_finish(TOOL_DONE));
		case OPTION_QUIET:
			message_quiet();
			break;
		case OPTION_COLOR:
			terminal_choose_color((enum terminal_color)option_choice(option, optarg, colors, 3));
			break;
		default:
			return option;
		}
	}
}

size_t option_choice(int option, const char *argument, const char *const *names, size_t count)
{
	char list[200];
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(argument, names[i]) == 0)
			return i;
		int n = snprintf(list + used, sizeof list - used, "%s%s",
				 i == 0          ? ""
				 : i + 1 < count ? ", "
						 : " or ",
				 names[i]);
		if (n > 0 && (size_t)n < sizeof list - used)
			used += (size_t)n;
	}
	message_usage("--%s is %s, not '%s'", name_of(option), list, argument);
}

uint64_t option_count(int option, const char *argument, uint64_t min, uint64_t max)
{
	uint64_t count;
	if (number_parse_count(argument, &count) && count >= min && count <= max)
		return count;
	message_usage("--%s is a number from %" PRIu64 " to %" PRIu64 ", not '%s'", name_of(option), min, max,
		      argument);
}

int64_t option_size(int option, const char *argument)
{
	int64_t bytes;
	if (number_parse_size(argument, &bytes))
		return bytes;
	message_usage("--%s is a size such as 512, 64K or 5MiB, not '%s'", name_of(option), argument);
}

uint64_t option_time(int option, const char *argument)
{
	uint64_t milliseconds;
	if (number_parse_time(argument, &milliseconds))
		return milliseconds;
	message_usage("--%s is a time such as 30s, 10m or 2h, not '%s'", name_of(option), argument);
}

size_t option_pair(int option, const char *argument)
{
	const char *equals = strchr(argument, '=');
	if (equals != NULL && equals != argument)
		return (size_t)(equals - argument);
	message_usage("--%s needs KEY=VALUE, not '%s'", name_of(option), argument);
}
