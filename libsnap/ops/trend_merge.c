/* Suspects that are one: a request that is kept leaks at every line that adds to it, and a leak may be spread
 * over so many lines that none of them shows it. In both cases a frame they have in common is to blame. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A frame that is on more of the rows or of the bytes is the program itself. */
#define EVERYWHERE 0.4
/* So is one on more of the rows that ever change: a small program's main loop has little beside it. */
#define ALL_TRAFFIC 0.6
#define CHANGE 1e-4 /* by less of the heap is none */
/* A pick goes through a frame with so much of its growth. */
#define THROUGH 0.8
#define SHARE_LOW  0.75 /* growth of the parts to that of the frame */
#define SHARE_HIGH 1.35
#define ALIKE 0.15      /* median distance of curves */
#define SPREAD_SCORE 0.6
#define NEARLY_BEST 0.9
/* Growth is spread when it is as even as over so many rows: else one of them is to blame, not what calls it. */
#define SPREAD_EVENLY 5
enum { PARTS_MIN = 3, ROWS_MIN = 4, ROUNDS = 5, CANDIDATES_MAX = 256 };

struct merge {
	struct snap_trend_blame *b;
	size_t frames, n;
	double *weight;       /* by frame, of one pick */
	double *square;       /* by frame: sum of squared growths of its rows */
	uint32_t *parts;      /* by frame: picks that go through it */
	uint32_t *rows;       /* by frame: that have it */
	uint32_t *active;     /* by frame: of these, that change */
	uint32_t active_rows;
	uint32_t *seen;       /* by frame: the last row + 1 that was looked at */
	uint32_t *candidate;  /* by frame: its curve, or SNAP_NONE */
	uint32_t *list;       /* frames of the candidates */
	size_t count;
	struct snap_trend_curves curves;
	struct snap_trend_fit *fits;
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

/* Walks the distinct own frames of a row. */
#define FOR_FRAMES(m, row, f)                                                                                       \
	for (uint32_t at_ = snap_trend_row_begin((m)->b->table, row), f; at_ < (m)->b->table->row_end.at[row]; at_++) \
		if (f = (m)->b->table->path.at[at_], (m)->b->tree->own[f] && first_time(m, row, f))

static bool first_time(struct merge *m, uint32_t row, uint32_t frame)
{
	bool first = m->seen[frame] != row + 1;
	m->seen[frame] = row + 1;
	return first;
}

static void forget_seen(struct merge *m)
{
	memset(m->seen, 0, m->frames * sizeof *m->seen);
}

static double mean_of(const struct merge *m, const double *curve)
{
	double sum = 0;
	for (size_t i = 0; i < m->n; i++)
		sum += curve[i] / (double)m->n;
	return sum;
}

/* Curves of the frames in `list`, over rows without a pick or over all. */
static enum snap_status sum_candidates(struct merge *m, bool unpicked, struct snap_error *err)
{
	struct snap_trend_blame *b = m->b;
	uint32_t rows = (uint32_t)b->table->row_end.count;
	SNAP_VECTOR(pair_list, uint64_t) pairs = {NULL, 0, 0};
	snap_trend_curves_free(&m->curves);
	enum snap_status status = snap_trend_curves_new(&m->curves, m->count, m->n, err);
	forget_seen(m);
	for (uint32_t row = 0; row < rows && status == SNAP_OK; row++) {
		if (b->tree->row_node.at[row] == SNAP_NONE || (unpicked && b->row_pick[row] != SNAP_NONE))
			continue;
		FOR_FRAMES(m, row, f)
			if (m->candidate[f] != SNAP_NONE && status == SNAP_OK)
				status = snap_vector_push(&pairs, (uint64_t)row << 32 | m->candidate[f], NULL, err);
	}
	for (size_t i = 0; i < m->n && status == SNAP_OK; i++) {
		const struct snap_trend_column *column = snap_trend_column_at(b, i);
		for (size_t k = 0; k < pairs.count; k++) {
			uint32_t row = (uint32_t)(pairs.at[k] >> 32), to = (uint32_t)pairs.at[k];
			m->curves.bytes[to * m->n + i] += (double)snap_trend_value(&column->bytes, row);
			m->curves.blocks[to * m->n + i] += (double)snap_trend_value(&column->blocks, row);
		}
	}
	snap_vector_free(&pairs, NULL);
	if (status < 0)
		return status;
	free(m->fits);
	m->fits = malloc((m->count + 1) * sizeof *m->fits);
	if (m->fits == NULL)
		return out_of_memory(err);
	for (size_t k = 0; k < m->count; k++)
		m->fits[k] = snap_trend_blame_fit(b, &m->curves, k);
	return SNAP_OK;
}

static enum snap_status count_rows(struct merge *m, struct snap_error *err)
{
	uint32_t rows = (uint32_t)m->b->table->row_end.count;
	bool *changes = calloc(rows + 1, sizeof *changes);
	if (changes == NULL)
		return out_of_memory(err);
	const struct snap_numbers *first = &snap_trend_column_at(m->b, 0)->bytes;
	for (size_t i = 1; i < m->n; i++) {
		const struct snap_numbers *column = &snap_trend_column_at(m->b, i)->bytes;
		for (uint32_t row = 0; row < rows; row++) {
			double by = (double)(snap_trend_value(column, row) - snap_trend_value(first, row));
			changes[row] |= fabs(by) > CHANGE * m->b->heap &&
					m->b->tree->row_node.at[row] != SNAP_NONE;
		}
	}
	forget_seen(m);
	for (uint32_t row = 0; row < rows; row++) {
		m->active_rows += changes[row];
		FOR_FRAMES(m, row, f) {
			m->rows[f]++;
			m->active[f] += changes[row];
		}
	}
	free(changes);
	return SNAP_OK;
}

static bool is_everywhere(const struct merge *m, uint32_t frame, double bytes)
{
	return m->rows[frame] > EVERYWHERE * (double)m->b->table->row_end.count ||
	       m->active[frame] > ALL_TRAFFIC * (double)m->active_rows || bytes > EVERYWHERE * m->b->heap;
}

SNAP_VECTOR(through_list, uint64_t); /* frame and pick, where the pick goes through the frame */

static enum snap_status find_through(struct merge *m, const struct snap_trend_rows *list, struct through_list *through,
				     struct snap_error *err)
{
	struct snap_trend_blame *b = m->b;
	enum snap_status status = SNAP_OK;
	forget_seen(m);
	for (size_t p = 0; p < b->picks.count; p++) {
		uint32_t begin = p == 0 ? 0 : list->end[p - 1];
		for (uint32_t k = begin; k < list->end[p]; k++)
			FOR_FRAMES(m, list->row[k], f)
				m->weight[f] += snap_trend_row_growth(b, list->row[k]);
		/* Once more, to collect and clear. */
		for (uint32_t k = begin; k < list->end[p]; k++) {
			uint32_t row = list->row[k];
			for (uint32_t at = snap_trend_row_begin(b->table, row); at < b->table->row_end.at[row]; at++) {
				uint32_t f = b->table->path.at[at];
				if (m->weight[f] >= THROUGH * b->picks.at[p].growth && status == SNAP_OK) {
					m->parts[f]++;
					status = snap_vector_push(through, (uint64_t)f << 32 | p, NULL, err);
				}
				m->weight[f] = 0;
			}
		}
	}
	return status;
}

static int compare_numbers(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Whether the parts that are left of a candidate make it one suspect. */
static bool is_one(const struct merge *m, uint32_t k, const struct through_list *through,
		   const struct snap_trend_curves *of_picks, const uint32_t *merged, double *distances)
{
	uint32_t frame = m->list[k];
	const double *curve = m->curves.bytes + k * m->n;
	double parts_growth = 0, whole = snap_trend_growth(m->b, curve), rest[TREND_POINTS_MAX];
	size_t parts = 0;
	memcpy(rest, curve, m->n * sizeof *rest);
	for (size_t i = 0; i < through->count; i++) {
		uint32_t p = (uint32_t)through->at[i];
		if (through->at[i] >> 32 != frame || merged[p] != SNAP_NONE)
			continue;
		const double *part = of_picks->bytes + p * m->n;
		distances[parts++] = snap_trend_distance(part, curve, m->n);
		parts_growth += m->b->picks.at[p].growth;
		for (size_t at = 0; at < m->n; at++)
			rest[at] -= part[at];
	}
	if (parts < PARTS_MIN || whole <= 0 || parts_growth > SHARE_HIGH * whole ||
	    m->fits[k].score < m->b->threshold)
		return false;
	/* Parts that are too small to be picks go with it, if they are alike. */
	if (parts_growth < SHARE_LOW * whole && snap_trend_distance(rest, curve, m->n) > ALIKE)
		return false;
	qsort(distances, parts, sizeof *distances, compare_numbers);
	return distances[parts / 2] <= ALIKE;
}

static struct snap_trend_pick pick_of_frame(const struct merge *m, uint32_t k, size_t parts)
{
	return (struct snap_trend_pick){
		.node = SNAP_NONE,
		.frame = m->list[k],
		.fit = m->fits[k],
		.leak = true,
		.parts = parts,
		.path = {m->list[k]},
		.path_count = 1,
		.growth = snap_trend_growth(m->b, m->curves.bytes + k * m->n),
	};
}

/* Takes parts out of the list, and gives their rows and all others through the frame that are free to the new
 * pick. */
static enum snap_status take_rows(struct merge *m, struct snap_trend_pick pick, const uint32_t *merged,
				  uint32_t as, struct snap_error *err)
{
	struct snap_trend_blame *b = m->b;
	forget_seen(m);
	for (uint32_t row = 0; row < b->table->row_end.count; row++) {
		uint32_t p = b->row_pick[row];
		if (p != SNAP_NONE && merged != NULL && p < as && merged[p] == as)
			b->row_pick[row] = as;
		if (p == SNAP_NONE && b->tree->row_node.at[row] != SNAP_NONE)
			FOR_FRAMES(m, row, f)
				if (f == pick.frame)
					b->row_pick[row] = as;
	}
	return snap_vector_push(&b->picks, pick, NULL, err);
}

struct candidate {
	double bytes;
	uint32_t number;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static enum snap_status merge_parts(struct merge *m, const struct through_list *through, uint32_t *merged,
				    double *distances, const struct snap_trend_curves *of_picks,
				    struct snap_error *err)
{
	struct candidate *order = malloc((m->count + 1) * sizeof *order);
	if (order == NULL)
		return out_of_memory(err);
	for (uint32_t k = 0; k < m->count; k++) {
		order[k].bytes = mean_of(m, m->curves.bytes + k * m->n);
		order[k].number = k;
	}
	/* Few bytes first: the innermost of those that have the same parts. */
	qsort(order, m->count, sizeof *order, compare_candidates);
	enum snap_status status = SNAP_OK;
	size_t before = m->b->picks.count;
	for (size_t i = 0; i < m->count && status == SNAP_OK; i++) {
		uint32_t k = order[i].number;
		if (is_everywhere(m, m->list[k], order[i].bytes) ||
		    !is_one(m, k, through, of_picks, merged, distances))
			continue;
		uint32_t as = (uint32_t)m->b->picks.count;
		size_t parts = 0;
		for (size_t t = 0; t < through->count; t++) {
			uint32_t p = (uint32_t)through->at[t];
			if (through->at[t] >> 32 == m->list[k] && merged[p] == SNAP_NONE) {
				merged[p] = as;
				parts++;
			}
		}
		status = take_rows(m, pick_of_frame(m, k, parts), merged, as, err);
	}
	/* What was merged is gone: it has no rows of its own, and ranking drops it. */
	for (size_t p = 0; p < before; p++)
		if (merged[p] != SNAP_NONE)
			m->b->picks.at[p].growth = 0;
	free(order);
	return status;
}

static enum snap_status list_candidates(struct merge *m, const struct through_list *through, struct snap_error *err)
{
	m->count = 0;
	memset(m->candidate, 0xff, m->frames * sizeof *m->candidate);
	for (size_t i = 0; i < through->count; i++) {
		uint32_t f = (uint32_t)(through->at[i] >> 32);
		if (m->parts[f] >= PARTS_MIN && m->candidate[f] == SNAP_NONE) {
			m->candidate[f] = (uint32_t)m->count;
			m->list[m->count++] = f;
		}
	}
	return sum_candidates(m, false, err);
}

static enum snap_status merge_common(struct merge *m, struct snap_error *err)
{
	struct snap_trend_blame *b = m->b;
	struct snap_trend_rows list = {NULL, NULL};
	struct through_list through = {NULL, 0, 0};
	struct snap_trend_curves of_picks = {NULL, NULL};
	uint32_t *merged = malloc((b->picks.count + 1) * sizeof *merged);
	double *distances = malloc((b->picks.count + 1) * sizeof *distances);
	enum snap_status status = merged == NULL || distances == NULL ? out_of_memory(err) : SNAP_OK;
	if (status == SNAP_OK) {
		memset(merged, 0xff, b->picks.count * sizeof *merged);
		status = snap_trend_list_rows(b, &list, err);
	}
	if (status == SNAP_OK)
		status = snap_trend_curves_new(&of_picks, b->picks.count, m->n, err);
	if (status == SNAP_OK) {
		snap_trend_sum_rows(b, b->row_pick, &of_picks);
		status = find_through(m, &list, &through, err);
	}
	if (status == SNAP_OK)
		status = list_candidates(m, &through, err);
	if (status == SNAP_OK)
		status = merge_parts(m, &through, merged, distances, &of_picks, err);
	snap_trend_rows_free(&list);
	free(merged);
	free(distances);
	snap_vector_free(&through, NULL);
	snap_trend_curves_free(&of_picks);
	return status;
}

/* The frames through which rows without a pick grew most. */
static enum snap_status list_spread(struct merge *m, struct snap_error *err)
{
	struct snap_trend_blame *b = m->b;
	uint32_t *rows = m->parts; /* of no use any more */
	size_t found = 0;
	struct candidate *order = malloc((m->frames + 1) * sizeof *order);
	if (order == NULL)
		return out_of_memory(err);
	forget_seen(m);
	memset(rows, 0, m->frames * sizeof *rows);
	memset(m->weight, 0, m->frames * sizeof *m->weight);
	memset(m->square, 0, m->frames * sizeof *m->square);
	for (uint32_t row = 0; row < b->table->row_end.count; row++)
		if (b->row_pick[row] == SNAP_NONE && b->tree->row_node.at[row] != SNAP_NONE) {
			double grown = snap_trend_row_growth(b, row);
			FOR_FRAMES(m, row, f)
				m->weight[f] += grown, m->square[f] += grown * grown, rows[f]++;
		}
	for (uint32_t f = 0; f < m->frames; f++)
		if (rows[f] >= ROWS_MIN && !snap_trend_is_small(b, m->weight[f]) &&
		    m->weight[f] * m->weight[f] >= SPREAD_EVENLY * m->square[f])
			order[found++] = (struct candidate){-m->weight[f], f};
	qsort(order, found, sizeof *order, compare_candidates);
	memset(m->candidate, 0xff, m->frames * sizeof *m->candidate);
	for (m->count = 0; m->count < found && m->count < CANDIDATES_MAX; m->count++) {
		m->list[m->count] = order[m->count].number;
		m->candidate[m->list[m->count]] = (uint32_t)m->count;
	}
	free(order);
	return SNAP_OK;
}

static double worth(const struct merge *m, size_t k)
{
	double growth = snap_trend_growth(m->b, m->curves.bytes + k * m->n);
	double score = m->fits[k].score;
	if (score < SPREAD_SCORE || is_everywhere(m, m->list[k], mean_of(m, m->curves.bytes + k * m->n)))
		return 0;
	return score * score * growth;
}

static enum snap_status find_spread(struct merge *m, struct snap_error *err)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		enum snap_status status = list_spread(m, err);
		if (status == SNAP_OK)
			status = sum_candidates(m, true, err);
		if (status < 0)
			return status;
		double best = 0, lightest = INFINITY;
		uint32_t chosen = SNAP_NONE;
		for (size_t k = 0; k < m->count; k++)
			best = fmax(best, worth(m, k));
		for (uint32_t k = 0; k < m->count && best > 0; k++) {
			double bytes = mean_of(m, m->curves.bytes + k * m->n);
			if (worth(m, k) >= NEARLY_BEST * best && bytes < lightest) {
				lightest = bytes;
				chosen = k;
			}
		}
		if (chosen == SNAP_NONE)
			return SNAP_OK;
		status = take_rows(m, pick_of_frame(m, chosen, 1), NULL, (uint32_t)m->b->picks.count, err);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

enum snap_status snap_trend_merge(struct snap_trend_blame *b, struct snap_error *err)
{
	size_t frames = b->table->names->frame_file.count;
	struct merge m = {
		.b = b,
		.frames = frames,
		.n = b->clock->n,
		.weight = calloc(frames + 1, sizeof *m.weight),
		.square = calloc(frames + 1, sizeof *m.square),
		.parts = calloc(frames + 1, sizeof *m.parts),
		.rows = calloc(frames + 1, sizeof *m.rows),
		.active = calloc(frames + 1, sizeof *m.active),
		.seen = calloc(frames + 1, sizeof *m.seen),
		.candidate = calloc(frames + 1, sizeof *m.candidate),
		.list = calloc(frames + 1, sizeof *m.list),
	};
	enum snap_status status = SNAP_OK;
	if (m.weight == NULL || m.square == NULL || m.parts == NULL || m.rows == NULL || m.active == NULL || m.seen == NULL ||
	    m.candidate == NULL || m.list == NULL)
		status = out_of_memory(err);
	if (status == SNAP_OK)
		status = count_rows(&m, err);
	if (status == SNAP_OK)
		status = merge_common(&m, err);
	if (status == SNAP_OK)
		status = find_spread(&m, err);
	free(m.weight);
	free(m.square);
	free(m.parts);
	free(m.rows);
	free(m.active);
	free(m.seen);
	free(m.candidate);
	free(m.list);
	free(m.fits);
	snap_trend_curves_free(&m.curves);
	return status;
}
