/* snapload: snapshots into an SQLite database, each once. */
#include <getopt.h>
#include <inttypes.h>
#include <snap/estimate.h>
#include <snap/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/messages.h"
#include "frontend/operands.h"
#include "frontend/options.h"
#include "frontend/progress.h"
#include "frontend/tool.h"

static const struct tool tool = {
	.name = "snapload",
	.operands = "DB [FILE]...",
	.purpose = "Loads the snapshots of all FILEs into the SQLite database DB, which is made if it is not there.\n"
		   "What is there already is not loaded again.",
	.options = (const int[]){OPTION_REPLACE, OPTION_LABEL, 0},
	.examples = (const char *const[]){"snapload leak.db before.snap after.pickle",
					  "snapload --label rev=1a2b3c leak.db service.snap",
					  "snapfilter -x @tracer service.snap | snapload leak.db", NULL},
};

struct load {
	const char *path;         /* of the database */
	struct snap_store *store; /* NULL until there is something to load */
	struct snap_store_options options;
};

struct tally {
	uint64_t of[SNAP_STORE_REPLACED + 1]; /* by enum snap_store_result */
};

static bool failed(const char *file, const struct snap_error *err)
{
	message_error(file, err);
	return false;
}

/* --label KEY=VALUE sets label.KEY. */
static void add_label(struct snap_meta *labels, const char *argument)
{
	char key[SNAP_META_KEY_MAX + 2];
	struct snap_error err;
	size_t size = option_pair(OPTION_LABEL, argument);
	/* What does not fit is too long for the library as well, which says so. */
	snprintf(key, sizeof key, "label.%.*s", (int)(size < sizeof key ? size : sizeof key), argument);
	if (snap_meta_set_text(labels, key, argument + size + 1, &err) < 0) {
		message_error(NULL, &err);
		exit(tool_finish(TOOL_FAILED));
	}
}

static void read_options(int argc, char **argv, struct load *load, struct snap_meta *labels)
{
	int option;
	const char *argument;
	while ((option = option_next(&tool, argc, argv, &argument)) != OPTION_DONE) {
		if (option == OPTION_REPLACE)
			load->options.replace = true;
		else
			add_label(labels, argument);
	}
}

static void waiting(void *context)
{
	(void)context;
	progress_wait("waiting for another program that uses the database");
}

/* A database is opened, and made, only when there is a snapshot for it. */
static bool begin(struct load *load)
{
	static const struct snap_store_wait wait = {waiting, NULL};
	struct snap_error err;
	enum snap_status status = SNAP_OK;
	if (load->store == NULL)
		status = snap_store_open(&load->store, load->path, &wait, &err);
	if (status == SNAP_OK)
		status = snap_store_begin(load->store, &err);
	progress_wait(NULL);
	return status == SNAP_OK || failed(load->path, &err);
}

static bool commit(struct load *load)
{
	struct snap_error err;
	enum snap_status status = snap_store_commit(load->store, &err);
	progress_wait(NULL);
	return status == SNAP_OK || failed(load->path, &err);
}

static bool take(struct load *load, struct snap_snapshot *snapshot, const char *file, struct tally *tally)
{
	enum snap_store_result result;
	struct snap_error err;
	operand_warn_if_partial(file, snapshot);
	if (snap_estimate(snapshot, &err) < 0)
		return failed(file, &err);
	if (snap_store_load(load->store, snapshot, &load->options, &result, &err) < 0)
		return failed(load->path, &err);
	tally->of[result]++;
	return true;
}

/* All snapshots of an operand, of which the first is read already, in one transaction. */
static bool take_all(struct load *load, struct operand_reader *reader, struct snap_snapshot *snapshot,
		     struct tally *tally)
{
	bool taken = begin(load);
	enum snap_status status = SNAP_OK;
	while (taken && status == SNAP_OK) {
		taken = take(load, snapshot, reader->operand->name, tally);
		snap_snapshot_free(snapshot);
		snapshot = NULL;
		load->options.member += reader->operand->member == 0;
		if (taken)
			status = operand_next(reader, &snapshot);
	}
	if (status == SNAP_OK)
		snap_snapshot_free(snapshot);
	if (!taken || status != SNAP_END)
		return false;
	return commit(load);
}

static void tell(const char *file, const struct tally *tally)
{
	static const char *const words[] = {
		[SNAP_STORE_LOADED] = "loaded",
		[SNAP_STORE_THERE] = "there already",
		[SNAP_STORE_REPLACED] = "replaced",
	};
	char text[100];
	size_t used = 0;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (tally->of[i] > 0)
			used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64 " %s",
						 used > 0 ? ", " : "", tally->of[i], words[i]);
	message_note(file, "%s", text);
}

static bool load_operand(struct load *load, const char *argument)
{
	struct operand operand;
	struct operand_reader reader;
	struct tally tally = {{0}};
	if (!operand_parse(&operand, argument) || !operand_open(&reader, &operand))
		return false;
	load->options.source = strcmp(operand.path, "-") != 0 ? operand.path : NULL;
	load->options.member = operand.member > 0 ? (uint64_t)operand.member : operand.member == 0 ? 1 : 0;
	struct snap_snapshot *first;
	bool loaded = operand_next(&reader, &first) == SNAP_OK && take_all(load, &reader, first, &tally);
	operand_close(&reader);
	if (loaded)
		tell(operand.name, &tally);
	else if (load->store != NULL)
		snap_store_rollback(load->store);
	return loaded;
}

int main(int argc, char **argv)
{
	tool_start(&tool);
	struct load load = {.path = NULL};
	struct snap_meta *labels;
	struct snap_error err;
	if (snap_meta_new(&labels, &err) < 0) {
		message_error(NULL, &err);
		return tool_finish(TOOL_FAILED);
	}
	read_options(argc, argv, &load, labels);
	load.options.extra = labels;
	int count;
	char **operands = tool_operands(&tool, argc, argv, &count);
	if (optind == argc)
		message_usage("DB is needed");
	load.path = argv[optind++];
	if (strcmp(load.path, "-") == 0)
		message_usage("DB is a file, it cannot be '-' (./- is a file of that name)");
	operands = tool_operands(&tool, argc, argv, &count);
	enum tool_exit status = TOOL_DONE;
	for (int i = 0; i < count && status == TOOL_DONE; i++)
		if (!load_operand(&load, operands[i]))
			status = TOOL_FAILED;
	snap_store_close(load.store);
	snap_meta_free(labels);
	return tool_finish(status);
}
