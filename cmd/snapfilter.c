/* snapfilter: keeps what matches of each snapshot, then edits stacks and names. */
#include <snap/edit.h>
#include <snap/filter.h>
#include <snap/redact.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/file_text.h"
#include "frontend/messages.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/stream.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snapfilter",
	.operands = "[FILE]",
	.purpose = "Keeps the blocks that match, of a snapshot, a diff or each snapshot of a series.\n"
		   "GLOB is also GLOB:LINE or @tracer, @importlib, @stdlib, @site-packages.",
	.options = (const int[]){OPTION_INCLUDE, OPTION_EXCLUDE, OPTION_INCLUDE_REGEX, OPTION_EXCLUDE_REGEX,
				 OPTION_ALL_FRAMES, OPTION_DOMAIN, OPTION_EXCLUDE_DOMAIN, OPTION_INTERSECT,
				 OPTION_MIN_SIZE, OPTION_MAX_SIZE, OPTION_MIN_TOTAL, OPTION_ONLY,
				 OPTION_PRESET_FILE, OPTION_HIDE, OPTION_SHOW_FROM, OPTION_MAP,
				 OPTION_STRIP_PREFIX, OPTION_REDACT, OPTION_REDACT_ALL, OPTION_OUTPUT,
				 OPTION_FORCE, OPTION_LEVEL, OPTION_NO_HISTORY, 0},
	.examples =
		(const char *const[]){"snapdiff before.snap after.snap | snapfilter -i '*requests*' | snaptop 25",
				      "snapfilter -x @tracer -x @importlib after.snap | snaptop",
				      "snapfilter -a -i '*/app/views.py:137' after.snap | snaptop -g traceback 3",
				      "snapfilter --redact key.bin -o for-the-vendor.snap after.snap", NULL},
};

struct filtering {
	struct stream_options output;
	struct stream stream;
	struct snap_presets *presets;
	struct snap_pattern **patterns; /* all that were made */
	size_t pattern_count;

	struct snap_filter filter;
	struct snap_filter_rule *rules;
	struct snap_edit edit;
	const struct snap_pattern **hide, **show_from;
	struct snap_prefix *prefixes;
	char **texts; /* behind the prefixes */
	size_t text_count;

	const char *key_file; /* of --redact, else NULL, */
	char *key;            /* and what is in it */
	size_t key_size;
	bool redact_all;
};

static void fail_out_of_memory(void)
{
	message_fail(NULL, "out of memory");
	exit(tool_finish(TOOL_FAILED));
}

/* Each option makes at most one of everything. */
static void make_room(struct filtering *f, int argc)
{
	size_t room = (size_t)argc + 1;
	struct snap_error err;
	f->patterns = calloc(room, sizeof *f->patterns);
	f->rules = calloc(room, sizeof *f->rules);
	f->hide = calloc(room, sizeof *f->hide);
	f->show_from = calloc(room, sizeof *f->show_from);
	f->prefixes = calloc(room, sizeof *f->prefixes);
	f->texts = calloc(room, sizeof *f->texts);
	if (f->patterns == NULL || f->rules == NULL || f->hide == NULL || f->show_from == NULL ||
	    f->prefixes == NULL || f->texts == NULL || snap_presets_new(&f->presets, &err) < 0)
		fail_out_of_memory();
}

static void free_all(struct filtering *f)
{
	for (size_t i = 0; i < f->pattern_count; i++)
		snap_pattern_free(f->patterns[i]);
	for (size_t i = 0; i < f->text_count; i++)
		free(f->texts[i]);
	snap_presets_free(f->presets);
	free(f->patterns);
	free(f->rules);
	free(f->hide);
	free(f->show_from);
	free(f->prefixes);
	free(f->texts);
	free(f->key);
}

static char *keep_text(struct filtering *f, const char *text, size_t size, const char *end)
{
	char *copy = malloc(size + strlen(end) + 1);
	if (copy == NULL)
		fail_out_of_memory();
	memcpy(copy, text, size);
	memcpy(copy + size, end, strlen(end) + 1);
	return f->texts[f->text_count++] = copy;
}

/* A pattern that is wrong, like any wrong command line, ends the tool. */
static const struct snap_pattern *keep_pattern(struct filtering *f, enum snap_status status,
					       struct snap_pattern *pattern, const struct snap_error *err)
{
	if (status < 0) {
		message_error(NULL, err);
		exit(tool_finish(TOOL_FAILED));
	}
	return f->patterns[f->pattern_count++] = pattern;
}

static const struct snap_pattern *glob(struct filtering *f, const char *text)
{
	struct snap_pattern *pattern = NULL;
	struct snap_error err;
	enum snap_status status = snap_pattern_glob(&pattern, text, f->presets, &err);
	return keep_pattern(f, status, pattern, &err);
}

static const struct snap_pattern *regex(struct filtering *f, const char *text)
{
	struct snap_pattern *pattern = NULL;
	struct snap_error err;
	enum snap_status status = snap_pattern_regex(&pattern, text, &err);
	return keep_pattern(f, status, pattern, &err);
}

static void add_pattern_rule(struct filtering *f, bool exclude, const struct snap_pattern *pattern)
{
	f->rules[f->filter.count++] = (struct snap_filter_rule){.exclude = exclude, .pattern = pattern};
}

static void add_domain_rule(struct filtering *f, bool exclude, int option, const char *argument)
{
	f->rules[f->filter.count++] =
		(struct snap_filter_rule){.exclude = exclude,
					  .in_domain = true,
					  .domain = (uint32_t)option_count(option, argument, 0, UINT32_MAX)};
}

static void add_only(struct filtering *f, const char *argument)
{
	static const char *const names[] = {"grown", "shrunk", "new", "gone"};
	char *words = keep_text(f, argument, strlen(argument), ""), *rest = words;
	do {
		char *word = rest;
		rest = strchr(rest, ',');
		if (rest != NULL)
			*rest++ = '\0';
		f->filter.only |= 1u << option_choice(OPTION_ONLY, word, names, 4);
	} while (rest != NULL);
}

/* NAME=FILE, or FILE, which is named like the file without its folder and what stands behind the first '.'. */
static void add_presets(struct filtering *f, const char *argument)
{
	const char *equals = strchr(argument, '='), *path = equals != NULL ? equals + 1 : argument, *name = argument;
	size_t name_size = equals != NULL ? (size_t)(equals - argument) : 0, size;
	if (equals == NULL) {
		const char *slash = strrchr(argument, '/');
		name = slash != NULL ? slash + 1 : argument;
		name_size = strcspn(name, ".");
	}
	struct snap_error err;
	char *text = file_text_read(path, &size);
	if (snap_presets_add(f->presets, keep_text(f, name, name_size, ""), text, size, &err) < 0) {
		message_error(path, &err);
		exit(tool_finish(TOOL_FAILED));
	}
	free(text);
}

static void add_prefix(struct filtering *f, int option, const char *argument)
{
	struct snap_prefix *prefix = &f->prefixes[f->edit.prefix_count++];
	if (option == OPTION_MAP) {
		size_t size = option_pair(option, argument);
		*prefix = (struct snap_prefix){keep_text(f, argument, size, ""), argument + size + 1};
	} else {
		size_t size = strlen(argument);
		/* Names from Windows have separators of their own. */
		const char *separator = strchr(argument, '\\') != NULL && strchr(argument, '/') == NULL ? "\\" : "/";
		bool ends = size > 0 && argument[size - 1] == *separator;
		*prefix = (struct snap_prefix){keep_text(f, argument, size, ends ? "" : separator), ""};
	}
}

static void take_option(struct filtering *f, int option, const char *argument)
{
	switch (option) {
	case OPTION_INCLUDE:
	case OPTION_EXCLUDE:
		add_pattern_rule(f, option == OPTION_EXCLUDE, glob(f, argument));
		break;
	case OPTION_INCLUDE_REGEX:
	case OPTION_EXCLUDE_REGEX:
		add_pattern_rule(f, option == OPTION_EXCLUDE_REGEX, regex(f, argument));
		break;
	case OPTION_DOMAIN:
	case OPTION_EXCLUDE_DOMAIN:
		add_domain_rule(f, option == OPTION_EXCLUDE_DOMAIN, option, argument);
		break;
	case OPTION_INTERSECT:
		f->filter.intersect = true;
		break;
	case OPTION_MIN_SIZE:
		f->filter.min_size = (uint64_t)option_size(option, argument);
		break;
	case OPTION_MAX_SIZE:
		f->filter.max_size = (uint64_t)option_size(option, argument);
		f->filter.has_max_size = true;
		break;
	case OPTION_MIN_TOTAL:
		f->filter.min_total = option_size(option, argument);
		break;
	case OPTION_ONLY:
		add_only(f, argument);
		break;
	case OPTION_HIDE:
		f->hide[f->edit.hide_count++] = glob(f, argument);
		break;
	case OPTION_SHOW_FROM:
		f->show_from[f->edit.show_from_count++] = glob(f, argument);
		break;
	case OPTION_MAP:
	case OPTION_STRIP_PREFIX:
		add_prefix(f, option, argument);
		break;
	case OPTION_REDACT:
		free(f->key);
		f->key_file = argument;
		f->key = file_text_read(argument, &f->key_size);
		f->output.no_arguments = true;
		break;
	case OPTION_REDACT_ALL:
		f->redact_all = true;
		break;
	default:
		break;
	}
}

static void read_options(int argc, char **argv, struct filtering *f)
{
	struct typed {
		int option;
		const char *argument;
	} *typed = calloc((size_t)argc + 1, sizeof *typed);
	size_t count = 0;
	bool all_frames = false;
	if (typed == NULL)
		fail_out_of_memory();
	/* Presets first: they hold for patterns before them as well. */
	for (struct typed next; (next.option = option_next(&tool, argc, argv, &next.argument)) != OPTION_DONE;) {
		if (next.option == OPTION_PRESET_FILE)
			add_presets(f, next.argument);
		else if (next.option == OPTION_ALL_FRAMES)
			all_frames = true;
		else if (!stream_option(&f->output, next.option, next.argument))
			typed[count++] = next;
	}
	for (size_t i = 0; i < count; i++)
		take_option(f, typed[i].option, typed[i].argument);
	for (size_t i = 0; i < f->filter.count; i++)
		f->rules[i].all_frames = all_frames;
	free(typed);
	if (f->redact_all && f->key == NULL)
		message_usage("--redact-all needs --redact KEYFILE");
	f->filter.rules = f->rules;
	f->edit.hide = f->hide;
	f->edit.show_from = f->show_from;
	f->edit.prefixes = f->prefixes;
}

/* Replaces a snapshot by what a step has made of it. */
static bool step(struct snap_snapshot **snapshot, struct snap_snapshot *made, enum snap_status status,
		 const char *name, const struct snap_error *err)
{
	if (status < 0) {
		message_error(name, err);
		return false;
	}
	snap_snapshot_free(*snapshot);
	*snapshot = made;
	return true;
}

static bool wants_edit(const struct snap_edit *edit)
{
	return edit->hide_count > 0 || edit->show_from_count > 0 || edit->prefix_count > 0;
}

static bool transform(const struct filtering *f, struct snap_snapshot **snapshot, const char *name)
{
	struct snap_snapshot *made;
	struct snap_error err;
	enum snap_status status = snap_filter_apply(&made, *snapshot, &f->filter, &err);
	if (!step(snapshot, made, status, name, &err))
		return false;
	if (wants_edit(&f->edit)) {
		status = snap_edit_apply(&made, *snapshot, &f->edit, &err);
		if (!step(snapshot, made, status, name, &err))
			return false;
	}
	if (f->key == NULL)
		return true;
	status = snap_redact(&made, *snapshot, f->key, f->key_size, f->redact_all, &err);
	return step(snapshot, made, status, status == SNAP_ERR_INVALID ? f->key_file : name, &err);
}

static bool put(void *filtering, struct snap_snapshot *snapshot, const char *name)
{
	struct filtering *f = filtering;
	bool written = transform(f, &snapshot, name) && stream_put(&f->stream, snapshot);
	snap_snapshot_free(snapshot);
	return written;
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct filtering f = {.output = {.tool = &tool, .argc = argc, .argv = argv, .series = true}};
	make_room(&f, argc);
	read_options(argc, argv, &f);
	int count;
	char **operands = tool_operands(&tool, argc, argv, &count);
	if (count > 1)
		message_usage("one FILE is enough: '%s'", operands[1]);

	enum tool_exit status = TOOL_FAILED;
	if (stream_open(&f.stream, &f.output)) {
		if (operand_each(operands[0], operand_next, put, &f) && stream_finish(&f.stream))
			status = TOOL_DONE;
		stream_close(&f.stream);
	}
	free_all(&f);
	return tool_finish(status);
}
