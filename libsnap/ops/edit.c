/* Edits stacks and file names; see edit.h. */
#include <snap/edit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/rebuild.h"
#include "ops/pattern.h"

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

/* An array of what any of the patterns matches; NULL where there is no pattern. */
static enum snap_status mark_any(const struct snap_pattern *const *patterns, size_t count,
				 const struct snap_snapshot *s, bool **marks, struct snap_error *err)
{
	if (count == 0)
		return SNAP_OK;
	*marks = calloc(s->frame_file.count + 1, sizeof **marks);
	enum snap_status status = *marks == NULL ? out_of_memory(err) : SNAP_OK;
	for (size_t i = 0; i < count && status == SNAP_OK; i++)
		status = snap_pattern_mark(patterns[i], s, *marks, err);
	return status;
}

/* File names that begin otherwise. */
struct renaming {
	struct snap_text *file; /* of each frame */
	struct snap_text *name; /* of each string */
	char *text;             /* the new names */
};

static const struct snap_prefix *prefix_of(const struct snap_edit *edit, struct snap_text name)
{
	for (size_t i = 0; i < edit->prefix_count; i++) {
		size_t size = strlen(edit->prefixes[i].old);
		/* A name is never left empty. */
		if (name.size >= size && memcmp(name.bytes, edit->prefixes[i].old, size) == 0 &&
		    name.size - size + strlen(edit->prefixes[i].now) > 0)
			return &edit->prefixes[i];
	}
	return NULL;
}

/* Writes the new names behind each other, or only counts their bytes where there is no text yet. */
static size_t rename_strings(const struct snap_snapshot *s, const struct snap_edit *edit, struct renaming *r)
{
	size_t size = 0;
	for (uint32_t i = 0; i < s->text_end.count; i++) {
		struct snap_text name = snap_snapshot_string(s, i);
		const struct snap_prefix *prefix = prefix_of(edit, name);
		if (prefix == NULL)
			continue;
		size_t now = strlen(prefix->now), old = strlen(prefix->old), rest = name.size - old;
		if (r->text != NULL) {
			memcpy(r->text + size, prefix->now, now);
			memcpy(r->text + size + now, name.bytes + old, rest);
			r->name[i] = (struct snap_text){r->text + size, now + rest};
		}
		size += now + rest;
	}
	return size;
}

static enum snap_status rename_files(const struct snap_snapshot *s, const struct snap_edit *edit, struct renaming *r,
				     struct snap_error *err)
{
	if (edit->prefix_count == 0)
		return SNAP_OK;
	r->file = calloc(s->frame_file.count + 1, sizeof *r->file);
	r->name = calloc(s->text_end.count + 1, sizeof *r->name);
	r->text = malloc(rename_strings(s, edit, r) + 1);
	if (r->file == NULL || r->name == NULL || r->text == NULL)
		return out_of_memory(err);
	rename_strings(s, edit, r);
	for (size_t i = 0; i < s->frame_file.count; i++)
		r->file[i] = r->name[s->frame_file.at[i]];
	return SNAP_OK;
}

/* Roots are renamed with the files below them. */
static enum snap_status rename_roots(struct snap_snapshot *s, const struct snap_edit *edit, struct snap_error *err)
{
	static const char *const roots[] = {"root.cwd", "root.prefix", "root.stdlib", "root.site"};
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < 2 * (sizeof roots / sizeof *roots) && status == SNAP_OK; i++) {
		char key[32];
		snprintf(key, sizeof key, "%s%s", i % 2 == 0 ? "" : SNAP_META_OLD, roots[i / 2]);
		const char *value = snap_meta_get(s->meta, key);
		struct snap_text name = {value, value != NULL ? strlen(value) : 0};
		const struct snap_prefix *prefix = value != NULL ? prefix_of(edit, name) : NULL;
		size_t now, rest;
		if (prefix == NULL)
			continue;
		now = strlen(prefix->now);
		rest = name.size - strlen(prefix->old);
		char *renamed = malloc(now + rest + 1);
		if (renamed == NULL)
			return out_of_memory(err);
		memcpy(renamed, prefix->now, now);
		memcpy(renamed + now, value + strlen(prefix->old), rest);
		status = snap_meta_set(s->meta, key, renamed, now + rest, err);
		free(renamed);
	}
	return status;
}

enum snap_status snap_edit_apply(struct snap_snapshot **out, const struct snap_snapshot *s,
				 const struct snap_edit *edit, struct snap_error *err)
{
	bool *hidden = NULL, *begins = NULL;
	struct renaming renaming = {NULL, NULL, NULL};
	*out = NULL;
	enum snap_status status = mark_any(edit->hide, edit->hide_count, s, &hidden, err);
	if (status == SNAP_OK)
		status = mark_any(edit->show_from, edit->show_from_count, s, &begins, err);
	if (status == SNAP_OK)
		status = rename_files(s, edit, &renaming, err);
	if (status == SNAP_OK) {
		struct snap_frame_changes changes = {.hidden = hidden, .begins = begins, .file = renaming.file};
		status = snap_snapshot_rebuild(out, s, &changes, err);
	}
	if (status == SNAP_OK)
		status = rename_roots(*out, edit, err);
	if (status < 0) {
		snap_snapshot_free(*out);
		*out = NULL;
	}
	free(hidden);
	free(begins);
	free(renaming.file);
	free(renaming.name);
	free(renaming.text);
	return status;
}
