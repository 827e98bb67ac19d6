/* Patterns against the frames of a snapshot, and the folders that its metadata name. */
#define _GNU_SOURCE
#include <snap/builder.h>

#include "ops/pattern.h"
#include "test.h"

static void must(enum snap_status status, const struct snap_error *err)
{
	if (status < 0) {
		printf("%s\n", err->message);
		exit(2);
	}
}

/* One frame for each FILE:LINE, which must ascend. */
static struct snap_snapshot *snapshot_of(const char *const *frames, size_t count)
{
	struct snap_builder *b;
	struct snap_snapshot *s;
	struct snap_error err;
	must(snap_builder_new(&b, NULL, &err), &err);
	for (size_t i = 0; i < count; i++) {
		const char *colon = strrchr(frames[i], ':');
		uint32_t string, frame, stack;
		must(snap_builder_string(b, frames[i], (size_t)(colon - frames[i]), &string, &err), &err);
		must(snap_builder_frame(b, string, (uint32_t)atoi(colon + 1), SNAP_NO_FUNCTION, &frame, &err),
		     &err);
		must(snap_builder_stack(b, &frame, 1, 1, &stack, &err), &err);
		must(snap_builder_add(b, stack, 0, 8, 1, &err), &err);
	}
	must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

/* The marks as 0 and 1, on top of those there were. */
static void check_marks(const struct snap_snapshot *s, const char *glob, const char *before,
			const char *wanted)
{
	struct snap_presets *presets;
	struct snap_pattern *p;
	struct snap_error err;
	bool marks[32] = {false};
	char got[33] = "";
	static const char preset[] = "*/a.py:1\n*/b.py\n!*/b.py:3\n";
	must(snap_presets_new(&presets, &err), &err);
	must(snap_presets_add(presets, "lines", preset, strlen(preset), &err), &err);
	must(snap_pattern_glob(&p, glob, presets, &err), &err);
	size_t count = snap_snapshot_frames(s);
	for (size_t i = 0; i < count; i++)
		marks[i] = before[i] == '1';
	CHECK_OK(snap_pattern_mark(p, s, marks, &err), &err);
	for (size_t i = 0; i < count; i++)
		got[i] = marks[i] ? '1' : '0';
	if (!CHECK_STR(got, wanted))
		printf("  %s\n", glob);
	snap_pattern_free(p);
	snap_presets_free(presets);
}

TEST(frames_by_name_and_line)
{
	static const char *const frames[] = {"/a.py:1", "/a.py:2", "/b.py:1", "/b.py:3", "/c.pyc:1"};
	struct snap_snapshot *s = snapshot_of(frames, 5);
	check_marks(s, "*", "00000", "11111");
	check_marks(s, "*a.py", "00000", "11000");
	check_marks(s, "*:1", "00000", "10101");
	check_marks(s, "/c.py:1", "00000", "00001");
	check_marks(s, "/c.pyc", "10000", "10001");
	check_marks(s, "@lines", "00000", "10100");
	check_marks(s, "@lines", "01010", "11110");
	check_marks(s, "none", "01010", "01010");
	snap_snapshot_free(s);
	s = snapshot_of(frames, 0);
	check_marks(s, "*", "", "");
	snap_snapshot_free(s);
}

TEST(folders_of_the_metadata)
{
	static const char *const frames[] = {
		"/odd/importlib/util.py:1",
		"/odd/mods/a.py:1",
		"/odd/os.py:1",
		"/odd/pickle.py:1",
		"/oddly/a.py:1",
		"/old/os.py:1",
		"/site/os.py:1",
	};
	struct snap_snapshot *s = snapshot_of(frames, 7);
	struct snap_meta *meta = snap_snapshot_meta(s);
	struct snap_error err;
	check_marks(s, "@stdlib", "0000000", "0000000");
	must(snap_meta_set_text(meta, "root.stdlib", "/odd", &err), &err);
	check_marks(s, "@stdlib", "0000000", "1111000");
	check_marks(s, "@importlib", "0000000", "1000000");
	check_marks(s, "@tracer", "0000000", "0001000");
	check_marks(s, "@site-packages", "0000000", "0000000");
	must(snap_meta_set_text(meta, "root.site", "/odd/mods/", &err), &err);
	check_marks(s, "@stdlib", "0000000", "1011000");
	check_marks(s, "@site-packages", "0000000", "0100000");
	/* The older side of a diff has its own. */
	must(snap_meta_set_text(meta, "old.root.stdlib", "/old", &err), &err);
	must(snap_meta_set_text(meta, "old.root.site", "/site", &err), &err);
	check_marks(s, "@stdlib", "0000000", "1011010");
	check_marks(s, "@site-packages", "0000000", "0100001");
	must(snap_meta_set_text(meta, "root.stdlib", "/", &err), &err);
	must(snap_meta_set_text(meta, "root.site", "", &err), &err);
	check_marks(s, "@stdlib", "0000000", "0000010");
	snap_snapshot_free(s);
}

TEST(a_runaway_is_told)
{
	static const char *const frames[] = {"/a:1", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!:1"};
	struct snap_snapshot *s = snapshot_of(frames, 2);
	struct snap_pattern *p;
	struct snap_error err;
	bool marks[2] = {false};
	must(snap_pattern_regex(&p, "(a+)+$", &err), &err);
	CHECK_INT(snap_pattern_mark(p, s, marks, &err), SNAP_ERR_LIMIT);
	snap_pattern_free(p);
	snap_snapshot_free(s);
}
