/* Reads patterns and matches them; see snap/pattern.h and ops/pattern.h. */
#include "ops/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "ops/presets.h"

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

/* Sets. */

enum snap_status snap_pattern_set_new(struct snap_pattern_set **out, struct snap_error *err)
{
	struct snap_pattern_set *set = calloc(1, sizeof *set);
	if (set == NULL)
		return out_of_memory(err);
	atomic_init(&set->users, 1);
	set->depth = 1;
	*out = set;
	return SNAP_OK;
}

static size_t leaves_of(const struct snap_pattern *p)
{
	return p->set != NULL ? p->set->leaves : 1;
}

static enum snap_status add_part(struct snap_pattern_set *set, struct snap_pattern part,
				 struct snap_error *err)
{
	unsigned depth = part.set != NULL ? part.set->depth + 1 : 1;
	size_t leaves = leaves_of(&part);
	if (set->parts.count >= SNAP_PATTERN_PARTS_MAX || leaves > SNAP_PATTERN_PARTS_MAX - set->leaves)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "a preset holds at most %d patterns, those of presets in it included",
				 SNAP_PATTERN_PARTS_MAX);
	if (depth > SNAP_PATTERN_DEPTH_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "presets take from presets at most %d deep", SNAP_PATTERN_DEPTH_MAX);
	enum snap_status status = snap_vector_push(&set->parts, part, NULL, err);
	if (status < 0)
		return status;
	set->leaves += leaves;
	set->depth = depth > set->depth ? depth : set->depth;
	return SNAP_OK;
}

enum snap_status snap_pattern_set_add(struct snap_pattern_set *set, struct snap_pattern part,
				      struct snap_error *err)
{
	enum snap_status status = add_part(set, part, err);
	if (status < 0)
		snap_pattern_clear(&part);
	return status;
}

struct snap_pattern_set *snap_pattern_set_share(struct snap_pattern_set *set)
{
	atomic_fetch_add(&set->users, 1);
	return set;
}

void snap_pattern_set_free(struct snap_pattern_set *set)
{
	if (set == NULL || atomic_fetch_sub(&set->users, 1) > 1)
		return;
	for (size_t i = 0; i < set->parts.count; i++)
		snap_pattern_clear(&set->parts.at[i]);
	snap_vector_free(&set->parts, NULL);
	free(set);
}

void snap_pattern_clear(struct snap_pattern *p)
{
	snap_glob_free(p->glob);
	snap_regex_free(p->regex);
	snap_pattern_set_free(p->set);
	*p = (struct snap_pattern){.glob = NULL};
}

/* Reading. */

/* tracemalloc reads `.pyc` as `.py` in names and globs alike. */
static size_t size_without_c(const char *text, size_t size)
{
	return size >= 4 && memcmp(text + size - 4, ".pyc", 4) == 0 ? size - 1 : size;
}

/* Takes ":LINE" off the end of a glob. What leaves no glob, or is no line, is part of the glob. */
static bool take_line(const char *text, size_t *size, uint32_t *line)
{
	uint64_t number = 0;
	size_t colon = *size;
	while (colon > 0 && text[colon - 1] >= '0' && text[colon - 1] <= '9')
		colon--;
	if (colon == *size || colon < 2 || text[colon - 1] != ':')
		return false;
	for (size_t i = colon; i < *size && number <= UINT32_MAX; i++)
		number = 10 * number + (uint64_t)(text[i] - '0');
	if (number > UINT32_MAX)
		return false;
	*size = colon - 1;
	*line = (uint32_t)number;
	return true;
}

enum snap_status snap_pattern_parse(struct snap_pattern *p, const char *text, size_t size,
				    const struct snap_presets *presets, struct snap_error *err)
{
	*p = (struct snap_pattern){.glob = NULL};
	if (size > 0 && text[0] == '@')
		return snap_presets_find(&p->set, presets, text + 1, size - 1, err);
	p->has_line = take_line(text, &size, &p->line);
	return snap_glob_new(&p->glob, text, size_without_c(text, size), err);
}

/* Makes *out of what it is read as. */
static enum snap_status wrap(struct snap_pattern **out, struct snap_pattern read, enum snap_status status,
			     struct snap_error *err)
{
	*out = NULL;
	if (status < 0)
		return status;
	struct snap_pattern *p = malloc(sizeof *p);
	if (p == NULL) {
		snap_pattern_clear(&read);
		return out_of_memory(err);
	}
	*p = read;
	*out = p;
	return SNAP_OK;
}

enum snap_status snap_pattern_glob(struct snap_pattern **out, const char *glob,
				   const struct snap_presets *presets, struct snap_error *err)
{
	struct snap_pattern read;
	enum snap_status status = snap_pattern_parse(&read, glob, strlen(glob), presets, err);
	return wrap(out, read, status, err);
}

enum snap_status snap_pattern_regex(struct snap_pattern **out, const char *regex, struct snap_error *err)
{
	struct snap_pattern read = {.glob = NULL};
	enum snap_status status = snap_regex_new(&read.regex, regex, err);
	return wrap(out, read, status, err);
}

void snap_pattern_free(struct snap_pattern *p)
{
	if (p == NULL)
		return;
	snap_pattern_clear(p);
	free(p);
}

/* Matching. A name is held against the leaves of a pattern, which takes time; what that means for a frame
 * then follows from its line. */

/* Folders that the metadata of a snapshot, or of the older side of a diff, name; size 0 where they do not. */
struct roots {
	struct snap_text stdlib[2], site[2];
};

static bool matches_below(const struct snap_glob *g, struct snap_text folder, struct snap_text name)
{
	size_t size = folder.size;
	if (size == 0 || name.size <= size || memcmp(name.bytes, folder.bytes, size) != 0)
		return false;
	return (name.bytes[size] == '/' || name.bytes[size] == '\\') &&
	       snap_glob_matches(g, name.bytes + size + 1, name.size - size - 1);
}

static enum snap_status match_leaf(const struct snap_pattern *p, struct snap_text name,
				   const struct roots *roots, bool *leaf, struct snap_error *err)
{
	if (p->regex != NULL)
		return snap_regex_find(p->regex, name, leaf, err);
	if (p->place == SNAP_ANYWHERE) {
		*leaf = snap_glob_matches(p->glob, name.bytes, name.size);
		return SNAP_OK;
	}
	const struct snap_text *folders = p->place == SNAP_BELOW_STDLIB ? roots->stdlib : roots->site;
	*leaf = matches_below(p->glob, folders[0], name) || matches_below(p->glob, folders[1], name);
	return SNAP_OK;
}

static enum snap_status match_leaves(const struct snap_pattern *p, struct snap_text name,
				     const struct roots *roots, bool *leaves, struct snap_error *err)
{
	if (p->set == NULL)
		return match_leaf(p, name, roots, leaves, err);
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < p->set->parts.count && status == SNAP_OK; i++) {
		const struct snap_pattern *part = &p->set->parts.at[i];
		status = match_leaves(part, name, roots, leaves, err);
		leaves += leaves_of(part);
	}
	return status;
}

static bool holds(const struct snap_pattern *p, const bool *leaves, uint32_t line)
{
	if (p->set == NULL)
		return leaves[0] && (!p->has_line || p->line == line);
	bool any = false;
	for (size_t i = 0; i < p->set->parts.count; i++) {
		const struct snap_pattern *part = &p->set->parts.at[i];
		if ((part->takes_away || !any) && holds(part, leaves, line)) {
			if (part->takes_away)
				return false;
			any = true;
		}
		leaves += leaves_of(part);
	}
	return any;
}

enum snap_status snap_pattern_matches(const struct snap_pattern *p, struct snap_text file, uint32_t line,
				      bool *matches, struct snap_error *err)
{
	const struct roots none = {.stdlib = {{NULL, 0}}};
	bool *leaves = malloc(leaves_of(p) + 1);
	if (leaves == NULL)
		return out_of_memory(err);
	file.size = size_without_c(file.bytes, file.size);
	enum snap_status status = match_leaves(p, file, &none, leaves, err);
	if (status == SNAP_OK)
		*matches = holds(p, leaves, line);
	free(leaves);
	return status;
}

struct snap_text snap_pattern_folder(struct snap_text path)
{
	while (path.size > 0 && (path.bytes[path.size - 1] == '/' || path.bytes[path.size - 1] == '\\'))
		path.size--;
	return path;
}

static struct snap_text folder_in_meta(const struct snap_meta *meta, const char *key)
{
	const char *value = snap_meta_get(meta, key);
	return snap_pattern_folder((struct snap_text){value, value != NULL ? strlen(value) : 0});
}

enum snap_status snap_pattern_mark(const struct snap_pattern *p, const struct snap_snapshot *s, bool *marks,
				   struct snap_error *err)
{
	const struct roots roots = {
		{folder_in_meta(s->meta, "root.stdlib"),
		 folder_in_meta(s->meta, SNAP_META_OLD "root.stdlib")},
		{folder_in_meta(s->meta, "root.site"), folder_in_meta(s->meta, SNAP_META_OLD "root.site")},
	};
	bool *leaves = malloc(leaves_of(p) + 1);
	if (leaves == NULL)
		return out_of_memory(err);
	enum snap_status status = SNAP_OK;
	/* The frames of a file stand together. */
	uint32_t file = SNAP_NONE;
	for (size_t f = 0; f < s->frame_file.count && status == SNAP_OK; f++) {
		if (s->frame_file.at[f] != file) {
			file = s->frame_file.at[f];
			struct snap_text name = snap_snapshot_string(s, file);
			name.size = size_without_c(name.bytes, name.size);
			status = match_leaves(p, name, &roots, leaves, err);
		}
		if (status == SNAP_OK && holds(p, leaves, s->frame_line.at[f]))
			marks[f] = true;
	}
	free(leaves);
	return status;
}
