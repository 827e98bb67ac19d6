/* Writes snapshots one by one: the first stands alone, later ones may continue it. */
#include <snap/writer.h>

#include <stdlib.h>

#include "base/hash.h"
#include "base/sort.h"
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

/* Whether two stacks say the same, as they may where trees were joined. A collision of hashes is taken for
 * one: what follows is only more work. */
static enum snap_status repeats_stacks(const struct snap_snapshot *s, bool *repeats, struct snap_error *err)
{
	size_t stacks = s->stack_node.count;
	uint64_t *hashes = malloc((stacks + 1) * sizeof *hashes);
	struct snap_keyed *rows = malloc(2 * (stacks + 1) * sizeof *rows);
	enum snap_status status = hashes == NULL || rows == NULL
	                                  ? snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory")
	                                  : snap_snapshot_window_hashes(s, hashes, err);
	*repeats = false;
	if (status == SNAP_OK) {
		for (uint32_t i = 0; i < stacks; i++) {
			uint64_t numbers = (uint64_t)s->stack_length.at[i] << 16 | s->stack_total.at[i];
			rows[i] = (struct snap_keyed){snap_mix(hashes[i] + numbers * snap_mix_constant(4)), i};
		}
		const struct snap_keyed *sorted = snap_sort(rows, rows + stacks + 1, stacks);
		for (size_t i = 1; i < stacks; i++)
			*repeats = *repeats || sorted[i].key == sorted[i - 1].key;
	}
	free(hashes);
	free(rows);
	return status;
}

/* Whether the snapshot has to be made anew before it is written: for the smallest file, or because a series
 * has one row for each stack. */
static enum snap_status needs_canonical(const struct snap_writer *w, const struct snap_snapshot *s, bool *needs,
                                        struct snap_error *err)
{
	*needs = w->options.level > 0 && !s->canonical;
	if (*needs || s->canonical || w->series == NULL)
		return SNAP_OK;
	return repeats_stacks(s, needs, err);
}

enum snap_status snap_writer_put(struct snap_writer *w, const struct snap_snapshot *s, struct snap_error *err)
{
	if (w->failed)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the writer has failed before");
	struct snap_snapshot *copy = NULL;
	bool anew;
	enum snap_status status = needs_canonical(w, s, &anew, err);
	if (status == SNAP_OK && anew)
		status = snap_snapshot_canonical(&copy, s, err);
	else if (status == SNAP_OK && !is_in_file_order(s, snap_snapshot_stack_rule(s)))
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
