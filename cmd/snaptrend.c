/* snaptrend: a series of snapshots -> the lines that leak, how fast, until when. */
#include <stdlib.h>

#include "frontend/messages.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/report.h"
#include "frontend/tool.h"
#include "frontend/trend.h"

static const struct tool tool = {
	.name = "snaptrend",
	.operands = "[N] FILE...",
	.purpose = "Ranks what leaks in a series of snapshots of a process: N suspects (10; 0 = all).",
	.options = (const int[]){OPTION_PER, OPTION_LIMIT, OPTION_BASELINE, OPTION_EXIT_CODE, OPTION_SOURCE_ROOT,
				 OPTION_MAP, OPTION_NO_SOURCE, OPTION_JSON, OPTION_TSV, OPTION_OUTPUT, 0},
	.examples = (const char *const[]){"snaptrend service.snap",
					  "snaptrend --limit 2GiB 3 before.snap during-*.pickle after.snap",
					  "snaptrend --json 0 service.snap", NULL},
};

static void read_options(int argc, char **argv, struct trend_options *options, bool *exit_code, const char **maps,
			 const char **output)
{
	int option;
	const char *argument;
	while ((option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE) {
		switch (option) {
		case OPTION_PER:
			options->per = argument;
			break;
		case OPTION_LIMIT:
			options->limit = option_size(option, argument);
			if (options->limit == 0)
				message_usage("--limit is larger than 0, not '%s'", argument);
			break;
		case OPTION_BASELINE:
			baseline_free(options->baseline);
			options->baseline = baseline_read(argument);
			break;
		case OPTION_EXIT_CODE:
			*exit_code = true;
			break;
		case OPTION_SOURCE_ROOT:
			options->sources.root = argument;
			break;
		case OPTION_MAP:
			option_pair(option, argument);
			maps[options->sources.map_count++] = argument;
			break;
		case OPTION_NO_SOURCE:
			options->sources.none = true;
			break;
		case OPTION_JSON:
			options->format = TREND_JSON;
			break;
		case OPTION_TSV:
			options->format = TREND_TSV;
			break;
		case OPTION_OUTPUT:
			*output = argument;
			break;
		}
	}
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct trend_options options = {.count = 10};
	const char **maps = calloc((size_t)argc + 1, sizeof *maps); /* room for as many as there may be */
	if (maps == NULL) {
		message_fail(NULL, "out of memory");
		return TOOL_FAILED;
	}
	options.sources.maps = maps;
	bool exit_code = false;
	const char *output = NULL;
	read_options(argc, argv, &options, &exit_code, maps, &output);
	uint64_t wanted;
	if (operand_take_count(argc, argv, &wanted))
		options.count = wanted;
	int count;
	char **operands = tool_operands(&tool, argc, argv, &count);
	report_begin(output);

	enum tool_exit status = TOOL_FAILED;
	struct trend_set set;
	size_t leaks = 0;
	if (trend_read(&set, &options, operands, count) && trend_show(&set, &leaks))
		status = exit_code && leaks > 0 ? TOOL_CONDITION : TOOL_DONE;
	trend_free(&set);
	baseline_free(options.baseline);
	free(maps);
	return report_finish(status);
}
