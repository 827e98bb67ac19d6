/* Patterns through the public headers. What globs match is held against CPython elsewhere
 * (tests/oracle/test_fnmatch.py). */
#define _GNU_SOURCE
#include <snap/pattern.h>
#include <time.h>

#include "test.h"

static struct snap_text text_of(const char *name)
{
	return (struct snap_text){name, strlen(name)};
}

/* -1 where the pattern cannot be made or matched. */
static int matches_with(const struct snap_presets *presets, const char *glob, const char *name, uint32_t line)
{
	struct snap_pattern *p;
	struct snap_error err;
	bool matches = false;
	if (!CHECK_OK(snap_pattern_glob(&p, glob, presets, &err), &err))
		return -1;
	int status = CHECK_OK(snap_pattern_matches(p, text_of(name), line, &matches, &err), &err);
	snap_pattern_free(p);
	return status ? matches : -1;
}

static int matches(const char *glob, const char *name)
{
	return matches_with(NULL, glob, name, 1);
}

static int finds(const char *regex, const char *name)
{
	struct snap_pattern *p;
	struct snap_error err;
	bool found = false;
	if (!CHECK_OK(snap_pattern_regex(&p, regex, &err), &err))
		return -1;
	int status = CHECK_OK(snap_pattern_matches(p, text_of(name), 1, &found, &err), &err);
	snap_pattern_free(p);
	return status ? found : -1;
}

TEST(globs)
{
	CHECK_INT(matches("*/shop/*.py", "/srv/shop/a/b.py"), 1);
	CHECK_INT(matches("shop/*.py", "/srv/shop/b.py"), 0);
	CHECK_INT(matches("[!b-a]", "x"), 1);
	CHECK_INT(matches("[b-a]", "b"), 0);
	CHECK_INT(matches("?", "\xff"), 1);
	CHECK_INT(matches("?", "\xe2\x82\xac"), 1);
	CHECK_INT(matches("?", "\xe2\x82"), 0);
	CHECK_INT(matches("", ""), 1);
	CHECK_INT(matches("", "a"), 0);
	CHECK_INT(matches("a.pyc", "a.py"), 1);
	CHECK_INT(matches("a.py", "a.pyc"), 1);
	CHECK_INT(matches("[@]a", "@a"), 1);
}

/* A name that is not there and one that is empty are the same. */
TEST(empty_names)
{
	struct snap_pattern *p[2];
	struct snap_error err;
	if (!CHECK_OK(snap_pattern_glob(&p[0], "*", NULL, &err), &err) ||
	    !CHECK_OK(snap_pattern_regex(&p[1], "^$", &err), &err))
		return;
	for (int i = 0; i < 2; i++) {
		bool matches = false;
		CHECK_OK(snap_pattern_matches(p[i], (struct snap_text){NULL, 0}, 1, &matches, &err), &err);
		CHECK(matches);
		snap_pattern_free(p[i]);
	}
	snap_pattern_free(NULL);
}

TEST(lines)
{
	static const struct {
		const char *glob, *name;
		uint32_t line;
		bool wanted;
	} cases[] = {
		{"a.py:7", "a.py", 7, true},
		{"a.py:7", "a.py", 8, false},
		{"a.py:7", "b.py", 7, false},
		{"a.pyc:7", "a.py", 7, true},
		{"a.py:0", "a.py", 0, true},
		{"a.py:007", "a.py", 7, true},
		{"a.py:4294967295", "a.py", UINT32_MAX, true},
		{"a.py:4294967296", "a.py", 0, false},
		{"a.py:4294967296", "a.py:4294967296", 1, true},
		{"a.py:18446744073709551623", "a.py", 7, false},
		{"a:5:7", "a:5", 7, true},
		{":7", ":7", 1, true},
		{":7", "", 7, false},
		{"a[:]7", "a:7", 1, true},
		{"a:", "a:", 1, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (!CHECK_INT(matches_with(NULL, cases[i].glob, cases[i].name, cases[i].line),
			       cases[i].wanted))
			printf("  %s, %s:%u\n", cases[i].glob, cases[i].name, cases[i].line);
}

TEST(regular_expressions)
{
	CHECK_INT(finds("shop/.*[.]py$", "/srv/shop/a.py"), 1);
	CHECK_INT(finds("^shop", "/srv/shop/a.py"), 0);
	CHECK_INT(finds("[.]pyc$", "a.pyc"), 0);
	CHECK_INT(finds("[.]py$", "a.pyc"), 1);
	CHECK_INT(finds("^.$", "\xe2\x82\xac"), 1);
	CHECK_INT(finds("b", "\xff"
			     "b"),
		  1);
	CHECK_INT(finds("^a.b$", "a\xff"
				 "b"),
		  0);
	CHECK_INT(finds("(?i)SHOP", "/srv/shop/a.py"), 1);
	CHECK_INT(finds("", ""), 1);
}

static const char *refusal(const char *regex)
{
	static struct snap_error err;
	struct snap_pattern *p;
	if (!CHECK_INT(snap_pattern_regex(&p, regex, &err), SNAP_ERR_INVALID) || !CHECK(p == NULL))
		snap_pattern_free(p);
	return err.message;
}

TEST(regular_expressions_that_are_none)
{
	CHECK_STR(refusal("abc(d"),
		  "the regular expression cannot be read: missing closing parenthesis at offset 5: "
		  "'abc(d' <- here");
	CHECK_STR(refusal("ab)cd"),
		  "the regular expression cannot be read: unmatched closing parenthesis at offset 2: "
		  "'ab' <- here");
	CHECK_STR(refusal("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
			  "\xc3\xa9"
			  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9x)"),
		  "the regular expression cannot be read: unmatched closing parenthesis at offset 41: "
		  "'..."
		  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		  "\xc3\xa9"
		  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9x' <- here");
	CHECK(strstr(refusal("a\\Cb"), "\\C") != NULL);
	CHECK(strstr(refusal("a\xff"), "UTF-8") != NULL);
}

/* A name that an expression runs away on ends with an error, and soon; so it does without JIT. */
TEST(runaway)
{
	static const char *const regexes[] = {"(a+)+$", "(*NO_JIT)(a+)+$", "(?:a|a)*?$", "((a?)*)*$"};
	char name[201];
	memset(name, 'a', 200);
	memcpy(name, "/srv/", 5);
	strcpy(name + 199, "!");
	for (size_t i = 0; i < sizeof regexes / sizeof *regexes; i++) {
		struct snap_pattern *p;
		struct snap_error err = {.message = ""};
		bool found;
		if (!CHECK_OK(snap_pattern_regex(&p, regexes[i], &err), &err))
			continue;
		clock_t before = clock();
		CHECK_INT(snap_pattern_matches(p, text_of(name), 1, &found, &err), SNAP_ERR_LIMIT);
		printf("  %s: %.2f s\n", regexes[i], (double)(clock() - before) / CLOCKS_PER_SEC);
		CHECK(clock() - before < 20 * CLOCKS_PER_SEC);
		CHECK(strstr(err.message, regexes[i]) != NULL && strstr(err.message, "...aaaa") != NULL);
		CHECK(strstr(err.message, "a!'") != NULL);
		snap_pattern_free(p);
	}
}

/* What needs more stack than JIT has is no runaway. */
TEST(long_names)
{
	static const char *const regexes[] = {"^(?:[a-z]|/)+$", "^(a|/|b)*$", "(*NO_JIT)^(a|/|b)*$",
					      "^(?:(?:a)|/)*?$", "(*NO_JIT)^((((a))))*$"};
	char *name = malloc(SNAP_STRING_MAX);
	if (!CHECK(name != NULL))
		return;
	memset(name, 'a', SNAP_STRING_MAX);
	for (size_t i = 0; i < sizeof regexes / sizeof *regexes; i++) {
		struct snap_pattern *p;
		struct snap_error err;
		bool found = false;
		if (!CHECK_OK(snap_pattern_regex(&p, regexes[i], &err), &err))
			continue;
		CHECK_OK(snap_pattern_matches(p, (struct snap_text){name, SNAP_STRING_MAX}, 1, &found, &err),
			 &err);
		CHECK(found);
		snap_pattern_free(p);
	}
	free(name);
}

/* Presets. */

enum { TRACER = 1, IMPORTLIB = 2, STDLIB = 4, SITE = 8 };

static void check_presets(const char *name, unsigned wanted)
{
	static const char *const presets[] = {"@tracer", "@importlib", "@stdlib", "@site-packages"};
	for (unsigned i = 0; i < 4; i++)
		if (!CHECK_INT(matches(presets[i], name), wanted >> i & 1))
			printf("  %s, %s\n", presets[i], name);
}

TEST(presets_on_unix)
{
	static const char *const folders[] = {
		"/usr/lib/python3.11",
		"/usr/lib/python2.7",
		"/usr/local/lib/python3.12",
		"/usr/lib64/python3.9",
		"/usr/local/lib/python3.13t",
		"/Users/me/.versions/3.11.7/lib/python3.11",
		"/opt/conda/lib/python3.10",
		"/opt/conda/envs/web/lib/python3.10",
		"/opt/uv/python/cpython-3.12.3-linux-x86_64-gnu/lib/python3.12",
		"/nix/store/0abc-python3-3.11.4/lib/python3.11",
		"/Library/Frameworks/Python.framework/Versions/3.11/lib/python3.11",
		"/opt/Cellar/python@3.11/Frameworks/Python.framework/Versions/3.11/lib/python3.11",
		"/lib/python3.11",
		"/usr/lib/python311.zip",
		"/srv/src/cpython/Lib",
		"/srv/src/cpython-3.12/Lib",
		"/tmp/Python-3.11.7/Lib",
	};
	static const struct {
		const char *file;
		unsigned wanted;
	} files[] = {
		{"os.py", STDLIB},
		{"json/decoder.py", STDLIB},
		{"lib-dynload/_json.so", STDLIB},
		{"importlib/__init__.py", STDLIB | IMPORTLIB},
		{"importlib/metadata/_text.pyc", STDLIB | IMPORTLIB},
		{"zipimport.py", STDLIB | IMPORTLIB},
		{"tracemalloc.py", STDLIB | TRACER},
		{"tracemalloc.pyc", STDLIB | TRACER},
		{"linecache.py", STDLIB | TRACER},
		{"pickle.py", STDLIB | TRACER},
		{"fnmatch.py", STDLIB | TRACER},
		{"test/pickle.py", STDLIB},
		{"mypickle.py", STDLIB},
		{"site-packages/pickle.py", SITE},
		{"site-packages/pandas/io/pickle.py", SITE},
		{"site-packages/importlib/a.py", SITE},
		{"site-packages/importlib_metadata/__init__.py", SITE},
		{"dist-packages/fnmatch.py", SITE},
		{"site-packages/snapcapture.py", SITE | TRACER},
		{"site-packages/snapcapture/__init__.py", SITE | TRACER},
	};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
			char name[256];
			snprintf(name, sizeof name, "%s/%s", folders[i], files[k].file);
			check_presets(name, files[k].wanted);
		}
}

TEST(presets_on_windows)
{
	static const char *const folders[] = {
		"C:\\Python311\\Lib",
		"c:\\python27\\lib",
		"C:\\Program Files\\Python39\\Lib",
		"C:\\Program Files (x86)\\Python38-32\\Lib",
		"C:\\Users\\me\\AppData\\Local\\Programs\\Python\\Python311-arm64\\Lib",
		"C:\\WindowsApps\\PythonSoftwareFoundation.Python.3.11_3.11.2544.0_x64__qbz5n2kfra8p0\\Lib",
		"C:\\Users\\me\\versions\\3.11.7\\Lib",
		"C:\\Users\\me\\miniconda3\\Lib",
		"C:\\Users\\me\\miniconda3\\envs\\web\\Lib",
		"C:\\Users\\me\\miniforge3\\Lib",
		"C:\\hostedtoolcache\\windows\\Python\\3.11.9\\x64\\Lib",
		"C:\\Users\\me\\AppData\\Roaming\\uv\\python\\cpython-3.12.3-windows-x86_64-none\\Lib",
		"D:\\app\\python311.zip",
	};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		static const struct {
			const char *file;
			unsigned wanted;
		} files[] = {
			{"os.py", STDLIB},
			{"json\\decoder.pyc", STDLIB},
			{"pickle.py", STDLIB | TRACER},
			{"importlib\\util.py", STDLIB | IMPORTLIB},
			{"site-packages\\pandas\\io\\pickle.py", SITE},
			{"site-packages\\pickle.py", SITE},
		};
		for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
			char name[256];
			snprintf(name, sizeof name, "%s\\%s", folders[i], files[k].file);
			check_presets(name, files[k].wanted);
		}
	}
}

TEST(presets_elsewhere)
{
	check_presets("<frozen importlib._bootstrap>", STDLIB | IMPORTLIB);
	check_presets("<frozen importlib._bootstrap_external>", STDLIB | IMPORTLIB);
	check_presets("<frozen zipimport>", STDLIB | IMPORTLIB);
	check_presets("<frozen importlib_metadata>", STDLIB);
	check_presets("<frozen os>", STDLIB);
	check_presets("<frozen linecache>", STDLIB | TRACER);
	check_presets("<snapcapture>", TRACER);
	check_presets("/srv/agent/snapcapture.py", TRACER);
	check_presets("/srv/agent/mysnapcapture.py", 0);
	check_presets("/srv/venv/lib/python3.11/site-packages/django/db.py", SITE);
	check_presets("/usr/lib/python3/dist-packages/yaml/__init__.py", SITE);
	check_presets("C:\\proj\\venv\\Lib\\site-packages\\a.py", SITE);
	check_presets("/srv/shop/pickle.py", 0);
	check_presets("/srv/shop/lib/pickle.py", 0);
	check_presets("/srv/shop/Lib/pickle.py", 0);
	check_presets("/srv/lib/python/pickle.py", 0);
	check_presets("/srv/lib/python3.11x/pickle.py", 0);
	check_presets("C:\\proj\\Lib\\pickle.py", 0);
	check_presets("C:\\proj\\importlib\\a.py", 0);
	check_presets("/srv/importlib/a.py", 0);
	check_presets("<unknown>", 0);
	check_presets("<string>", 0);
	check_presets("", 0);
}

static void add(struct snap_presets *presets, const char *name, const char *text)
{
	struct snap_error err;
	CHECK_OK(snap_presets_add(presets, name, text, strlen(text), &err), &err);
}

TEST(presets_of_the_user)
{
	struct snap_presets *presets;
	struct snap_error err;
	if (!CHECK_OK(snap_presets_new(&presets, &err), &err))
		return;
	add(presets, "shop",
	    "!*/tests/*\n"
	    "# the shop\n"
	    "\n"
	    " \t\r\n"
	    "/srv/shop/*\r\n"
	    "/srv/both.py:7\n"
	    "!/srv/shop/a.py:3");
	CHECK_INT(matches_with(presets, "@shop", "/srv/shop/a.py", 1), 1);
	CHECK_INT(matches_with(presets, "@shop", "/srv/shop/a.py", 3), 0);
	CHECK_INT(matches_with(presets, "@shop", "/srv/shop/tests/a.py", 1), 0);
	CHECK_INT(matches_with(presets, "@shop", "/srv/both.py", 7), 1);
	CHECK_INT(matches_with(presets, "@shop", "/srv/both.pyc", 7), 1);
	CHECK_INT(matches_with(presets, "@shop", "/srv/both.py", 8), 0);
	CHECK_INT(matches_with(presets, "@shop", "# the shop", 1), 0);
	CHECK_INT(matches_with(presets, "@shop", "", 1), 0);

	/* What a preset takes from another is what that was then. */
	add(presets, "mine", "@shop\n@tracer\n!@importlib\n");
	add(presets, "shop", "/other/*\n");
	CHECK_INT(matches_with(presets, "@mine", "/srv/shop/a.py", 1), 1);
	CHECK_INT(matches_with(presets, "@mine", "/srv/shop/a.py", 3), 0);
	CHECK_INT(matches_with(presets, "@mine", "/usr/lib/python3.11/pickle.py", 3), 1);
	CHECK_INT(matches_with(presets, "@shop", "/srv/shop/a.py", 1), 0);
	CHECK_INT(matches_with(presets, "@shop", "/other/a.py", 1), 1);

	/* One of the library is replaced, here by more than itself, and for this user only. */
	add(presets, "stdlib", "@stdlib\n/vendored/*\n!*/idlelib/*\n");
	CHECK_INT(matches_with(presets, "@stdlib", "/vendored/a.py", 1), 1);
	CHECK_INT(matches_with(presets, "@stdlib", "/usr/lib/python3.11/os.py", 1), 1);
	CHECK_INT(matches_with(presets, "@stdlib", "/usr/lib/python3.11/idlelib/a.py", 1), 0);
	CHECK_INT(matches_with(NULL, "@stdlib", "/usr/lib/python3.11/idlelib/a.py", 1), 1);

	/* A pattern outlives the presets. */
	struct snap_pattern *p;
	bool matches = false;
	add(presets, "-._9", "");
	CHECK_INT(matches_with(presets, "@-._9", "a", 1), 0);
	CHECK_OK(snap_pattern_glob(&p, "@mine", presets, &err), &err);
	snap_presets_free(presets);
	CHECK_OK(snap_pattern_matches(p, text_of("/srv/shop/a.py"), 1, &matches, &err), &err);
	CHECK(matches);
	snap_pattern_free(p);
	snap_presets_free(NULL);
}

TEST(presets_that_are_none)
{
	struct snap_presets *presets;
	struct snap_pattern *p;
	struct snap_error err;
	if (!CHECK_OK(snap_presets_new(&presets, &err), &err))
		return;
	CHECK_INT(snap_pattern_glob(&p, "@shop", NULL, &err), SNAP_ERR_INVALID);
	CHECK(p == NULL);
	CHECK_STR(err.message,
		  "there is no preset @shop, but @importlib, @site-packages, @stdlib, @tracer; a name that "
		  "begins with '@' is matched by [@]");
	add(presets, "old", "a\n");
	add(presets, "tracer", "a\n");
	CHECK_INT(snap_presets_add(presets, "old", "b\n\n# c\n!@shop\n", 14, &err), SNAP_ERR_INVALID);
	CHECK_STR(err.message,
		  "line 4 of preset @old: there is no preset @shop, but @importlib, @site-packages, "
		  "@stdlib, @tracer, @old; a name that begins with '@' is matched by [@]");
	CHECK_INT(matches_with(presets, "@old", "a", 1), 1);
	CHECK_INT(matches_with(presets, "@old", "b", 1), 0);
	CHECK_INT(snap_presets_add(presets, "new", "a\nb\0c\n", 6, &err), SNAP_ERR_INVALID);
	CHECK_STR(err.message, "line 2 of preset @new: a zero byte, which no name has");
	CHECK_INT(snap_presets_add(presets, "", "a", 1, &err), SNAP_ERR_INVALID);
	CHECK_INT(snap_presets_add(presets, "@a", "a", 1, &err), SNAP_ERR_INVALID);
	CHECK_STR(err.message, "'@a' cannot name a preset: only letters, digits, '-', '_' and '.' can");
	CHECK_INT(snap_pattern_glob(&p, "@new", presets, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_pattern_glob(&p, "@", presets, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_pattern_glob(&p, "@stdlib:5", presets, NULL), SNAP_ERR_INVALID);
	snap_presets_free(presets);
}

/* Presets that take twice from another each, or go down without end, do not grow without end. */
TEST(presets_have_limits)
{
	struct snap_presets *presets;
	struct snap_error err = {.message = ""};
	enum snap_status status = SNAP_OK;
	char text[32] = "a\nb\n", name[16];
	for (int nested = 0; nested < 2; nested++) {
		if (!CHECK_OK(snap_presets_new(&presets, &err), &err))
			return;
		strcpy(text, "a\nb\n");
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof name, "p%d", i);
			status = snap_presets_add(presets, name, text, strlen(text), &err);
			if (status < 0)
				break;
			snprintf(text, sizeof text, nested ? "@p%d\n" : "@p%d\n@p%d\n", i, i);
		}
		CHECK_INT(status, SNAP_ERR_INVALID);
		CHECK(strstr(err.message, nested ? "32 deep" : "65536 patterns") != NULL);
		snap_presets_free(presets);
	}
}
