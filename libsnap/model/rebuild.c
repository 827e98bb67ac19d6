/* Making a snapshot anew through the builder; see rebuild.h. */
#include "model/rebuild.h"

#include <stdlib.h>
#include <string.h>

#include "model/builder.h"

/* New numbers by old ones. */
struct rebuilding {
	const struct snap_snapshot *from;
	const struct snap_frame_changes *changes;
	struct snap_builder *b;
	uint32_t *string, *frame, *stack;
	uint32_t *frames; /* of one stack */
	uint32_t no_frame; /* <hidden>, SNAP_NONE until it is needed */
};

static enum snap_status start(struct rebuilding *r, struct snap_error *err)
{
	const struct snap_snapshot *from = r->from;
	size_t strings = from->text_end.count, frames = from->frame_file.count, stacks = from->stack_node.count;
	r->frames = malloc((SNAP_DEPTH_MAX + 1) * sizeof *r->frames);
	r->string = malloc((strings + frames + stacks + 1) * sizeof *r->string);
	if (r->frames == NULL || r->string == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	r->frame = r->string + strings;
	r->stack = r->frame + frames;

	struct snap_limits limits = {from->budget.limit};
	enum snap_status status = snap_builder_new(&r->b, &limits, err);
	if (status < 0)
		return status;
	struct snap_snapshot *to = r->b->s;
	memcpy(to->columns, from->columns, sizeof from->columns);
	to->column_count = from->column_count;
	snap_meta_free(to->meta);
	to->meta = NULL;
	return snap_meta_copy(&to->meta, from->meta, err);
}

static enum snap_status add_strings(struct rebuilding *r, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; status == SNAP_OK && i < r->from->text_end.count; i++) {
		struct snap_text t = snap_snapshot_string(r->from, i);
		status = snap_builder_string(r->b, t.bytes, t.size, &r->string[i], err);
	}
	return status;
}

/* The number of a name: what it has become, or the string it is. */
static enum snap_status name(struct rebuilding *r, const struct snap_text *changed, uint32_t frame, uint32_t string,
                             uint32_t *number, struct snap_error *err)
{
	if (changed != NULL && changed[frame].bytes != NULL)
		return snap_builder_string(r->b, changed[frame].bytes, changed[frame].size, number, err);
	*number = r->string[string];
	return SNAP_OK;
}

static enum snap_status add_frames(struct rebuilding *r, struct snap_error *err)
{
	const struct snap_snapshot *from = r->from;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; status == SNAP_OK && i < from->frame_file.count; i++) {
		uint32_t file, function = SNAP_NO_FUNCTION;
		status = name(r, r->changes->file, i, from->frame_file.at[i], &file, err);
		if (status == SNAP_OK && from->frame_function.at[i] != SNAP_NONE)
			status = name(r, r->changes->function, i, from->frame_function.at[i], &function, err);
		if (status == SNAP_OK)
			status = snap_builder_frame(r->b, file, from->frame_line.at[i], function, &r->frame[i], err);
	}
	return status;
}

static enum snap_status no_frame(struct rebuilding *r, uint32_t *frame, struct snap_error *err)
{
	static const char name_of_it[] = "<hidden>";
	uint32_t string;
	enum snap_status status = SNAP_OK;
	if (r->no_frame == SNAP_NONE) {
		status = snap_builder_string(r->b, name_of_it, sizeof name_of_it - 1, &string, err);
		if (status == SNAP_OK)
			status = snap_builder_frame(r->b, string, 0, SNAP_NO_FUNCTION, &r->no_frame, err);
	}
	*frame = r->no_frame;
	return status;
}

static enum snap_status add_stack(struct rebuilding *r, uint32_t i, struct snap_error *err)
{
	const struct snap_snapshot *from = r->from;
	const struct snap_frame_changes *changes = r->changes;
	uint32_t node = from->stack_node.at[i], total = from->stack_total.at[i];
	size_t length = from->stack_length.at[i], kept = 0, kept_to_begin = 0;
	bool begins = false;
	for (size_t j = 0; j < length; j++, node = from->node_parent.at[node]) {
		uint32_t frame = from->node_frame.at[node];
		if (changes->hidden == NULL || !changes->hidden[frame])
			r->frames[kept++] = r->frame[frame];
		if (changes->begins != NULL && changes->begins[frame]) {
			begins = true;
			kept_to_begin = kept;
		}
	}
	/* Frames that the recorder did not tell are older than any that a stack can begin with. */
	uint32_t unknown = total == 0 || begins ? 0 : total - (uint32_t)length;
	if (begins)
		kept = kept_to_begin;
	if (kept == 0) {
		enum snap_status status = no_frame(r, &r->frames[kept++], err);
		if (status < 0)
			return status;
	}
	return snap_builder_stack(r->b, r->frames, kept, total == 0 ? 0 : (uint32_t)kept + unknown, &r->stack[i], err);
}

static enum snap_status add_stacks_and_sites(struct rebuilding *r, struct snap_error *err)
{
	const struct snap_snapshot *from = r->from;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; status == SNAP_OK && i < from->stack_node.count; i++)
		status = add_stack(r, i, err);
	for (size_t i = 0; status == SNAP_OK && i < from->site_stack.count; i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(from, i, values);
		status = snap_builder_add_values(r->b, r->stack[site.stack], site.domain, site.size, values, err);
	}
	return status;
}

enum snap_status snap_snapshot_rebuild(struct snap_snapshot **out, const struct snap_snapshot *from,
                                       const struct snap_frame_changes *changes, struct snap_error *err)
{
	static const struct snap_frame_changes none = {0};
	struct rebuilding r = {.from = from, .changes = changes != NULL ? changes : &none, .no_frame = SNAP_NONE};
	*out = NULL;
	enum snap_status status = start(&r, err);
	if (status == SNAP_OK)
		status = add_strings(&r, err);
	if (status == SNAP_OK)
		status = add_frames(&r, err);
	if (status == SNAP_OK)
		status = add_stacks_and_sites(&r, err);
	if (status == SNAP_OK)
		status = snap_builder_finish(r.b, out, err);
	snap_builder_free(r.b);
	free(r.frames);
	free(r.string);
	return status;
}

enum snap_status snap_snapshot_canonical(struct snap_snapshot **out, const struct snap_snapshot *from,
                                         struct snap_error *err)
{
	return snap_snapshot_rebuild(out, from, NULL, err);
}
