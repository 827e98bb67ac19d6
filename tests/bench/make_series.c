/* Writes a series of snapshots as a leaking service leaves them, the same bytes on every run.
 * usage: make_series FILE SNAPSHOTS SITES */
#define _POSIX_C_SOURCE 200809L
#include <snap/builder.h>
#include <snap/writer.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES = 300, LINES = 12, DEPTH_MAX = 25, SIZES = 2, SECONDS = 600 };

static struct snap_error err;

static void must(enum snap_status status)
{
	if (status >= 0)
		return;
	fprintf(stderr, "make_series: %s\n", err.message);
	exit(2);
}

/* Marsaglia's xorshift. */
static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % below;
}

/* A traceback: a way down a call graph in which each frame has few callees. */
static void add_stack(struct snap_builder *b, const uint32_t *frames, uint32_t number, uint32_t *stack)
{
	uint32_t calls[DEPTH_MAX], newest_first[DEPTH_MAX], state = number * 2654435761u + 1;
	uint32_t depth = 6 + draw(&state, DEPTH_MAX - 6), frame = 0;
	for (uint32_t i = 0; i < depth; i++) {
		calls[i] = frames[frame];
		frame = (frame * 31 + 7 + draw(&state, i < 8 ? 2 : 5)) % (FILES * LINES);
	}
	for (uint32_t i = 0; i < depth; i++)
		newest_first[i] = calls[depth - 1 - i];
	must(snap_builder_stack(b, newest_first, depth, depth, stack, &err));
}

static struct snap_snapshot *make(uint32_t turn, uint32_t sites)
{
	struct snap_builder *b;
	struct snap_snapshot *s;
	uint32_t frames[FILES * LINES];
	must(snap_builder_new(&b, NULL, &err));
	struct snap_meta *meta = snap_builder_meta(b);
	must(snap_meta_set_text(meta, "host", "web-1", &err));
	must(snap_meta_set_text(meta, "pid", "4242", &err));
	uint32_t second = turn * SECONDS;
	must(snap_meta_set_format(meta, "time", &err, "2026-01-%02uT%02u:%02u:00.000Z", 1 + second / 86400,
				  second / 3600 % 24, second / 60 % 60));
	for (uint32_t i = 0; i < FILES * LINES; i++) {
		char name[64];
		uint32_t file;
		int size = snprintf(name, sizeof name, "/srv/app/package_%u/module_%u.py", i / LINES / 20, i / LINES);
		must(snap_builder_string(b, name, (size_t)size, &file, &err));
		must(snap_builder_frame(b, file, 10 + i % LINES * 13, SNAP_NO_FUNCTION, &frames[i], &err));
	}
	for (uint32_t i = 0; i < sites / SIZES; i++) {
		uint32_t stack, state = i * 40503u + turn * 97u + 1;
		add_stack(b, frames, i, &stack);
		/* One in fifty leaks, the others go up and down. */
		int64_t blocks = 1 + draw(&state, 40) + (i % 50 == 0 ? 3 * (int64_t)turn : 0);
		for (uint32_t k = 0; k < SIZES; k++)
			must(snap_builder_add(b, stack, 0, 32 + i % 40 * 16 + k * 8, blocks, &err));
	}
	must(snap_builder_finish(b, &s, &err));
	snap_builder_free(b);
	return s;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: make_series FILE SNAPSHOTS SITES\n");
		return 2;
	}
	struct snap_output *out;
	struct snap_writer *writer;
	const struct snap_writer_options options = {.level = SNAP_LEVEL_DEFAULT, .series = true};
	must(snap_output_create(&out, argv[1], &err));
	must(snap_writer_new(&writer, out, &options, &err));
	for (uint32_t turn = 0, turns = (uint32_t)atoi(argv[2]); turn < turns; turn++) {
		struct snap_snapshot *s = make(turn, (uint32_t)atoi(argv[3]));
		must(snap_writer_put(writer, s, &err));
		snap_snapshot_free(s);
	}
	must(snap_writer_finish(writer, &err));
	must(snap_output_finish(out, &err));
	snap_writer_free(writer);
	snap_output_free(out);
	return 0;
}
