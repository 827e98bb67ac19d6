/* Redaction of names; see redact.h of the public headers. */
#include "ops/redact.h"

#include <stdlib.h>

#include "model/rebuild.h"
#include "ops/pattern.h"

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static bool ends(struct snap_text text, const char *with)
{
	size_t size = strlen(with);
	return text.size >= size && memcmp(text.bytes + text.size - size, with, size) == 0;
}

size_t snap_redact_write(const struct snap_hmac *keyed, enum snap_redact_role role, struct snap_text hashed,
			 const char *head, struct snap_text tail, char *to)
{
	static const char digits[] = "0123456789abcdef";
	struct snap_hmac h = *keyed;
	uint8_t code[SNAP_SHA256_SIZE], prefix = (uint8_t)role;
	snap_hmac_add(&h, &prefix, 1);
	snap_hmac_add(&h, hashed.bytes, hashed.size);
	snap_hmac_finish(&h, code);
	size_t size = strlen(head);
	memcpy(to, head, size);
	for (unsigned i = 0; i < DIGITS; i++)
		to[size++] = digits[code[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	memcpy(to + size, tail.bytes, tail.size);
	return size + tail.size;
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* The longest of the roots that presets know below which the file is, or one without bytes. */
static struct snap_text root_of(const struct snap_snapshot *s, struct snap_text file)
{
	static const char *const keys[] = {"root.stdlib", "root.site", "old.root.stdlib", "old.root.site"};
	struct snap_text longest = {NULL, 0};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *value = snap_meta_get(s->meta, keys[i]);
		struct snap_text root = snap_pattern_folder(text_of(value != NULL ? value : ""));
		if (root.size > longest.size && file.size > root.size && is_separator(file.bytes[root.size]) &&
		    memcmp(file.bytes, root.bytes, root.size) == 0)
			longest = root;
	}
	return longest;
}

struct redaction {
	const struct snap_snapshot *s;
	struct snap_hmac keyed;
	bool all;
	struct snap_pattern *preset[2]; /* what is in site-packages, the standard library */
	bool *marks[2];                 /* their frames */
	char *scratch;                  /* a name with a hash before it */
	/* Of each string as a file and as a function: what becomes of it, without bytes where it stays. */
	struct snap_text *file, *function;
	bool *file_seen, *file_stays, *function_seen;
	char *text; /* the new names; there is room for all */
	size_t text_size;
	struct snap_text *frame_file, *frame_function; /* the same of each frame */
};

static struct snap_text add_redacted(struct redaction *r, enum snap_redact_role role, struct snap_text hashed, const char *head,
				     struct snap_text tail)
{
	char *to = r->text + r->text_size;
	size_t size = snap_redact_write(&r->keyed, role, hashed, head, tail, to);
	r->text_size += size;
	return (struct snap_text){to, size};
}

static struct snap_text part(struct snap_text name, size_t begin, size_t end)
{
	return (struct snap_text){name.bytes + begin, end - begin};
}

#define FROZEN_HEAD "<frozen "

/* Names that are no files and the same in all programs. Of frozen modules these are the ones, or their packages,
 * that CPython 3.8 to 3.14 freezes; a program may be frozen as well. */
static bool is_special_file(struct snap_text name)
{
	static const char *const specials[] = {"<string>", "<stdin>", "<unknown>", "<hidden>", "<snapcapture>"};
	static const char *const frozen[] = {"importlib", "zipimport",	 "abc",	   "codecs",	   "io",   "os",
					     "site",	  "stat",	 "runpy",  "getpath",	   "linecache",
					     "posixpath", "ntpath",	 "genericpath", "_collections_abc",
					     "_sitebuiltins", "__hello__", "__phello__", "tracemalloc", "pickle", "fnmatch"};
	if (!begins(name, FROZEN_HEAD))
		return equals_any(name, specials, sizeof specials / sizeof *specials);
	struct snap_text module = behind(name, sizeof FROZEN_HEAD - 1);
	size_t size = span(module, LETTERS DECIMAL "_.");
	if (size + 1 != module.size || module.bytes[size] != '>')
		return false;
	return equals_any(part(module, 0, span(module, LETTERS DECIMAL "_")), frozen, sizeof frozen / sizeof *frozen);
}

static bool is_special_function(struct snap_text name)
{
	static const char *const specials[] = {"<module>",  "<lambda>",   "<listcomp>",
					       "<genexpr>", "<dictcomp>", "<setcomp>"};
	return equals_any(name, specials, sizeof specials / sizeof *specials);
}

static bool is_library_folder(struct snap_text name)
{
	static const char *const usual[] = {"lib", "lib64", "Lib"};
	return equals_any(name, usual, sizeof usual / sizeof *usual);
}

/* python3.11, python3.13t, python311.zip */
static bool is_python_folder(struct snap_text name)
{
	size_t letters = begins(name, "python") ? strlen("python") : begins(name, "pypy") ? strlen("pypy") : 0;
	if (letters == 0)
		return false;
	name = behind(name, letters);
	size_t version = span(name, DECIMAL ".");
	struct snap_text rest = behind(name, version);
	return version > 0 && (rest.size == 0 || equals(rest, "t") || equals(rest, "zip"));
}

/* Python311, Python311-32, cpython, cpython-3.11.7: what has a folder Lib for the standard library, and any such
 * name gives nothing away. */
static bool is_interpreter_folder(struct snap_text name)
{
	static const char *const builds[] = {"", "-32", "-64", "-arm64"};
	if (equals(name, "cpython"))
		return true;
	static const char *const heads[] = {"cpython-", "Python-", "python", "Python"};
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		if (!begins(name, heads[i]))
			continue;
		struct snap_text version = behind(name, strlen(heads[i]));
		size_t size = span(version, DECIMAL ".");
		return size > 0 && equals_any(behind(version, size), builds, sizeof builds / sizeof *builds);
	}
	return false;
}

/* What may stand before such folders and gives nothing away. */
static bool is_usual_place(struct snap_text name)
{
	static const char *const usual[] = {"",	       "/usr",	    "/usr/local", "/opt/homebrew",
					    "/opt/conda", "C:", "C:\\Program Files"};
	return equals_any(name, usual, sizeof usual / sizeof *usual);
}

static size_t component_begin(struct snap_text name, size_t end)
{
	while (end > 0 && !is_separator(name.bytes[end - 1]))
		end--;
	return end;
}

static size_t component_end(struct snap_text name, size_t begin)
{
	while (begin < name.size && !is_separator(name.bytes[begin]))
		begin++;
	return begin;
}

/* Whether a part that presets match begins where only an installation does. */
static bool is_installed(struct snap_text name, size_t begin)
{
	size_t end = component_end(name, begin);
	struct snap_text first = part(name, begin, end);
	if (equals(first, "site-packages") || equals(first, "dist-packages"))
		return true;
	if (is_library_folder(first) && end < name.size)
		first = part(name, end + 1, component_end(name, end + 1));
	return is_python_folder(first);
}

/* Whether a part begins with a folder Lib and a module or package of the standard library in it. Such a folder,
 * of Windows and of source trees, may be a program's own, so not all that is below it can stay. */
static bool is_of_lib(struct snap_text name, size_t begin)
{
	size_t end = component_end(name, begin);
	struct snap_text folder = part(name, begin, end);
	if ((!equals(folder, "Lib") && !equals(folder, "lib")) || end == name.size)
		return false;
	begin = end + 1;
	end = component_end(name, begin);
	struct snap_text module = part(name, begin, end);
	if (end == name.size) {
		const char *suffix = ends(module, ".pyc") ? ".pyc" : ".py";
		if (!ends(module, suffix))
			return false;
		module.size -= strlen(suffix);
	}
	return snap_redact_is_stdlib_name(module);
}

/* Finds where the part begins that is the same everywhere: the shortest last part of the name, by whole
 * components, that the preset matches behind a hash. So presets match what is left, whatever they are made
 * of. SNAP_END where there is no such part. */
static enum snap_status find_kept(struct redaction *r, const struct snap_pattern *preset, struct snap_text name,
				  size_t *begin, struct snap_error *err)
{
	/* Each component costs a match: no real file stands that deep, and no made-up name takes ages. */
	enum { COMPONENTS_MAX = 64, HEAD_SIZE = sizeof FILE_HEAD - 1 + DIGITS };
	memcpy(r->scratch, FILE_HEAD, sizeof FILE_HEAD - 1);
	memset(r->scratch + sizeof FILE_HEAD - 1, '0', DIGITS);
	r->scratch[HEAD_SIZE] = '/';
	size_t at = name.size + 1;
	for (unsigned i = 0; i < COMPONENTS_MAX && at > 0; i++) {
		at = component_begin(name, at - 1);
		struct snap_text kept = behind(name, at > 0 ? at - 1 : 0);
		size_t head = HEAD_SIZE + (at > 0 ? 0 : 1); /* the separator is the name's own if it has one */
		if (head + kept.size > SNAP_STRING_MAX)
			break;
		if (!is_installed(name, at) && !is_of_lib(name, at))
			continue;
		memcpy(r->scratch + head, kept.bytes, kept.size);
		bool matches;
		struct snap_text tried = {r->scratch, head + kept.size};
		enum snap_status status = snap_pattern_matches(preset, tried, 0, &matches, err);
		if (status < 0)
			return status;
		if (matches) {
			*begin = at;
			return SNAP_OK;
		}
	}
	return SNAP_END;
}

/* Where to begin so that folders that give nothing away stay as well. */
static size_t widen(struct snap_text name, size_t begin)
{
	while (begin > 0) {
		size_t before = component_begin(name, begin - 1);
		struct snap_text folder = part(name, before, begin - 1);
		if (!is_library_folder(folder) && !is_python_folder(folder) && !is_interpreter_folder(folder))
			break;
		begin = before;
	}
	return begin;
}

/* The name with what stands before `begin` hashed; `to` stays without bytes where that gives nothing away. */
static void write_kept(struct redaction *r, struct snap_text name, size_t begin, struct snap_text *to)
{
	size_t wide = widen(name, begin);
	if (sizeof FILE_HEAD + DIGITS + (name.size - wide) <= SNAP_STRING_MAX)
		begin = wide;
	struct snap_text folder = part(name, 0, begin > 0 ? begin - 1 : 0);
	if (!is_usual_place(folder))
		*to = add_redacted(r, ROLE_FOLDER, folder, FILE_HEAD, behind(name, folder.size));
}

/* What becomes of a file of which a part stays. SNAP_END where no part can. */
static enum snap_status keep_file(struct redaction *r, const struct snap_pattern *preset, struct snap_text name,
				  struct snap_text *to, struct snap_error *err)
{
	size_t begin;
	enum snap_status status = find_kept(r, preset, name, &begin, err);
	if (status < 0)
		return status;
	if (status == SNAP_OK) {
		write_kept(r, name, begin, to);
		return SNAP_OK;
	}
	struct snap_text root = root_of(r->s, name), below = behind(name, root.size);
	if (root.size == 0 || sizeof FILE_HEAD - 1 + DIGITS + below.size > SNAP_STRING_MAX)
		return SNAP_END;
	*to = add_redacted(r, ROLE_FOLDER, root, FILE_HEAD, below);
	return SNAP_OK;
}

/* `x.pyc` has the hash of `x.py` and stays apart by its end, so that patterns that take the one for the
 * other still do. */
static struct snap_text hide_file(struct redaction *r, struct snap_text name)
{
	if (begins(name, FROZEN_HEAD) && ends(name, ">"))
		return add_redacted(r, ROLE_FILE, name, FROZEN_HEAD FUNCTION_HEAD, text_of(">"));
	if (name.size > 1 && name.bytes[0] == '<' && name.bytes[name.size - 1] == '>')
		return add_redacted(r, ROLE_FILE, name, SPECIAL_HEAD, text_of(">"));
	bool compiled = ends(name, ".pyc");
	const char *end = compiled ? ".pyc" : ends(name, ".py") ? ".py" : "";
	name.size -= compiled ? 1 : 0;
	return add_redacted(r, ROLE_FILE, name, FILE_HEAD, text_of(end));
}

/* All frames of a file have the same marks: presets know no lines. */
static enum snap_status redact_file(struct redaction *r, uint32_t frame, struct snap_error *err)
{
	uint32_t string = r->s->frame_file.at[frame];
	struct snap_text name = snap_snapshot_string(r->s, string);
	bool special = is_special_file(name);
	enum snap_status status = SNAP_END;
	r->file_seen[string] = true;
	for (unsigned i = 0; i < 2 && status == SNAP_END && !r->all; i++)
		if (r->marks[i][frame])
			status = special ? SNAP_OK : keep_file(r, r->preset[i], name, &r->file[string], err);
	if (status < 0)
		return status;
	r->file_stays[string] = status == SNAP_OK;
	if (status == SNAP_END && !special)
		r->file[string] = hide_file(r, name);
	return SNAP_OK;
}

static void redact_function(struct redaction *r, uint32_t string)
{
	struct snap_text name = snap_snapshot_string(r->s, string);
	r->function_seen[string] = true;
	if (!is_special_function(name))
		r->function[string] = add_redacted(r, ROLE_FUNCTION, name, FUNCTION_HEAD, text_of(""));
}

static enum snap_status redact_frames(struct redaction *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->s;
	for (uint32_t i = 0; i < s->frame_file.count; i++) {
		uint32_t file = s->frame_file.at[i], function = s->frame_function.at[i];
		enum snap_status status = r->file_seen[file] ? SNAP_OK : redact_file(r, i, err);
		if (status < 0)
			return status;
		r->frame_file[i] = r->file[file];
		if (function == SNAP_NONE || r->file_stays[file])
			continue;
		if (!r->function_seen[function])
			redact_function(r, function);
		r->frame_function[i] = r->function[function];
	}
	return SNAP_OK;
}

static enum snap_status mark_kept(struct redaction *r, struct snap_error *err)
{
	/* What is in site-packages may stand below the standard library; the narrower decides. */
	static const char *const presets[] = {"@site-packages", "@stdlib"};
	enum snap_status status = SNAP_OK;
	for (unsigned i = 0; i < 2 && status == SNAP_OK; i++) {
		status = snap_pattern_glob(&r->preset[i], presets[i], NULL, err);
		if (status == SNAP_OK)
			status = snap_pattern_mark(r->preset[i], r->s, r->marks[i], err);
	}
	return status;
}

static enum snap_status redaction_start(struct redaction *r, struct snap_error *err)
{
	size_t strings = r->s->text_end.count, frames = r->s->frame_file.count;
	r->scratch = malloc(SNAP_STRING_MAX + REDACTED_ROOM);
	r->file = calloc(2 * strings + 2 * frames + 1, sizeof *r->file);
	r->file_seen = calloc(3 * strings + 2 * frames + 1, sizeof *r->file_seen);
	r->text = malloc(r->s->text.count + 2 * strings * REDACTED_ROOM + 1);
	if (r->scratch == NULL || r->file == NULL || r->file_seen == NULL || r->text == NULL)
		return out_of_memory(err);
	r->function = r->file + strings;
	r->frame_file = r->function + strings;
	r->frame_function = r->frame_file + frames;
	r->file_stays = r->file_seen + strings;
	r->function_seen = r->file_stays + strings;
	r->marks[0] = r->function_seen + strings;
	r->marks[1] = r->marks[0] + frames;
	return r->all ? SNAP_OK : mark_kept(r, err);
}

static void redaction_free(struct redaction *r)
{
	snap_pattern_free(r->preset[0]);
	snap_pattern_free(r->preset[1]);
	free(r->scratch);
	free(r->file);
	free(r->file_seen);
	free(r->text);
}

/* Rebuilt under new names; with them goes the metadata that the rebuilding has copied. */
static enum snap_status finish(struct snap_snapshot **out, const struct redaction *r, struct snap_error *err)
{
	struct snap_frame_changes changes = {.file = r->frame_file, .function = r->frame_function};
	struct snap_snapshot *redacted = NULL;
	struct snap_meta *meta = NULL;
	enum snap_status status = snap_snapshot_rebuild(&redacted, r->s, &changes, err);
	if (status == SNAP_OK)
		status = snap_meta_new(&meta, err);
	if (status == SNAP_OK)
		status = snap_redact_meta(&r->keyed, meta, r->s->meta, err);
	if (status < 0) {
		snap_meta_free(meta);
		snap_snapshot_free(redacted);
		return status;
	}
	snap_meta_free(redacted->meta);
	redacted->meta = meta;
	*out = redacted;
	return SNAP_OK;
}

enum snap_status snap_redact(struct snap_snapshot **out, const struct snap_snapshot *s, const void *key,
			     size_t key_size, bool all, struct snap_error *err)
{
	*out = NULL;
	if (key_size < SNAP_REDACT_KEY_MIN)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "a key of %zu bytes is too short: redaction needs at least %d; make one by "
				 "`head -c 32 /dev/urandom >KEYFILE`",
				 key_size, SNAP_REDACT_KEY_MIN);
	struct redaction r = {.s = s, .all = all};
	snap_hmac_start(&r.keyed, key, key_size);
	enum snap_status status = redaction_start(&r, err);
	if (status == SNAP_OK)
		status = redact_frames(&r, err);
	if (status == SNAP_OK)
		status = finish(out, &r, err);
	redaction_free(&r);
	return status;
}
