/* Makes a series of what generate.py says on standard input, one line each:
 *
 *   stack FILE:LINE FILE:LINE ...       newest first; numbered from 0
 *   snapshot KEY=VALUE KEY=VALUE ...    begins a snapshot with these metadata
 *   STACK BLOCKS SIZE                   blocks of it
 *
 * usage: write_series FILE */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <snap/builder.h>
#include <snap/output.h>
#include <snap/writer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct snap_error err;

static void check(enum snap_status status)
{
	if (status >= 0)
		return;
	fprintf(stderr, "write_series: %s\n", err.message);
	exit(2);
}

struct stacks {
	char **line;
	uint32_t *number; /* in the builder of this snapshot, or UINT32_MAX */
	size_t count, room;
};

static void add_stack(struct stacks *s, const char *line)
{
	if (s->count == s->room) {
		s->room = 2 * s->room + 64;
		s->line = realloc(s->line, s->room * sizeof *s->line);
		s->number = realloc(s->number, s->room * sizeof *s->number);
	}
	s->line[s->count++] = strdup(line);
}

static uint32_t build_stack(struct snap_builder *b, const char *line)
{
	uint32_t frames[128], stack;
	size_t count = 0;
	while (*line != '\0' && count < 128) {
		size_t size = strcspn(line, " ");
		const char *colon = line + size;
		uint32_t file;
		while (colon > line && *colon != ':')
			colon--;
		check(snap_builder_string(b, line, (size_t)(colon - line), &file, &err));
		check(snap_builder_frame(b, file, (uint32_t)strtoul(colon + 1, NULL, 10), SNAP_NO_FUNCTION,
					 &frames[count++], &err));
		line += size + (line[size] == ' ');
	}
	check(snap_builder_stack(b, frames, count, (uint32_t)count, &stack, &err));
	return stack;
}

static void set_meta(struct snap_meta *meta, char *line)
{
	for (char *pair = strtok(line, " "); pair != NULL; pair = strtok(NULL, " ")) {
		char *equals = strchr(pair, '=');
		if (equals == NULL)
			continue;
		*equals = '\0';
		check(snap_meta_set(meta, pair, equals + 1, strlen(equals + 1), &err));
	}
}

static void put(struct snap_writer *w, struct snap_builder *b)
{
	struct snap_snapshot *s;
	if (b == NULL)
		return;
	check(snap_builder_finish(b, &s, &err));
	check(snap_writer_put(w, s, &err));
	snap_snapshot_free(s);
	snap_builder_free(b);
}

int main(int argc, char **argv)
{
	struct snap_output *out;
	struct snap_writer *w;
	struct snap_builder *b = NULL;
	struct stacks stacks = {NULL, NULL, 0, 0};
	char *line = NULL;
	size_t room = 0;
	if (argc != 2) {
		fprintf(stderr, "usage: write_series FILE\n");
		return 2;
	}
	check(snap_output_create(&out, argv[1], &err));
	check(snap_writer_new(&w, out, &(struct snap_writer_options){.series = true}, &err));
	for (ptrdiff_t size; (size = getline(&line, &room, stdin)) > 0;) {
		if (line[size - 1] == '\n')
			line[size - 1] = '\0';
		if (strncmp(line, "stack ", 6) == 0) {
			add_stack(&stacks, line + 6);
		} else if (strncmp(line, "snapshot", 8) == 0) {
			put(w, b);
			check(snap_builder_new(&b, NULL, &err));
			set_meta(snap_builder_meta(b), line + 8);
			memset(stacks.number, 0xff, stacks.count * sizeof *stacks.number);
		} else {
			char *rest;
			size_t stack = strtoul(line, &rest, 10);
			int64_t blocks = strtoll(rest, &rest, 10);
			uint64_t bytes = strtoull(rest, NULL, 10);
			if (b == NULL || stack >= stacks.count)
				return 2;
			if (stacks.number[stack] == UINT32_MAX)
				stacks.number[stack] = build_stack(b, stacks.line[stack]);
			check(snap_builder_add(b, stacks.number[stack], 0, bytes, blocks, &err));
		}
	}
	put(w, b);
	check(snap_writer_finish(w, &err));
	snap_writer_free(w);
	check(snap_output_finish(out, &err));
	snap_output_free(out);
	for (size_t i = 0; i < stacks.count; i++)
		free(stacks.line[i]);
	free(stacks.line);
	free(stacks.number);
	free(line);
	return 0;
}
