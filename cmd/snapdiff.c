/* snapdiff: what changed from one snapshot to another, as a snapshot that holds both. */
#include <snap/diff.h>
#include <snap/estimate.h>

#include "frontend/messages.h"
#include "frontend/numbers.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/stream.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snapdiff",
	.operands = "OLD NEW | [SERIES]",
	.purpose =
		"Writes what changed from OLD to NEW, or from the first snapshot of a series to its last;\n"
		"on a terminal shows the ten biggest changes.",
	.options = (const int[]){OPTION_OUTPUT, OPTION_FORCE, OPTION_LEVEL, OPTION_NO_HISTORY,
				 OPTION_FAIL_OVER, 0},
	.examples = (const char *const[]){"snapdiff before.snap after.snap | snaptop 25",
					  "snapdiff -o growth.snap service.snap@2 service.snap@-1",
					  "snapdiff --fail-over 5MiB before.pickle after.pickle >/dev/null",
					  NULL},
};

struct options {
	struct stream_options stream;
	bool has_limit;
	int64_t limit; /* of --fail-over */
};

static void read_options(int argc, char **argv, struct options *options)
{
	int option;
	const char *argument;
	while ((option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE) {
		if (!stream_option(&options->stream, option, argument) && option == OPTION_FAIL_OVER) {
			options->limit = option_size(option, argument);
			options->has_limit = true;
		}
	}
}

static bool read_sides(char **operands, int count, struct snap_snapshot **older, struct snap_snapshot **newer)
{
	if (count < 2)
		return operand_read_ends(operands[0], older, newer);
	if (!operand_read_one(operands[0], older))
		return false;
	if (operand_read_one(operands[1], newer))
		return true;
	snap_snapshot_free(*older);
	return false;
}

static bool diff_sides(char **operands, int count, struct snap_snapshot **diff)
{
	struct snap_snapshot *older, *newer;
	struct snap_error err;
	if (!read_sides(operands, count, &older, &newer))
		return false;
	enum snap_status status = snap_diff_new(diff, older, newer, &err);
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
	if (status < 0)
		message_error(NULL, &err);
	return status == SNAP_OK;
}

static bool write_diff(const struct options *options, struct snap_snapshot *diff)
{
	struct stream stream;
	if (!stream_open(&stream, &options->stream))
		return false;
	bool written = stream_put(&stream, diff) && stream_finish(&stream);
	stream_close(&stream);
	return written;
}

/* The total growth. What was sampled is estimated for it. */
static bool growth_of(struct snap_snapshot *diff, int64_t *growth)
{
	enum { BYTES = 1, OLD_BYTES = 3 }; /* columns, see snap/snapshot.h */
	struct snap_error err;
	if (snap_estimate(diff, &err) < 0) {
		message_error(NULL, &err);
		return false;
	}
	int64_t bytes = snap_snapshot_total(diff, BYTES), old_bytes = snap_snapshot_total(diff, OLD_BYTES);
	if (__builtin_sub_overflow(bytes, old_bytes, growth))
		*growth = bytes > old_bytes ? INT64_MAX : INT64_MIN;
	return true;
}

static enum tool_exit judge(const struct options *options, struct snap_snapshot *diff)
{
	int64_t growth;
	if (!options->has_limit)
		return TOOL_DONE;
	if (!growth_of(diff, &growth))
		return TOOL_FAILED;
	operand_warn_if_partial(NULL, diff);
	if (growth <= options->limit)
		return TOOL_DONE;
	char grown[NUMBER_SIZE], limit[NUMBER_SIZE];
	message_note(NULL, "grown by %s, more than %s", number_size(grown, (double)growth, false),
		     number_size(limit, (double)options->limit, false));
	return TOOL_CONDITION;
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct options options = {.stream = {.tool = &tool, .argc = argc, .argv = argv}};
	read_options(argc, argv, &options);
	int count;
	char **operands = tool_operands(&tool, argc, argv, &count);
	if (count > 2)
		message_usage("OLD and NEW are enough: '%s'", operands[2]);

	enum tool_exit status = TOOL_FAILED;
	struct snap_snapshot *diff;
	if (diff_sides(operands, count, &diff)) {
		if (write_diff(&options, diff))
			status = judge(&options, diff);
		snap_snapshot_free(diff);
	}
	return tool_finish(status);
}
