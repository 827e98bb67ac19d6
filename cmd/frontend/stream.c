/* Output of snapshots; see stream.h. */
#define _POSIX_C_SOURCE 200809L
#include "stream.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "existing.h"
#include "messages.h"
#include "options.h"
#include "terminal.h"
#include "top.h"

bool stream_option(struct stream_options *options, int option, const char *argument)
{
	switch (option) {
	case OPTION_OUTPUT:
		options->path = argument;
		return true;
	case OPTION_FORCE:
		options->replace = true;
		return true;
	case OPTION_LEVEL:
		options->level = (int)option_count(option, argument, 1, SNAP_LEVEL_MAX);
		return true;
	case OPTION_NO_HISTORY:
		options->no_history = true;
		return true;
	default:
		return false;
	}
}

/* `snapcat -o *.pickle` must not cost a pickle. */
static bool may_replace(const struct stream_options *options)
{
	struct snap_error err;
	enum existing there = options->replace ? EXISTING_NOTHING : existing_look(options->path, &err);
	if (there == EXISTING_UNREADABLE)
		message_error(options->path, &err);
	else if (there == EXISTING_DUMP || there == EXISTING_OTHER)
		message_fail(options->path, "it exists and is no .snap file; -f replaces it");
	return there == EXISTING_NOTHING || there == EXISTING_SNAP;
}

static bool stdout_is_file(void)
{
	struct stat st;
	return fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

bool stream_open(struct stream *stream, const struct stream_options *options)
{
	bool to_stdout = options->path == NULL || strcmp(options->path, "-") == 0;
	struct snap_error err;
	enum snap_status status;
	*stream = (struct stream){.options = options, .name = to_stdout ? "standard output" : options->path};
	if (to_stdout && terminal_is_stdout())
		return true;
	if (to_stdout)
		status = snap_output_to_fd(&stream->output, STDOUT_FILENO, &err);
	else if (!may_replace(options))
		return false;
	else
		status = snap_output_create(&stream->output, options->path, &err);
	if (status == SNAP_OK) {
		bool into_file = !to_stdout || stdout_is_file();
		struct snap_writer_options writing = {
			.level = options->level > 0 ? options->level
				 : into_file        ? SNAP_LEVEL_DEFAULT
						    : SNAP_LEVEL_STORED,
			.series = options->series,
		};
		status = snap_writer_new(&stream->writer, stream->output, &writing, &err);
	}
	if (status == SNAP_OK)
		return true;
	message_error(stream->name, &err);
	stream_close(stream);
	return false;
}

static enum snap_status add_history(const struct stream_options *options, struct snap_meta *meta,
				    struct snap_error *err)
{
	if (options->no_history) {
		snap_meta_drop_history(meta);
		return SNAP_OK;
	}
	return snap_meta_add_history(meta, options->tool->name, options->no_arguments ? 0 : options->argc - 1,
				    options->argv + 1, err);
}

bool stream_put(struct stream *stream, struct snap_snapshot *snapshot)
{
	if (stream->writer == NULL) {
		if (stream->shown++ > 0)
			putchar('\n');
		return top_show(snapshot, &top_options_default);
	}
	struct snap_error err;
	enum snap_status status = add_history(stream->options, snap_snapshot_meta(snapshot), &err);
	if (status == SNAP_OK)
		status = snap_writer_put(stream->writer, snapshot, &err);
	if (status < 0)
		message_error(stream->name, &err);
	return status == SNAP_OK;
}

bool stream_finish(struct stream *stream)
{
	if (stream->writer == NULL)
		return true;
	struct snap_error err;
	enum snap_status status = snap_writer_finish(stream->writer, &err);
	if (status == SNAP_OK)
		status = snap_output_finish(stream->output, &err);
	if (status < 0)
		message_error(stream->name, &err);
	return status == SNAP_OK;
}

void stream_close(struct stream *stream)
{
	snap_writer_free(stream->writer);
	snap_output_free(stream->output);
	stream->writer = NULL;
	stream->output = NULL;
}
