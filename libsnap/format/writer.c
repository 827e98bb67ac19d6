/* Writes snapshots one by one: the first stands alone, later ones may continue it. */
#include <snap/writer.h>

#include <stdlib.h>

#include "format/layout.h"
#include "format/pairs.h"
#include "format/series.h"

struct snap_writer {
	struct snap_writer_options options;
	struct snap_encoder *encoder;
	struct snap_series *series;
	struct snap_meta *meta_before;
	bool pending; /* a member waits for its END */
	bool failed;
};

enum snap_status snap_writer_new(struct snap_writer **out, struct snap_output *output,
                                 const struct snap_writer_options *options, struct snap_error *err)
{
	*out = NULL;
	if (options->level < 0 || options->level > SNAP_LEVEL_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a level is 0 to %d", SNAP_LEVEL_MAX);
	struct snap_writer *w = calloc(1, sizeof *w);
	if (w == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	w->options = *options;
	enum snap_status status = snap_encoder_new(&w->encoder, output, options->level, err);
	if (status < 0) {
		free(w);
		return status;
	}
	*out = w;
	return SNAP_OK;
}

void snap_writer_free(struct snap_writer *w)
{
	if (w == NULL)
		return;
	snap_encoder_free(w->encoder);
	snap_series_free(w->series);
	snap_meta_free(w->meta_before);
	free(w);
}

/* Whether stacks and sites stand as the format wants them; other operations may number stacks otherwise. */
static bool is_in_file_order(const struct snap_snapshot *s, struct snap_stack_rule rule)
{
	bool others = false;
	for (uint32_t i = 0; i < s->stack_node.count; i++) {
		bool follows = snap_stack_follows(s, i, rule);
		if (follows && others)
			return false;
		if (i > 0 && follows != others && s->stack_node.at[i] <= s->stack_node.at[i - 1])
			return false;
		if (i > 0 && !follows && others) {
			uint32_t x = i - 1;
			uint64_t before = (uint64_t)s->stack_node.at[x] << 32 |
			                  (uint32_t)s->stack_length.at[x] << 16 | s->stack_total.at[x];
			uint64_t now = (uint64_t)s->stack_node.at[i] << 32 | (uint32_t)s->stack_length.at[i] << 16 |
			               s->stack_total.at[i];
			if (now <= before)
				return false;
		}
		others = others || !follows;
	}
	return true;
}

static enum snap_status put_alone(struct snap_writer *w, const struct snap_snapshot *s, struct snap_member *m,
                                  struct snap_error *err)
{
	uint64_t *pairs;
	uint32_t *callee_number;
	enum snap_status status = snap_pairs_of_forest(s, &pairs, &m->pair_count, &callee_number, err);
	if (status < 0)
		return status;
	m->tables = s;
	m->rule = snap_snapshot_stack_rule(s);
	m->pairs = pairs;
	m->callee_number = callee_number;
	status = snap_encode_member(w->encoder, m, err);
	free(pairs);
	free(callee_number);
	if (status == SNAP_OK && w->options.series) {
		snap_series_free(w->series);
		status = snap_series_new(&w->series, s, m->rule, err);
	}
	return status;
}

static enum snap_status put_continuing(struct snap_writer *w, const struct snap_snapshot *s, struct snap_member *m,
                                       struct snap_error *err)
{
	/* The canonical forest of this snapshot is not the one of its series. */
	m->flags = SNAP_FLAG_CONTINUES;
	m->meta_before = w->meta_before;
	enum snap_status status = snap_series_add(w->series, s, m, err);
	return status < 0 ? status : snap_encode_member(w->encoder, m, err);
}

static enum snap_status put_ordered(struct snap_writer *w, const struct snap_snapshot *s, struct snap_error *err)
{
	struct snap_member m = {.meta = s->meta, .live_sites = s->site_stack.count};
	if (s->canonical || (w->options.level == 0 && s->said_canonical))
		m.flags |= SNAP_FLAG_CANONICAL;
	enum snap_status status = snap_snapshot_digest(s, m.digest, err);
	if (status == SNAP_OK && w->pending)
		status = snap_encode_end(w->encoder, true, err);
	if (status < 0)
		return status;
	bool continues = w->series != NULL && snap_snapshot_same_columns(s, snap_series_tables(w->series));
	status = continues ? put_continuing(w, s, &m, err) : put_alone(w, s, &m, err);
	if (status == SNAP_OK && w->options.series) {
		snap_meta_free(w->meta_before);
		w->meta_before = NULL;
		status = snap_meta_copy(&w->meta_before, s->meta, err);
	}
	w->pending = true;
	return status;
}

enum snap_status snap_writer_put(struct snap_writer *w, const struct snap_snapshot *s, struct snap_error *err)
{
	if (w->failed)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the writer has failed before");
	struct snap_snapshot *copy = NULL;
	enum snap_status status = SNAP_OK;
	if (w->options.level > 0 && !s->canonical)
		status = snap_snapshot_canonical(&copy, s, err);
	else if (!is_in_file_order(s, snap_snapshot_stack_rule(s)))
		status = snap_snapshot_order(&copy, s, err);
	if (status == SNAP_OK)
		status = put_ordered(w, copy != NULL ? copy : s, err);
	snap_snapshot_free(copy);
	w->failed = status < 0;
	return status;
}

enum snap_status snap_writer_finish(struct snap_writer *w, struct snap_error *err)
{
	if (w->failed || !w->pending)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
		                 w->failed ? "the writer has failed before" : "there is no snapshot to write");
	w->pending = false;
	w->failed = true;
	return snap_encode_end(w->encoder, false, err);
}
