/* snap/meta.h, and what errors look like (snap/status.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <snap/meta.h>
#include <stdarg.h>

#include "test.h"

static struct snap_meta *new_meta(void)
{
	struct snap_meta *meta = NULL;
	CHECK_INT(snap_meta_new(&meta, NULL), SNAP_OK);
	return meta;
}

static void set(struct snap_meta *meta, const char *key, const char *value)
{
	struct snap_error err = {0};
	CHECK_OK(snap_meta_set_text(meta, key, value, &err), &err);
}

/* "key=value key=value" in order. */
static void check_entries(const struct snap_meta *meta, const char *wanted)
{
	char text[2000] = "";
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		CHECK_INT(strlen(value), size);
		size_t used = strlen(text);
		snprintf(text + used, sizeof text - used, "%s%s=%s", i > 0 ? " " : "", key, value);
	}
	CHECK_STR(text, wanted);
}

TEST(order_is_that_of_first_setting)
{
	struct snap_meta *meta = new_meta();
	check_entries(meta, "");
	CHECK(snap_meta_get(meta, "b") == NULL);
	set(meta, "b", "1");
	set(meta, "a", "2");
	set(meta, "c", "3");
	check_entries(meta, "b=1 a=2 c=3");
	set(meta, "b", "longer than it was");
	set(meta, "c", "");
	check_entries(meta, "b=longer than it was a=2 c=");
	CHECK_STR(snap_meta_get(meta, "a"), "2");
	CHECK_STR(snap_meta_get(meta, "c"), "");
	CHECK(snap_meta_get(meta, "d") == NULL);
	snap_meta_remove(meta, "b");
	snap_meta_remove(meta, "none");
	check_entries(meta, "a=2 c=");
	set(meta, "b", "again");
	check_entries(meta, "a=2 c= b=again");
	const char *value;
	size_t size;
	snap_meta_remove(meta, snap_meta_at(meta, 1, &value, &size)); /* by its own key */
	check_entries(meta, "a=2 b=again");
	CHECK_STR(snap_meta_get(meta, "b"), "again");
	snap_meta_free(meta);
	snap_meta_free(NULL);
}

TEST(copy_is_equal_and_apart)
{
	struct snap_meta *meta = new_meta(), *copy = NULL;
	set(meta, "a", "1");
	set(meta, "b", "2");
	CHECK_INT(snap_meta_copy(&copy, meta, NULL), SNAP_OK);
	set(meta, "a", "changed");
	check_entries(copy, "a=1 b=2");
	snap_meta_free(meta);
	check_entries(copy, "a=1 b=2");
	snap_meta_free(copy);
	meta = new_meta();
	CHECK_INT(snap_meta_copy(&copy, meta, NULL), SNAP_OK);
	CHECK_INT(snap_meta_count(copy), 0);
	snap_meta_free(meta);
	snap_meta_free(copy);
}

TEST(keys_that_are_refused)
{
	static const char *const bad[] = {"", " ", "a b", "a=b", "a\n", "\x01", "a\x7f", "\t", "=", "a "};
	static const char *const good[] = {"a", "root.cwd", "label.Git-Revision", "\xc3\xa9", "\xff", "!", "~", "old.time"};
	struct snap_meta *meta = new_meta();
	struct snap_error err;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err.status = SNAP_OK;
		CHECK_INT(snap_meta_set_text(meta, bad[i], "x", &err), SNAP_ERR_INVALID);
		CHECK_INT(err.status, SNAP_ERR_INVALID);
	}
	CHECK_INT(snap_meta_count(meta), 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		set(meta, good[i], good[i]);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK_STR(snap_meta_get(meta, good[i]), good[i]);
	char key[SNAP_META_KEY_MAX + 2];
	memset(key, 'k', sizeof key);
	key[SNAP_META_KEY_MAX + 1] = '\0';
	CHECK_INT(snap_meta_set_text(meta, key, "x", &err), SNAP_ERR_INVALID);
	key[SNAP_META_KEY_MAX] = '\0';
	set(meta, key, "x");
	CHECK_STR(snap_meta_get(meta, key), "x");
	snap_meta_free(meta);
}

TEST(values_that_are_refused)
{
	struct snap_meta *meta = new_meta();
	char *big = malloc(SNAP_META_VALUE_MAX + 2);
	if (!CHECK(big != NULL))
		return;
	memset(big, 'v', SNAP_META_VALUE_MAX + 1);
	big[SNAP_META_VALUE_MAX + 1] = '\0';
	CHECK_INT(snap_meta_set_text(meta, "big", big, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_meta_set(meta, "big", big, SNAP_META_VALUE_MAX, NULL), SNAP_OK);
	CHECK_INT(strlen(snap_meta_get(meta, "big")), SNAP_META_VALUE_MAX);
	CHECK_INT(snap_meta_set(meta, "nul", "a\0b", 3, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_meta_set(meta, "nul", "a\0b", 1, NULL), SNAP_OK);
	CHECK_STR(snap_meta_get(meta, "nul"), "a");
	CHECK_INT(snap_meta_set(meta, "none", NULL, 0, NULL), SNAP_OK);
	CHECK_STR(snap_meta_get(meta, "none"), "");
	free(big);
	snap_meta_free(meta);
}

/* The value of the last entry is as long as it may be for the whole to stay below the limit. */
TEST(all_text_has_a_limit)
{
	struct snap_meta *meta = new_meta();
	char *big = calloc(1, SNAP_META_VALUE_MAX);
	if (!CHECK(big != NULL))
		return;
	memset(big, 'v', SNAP_META_VALUE_MAX);
	size_t used = 0;
	for (int i = 0; i < 3; i++) {
		char key[2] = {(char)('a' + i), '\0'};
		CHECK_INT(snap_meta_set(meta, key, big, SNAP_META_VALUE_MAX, NULL), SNAP_OK);
		used += 1 + SNAP_META_VALUE_MAX + 16;
	}
	size_t last = SNAP_META_BYTES_MAX - used - 1 - 16;
	CHECK_INT(snap_meta_set(meta, "d", big, last + 1, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_meta_set(meta, "d", big, last, NULL), SNAP_OK);
	CHECK_INT(snap_meta_set(meta, "e", "", 0, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_meta_set(meta, "d", big, last + 1, NULL), SNAP_ERR_INVALID);
	CHECK_INT(strlen(snap_meta_get(meta, "d")), last);
	snap_meta_remove(meta, "a");
	CHECK_INT(snap_meta_set(meta, "e", "", 0, NULL), SNAP_OK);
	CHECK_INT(snap_meta_set(meta, "b", "short", 5, NULL), SNAP_OK);
	CHECK_INT(snap_meta_set(meta, "f", big, SNAP_META_VALUE_MAX, NULL), SNAP_OK);
	free(big);
	snap_meta_free(meta);
}

TEST(entries_have_a_limit)
{
	struct snap_meta *meta = new_meta();
	char key[40];
	for (unsigned i = 0; i < SNAP_META_ENTRIES_MAX; i++) {
		snprintf(key, sizeof key, "key%u", i);
		set(meta, key, key);
	}
	CHECK_INT(snap_meta_set_text(meta, "more", "x", NULL), SNAP_ERR_INVALID);
	set(meta, "key7", "still");
	for (unsigned i = 0; i < SNAP_META_ENTRIES_MAX; i += 2) {
		snprintf(key, sizeof key, "key%u", i);
		snap_meta_remove(meta, key);
	}
	CHECK_INT(snap_meta_count(meta), SNAP_META_ENTRIES_MAX / 2);
	for (unsigned i = 0; i < SNAP_META_ENTRIES_MAX; i++) {
		snprintf(key, sizeof key, "key%u", i);
		CHECK_STR(snap_meta_get(meta, key), i % 2 == 0 ? NULL : i == 7 ? "still" : key);
	}
	set(meta, "more", "x");
	CHECK_STR(snap_meta_get(meta, "more"), "x");
	snap_meta_free(meta);
}

TEST(formatted_values)
{
	struct snap_meta *meta = new_meta();
	CHECK_INT(snap_meta_set_format(meta, "pid", NULL, "%d of %s", 42, "us"), SNAP_OK);
	CHECK_STR(snap_meta_get(meta, "pid"), "42 of us");
	CHECK_INT(snap_meta_set_format(meta, "long", NULL, "%4095d", 1), SNAP_OK);
	CHECK_INT(snap_meta_set_format(meta, "longer", NULL, "%4096d", 1), SNAP_ERR_INVALID);
	CHECK(snap_meta_get(meta, "longer") == NULL);
	snap_meta_free(meta);
}

/* With the arguments behind the tool's name, NULL at the end. */
static void add_history(struct snap_meta *meta, const char *tool, ...)
{
	char *argv[20];
	int argc = 0;
	va_list args;
	va_start(args, tool);
	while ((argv[argc] = va_arg(args, char *)) != NULL)
		argc++;
	va_end(args);
	struct snap_error err = {0};
	CHECK_OK(snap_meta_add_history(meta, tool, argc, argv, &err), &err);
}

/* "TOOL VERSION:REST" */
static void check_history(const struct snap_meta *meta, const char *key, const char *tool, const char *rest)
{
	char wanted[500];
	snprintf(wanted, sizeof wanted, "%s %s:%s", tool, snap_version(), rest);
	CHECK_STR(snap_meta_get(meta, key), wanted);
}

TEST(history_is_quoted_for_a_shell)
{
	struct snap_meta *meta = new_meta();
	add_history(meta, "snapcat", "-o", "a b.snap", "x.pickle", NULL);
	add_history(meta, "snapdiff", "it's", "", "*", "$HOME", "a\nb", "caf\xc3\xa9", "--level=3", "@-1", NULL);
	add_history(meta, "snaptop", NULL);
	check_history(meta, "history.1", "snapcat", " -o 'a b.snap' x.pickle");
	check_history(meta, "history.2", "snapdiff", " 'it'\\''s' '' '*' '$HOME' 'a\nb' 'caf\xc3\xa9' --level=3 @-1");
	check_history(meta, "history.3", "snaptop", "");
	CHECK_INT(snap_meta_count(meta), 3);
	snap_meta_free(meta);
}

TEST(history_goes_on_behind_the_last)
{
	struct snap_meta *meta = new_meta();
	set(meta, "history.7", "x");
	set(meta, "history.2", "x");
	set(meta, "history.07", "not one of ours");
	set(meta, "history.99x", "nor this");
	set(meta, "history.99999999999999999999999", "nor this");
	set(meta, "old.history.30", "of the older side");
	add_history(meta, "t", "a", NULL);
	check_history(meta, "history.8", "t", " a");
	snap_meta_free(meta);
}

TEST(history_is_dropped)
{
	struct snap_meta *meta = new_meta();
	set(meta, "history.1", "x");
	set(meta, "time", "now");
	set(meta, "old.history.1", "x");
	set(meta, "old.history.12", "x");
	set(meta, "history", "kept");
	set(meta, "history.", "kept");
	set(meta, "history.x", "kept");
	set(meta, "history.0", "kept");
	set(meta, "old.time", "then");
	set(meta, "label.history.1", "kept");
	snap_meta_drop_history(meta);
	check_entries(meta, "time=now history=kept history.=kept history.x=kept history.0=kept old.time=then "
	                    "label.history.1=kept");
	CHECK_STR(snap_meta_get(meta, "old.time"), "then");
	snap_meta_drop_history(meta);
	CHECK_INT(snap_meta_count(meta), 7);
	snap_meta_free(meta);
}

/* Ten thousand operands must not fail a command, nor fill the metadata. */
TEST(long_history_is_cut)
{
	struct snap_meta *meta = new_meta();
	static char name[] = "snapshots/2024-01-01T00:00:00.pickle";
	static char *argv[10000];
	for (size_t i = 0; i < 10000; i++)
		argv[i] = name;
	struct snap_error err = {0};
	CHECK_OK(snap_meta_add_history(meta, "snapcat", 10000, argv, &err), &err);
	const char *text = snap_meta_get(meta, "history.1");
	if (CHECK(text != NULL)) {
		size_t size = strlen(text);
		CHECK(size > 60000 && size <= 65536);
		CHECK_STR(text + size - 11, ".pickle ...");
	}
	char *huge = malloc(200001);
	if (CHECK(huge != NULL)) {
		memset(huge, '\'', 200000);
		huge[200000] = '\0';
		add_history(meta, "snapcat", "a", huge, "b", NULL);
		check_history(meta, "history.2", "snapcat", " a ...");
		free(huge);
	}
	snap_meta_free(meta);
}

TEST(errors_hold_one_clean_sentence)
{
	struct snap_error err;
	CHECK_INT(snap_fail(NULL, SNAP_ERR_DAMAGED, 1, "x"), SNAP_ERR_DAMAGED);
	errno = EIO;
	CHECK_INT(snap_fail(&err, SNAP_ERR_DAMAGED, 7, "a%sb", "\x1b[31m\n\t\x7f\xc2\x9b\xc3\xa9"), SNAP_ERR_DAMAGED);
	CHECK_STR(err.message, "a?[31m??\?\?\?\xc3\xa9"
	                       "b");
	CHECK_INT(err.status, SNAP_ERR_DAMAGED);
	CHECK_INT(err.offset, 7);
	CHECK_INT(err.os_errno, 0);
	snap_fail(&err, SNAP_ERR_IO, SNAP_NO_OFFSET, "outer: %s", "inner");
	CHECK_INT(err.os_errno, EIO);
	snap_fail(&err, SNAP_ERR_IO, SNAP_NO_OFFSET, "more %s", err.message);
	CHECK_STR(err.message, "more outer: inner");
	snap_fail(&err, SNAP_ERR_IO, SNAP_NO_OFFSET, "%1000d", 1);
	CHECK_INT(strlen(err.message), sizeof err.message - 1);
}
