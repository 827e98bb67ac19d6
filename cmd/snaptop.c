/* snaptop: the biggest groups of a snapshot, or the biggest changes of a diff. */
#include <stdlib.h>

#include "frontend/messages.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/report.h"
#include "frontend/tool.h"
#include "frontend/top.h"

static const struct tool tool = {
	.name = "snaptop",
	.operands = "[N] [FILE]",
	.purpose = "Shows the N biggest groups of a snapshot, or changes of a diff (10; 0 = all).",
	.options = (const int[]){OPTION_GROUP_BY, OPTION_CUMULATIVE, OPTION_SORT, OPTION_FRAMES,
				 OPTION_MOST_RECENT_FIRST, OPTION_SOURCE_ROOT, OPTION_MAP, OPTION_NO_SOURCE,
				 OPTION_FORMAT, OPTION_JSON, OPTION_TSV, OPTION_OUTPUT, 0},
	.examples =
		(const char *const[]){"snaptop after.snap", "snapdiff before.snap after.snap | snaptop 25",
				      "snaptop -g traceback -t 5 3 service.snap@-1",
				      "snaptop -c -g filename --json 0 after.pickle", NULL},
};

static const char *const formats[] = {"table", "tracemalloc", "json", "tsv"};
static const char *const keys[] = {"lineno", "filename", "function", "traceback", "domain", "size"};
static const char *const orders[] = {"size", "count", "size-diff", "count-diff"};

static void add_map(struct top_options *options, const char **maps, const char *map)
{
	option_pair(OPTION_MAP, map);
	maps[options->sources.map_count++] = map;
}

static void read_options(int argc, char **argv, struct top_options *options, const char **maps, const char **output)
{
	int option;
	const char *argument;
	while ((option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE) {
		switch (option) {
		case OPTION_GROUP_BY:
			options->group.by = (enum snap_group_by)option_choice(option, argument, keys, 6);
			break;
		case OPTION_CUMULATIVE:
			options->group.cumulative = SNAP_CUMULATIVE;
			break;
		case OPTION_SORT:
			options->group.sort = (enum snap_group_sort)(
				SNAP_SORT_SIZE + option_choice(option, argument, orders, 4));
			break;
		case OPTION_FRAMES:
			options->frames = option_count(option, argument, 0, SNAP_DEPTH_MAX);
			break;
		case OPTION_MOST_RECENT_FIRST:
			options->most_recent_first = true;
			break;
		case OPTION_SOURCE_ROOT:
			options->sources.root = argument;
			break;
		case OPTION_MAP:
			add_map(options, maps, argument);
			break;
		case OPTION_NO_SOURCE:
			options->sources.none = true;
			break;
		case OPTION_FORMAT:
			options->format = (enum top_format)option_choice(option, argument, formats, 4);
			break;
		case OPTION_JSON:
			options->format = TOP_JSON;
			break;
		case OPTION_TSV:
			options->format = TOP_TSV;
			break;
		case OPTION_OUTPUT:
			*output = argument;
			break;
		}
	}
}

/* Returns the file. */
static const char *read_operands(int argc, char **argv, struct top_options *options)
{
	uint64_t wanted;
	if (operand_take_count(argc, argv, &wanted))
		options->count = wanted;
	int count;
	char **files = tool_operands(&tool, argc, argv, &count);
	if (count > 1)
		message_usage("one FILE is enough: '%s'", files[1]);
	return files[0];
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct top_options options = top_options_default;
	const char **maps = calloc((size_t)argc + 1, sizeof *maps); /* room for as many as there may be */
	if (maps == NULL) {
		message_fail(NULL, "out of memory");
		return TOOL_FAILED;
	}
	options.sources.maps = maps;
	const char *output = NULL;
	read_options(argc, argv, &options, maps, &output);
	const char *file = read_operands(argc, argv, &options);
	report_begin(output);

	enum tool_exit status = TOOL_FAILED;
	struct snap_snapshot *snapshot;
	if (operand_read_one(file, &snapshot)) {
		if (options.format == TOP_TSV || options.format == TOP_TRACEMALLOC)
			operand_warn_if_partial(file, snapshot);
		if (top_show(snapshot, &options))
			status = TOOL_DONE;
		snap_snapshot_free(snapshot);
	}
	free(maps);
	return report_finish(status);
}
