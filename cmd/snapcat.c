/* snapcat: any input becomes one snapshot or a series; the converter and archiver. */
#include <snap/diff.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/messages.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/stream.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snapcat",
	.operands = "[FILE]...",
	.purpose = "Writes the snapshots of all FILEs, whatever their format, as one .snap stream.",
	.options = (const int[]){OPTION_OUTPUT, OPTION_FORCE, OPTION_LEVEL, OPTION_MERGE, OPTION_SET,
				 OPTION_NO_HISTORY, 0},
	.examples =
		(const char *const[]){"snapcat -o before.snap before.pickle",
				      "snapcat -o service.snap before.pickle during-1.pickle after.pickle",
				      "snapcat --merge worker-1.snap worker-2.snap | snaptop",
				      "snapcat --set label.rev=1a2b3c -o marked.snap before.pickle", NULL},
};

struct concatenation {
	struct stream_options options;
	const char **settings; /* KEY=VALUE of --set */
	size_t setting_count;
	struct stream stream;

	bool merge;
	struct snap_snapshot **parts; /* with `merge`, all that were read */
	size_t part_count, part_room;
};

static void read_options(int argc, char **argv, struct concatenation *cat)
{
	int option;
	const char *argument;
	while ((option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE) {
		if (stream_option(&cat->options, option, argument))
			continue;
		if (option == OPTION_MERGE) {
			cat->merge = true;
		} else if (option == OPTION_SET) {
			option_pair(option, argument);
			cat->settings[cat->setting_count++] = argument;
		}
	}
}

static bool apply_setting(struct snap_meta *meta, const char *setting)
{
	char key[SNAP_META_KEY_MAX + 2];
	struct snap_error err;
	size_t size = option_pair(OPTION_SET, setting);
	if (size > SNAP_META_KEY_MAX)
		size = SNAP_META_KEY_MAX + 1; /* the library says what is wrong */
	memcpy(key, setting, size);
	key[size] = '\0';
	if (snap_meta_set_text(meta, key, strchr(setting, '=') + 1, &err) < 0) {
		message_error(NULL, &err);
		return false;
	}
	/* It is not the time of the file any more. */
	if (strcmp(key, "time") == 0)
		snap_meta_remove(meta, "time_source");
	return true;
}

static bool put(struct concatenation *cat, struct snap_snapshot *snapshot)
{
	for (size_t i = 0; i < cat->setting_count; i++)
		if (!apply_setting(snap_snapshot_meta(snapshot), cat->settings[i]))
			return false;
	return stream_put(&cat->stream, snapshot);
}

static bool keep(struct concatenation *cat, struct snap_snapshot *snapshot)
{
	if (cat->part_count == cat->part_room) {
		size_t room = cat->part_room == 0 ? 16 : 2 * cat->part_room;
		struct snap_snapshot **grown = realloc(cat->parts, room * sizeof *grown);
		if (grown == NULL) {
			message_fail(NULL, "out of memory");
			return false;
		}
		cat->parts = grown;
		cat->part_room = room;
	}
	cat->parts[cat->part_count++] = snapshot;
	return true;
}

static bool take(void *concatenation, struct snap_snapshot *snapshot, const char *name)
{
	struct concatenation *cat = concatenation;
	(void)name;
	bool taken = cat->merge ? keep(cat, snapshot) : put(cat, snapshot);
	if (!cat->merge || !taken)
		snap_snapshot_free(snapshot);
	return taken;
}

static bool put_merged(struct concatenation *cat)
{
	struct snap_snapshot *merged;
	struct snap_error err;
	if (snap_merge_new(&merged, cat->parts, cat->part_count, &err) < 0) {
		message_error(NULL, &err);
		return false;
	}
	bool written = put(cat, merged);
	snap_snapshot_free(merged);
	return written;
}

static bool concatenate(struct concatenation *cat, char **operands, int count)
{
	for (int i = 0; i < count; i++)
		if (!operand_each(operands[i], operand_next, take, cat))
			return false;
	return (!cat->merge || put_merged(cat)) && stream_finish(&cat->stream);
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct concatenation cat = {.options = {.tool = &tool, .argc = argc, .argv = argv}};
	cat.settings = calloc((size_t)argc + 1, sizeof *cat.settings); /* room for as many as there may be */
	if (cat.settings == NULL) {
		message_fail(NULL, "out of memory");
		return TOOL_FAILED;
	}
	read_options(argc, argv, &cat);
	cat.options.series = !cat.merge;
	int count;
	char **operands = tool_operands(&tool, argc, argv, &count);

	enum tool_exit status = TOOL_FAILED;
	if (stream_open(&cat.stream, &cat.options)) {
		if (concatenate(&cat, operands, count))
			status = TOOL_DONE;
		stream_close(&cat.stream);
	}
	for (size_t i = 0; i < cat.part_count; i++)
		snap_snapshot_free(cat.parts[i]);
	free(cat.parts);
	free(cat.settings);
	return tool_finish(status);
}
