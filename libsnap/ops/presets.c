/* Presets, those of the library and those of the user; see snap/pattern.h. */
#define _POSIX_C_SOURCE 200809L
#include "ops/presets.h"

#include <stdlib.h>
#include <string.h>

struct preset {
	char *name;
	struct snap_pattern_set *set;
};

SNAP_VECTOR(preset_list, struct preset);

struct snap_presets {
	struct preset_list list; /* of the user; these go before the library's */
};

/* Those of the library. */

/* Folders of the standard library, and what stands between the parts of a name there. `*` crosses
 * separators, so no folder below one of these may match as well, or packages in site-packages would. Where
 * it cannot be helped (folders of any name) a wrong name has to look like another interpreter. */
static const struct {
	const char *folder;
	char separator;
} stdlib_folders[] = {
	/* Unix, macOS, conda, virtual environments that link to it; t: without the GIL. */
	{"*/lib/python[23].[0-9]", '/'},
	{"*/lib/python3.[0-9][0-9]", '/'},
	{"*/lib/python3.[0-9][0-9]t", '/'},
	{"*/lib64/python[23].[0-9]", '/'},
	{"*/lib64/python3.[0-9][0-9]", '/'},
	{"*/lib64/python3.[0-9][0-9]t", '/'},
	{"*/python[23][0-9].zip", '/'},
	{"*/python3[0-9][0-9].zip", '/'},
	/* Trees of its source. */
	{"*/cpython/Lib", '/'},
	{"*/cpython-[0-9]*/Lib", '/'},
	{"*/Python-[23].[0-9]*/Lib", '/'},
	/* Windows: installers, its store, the zip of the embeddable package, source trees. */
	{"*\\[Pp]ython[23][0-9]\\[Ll]ib", '\\'},
	{"*\\[Pp]ython3[0-9][0-9]\\[Ll]ib", '\\'},
	{"*\\[Pp]ython3[0-9]-[36][24]\\[Ll]ib", '\\'},
	{"*\\[Pp]ython3[0-9][0-9]-[36][24]\\[Ll]ib", '\\'},
	{"*\\[Pp]ython3[0-9][0-9]-arm64\\[Ll]ib", '\\'},
	{"*\\PythonSoftwareFoundation.Python.3.*\\[Ll]ib", '\\'},
	{"*\\python[23][0-9].zip", '\\'},
	{"*\\python3[0-9][0-9].zip", '\\'},
	{"*\\cpython\\Lib", '\\'},
	{"*\\cpython-[0-9]*\\[Ll]ib", '\\'},
	/* Windows: managers of versions, conda and its environments, hosted runners, MSYS. */
	{"*\\versions\\[23].*\\[Ll]ib", '\\'},
	{"*\\[Pp]ython\\[23].*\\[Ll]ib", '\\'},
	{"*conda\\[Ll]ib", '\\'},
	{"*conda[23]\\[Ll]ib", '\\'},
	{"*conda*\\envs\\*\\[Ll]ib", '\\'},
	{"*forge\\[Ll]ib", '\\'},
	{"*forge3\\[Ll]ib", '\\'},
	{"*forge*\\envs\\*\\[Ll]ib", '\\'},
	{"*\\lib\\python[23].[0-9]", '\\'},
	{"*\\lib\\python3.[0-9][0-9]", '\\'},
	/* What redaction leaves of those that have only a folder Lib, see redact.c (in two parts: no trigraph). */
	{"redacted/????????????????????????" "/Lib", '/'},
	{"redacted/????????????????????????\\[Ll]ib", '\\'},
};

/* Globs for what they match; behind '!', for what they take away; behind "STDLIB/" or "SITE/", for what is
 * below that folder: for the standard library any of the above, and the one that the metadata name. */
static const char *const tracer[] = {
	"STDLIB/tracemalloc.py", "STDLIB/linecache.py", "STDLIB/pickle.py", "STDLIB/fnmatch.py",
	"<frozen tracemalloc>",  "<frozen linecache>",  "<frozen pickle>",  "<frozen fnmatch>",
	"*/snapcapture.py",      "*/snapcapture/*",     "<snapcapture>",    NULL,
};

static const char *const importlib[] = {
	"<frozen importlib>", "<frozen importlib.*>", "<frozen zipimport>",
	"STDLIB/importlib/*", "STDLIB/zipimport.py",  NULL,
};

static const char *const stdlib[] = {
	"STDLIB/*",
	"<frozen *>",
	"!*/site-packages/*",
	"!*/dist-packages/*",
	"!*\\site-packages\\*",
	"!*\\dist-packages\\*",
	"!SITE/*",
	NULL,
};

static const char *const site_packages[] = {
	"*/site-packages/*",
	"*/dist-packages/*",
	"*\\site-packages\\*",
	"*\\dist-packages\\*",
	"SITE/*",
	NULL,
};

static const struct {
	const char *name;
	const char *const *lines;
} of_library[] = {
	{"importlib", importlib},
	{"site-packages", site_packages},
	{"stdlib", stdlib},
	{"tracer", tracer},
};

enum { OF_LIBRARY = sizeof of_library / sizeof *of_library, GLOB_MAX = 128 };

static enum snap_status add_glob(struct snap_pattern_set *set, enum snap_place place, bool takes_away,
				 const char *glob, struct snap_error *err)
{
	struct snap_pattern part = {.place = place, .takes_away = takes_away};
	enum snap_status status = snap_glob_new(&part.glob, glob, strlen(glob), err);
	return status < 0 ? status : snap_pattern_set_add(set, part, err);
}

/* `rest` is written with '/'. All texts are the constants above, which are far shorter than GLOB_MAX. */
static enum snap_status add_joined(struct snap_pattern_set *set, enum snap_place place, const char *folder,
				   char separator, const char *rest, struct snap_error *err)
{
	char glob[GLOB_MAX];
	size_t size = strlen(folder);
	memcpy(glob, folder, size);
	if (place == SNAP_ANYWHERE)
		glob[size++] = separator;
	for (; *rest != '\0'; rest++)
		glob[size++] = *rest == '/' ? separator : *rest;
	glob[size] = '\0';
	return add_glob(set, place, false, glob, err);
}

static enum snap_status add_below_stdlib(struct snap_pattern_set *set, const char *rest,
					 struct snap_error *err)
{
	enum snap_status status = add_joined(set, SNAP_BELOW_STDLIB, "", '/', rest, err);
	if (status == SNAP_OK && strchr(rest, '/') != NULL)
		status = add_joined(set, SNAP_BELOW_STDLIB, "", '\\', rest, err);
	for (size_t i = 0; i < sizeof stdlib_folders / sizeof *stdlib_folders && status == SNAP_OK; i++)
		status = add_joined(set, SNAP_ANYWHERE, stdlib_folders[i].folder, stdlib_folders[i].separator,
				    rest, err);
	return status;
}

static enum snap_status add_line_of_library(struct snap_pattern_set *set, const char *line,
					    struct snap_error *err)
{
	static const char stdlib_folder[] = "STDLIB/", site_folder[] = "SITE/";
	bool takes_away = line[0] == '!';
	line += takes_away;
	if (strncmp(line, stdlib_folder, strlen(stdlib_folder)) == 0)
		return add_below_stdlib(set, line + strlen(stdlib_folder), err);
	if (strncmp(line, site_folder, strlen(site_folder)) == 0)
		return add_glob(set, SNAP_BELOW_SITE, takes_away, line + strlen(site_folder), err);
	return add_glob(set, SNAP_ANYWHERE, takes_away, line, err);
}

static enum snap_status set_of_library(struct snap_pattern_set **out, const char *const *lines,
				       struct snap_error *err)
{
	struct snap_pattern_set *set;
	enum snap_status status = snap_pattern_set_new(&set, err);
	if (status < 0)
		return status;
	for (; *lines != NULL && status == SNAP_OK; lines++)
		status = add_line_of_library(set, *lines, err);
	if (status < 0) {
		snap_pattern_set_free(set);
		return status;
	}
	*out = set;
	return SNAP_OK;
}

/* Finding. */

static bool is_name(const char *name, const char *wanted, size_t size)
{
	return strlen(name) == size && memcmp(name, wanted, size) == 0;
}

/* Its lines, or NULL. */
static const char *const *find_of_library(const char *name, size_t size)
{
	for (size_t i = 0; i < OF_LIBRARY; i++)
		if (is_name(of_library[i].name, name, size))
			return of_library[i].lines;
	return NULL;
}

static struct preset *find_of_user(const struct snap_presets *presets, const char *name, size_t size)
{
	for (size_t i = 0; presets != NULL && i < presets->list.count; i++)
		if (is_name(presets->list.at[i].name, name, size))
			return &presets->list.at[i];
	return NULL;
}

/* Appends ", @NAME" if there is room. */
static size_t list_name(char *text, size_t end, size_t room, const char *name)
{
	static const char between[] = ", @";
	size_t size = strlen(name), skip = end == 0 ? 2 : 0;
	if (size >= room || end + size + sizeof between > room)
		return end;
	memcpy(text + end, between + skip, sizeof between - skip);
	end += strlen(between) - skip;
	memcpy(text + end, name, size + 1);
	return end + size;
}

static enum snap_status not_there(const struct snap_presets *presets, const char *name, size_t size,
				  struct snap_error *err)
{
	enum { NAMES_MAX = 200, NAME_SHOWN_MAX = 80 };
	char names[NAMES_MAX] = "";
	size_t end = 0;
	for (size_t i = 0; i < OF_LIBRARY; i++)
		end = list_name(names, end, sizeof names, of_library[i].name);
	for (size_t i = 0; presets != NULL && i < presets->list.count; i++)
		if (find_of_library(presets->list.at[i].name, strlen(presets->list.at[i].name)) == NULL)
			end = list_name(names, end, sizeof names, presets->list.at[i].name);
	return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
			 "there is no preset @%.*s, but %s; a name that begins with '@' is matched by [@]",
			 (int)(size < NAME_SHOWN_MAX ? size : NAME_SHOWN_MAX), name, names);
}

enum snap_status snap_presets_find(struct snap_pattern_set **out, const struct snap_presets *presets,
				   const char *name, size_t size, struct snap_error *err)
{
	const struct preset *of_user = find_of_user(presets, name, size);
	if (of_user != NULL) {
		*out = snap_pattern_set_share(of_user->set);
		return SNAP_OK;
	}
	const char *const *lines = find_of_library(name, size);
	return lines != NULL ? set_of_library(out, lines, err) : not_there(presets, name, size, err);
}

/* Those of the user. */

enum snap_status snap_presets_new(struct snap_presets **out, struct snap_error *err)
{
	*out = calloc(1, sizeof **out);
	return *out != NULL ? SNAP_OK : snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static void clear(struct preset *p)
{
	free(p->name);
	snap_pattern_set_free(p->set);
}

void snap_presets_free(struct snap_presets *presets)
{
	if (presets == NULL)
		return;
	for (size_t i = 0; i < presets->list.count; i++)
		clear(&presets->list.at[i]);
	snap_vector_free(&presets->list, NULL);
	free(presets);
}

static bool may_be_name(const char *name)
{
	return name[0] != '\0' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       strlen(name);
}

static enum snap_status add_line(struct snap_pattern_set *set, const char *line, size_t size,
				 const struct snap_presets *presets, struct snap_error *err)
{
	struct snap_pattern part;
	bool takes_away = size > 0 && line[0] == '!';
	if (memchr(line, '\0', size) != NULL)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a zero byte, which no name has");
	enum snap_status status =
		snap_pattern_parse(&part, line + takes_away, size - takes_away, presets, err);
	if (status < 0)
		return status;
	part.takes_away = takes_away;
	return snap_pattern_set_add(set, part, err);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes blanks off both ends; what is left counts if there is any and it is no comment. */
static bool trim(const char **line, size_t *size)
{
	while (*size > 0 && is_blank((*line)[*size - 1]))
		--*size;
	for (; *size > 0 && is_blank(**line); ++*line)
		--*size;
	return *size > 0 && **line != '#';
}

static enum snap_status add_lines(struct snap_pattern_set *set, const char *name, const char *text,
				  size_t size, const struct snap_presets *presets, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	struct snap_error inner = {.message = ""};
	/* Some editors begin a file with a byte order mark. */
	size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	for (size_t at = mark, number = 1; at < size && status == SNAP_OK; number++) {
		const char *line = text + at, *end = memchr(line, '\n', size - at);
		size_t length = end != NULL ? (size_t)(end - line) : size - at;
		at += length + 1;
		if (!trim(&line, &length))
			continue;
		status = add_line(set, line, length, presets, &inner);
		if (status < 0)
			return snap_fail(err, status, SNAP_NO_OFFSET, "line %zu of preset @%.80s: %s", number,
					 name, inner.message);
	}
	return status;
}

/* Puts a set under its name; owns it then, also if that fails. */
static enum snap_status keep(struct snap_presets *presets, const char *name, struct snap_pattern_set *set,
			     struct snap_error *err)
{
	struct preset *old = find_of_user(presets, name, strlen(name));
	if (old != NULL) {
		snap_pattern_set_free(old->set);
		old->set = set;
		return SNAP_OK;
	}
	struct preset p = {strdup(name), set};
	enum snap_status status = p.name != NULL
					  ? snap_vector_push(&presets->list, p, NULL, err)
					  : snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	if (status < 0)
		clear(&p);
	return status;
}

enum snap_status snap_presets_add(struct snap_presets *presets, const char *name, const char *text,
				  size_t size, struct snap_error *err)
{
	if (!may_be_name(name))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "'%.80s' cannot name a preset: only letters, digits, '-', '_' and '.' can",
				 name);
	struct snap_pattern_set *set;
	enum snap_status status = snap_pattern_set_new(&set, err);
	if (status < 0)
		return status;
	status = add_lines(set, name, text, size, presets, err);
	if (status < 0) {
		snap_pattern_set_free(set);
		return status;
	}
	return keep(presets, name, set, err);
}
