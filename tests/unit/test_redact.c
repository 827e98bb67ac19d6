/* Redaction: nothing of what was hidden is left, what stays can still be worked with, and hashes are the same
 * wherever a name turns up. */
#define _GNU_SOURCE
#include <snap/diff.h>
#include <snap/filter.h>
#include <snap/group.h>
#include <snap/redact.h>
#include <snap/writer.h>

#include "random_snapshot.h"
#include "test.h"

/* Two keys of 32 bytes; byte i of the first is i. */
static const uint8_t *key(unsigned which)
{
	static uint8_t bytes[2][32];
	for (uint8_t i = 0; i < 32; i++) {
		bytes[0][i] = i;
		bytes[1][i] = (uint8_t)(77 + i);
	}
	return bytes[which];
}

static struct snap_snapshot *redacted(const struct snap_snapshot *s, unsigned which, bool all)
{
	struct snap_error err;
	struct snap_snapshot *result = NULL;
	told_must(snap_redact(&result, s, key(which), 32, all, &err), &err);
	return result;
}

struct name {
	const char *file, *function; /* function may be NULL */
};

/* One stack a frame, whose line is its place in the list + 1: so it is found again under its new name. */
static struct snap_snapshot *make(const struct name *names, size_t count)
{
	struct snap_error err;
	struct snap_builder *b;
	struct snap_snapshot *s;
	told_must(snap_builder_new(&b, NULL, &err), &err);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t file, function = SNAP_NO_FUNCTION, frame, stack;
		const char *f = names[i].function;
		told_must(snap_builder_string(b, names[i].file, strlen(names[i].file), &file, &err), &err);
		if (f != NULL)
			told_must(snap_builder_string(b, f, strlen(f), &function, &err), &err);
		told_must(snap_builder_frame(b, file, i + 1, function, &frame, &err), &err);
		told_must(snap_builder_stack(b, &frame, 1, 1, &stack, &err), &err);
		told_must(snap_builder_add(b, stack, 0, 16, i + 1, &err), &err);
	}
	told_must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

static void set(struct snap_snapshot *s, const char *name, const char *value)
{
	struct snap_error err;
	told_must(snap_meta_set_text(snap_snapshot_meta(s), name, value, &err), &err);
}

static struct snap_frame frame_at(const struct snap_snapshot *s, uint32_t line)
{
	for (uint32_t i = 0; i < snap_snapshot_frames(s); i++)
		if (snap_snapshot_frame(s, i).line == line)
			return snap_snapshot_frame(s, i);
	CHECK_INT(0, line); /* it has no such frame */
	return (struct snap_frame){{"", 0}, {NULL, 0}, 0};
}

/* NUL-terminated, '#' for each hash; NULL for no text. One of four buffers, in turn. */
static const char *masked(struct snap_text text)
{
	static char buffers[4][1000];
	static unsigned turn;
	enum { DIGITS = 24 };
	char *to = buffers[turn++ % 4], *p = to;
	if (text.bytes == NULL)
		return NULL;
	for (size_t i = 0; i < text.size && p < to + 999;) {
		size_t n = 0;
		while (i + n < text.size && n < DIGITS && text.bytes[i + n] != '\0' &&
		       strchr("0123456789abcdef", text.bytes[i + n]) != NULL)
			n++;
		*p++ = n == DIGITS ? '#' : text.bytes[i];
		i += n == DIGITS ? n : 1;
	}
	*p = '\0';
	return to;
}

static bool same_text(struct snap_text a, struct snap_text b)
{
	return (a.bytes == NULL) == (b.bytes == NULL) && a.size == b.size &&
	       (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static bool contains(const void *bytes, size_t size, const char *what)
{
	return bytes != NULL && memmem(bytes, size, what, strlen(what)) != NULL;
}

/* Files, as they are and as they become. */
static const struct {
	const char *file, *wanted;
} files[] = {
	{"/usr/lib/python3.11/asyncio/events.py", "/usr/lib/python3.11/asyncio/events.py"},
	{"/usr/local/lib/python3.12/tracemalloc.py", "/usr/local/lib/python3.12/tracemalloc.py"},
	{"/usr/lib/python3/dist-packages/yaml/loader.py", "/usr/lib/python3/dist-packages/yaml/loader.py"},
	{"/Users/alice/.venv/lib/python3.11/site-packages/django/db.py",
	 "redacted/#/lib/python3.11/site-packages/django/db.py"},
	{"/Users/alice/.venv/lib64/python3.13t/site-packages/django/db.py",
	 "redacted/#/lib64/python3.13t/site-packages/django/db.py"},
	{"/Users/alice/miniforge/lib/python3.9/json/decoder.pyc", "redacted/#/lib/python3.9/json/decoder.pyc"},
	{"/srv/acme/lib/python3.11/site-packages/billing/vendor/site-packages/six.py",
	 "redacted/#/site-packages/six.py"},
	{"/srv/acme/lib/python3.11/alice/lib/python3.12/ast.py", "redacted/#/lib/python3.12/ast.py"},
	{"C:\\Users\\alice\\env\\Lib\\site-packages\\requests\\api.py",
	 "redacted/#\\Lib\\site-packages\\requests\\api.py"},
	{"/usr/lib/python311.zip/json/decoder.pyc", "/usr/lib/python311.zip/json/decoder.pyc"},
	/* Where only a folder Lib tells the standard library, what is known to stand in it. */
	{"/Users/alice/cpython/Lib/json/decoder.py", "redacted/#/cpython/Lib/json/decoder.py"},
	{"/cpython/Lib/json/decoder.py", "/cpython/Lib/json/decoder.py"},
	{"/srv/acme/Python-3.13.0/Lib/asyncio/events.pyc", "redacted/#/Python-3.13.0/Lib/asyncio/events.pyc"},
	{"/srv/acme/cpython-3.12/Lib/tracemalloc.py", "redacted/#/cpython-3.12/Lib/tracemalloc.py"},
	{"C:\\Python311\\Lib\\json\\decoder.py", "C:\\Python311\\Lib\\json\\decoder.py"},
	{"C:\\Users\\alice\\AppData\\Local\\Programs\\Python\\Python311\\Lib\\json\\decoder.py",
	 "redacted/#\\Python311\\Lib\\json\\decoder.py"},
	{"D:\\acme\\Python312-arm64\\Lib\\importlib\\_bootstrap.py",
	 "redacted/#\\Python312-arm64\\Lib\\importlib\\_bootstrap.py"},
	{"D:\\acme\\python39-32\\lib\\fnmatch.pyc", "redacted/#\\python39-32\\lib\\fnmatch.pyc"},
	{"C:\\Program Files\\Python314\\Lib\\annotationlib.py", "C:\\Program Files\\Python314\\Lib\\annotationlib.py"},
	{"C:\\Python39\\lib\\os.py", "C:\\Python39\\lib\\os.py"},
	{"C:\\Users\\alice\\miniconda3\\envs\\acme\\Lib\\os.py", "redacted/#\\Lib\\os.py"},
	{"C:\\Users\\alice\\.py\\versions\\3.11.7\\Lib\\zoneinfo\\__init__.py", "redacted/#\\Lib\\zoneinfo\\__init__.py"},
	{"C:\\hosted\\Python\\3.11.7\\x64\\Lib\\__future__.py", "redacted/#\\Lib\\__future__.py"},
	{"C:\\Python27\\Lib\\lib2to3\\pytree.py", "C:\\Python27\\Lib\\lib2to3\\pytree.py"},
	{"D:\\python\\3.11.acme\\Lib\\os.py", "redacted/#\\Lib\\os.py"},
	{"/srv/cpython-3acme-packages/Lib/os.py", "redacted/#/Lib/os.py"},
	{"D:\\Python\\3.acme\\Lib\\os.py", "redacted/#\\Lib\\os.py"},
	{"D:\\acmeconda\\Lib\\os.py", "redacted/#\\Lib\\os.py"},
	{"/usr/lib/python3.11/idlelib/Lib/x.py", "/usr/lib/python3.11/idlelib/Lib/x.py"},
	/* What is not, below the same folders. */
	{"C:\\Python311\\Lib\\billing\\customer.py", "redacted/#.py"},
	{"C:\\Python311\\Lib\\billing.py", "redacted/#.py"},
	{"C:\\Python311\\Lib\\jso\\billing.py", "redacted/#.py"},
	{"C:\\Python311\\Lib\\json_billing.py", "redacted/#.py"},
	{"C:\\Python311\\Lib\\json.billing", "redacted/#"},
	{"C:\\Python311\\Lib\\json.billing\\x.py", "redacted/#.py"},
	{"C:\\Python311\\Lib\\json", "redacted/#"},
	{"C:\\Python311\\Lib\\test\\customer.py", "redacted/#.py"},
	{"C:\\Python311\\Lib\\.py", "redacted/#.py"},
	{"/Users/alice/cpython/Lib/billing/json/decoder.py", "redacted/#.py"},
	{"D:\\acmeconda\\Lib\\customer.py", "redacted/#.py"},
	/* And below folders Lib that no Python is known to have. */
	{"/srv/acme/Lib/json/billing.py", "redacted/#.py"},
	{"D:\\acme\\Lib\\email\\customer.py", "redacted/#.py"},
	{"Lib/os.py", "redacted/#.py"},
	{"/srv/acme/billing/customer.py", "redacted/#.py"},
	{"/srv/acme/billing/customer.pyc", "redacted/#.pyc"},
	{"/srv/acme/billing/customer", "redacted/#"},
	{"billing/customer.so", "redacted/#"},
	{"redacted/0123456789abcdef01234567.py", "redacted/#.py"},
	{"/Users/alice/\xff\xfe\x80 caf\xc3.py", "redacted/#.py"},
	{".pyc", "redacted/#.pyc"},
	{"", "redacted/#"},
	{"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"},
	{"<frozen /srv/acme/billing>", "<frozen redacted_#>"},
	{"<string>", "<string>"},
	{"<stdin>", "<stdin>"},
	{"<unknown>", "<unknown>"},
	{"<hidden>", "<hidden>"},
	{"<attrs generated init billing.Customer>", "<redacted #>"},
	{"<>", "<redacted #>"},
	{"<", "redacted/#"},
};
enum { FILES = sizeof files / sizeof *files, STAYS = 29 /* of which a part is kept */ };

static struct snap_snapshot *make_files(void)
{
	struct name names[FILES];
	for (size_t i = 0; i < FILES; i++)
		names[i] = (struct name){files[i].file, "billing_of"};
	return make(names, FILES);
}

static bool keeps_functions(size_t i)
{
	return i < STAYS || (i < FILES && strcmp(files[i].file, "<frozen importlib._bootstrap>") == 0);
}

static bool is_special(const char *file)
{
	return file[0] == '<' && strcmp(file, "<") != 0 && strstr(file, "billing") == NULL && strcmp(file, "<>") != 0;
}

TEST(files)
{
	struct snap_snapshot *s = make_files(), *r = redacted(s, 0, false);
	CHECK_INT(snap_snapshot_frames(r), FILES);
	for (uint32_t i = 0; i < FILES; i++) {
		struct snap_frame f = frame_at(r, i + 1);
		CHECK_STR(masked(f.file), files[i].wanted);
		/* Names of functions stay where a part of their file's does. */
		CHECK_STR(masked(f.function), keeps_functions(i) ? "billing_of" : "redacted_#");
	}
	snap_snapshot_free(r);
	r = redacted(s, 0, true);
	CHECK_INT(snap_snapshot_frames(r), FILES);
	for (uint32_t i = 0; i < FILES; i++) {
		struct snap_frame f = frame_at(r, i + 1);
		const char *file = files[i].file, *wanted = files[i].wanted;
		const char *dot = strrchr(file, '.');
		if (i < STAYS)
			wanted = strcmp(dot, ".py") == 0 ? "redacted/#.py" : "redacted/#.pyc";
		CHECK_STR(masked(f.file), is_special(file) ? file : wanted);
		CHECK_STR(masked(f.function), "redacted_#");
	}
	snap_snapshot_free(r);
	snap_snapshot_free(s);
}

/* What stays the same stays so for presets. */
TEST(presets_still_match)
{
	static const char *const presets[] = {"@stdlib", "@site-packages", "@importlib", "@tracer"};
	struct snap_error err;
	struct snap_snapshot *s = make_files(), *r = redacted(s, 0, false);
	for (size_t p = 0; p < 4; p++) {
		struct snap_pattern *pattern;
		unsigned matched = 0;
		if (!CHECK_OK(snap_pattern_glob(&pattern, presets[p], NULL, &err), &err))
			continue;
		for (uint32_t i = 0; i < FILES; i++) {
			struct snap_frame before = frame_at(s, i + 1), after = frame_at(r, i + 1);
			bool was, is;
			CHECK_OK(snap_pattern_matches(pattern, before.file, before.line, &was, &err), &err);
			CHECK_OK(snap_pattern_matches(pattern, after.file, after.line, &is, &err), &err);
			if (strchr(masked(after.file), '#') != NULL && i >= STAYS)
				CHECK(!is || was);
			else if (!CHECK(was == is))
				printf("  %s, %s\n", presets[p], files[i].file);
			matched += was;
		}
		CHECK(matched > 0);
		snap_pattern_free(pattern);
	}
	snap_snapshot_free(s);
	snap_snapshot_free(r);
}

/* A filter sees the roots, a pattern does not. */
static int64_t bytes_of_preset(const struct snap_snapshot *s, const char *preset)
{
	struct snap_error err;
	struct snap_pattern *pattern;
	struct snap_snapshot *kept;
	told_must(snap_pattern_glob(&pattern, preset, NULL, &err), &err);
	struct snap_filter_rule rule = {.pattern = pattern};
	struct snap_filter filter = {.rules = &rule, .count = 1};
	told_must(snap_filter_apply(&kept, s, &filter, &err), &err);
	int64_t bytes = snap_snapshot_total(kept, 1);
	snap_snapshot_free(kept);
	snap_pattern_free(pattern);
	return bytes;
}

/* Below a root of its own a file keeps the way from there, and the root's hash is the one before it. */
TEST(roots)
{
	static const struct name names[] = {{"/srv/acme/runtime/stdlib/json/decoder.py", "decode"},
					    {"/srv/acme/runtime/vendored/six.py", "moves"},
					    {"/srv/acme/runtime/vendored2/billing.py", "charge"},
					    {"/srv/acme/runtime/other.py", "charge"}};
	struct snap_snapshot *s = make(names, 4);
	set(s, "root.stdlib", "/srv/acme/runtime/stdlib/");
	set(s, "root.site", "/srv/acme/runtime/vendored");
	set(s, "root.prefix", "/srv/acme/runtime");
	struct snap_snapshot *r = redacted(s, 0, false);
	CHECK_STR(masked(frame_at(r, 1).file), "redacted/#/json/decoder.py");
	CHECK_STR(masked(frame_at(r, 1).function), "decode");
	CHECK_STR(masked(frame_at(r, 2).file), "redacted/#/six.py");
	CHECK_STR(masked(frame_at(r, 2).function), "moves");
	CHECK_STR(masked(frame_at(r, 3).file), "redacted/#.py");
	CHECK_STR(masked(frame_at(r, 4).file), "redacted/#.py");
	CHECK_STR(masked(frame_at(r, 4).function), "redacted_#");
	const char *root = snap_meta_get(snap_snapshot_meta(r), "root.site");
	if (CHECK(root != NULL)) {
		CHECK_STR(masked((struct snap_text){root, strlen(root)}), "redacted/#");
		CHECK(strncmp(frame_at(r, 2).file.bytes, root, strlen(root)) == 0);
	}
	CHECK_INT(bytes_of_preset(s, "@stdlib"), 16);
	CHECK_INT(bytes_of_preset(r, "@stdlib"), 16);
	CHECK_INT(bytes_of_preset(s, "@site-packages"), 32);
	CHECK_INT(bytes_of_preset(r, "@site-packages"), 32);
	snap_snapshot_free(r);
	r = redacted(s, 0, true);
	for (uint32_t i = 1; i <= 4; i++)
		CHECK_STR(masked(frame_at(r, i).file), "redacted/#.py");
	snap_snapshot_free(r);
	snap_snapshot_free(s);
}

TEST(functions)
{
	static const char *const stay[] = {"<module>",	 "<lambda>",   "<listcomp>",
					   "<genexpr>", "<dictcomp>", "<setcomp>"};
	static const char *const go[] = {"Customer.charge", "Customer.<locals>.<lambda>", "", "<lambda",
					 "\xff\xfe",	     "<billing>"};
	for (int all = 0; all <= 1; all++)
		for (size_t i = 0; i < 6; i++) {
			struct name names[] = {{"a.py", stay[i]}, {"a.py", go[i]}, {"a.py", NULL}, {"b.py", go[i]}};
			struct snap_snapshot *s = make(names, 4), *r = redacted(s, 0, all != 0);
			CHECK_STR(masked(frame_at(r, 1).function), stay[i]);
			CHECK_STR(masked(frame_at(r, 2).function), "redacted_#");
			CHECK(frame_at(r, 3).function.bytes == NULL);
			CHECK(same_text(frame_at(r, 2).function, frame_at(r, 4).function));
			snap_snapshot_free(s);
			snap_snapshot_free(r);
		}
}

/* Held against Python's hmac, so that nobody's redacted snapshots stop to be comparable unnoticed. */
TEST(hashes_are_what_they_were)
{
	static const struct name names[] = {{"/srv/acme/billing/customer.py", "Customer.charge"},
					    {"/Users/alice/.venv/site-packages/six.py", NULL},
					    {"/srv/acme/billing/customer.pyc", NULL}};
	struct snap_snapshot *s = make(names, 3);
	set(s, "host", "db-7.acme.example");
	set(s, "label.customer", "db-7.acme.example");
	struct snap_snapshot *r = redacted(s, 0, false);
	struct snap_frame f[] = {frame_at(r, 1), frame_at(r, 2), frame_at(r, 3)};
	static const char file[] = "redacted/4ff81e1a5389393900943e90.pyc";
	static const char function[] = "redacted_0255fc0334c18f5a59fabdfd";
	static const char folder[] = "redacted/0a73d74de2003653c9f29893/site-packages/six.py";
	CHECK_MEM(f[0].file.bytes, f[0].file.size, file, strlen(file) - 1);
	CHECK_MEM(f[0].function.bytes, f[0].function.size, function, strlen(function));
	CHECK_MEM(f[1].file.bytes, f[1].file.size, folder, strlen(folder));
	CHECK_MEM(f[2].file.bytes, f[2].file.size, file, strlen(file));
	struct snap_meta *meta = snap_snapshot_meta(r);
	CHECK_STR(snap_meta_get(meta, "host"), "redacted:c48deed9ee095a285cf0a920");
	CHECK_STR(snap_meta_get(meta, "label.0757b1c771704263cd84436b"), "redacted:c48deed9ee095a285cf0a920");
	snap_snapshot_free(s);
	snap_snapshot_free(r);
}

/* Equal text in other roles has another hash. */
TEST(roles_are_apart)
{
	static const struct name names[] = {{"same", "same"}, {"same/site-packages/x.py", NULL}};
	struct snap_snapshot *s = make(names, 2);
	set(s, "same", "same");
	struct snap_snapshot *r = redacted(s, 0, false);
	const char *value, *hash[5];
	size_t size;
	hash[0] = frame_at(r, 1).file.bytes + strlen("redacted/");
	hash[1] = frame_at(r, 1).function.bytes + strlen("redacted_");
	hash[2] = frame_at(r, 2).file.bytes + strlen("redacted/");
	hash[3] = snap_meta_at(snap_snapshot_meta(r), 0, &value, &size) + strlen("redacted.");
	hash[4] = value + strlen("redacted:");
	for (unsigned i = 0; i < 5; i++)
		for (unsigned j = 0; j < i; j++)
			CHECK(memcmp(hash[i], hash[j], 24) != 0);
	snap_snapshot_free(s);
	snap_snapshot_free(r);
}

static const struct {
	const char *key, *value, *wanted_key, *wanted; /* NULL where as it was */
} entries[] = {
	{"time", "2026-01-02T03:04:05.678Z", NULL, NULL},
	{"start_time", "2026-01-02T03:04:05+01:00", NULL, NULL},
	{"old.time", "2026-01-02T03:04:05Z", NULL, NULL},
	{"time_source", "file modification time", NULL, NULL},
	{"old.time_source", "alice said so", NULL, "redacted:#"},
	{"old.start_time", "2026-01-02T03:04:05.Z", NULL, "redacted:#"},
	{"pid", "4711", NULL, NULL},
	{"ppid", "1 # alice", NULL, "redacted:#"},
	{"runtime", "cpython 3.11.7", NULL, NULL},
	{"old.runtime", "cpython 3.13.0rc1", NULL, NULL},
	{"uptime_s", "12.75", NULL, NULL},
	{"seq", "", NULL, "redacted:#"},
	{"rss_bytes", "123456", NULL, NULL},
	{"pss_bytes", "123456", NULL, NULL},
	{"vms_bytes", "123456", NULL, NULL},
	{"cgroup_limit_bytes", "acme", NULL, "redacted:#"},
	{"traced_bytes", "1", NULL, NULL},
	{"traced_peak_bytes", "1", NULL, NULL},
	{"tracer_bytes", "1", NULL, NULL},
	{"acme_bytes", "1", "redacted.#", "redacted:#"},
	{"traceback_limit", "25", NULL, NULL},
	{"sample_period_bytes", "524288", NULL, NULL},
	{"estimated", "true", NULL, NULL},
	{"gc_counts", "700 10 10", NULL, NULL},
	{"gc_collected", "yes", NULL, NULL},
	{"threads", "8", NULL, NULL},
	{"iteration", "1000000", NULL, NULL},
	{"producer", "snaprun 0.1.0", NULL, NULL},
	{"old.producer", "/srv/acme/bin/record 1", NULL, "redacted:#"},
	{"source_format", "tracemalloc", NULL, NULL},
	{"old.source_format", "/srv/acme", NULL, "redacted:#"},
	{"merged", "4", NULL, NULL},
	{"partial", "offset 4711: the stack of /srv/acme/billing is cut off", NULL, "offset 4711"},
	{"old.partial", "acme", NULL, "redacted:#"},
	{"host", "db-7.acme.example", NULL, "redacted:#"},
	{"old.host", "db-7.acme.example", NULL, "redacted:#"},
	{"program", "/srv/acme/billing.py", NULL, "redacted:#"},
	{"argv", "billing.py --customer=alice", NULL, "redacted:#"},
	{"root.cwd", "/Users/alice", NULL, "redacted/#"},
	{"old.root.cwd", "/Users/alice/", NULL, "redacted/#"},
	{"root.acme", "/Users/alice", "redacted.#", "redacted:#"},
	{"label.customer", "alice", "label.#", "redacted:#"},
	{"old.label.customer", "alice", "old.label.#", "redacted:#"},
	{"label.acme", "7", "label.#", "redacted:#"},
	{"label.", "alice", "label.#", "redacted:#"},
	{"customer", "alice", "redacted.#", "redacted:#"},
	{"old.customer", "alice", "old.redacted.#", "redacted:#"},
	{"old.old.time", "2026-01-02T03:04:05Z", "old.redacted.#", "redacted:#"},
	{"old.", "alice", "old.redacted.#", "redacted:#"},
	{"acme\xff\xfe", "\xff\xfe\x80 alice", "redacted.#", "redacted:#"},
	{"history.1", "snapcat 0.1.0: --set host=db-7.acme.example /srv/acme/a.pickle", NULL, "snapcat 0.1.0"},
	{"old.history.12", "snapfilter 0.1.0", NULL, "snapfilter 0.1.0"},
	{"history.2", "acmecat 0.1.0: -o alice.snap", NULL, "redacted:#"},
	{"history.3", "snap/srv/acme 0.1.0: x", NULL, "redacted:#"},
	{"history.4", "snapcat alice: x", NULL, "redacted:#"},
	{"history.4711471147114711", "snapcat 0.1.0: x", "redacted.#", "redacted:#"},
	{"history.acme", "snapcat 0.1.0: x", "redacted.#", "redacted:#"},
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static struct snap_snapshot *make_entries(void)
{
	struct snap_snapshot *s = make_files();
	for (size_t i = 0; i < ENTRIES; i++)
		set(s, entries[i].key, entries[i].value);
	return s;
}

TEST(metadata)
{
	struct snap_snapshot *s = make_entries();
	for (int all = 0; all <= 1; all++) {
		struct snap_snapshot *r = redacted(s, 0, all != 0);
		struct snap_meta *meta = snap_snapshot_meta(r);
		if (!CHECK_INT(snap_meta_count(meta), ENTRIES))
			return;
		for (size_t i = 0; i < ENTRIES; i++) {
			struct snap_text value;
			const char *got = snap_meta_at(meta, i, &value.bytes, &value.size);
			const char *wanted = entries[i].wanted_key, *wanted_value = entries[i].wanted;
			CHECK_STR(masked((struct snap_text){got, strlen(got)}),
				  wanted != NULL ? wanted : entries[i].key);
			CHECK_STR(masked(value), wanted_value != NULL ? wanted_value : entries[i].value);
		}
		/* What is said of both sides is said in the same words. */
		static const char *const both[] = {"host", "root.cwd"};
		char name[40];
		for (size_t i = 0; i < 2; i++) {
			snprintf(name, sizeof name, "old.%s", both[i]);
			CHECK_STR(snap_meta_get(meta, name), snap_meta_get(meta, both[i]));
		}
		for (size_t i = 0; i < ENTRIES; i++) {
			const char *value, *got;
			size_t size;
			got = snap_meta_at(meta, i, &value, &size);
			if (strcmp(entries[i].key, "label.customer") != 0 && strcmp(entries[i].key, "customer") != 0)
				continue;
			snprintf(name, sizeof name, "old.%s", got);
			CHECK_STR(snap_meta_get(meta, name), value);
		}
		snap_snapshot_free(r);
	}
	snap_snapshot_free(s);
}

/* What of names and metadata must be nowhere in the result: folders, names, values. */
static const char *const secrets[] = {"alice",	 "acme",    "billing", "customer", "Customer", "charge",   "miniforge",
				      "miniconda", "AppData", "hosted",
				      ".venv",	 "runtime/", "vendor",	"4711471147114711",    "caf\xc3", "\xff\xfe",
				      "db-7",	 "acmecat", "record",	"--set",   ".pickle",  "cut off"};

static void check_no_secret(const void *bytes, size_t size)
{
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		if (!CHECK(!contains(bytes, size, secrets[i])))
			printf("  \"%s\" is in \"%.*s\"\n", secrets[i], (int)(size < 200 ? size : 200),
			       (const char *)bytes);
}

static int compare_texts(const void *a, const void *b)
{
	const struct snap_text *x = a, *y = b;
	size_t shorter = x->size < y->size ? x->size : y->size;
	int order = shorter > 0 ? memcmp(x->bytes, y->bytes, shorter) : 0;
	return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

/* Every text that can be seen, no string beside them, and what a file of it has. */
static void check_all_texts(struct snap_snapshot *s)
{
	size_t frames = snap_snapshot_frames(s), count = 0, distinct = 0, size;
	struct snap_text *texts = bag_memory(NULL, 2 * frames, sizeof *texts);
	for (uint32_t i = 0; i < frames; i++) {
		struct snap_frame f = snap_snapshot_frame(s, i);
		texts[count++] = f.file;
		if (f.function.bytes != NULL)
			texts[count++] = f.function;
	}
	qsort(texts, count, sizeof *texts, compare_texts);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || compare_texts(&texts[i - 1], &texts[i]) != 0) {
			check_no_secret(texts[i].bytes, texts[i].size);
			distinct++;
		}
	CHECK_INT(snap_snapshot_strings(s), distinct);
	free(texts);
	struct snap_meta *meta = snap_snapshot_meta(s);
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value, *name = snap_meta_at(meta, i, &value, &size);
		check_no_secret(name, strlen(name));
		check_no_secret(value, size);
	}
	struct snap_error err;
	struct snap_output *out;
	struct snap_writer *w;
	told_must(snap_output_to_memory(&out, &err), &err);
	told_must(snap_writer_new(&w, out, &(struct snap_writer_options){0, false}, &err), &err);
	told_must(snap_writer_put(w, s, &err), &err);
	told_must(snap_writer_finish(w, &err), &err);
	told_must(snap_output_finish(out, &err), &err);
	snap_writer_free(w);
	const char *bytes = snap_output_memory(out, &size);
	/* Short ones may be there by chance. */
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		CHECK(strlen(secrets[i]) < 5 || !contains(bytes, size, secrets[i]));
	snap_output_free(out);
}

TEST(nothing_is_given_away)
{
	static const char *const functions[] = {"Customer.charge", "alice", "<lambda>", "\xff\xfe", NULL};
	struct name names[FILES + 5];
	for (size_t i = 0; i < FILES + 5; i++)
		names[i] = (struct name){i < FILES ? files[i].file : "/srv/acme/billing/customer.py",
					 keeps_functions(i) ? "run" : functions[i % 5]};
	struct snap_snapshot *s = make(names, FILES + 5);
	for (size_t i = 0; i < ENTRIES; i++)
		set(s, entries[i].key, entries[i].value);
	for (int all = 0; all <= 1; all++) {
		struct snap_snapshot *r = redacted(s, 0, all != 0);
		check_all_texts(r);
		for (size_t c = 0; c < 2; c++)
			CHECK_INT(snap_snapshot_total(r, c), snap_snapshot_total(s, c));
		/* With `all` not even what everybody knows. */
		for (uint32_t i = 0; i < snap_snapshot_frames(r) && all != 0; i++) {
			struct snap_text file = snap_snapshot_frame(r, i).file;
			CHECK(!contains(file.bytes, file.size, "/lib"));
			CHECK(!contains(file.bytes, file.size, "packages"));
		}
		snap_snapshot_free(r);
	}
	snap_snapshot_free(s);
}

static bool same_digest(const struct snap_snapshot *a, const struct snap_snapshot *b)
{
	struct snap_error err;
	uint64_t x[2], y[2];
	told_must(snap_snapshot_digest(a, x, &err), &err);
	told_must(snap_snapshot_digest(b, y, &err), &err);
	return x[0] == y[0] && x[1] == y[1];
}

static bool same_meta(struct snap_snapshot *a, struct snap_snapshot *b)
{
	const struct snap_meta *x = snap_snapshot_meta(a), *y = snap_snapshot_meta(b);
	bool same = snap_meta_count(x) == snap_meta_count(y);
	for (size_t i = 0; same && i < snap_meta_count(x); i++) {
		const char *values[2], *keys[2];
		size_t size;
		keys[0] = snap_meta_at(x, i, &values[0], &size);
		keys[1] = snap_meta_at(y, i, &values[1], &size);
		same = strcmp(keys[0], keys[1]) == 0 && strcmp(values[0], values[1]) == 0;
	}
	return same;
}

TEST(the_key_decides)
{
	struct snap_snapshot *s = make_entries();
	struct snap_snapshot *r = redacted(s, 0, false), *again = redacted(s, 0, false);
	struct snap_snapshot *other = redacted(s, 1, false), *twice = redacted(r, 0, false);
	CHECK(same_digest(r, again));
	CHECK(same_meta(r, again));
	CHECK(!same_digest(r, other));
	for (uint32_t i = 0; i < FILES; i++) {
		struct snap_text a = frame_at(r, i + 1).file, b = frame_at(other, i + 1).file;
		struct snap_text c = frame_at(twice, i + 1).file;
		bool hashed = strchr(masked(a), '#') != NULL;
		CHECK(same_text(a, b) == !hashed);
		/* A redacted name is a name like any other. */
		CHECK(same_text(a, c) == !hashed);
		CHECK_STR(masked(a), masked(b));
		CHECK_STR(masked(a), masked(c));
	}
	const struct snap_meta *x = snap_snapshot_meta(r), *y = snap_snapshot_meta(other);
	for (size_t i = 0; i < ENTRIES; i++) {
		struct snap_text a, b;
		snap_meta_at(x, i, &a.bytes, &a.size);
		snap_meta_at(y, i, &b.bytes, &b.size);
		CHECK(same_text(a, b) == (strchr(masked(a), '#') == NULL));
	}
	snap_snapshot_free(s);
	snap_snapshot_free(r);
	snap_snapshot_free(again);
	snap_snapshot_free(other);
	snap_snapshot_free(twice);
}

TEST(short_keys_are_refused)
{
	struct snap_error err;
	struct snap_snapshot *s = make_files(), *r = s;
	CHECK_INT(snap_redact(&r, s, key(0), SNAP_REDACT_KEY_MIN - 1, false, &err), SNAP_ERR_INVALID);
	CHECK(r == NULL);
	CHECK_STR(err.message, "a key of 15 bytes is too short: redaction needs at least 16; make one by "
			       "`head -c 32 /dev/urandom >KEYFILE`");
	CHECK_INT(snap_redact(&r, s, NULL, 0, true, &err), SNAP_ERR_INVALID);
	CHECK(r == NULL);
	if (CHECK_OK(snap_redact(&r, s, key(0), SNAP_REDACT_KEY_MIN, false, &err), &err))
		snap_snapshot_free(r);
	snap_snapshot_free(s);
}

/* Names at the limit, without end, and with many folders: a name too long with its hash has only that. */
TEST(long_names)
{
	static const char folder[] = "p/lib/python3.11/site-packages/";
	char *name = bag_memory(NULL, SNAP_STRING_MAX + 1, 1);
	for (unsigned way = 0; way < 4; way++) {
		memset(name, way == 2 ? '/' : 'x', SNAP_STRING_MAX);
		memcpy(name, folder, strlen(folder));
		size_t size = way == 1 ? SNAP_STRING_MAX - 32 : way == 3 ? SNAP_STRING_MAX - 31 : SNAP_STRING_MAX;
		name[size] = '\0';
		struct snap_snapshot *s = make(&(struct name){name, NULL}, 1), *r = redacted(s, 0, false);
		struct snap_text file = frame_at(r, 1).file;
		if (way == 1)
			CHECK_INT(file.size, SNAP_STRING_MAX); /* "redacted/", hash instead of "p" */
		else if (way == 3) /* instead of "p/lib/python3.11" */
			CHECK_INT(file.size, SNAP_STRING_MAX - 31 - strlen("p/lib/python3.11") + 33);
		else
			CHECK_STR(masked(file), "redacted/#");
		snap_snapshot_free(s);
		snap_snapshot_free(r);
	}
	free(name);
}

/* Sums by line, by function and by traceback are those from before, in the same number of groups. */
static bool same_sums(const struct snap_snapshot *a, const struct snap_snapshot *b)
{
	static const enum snap_group_by ways[] = {SNAP_BY_LINENO, SNAP_BY_FUNCTION, SNAP_BY_TRACEBACK};
	struct snap_error err;
	bool good = true;
	for (size_t w = 0; w < 3; w++) {
		struct snap_groups *g[2];
		const struct snap_group_options options = {.by = ways[w]};
		told_must(snap_groups_new(&g[0], a, &options, 0, &err), &err);
		told_must(snap_groups_new(&g[1], b, &options, 0, &err), &err);
		good &= CHECK_INT(snap_groups_count(g[1]), snap_groups_count(g[0]));
		for (size_t i = 0; good && i < snap_groups_ranked(g[0]); i++) {
			struct snap_group_row x = snap_groups_row(g[0], i), y = snap_groups_row(g[1], i);
			good = CHECK(x.size == y.size && x.count == y.count && x.size_diff == y.size_diff &&
				     x.count_diff == y.count_diff);
		}
		snap_groups_free(g[0]);
		snap_groups_free(g[1]);
	}
	return good;
}

TEST(sums_stay)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 1; seed <= 5; seed++) {
			struct told t = told_random(&small_shapes[i], seed);
			struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
			struct snap_snapshot *r = redacted(s, 0, seed % 2 == 0);
			bool good = CHECK_INT(snap_snapshot_sites(r), snap_snapshot_sites(s)) &
				    CHECK_INT(snap_snapshot_stacks(r), snap_snapshot_stacks(s)) &
				    CHECK_INT(snap_snapshot_frames(r), snap_snapshot_frames(s)) &
				    CHECK_INT(snap_snapshot_columns(r), snap_snapshot_columns(s));
			for (size_t c = 0; c < snap_snapshot_columns(s); c++)
				good &= CHECK_INT(snap_snapshot_total(r, c), snap_snapshot_total(s, c));
			good = good && same_sums(s, r);
			if (!good)
				printf("  shape \"%s\", seed %ju\n", small_shapes[i].name, (uintmax_t)seed);
			snap_snapshot_free(s);
			snap_snapshot_free(r);
			told_free(&t);
			if (!good)
				return;
		}
}

/* The diff of what was redacted is the redacted diff. */
static bool check_diff(struct snap_snapshot *older, struct snap_snapshot *newer, bool all)
{
	struct snap_error err;
	struct snap_snapshot *diff, *diff_of_redacted;
	struct snap_snapshot *in[2] = {redacted(older, 0, all), redacted(newer, 0, all)};
	told_must(snap_diff_new(&diff, older, newer, &err), &err);
	told_must(snap_diff_new(&diff_of_redacted, in[0], in[1], &err), &err);
	struct snap_snapshot *redacted_diff = redacted(diff, 0, all);
	struct bag a = bag_of_snapshot(diff_of_redacted), b = bag_of_snapshot(redacted_diff);
	bool good = CHECK(bag_equal(&a, &b)) & CHECK(same_digest(diff_of_redacted, redacted_diff)) &
		    CHECK(same_meta(diff_of_redacted, redacted_diff));
	good = good && same_sums(diff_of_redacted, redacted_diff) && same_sums(diff, redacted_diff);
	bag_free(&a);
	bag_free(&b);
	snap_snapshot_free(diff);
	snap_snapshot_free(diff_of_redacted);
	snap_snapshot_free(redacted_diff);
	snap_snapshot_free(in[0]);
	snap_snapshot_free(in[1]);
	return good;
}

TEST(diffs)
{
	struct snap_snapshot *older = make_files(), *newer = make_files();
	static const char *const keys[] = {"host", "label.customer", "time", "customer", "root.stdlib", "history.1"};
	for (size_t i = 0; i < 6; i++) {
		set(older, keys[i], "alice");
		set(newer, keys[i], i % 2 == 0 ? "alice" : "snapcat 0.1.0: acme");
	}
	check_diff(older, newer, false);
	check_diff(older, newer, true);
	snap_snapshot_free(older);
	snap_snapshot_free(newer);
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 1; seed <= 4 && small_shapes[i].columns == TOLD_PLAIN; seed++) {
			struct told t = told_random(&small_shapes[i], seed);
			size_t half = t.site_count / 2, quarter = half / 2;
			older = told_snapshot(&t, t.sites, half + quarter, NULL);
			newer = told_snapshot(&t, t.sites + half - quarter, t.site_count - half + quarter, NULL);
			bool good = check_diff(older, newer, seed % 2 == 0);
			if (!good)
				printf("  shape \"%s\", seed %ju\n", small_shapes[i].name, (uintmax_t)seed);
			snap_snapshot_free(older);
			snap_snapshot_free(newer);
			told_free(&t);
			if (!good)
				return;
		}
}
