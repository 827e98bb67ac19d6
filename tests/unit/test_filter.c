/* What the command line cannot say: rules with a domain and all_frames of their own, as tracemalloc's Filter has
 * them. The rest is in tests/cli and, against CPython, in tests/oracle. */
#define _GNU_SOURCE
#include <snap/builder.h>
#include <snap/edit.h>
#include <snap/filter.h>
#include <string.h>

#include "test.h"

/* Blocks of one byte each at "a.py" called by "b.py", the size telling which. */
static struct snap_snapshot *heap(void)
{
	struct snap_builder *b;
	struct snap_snapshot *s = NULL;
	struct snap_error err;
	uint32_t a, other, frames[2], newest_a, newest_b;
	CHECK_OK(snap_builder_new(&b, NULL, &err), &err);
	CHECK_OK(snap_builder_string(b, "a.py", 4, &a, &err), &err);
	CHECK_OK(snap_builder_string(b, "b.py", 4, &other, &err), &err);
	CHECK_OK(snap_builder_frame(b, a, 1, SNAP_NO_FUNCTION, &frames[0], &err), &err);
	CHECK_OK(snap_builder_frame(b, other, 2, SNAP_NO_FUNCTION, &frames[1], &err), &err);
	CHECK_OK(snap_builder_stack(b, frames, 2, 2, &newest_a, &err), &err);
	CHECK_OK(snap_builder_stack(b, &frames[1], 1, 1, &newest_b, &err), &err);
	CHECK_OK(snap_builder_add(b, newest_a, 0, 1, 1, &err), &err);
	CHECK_OK(snap_builder_add(b, newest_a, 7, 2, 1, &err), &err);
	CHECK_OK(snap_builder_add(b, newest_b, 0, 4, 1, &err), &err);
	CHECK_OK(snap_builder_add(b, newest_b, 7, 8, 1, &err), &err);
	CHECK_OK(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

/* The bytes that are left. */
static int64_t left(const struct snap_filter_rule *rules, size_t count, bool intersect)
{
	struct snap_snapshot *s = heap(), *kept = NULL;
	struct snap_error err;
	struct snap_filter filter = {.rules = rules, .count = count, .intersect = intersect};
	CHECK_OK(snap_filter_apply(&kept, s, &filter, &err), &err);
	int64_t bytes = kept != NULL ? snap_snapshot_total(kept, 1) : -1;
	snap_snapshot_free(kept);
	snap_snapshot_free(s);
	return bytes;
}

static struct snap_pattern *glob(const char *text)
{
	struct snap_pattern *p = NULL;
	struct snap_error err;
	CHECK_OK(snap_pattern_glob(&p, text, NULL, &err), &err);
	return p;
}

TEST(a_pattern_in_a_domain)
{
	struct snap_pattern *a = glob("a.py"), *b = glob("b.py");
	struct snap_filter_rule in = {.pattern = a, .in_domain = true, .domain = 7};
	CHECK_INT(left(&in, 1, false), 2);
	struct snap_filter_rule out = {.exclude = true, .pattern = a, .in_domain = true, .domain = 7};
	CHECK_INT(left(&out, 1, false), 1 + 4 + 8);
	struct snap_filter_rule both[] = {in, {.pattern = b}};
	CHECK_INT(left(both, 2, false), 2 + 4 + 8);
	both[1] = (struct snap_filter_rule){.exclude = true, .in_domain = true, .domain = 7};
	CHECK_INT(left(both, 2, false), 0);
	snap_pattern_free(a);
	snap_pattern_free(b);
}

TEST(all_frames_of_some_rules)
{
	struct snap_pattern *a = glob("a.py"), *b = glob("b.py");
	struct snap_filter_rule rules[] = {{.pattern = b, .all_frames = true}, {.pattern = b}};
	CHECK_INT(left(rules, 1, false), 15);
	CHECK_INT(left(rules + 1, 1, false), 4 + 8);
	CHECK_INT(left(rules, 2, false), 15);
	rules[1] = (struct snap_filter_rule){.exclude = true, .pattern = b};
	CHECK_INT(left(rules, 2, false), 1 + 2);
	rules[1] = (struct snap_filter_rule){.exclude = true, .pattern = a, .all_frames = true};
	CHECK_INT(left(rules, 2, false), 4 + 8);
	snap_pattern_free(a);
	snap_pattern_free(b);
}

TEST(a_union_or_an_intersection_with_domains)
{
	struct snap_pattern *a = glob("a.py");
	struct snap_filter_rule rules[] = {{.in_domain = true, .domain = 7}, {.pattern = a}};
	CHECK_INT(left(rules, 2, false), 1 + 2 + 8);
	CHECK_INT(left(rules, 2, true), 2);
	CHECK_INT(left(rules, 1, true), 2 + 8);
	CHECK_INT(left(rules + 1, 1, true), 1 + 2);
	CHECK_INT(left(rules, 0, true), 15);
	snap_pattern_free(a);
}

TEST(a_rule_about_nothing_matches_everything)
{
	struct snap_filter_rule rule = {.exclude = false};
	CHECK_INT(left(&rule, 1, false), 15);
	rule.exclude = true;
	CHECK_INT(left(&rule, 1, false), 0);
}

TEST(an_edit_without_anything_to_do)
{
	struct snap_snapshot *s = heap(), *same = NULL;
	struct snap_error err;
	uint64_t before[2], after[2];
	CHECK_OK(snap_edit_apply(&same, s, &(struct snap_edit){.hide = NULL}, &err), &err);
	CHECK_OK(snap_snapshot_digest(s, before, &err), &err);
	CHECK_OK(snap_snapshot_digest(same, after, &err), &err);
	CHECK(memcmp(before, after, sizeof before) == 0);
	snap_snapshot_free(same);
	snap_snapshot_free(s);
}
