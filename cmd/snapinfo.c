/* snapinfo: what a file holds and how its bytes are spent; checks files and salvages damaged ones. */
#include <stdio.h>
#include <string.h>

#include "frontend/info.h"
#include "frontend/members.h"
#include "frontend/messages.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/report.h"
#include "frontend/stream.h"
#include "frontend/text.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snapinfo",
	.operands = "[FILE]...",
	.purpose = "Shows the metadata, counts and sizes of FILEs and of their members.",
	.options = (const int[]){OPTION_CHECK, OPTION_SALVAGE, OPTION_JSON, OPTION_OUTPUT, OPTION_FORCE, 0},
	.examples = (const char *const[]){"snapinfo after.snap", "snapinfo --check service.snap after.snap",
					  "snapinfo --json service.snap@-1",
					  "snapinfo --salvage -o rescued.snap cut.snap", NULL},
};

struct options {
	bool check, salvage, json;
	struct stream_options stream; /* of --salvage; without, of its options -o alone */
};

static void read_options(int argc, char **argv, struct options *options)
{
	int option;
	const char *argument;
	while ((option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE) {
		stream_option(&options->stream, option, argument);
		options->check |= option == OPTION_CHECK;
		options->salvage |= option == OPTION_SALVAGE;
		options->json |= option == OPTION_JSON;
	}
	if (options->salvage && (options->check || options->json))
		message_usage("--salvage goes neither with --check nor with --json");
	if (!options->salvage && options->stream.replace)
		message_usage("-f goes with --salvage only");
}

/* --check and --salvage look at all of a file. */
static bool is_whole(const struct operand *operand)
{
	if (operand->member != 0)
		message_fail(operand->name, "--check and --salvage take whole files, not FILE@N");
	return operand->member == 0;
}

static bool check(struct member_reader *members)
{
	const char *name = members->operand->name;
	size_t count = 0;
	enum snap_status status;
	while ((status = members_next(members)) == SNAP_OK)
		count++;
	if (status != SNAP_END)
		return false;
	text_put(stdout, name, strlen(name));
	printf(": ok, %zu member%s\n", count, count == 1 ? "" : "s");
	return true;
}

static bool show(const struct options *options, const char *argument)
{
	struct snap_reader_options reading = {.limits = snap_limits_default(), .check = options->check};
	struct operand operand;
	struct member_reader members;
	if (!operand_parse(&operand, argument) || (options->check && !is_whole(&operand)) ||
	    !members_open(&members, &operand, &reading))
		return false;
	bool shown = options->json    ? info_json(&members)
		     : options->check ? check(&members)
				      : info_text(&members);
	members_close(&members);
	return shown;
}

/* Whether an error is the input's, so that what was read before it is worth having. */
static bool is_damage(enum snap_status status)
{
	return status == SNAP_ERR_TRUNCATED || status == SNAP_ERR_DAMAGED || status == SNAP_ERR_UNSUPPORTED;
}

/* Copies what can be read and tells what cannot. */
static bool copy_whole_parts(struct member_reader *members, struct stream *stream)
{
	const char *rest = ", the file is not damaged";
	size_t whole = 0;
	enum snap_status status;
	while ((status = members_next(members)) == SNAP_OK) {
		const struct snap_error *damage = snap_reader_damage(members->reader);
		if (damage->status < 0) {
			message_error(members->operand->name, damage);
			rest = " and a part of the next";
		} else {
			whole++;
		}
		if (!stream_put(stream, members->member.snapshot))
			return false;
	}
	if (is_damage(status) && whole > 0)
		rest = " and nothing of the next";
	else if (status < 0)
		return false;
	if (!stream_finish(stream))
		return false;
	message_note(members->operand->name, "salvaged %zu whole snapshot%s%s", whole, whole == 1 ? "" : "s",
		     rest);
	return true;
}

static bool salvage(const struct options *options, const char *argument)
{
	struct snap_reader_options reading = {.limits = snap_limits_default(), .salvage = true};
	struct operand operand;
	struct member_reader members;
	struct stream stream;
	if (!operand_parse(&operand, argument) || !is_whole(&operand) ||
	    !members_open(&members, &operand, &reading))
		return false;
	bool copied = false;
	if (members.reader == NULL) {
		message_fail(operand.name, "only .snap files can be salvaged, not %s", members.format);
	} else if (stream_open(&stream, &options->stream)) {
		copied = copy_whole_parts(&members, &stream);
		stream_close(&stream);
	}
	members_close(&members);
	return copied;
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct options options = {.stream = {.tool = &tool, .argc = argc, .argv = argv, .series = true}};
	read_options(argc, argv, &options);
	int count;
	char **files = tool_operands(&tool, argc, argv, &count);
	if (options.salvage && count > 1)
		message_usage("--salvage takes one FILE");
	if (!options.salvage)
		report_begin(options.stream.path);

	enum tool_exit status = TOOL_DONE;
	for (int i = 0; i < count; i++) {
		if (i > 0 && !options.check && !options.json)
			putchar('\n');
		if (!(options.salvage ? salvage : show)(&options, files[i]))
			status = TOOL_FAILED;
	}
	return report_finish(status);
}
