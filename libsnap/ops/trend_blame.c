/* Which places in the code to blame: a cut through the tree of callers that explains growth with few entries. */
#include "ops/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Growth below this part of the heap is not looked at. */
#define MATERIAL 3e-4
/* A place is preferred to its callers by this factor. */
#define PREFERENCE 1.05
/* A caller that most growth comes through, and that has others beside it. */
#define MOST         0.8
#define OTHERS_BYTES 0.25
/* Curves that are the same. */
#define SAME_CURVE 0.08

struct cut {
	struct snap_trend_blame *b;
	size_t nodes, material;
	double *sum, *blocks, *first, *most, *last; /* by node */
	uint32_t *curve;                             /* by node: its number among the curves, or SNAP_NONE */
	struct snap_trend_curves curves;
	struct snap_trend_fit *fits;
	uint32_t *child_end, *child; /* children of node v: from where those of v - 1 end */
	bool *keep;
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

/* Sums of all nodes over one column at a point, of rows that belong to no pick yet. */
static void sum_nodes(const struct cut *c, const struct snap_numbers *column, double *sum)
{
	const uint32_t *node = c->b->tree->row_node.at, *parent = c->b->tree->parent.at;
	const uint32_t *pick = c->b->row_pick;
	memset(sum, 0, c->nodes * sizeof *sum);
	for (uint32_t row = 0; row < column->count; row++)
		if (node[row] != SNAP_NONE && pick[row] == SNAP_NONE)
			sum[node[row]] += (double)snap_numbers_get(column, row);
	for (size_t v = c->nodes; v-- > 0;)
		if (parent[v] != SNAP_NONE)
			sum[parent[v]] += sum[v];
}

/* Numbers the nodes that ever grew by so much. */
static void find_material(struct cut *c, double enough)
{
	size_t n = c->b->clock->n;
	for (size_t i = 0; i < n; i++) {
		sum_nodes(c, &snap_trend_column_at(c->b, i)->bytes, c->sum);
		for (size_t v = 0; v < c->nodes; v++) {
			if (i == 0)
				c->first[v] = c->most[v] = c->sum[v];
			c->most[v] = fmax(c->most[v], c->sum[v]);
			c->last[v] = c->sum[v];
		}
	}
	c->material = 0;
	for (size_t v = 0; v < c->nodes; v++)
		c->curve[v] = c->most[v] - c->first[v] >= enough && c->most[v] > c->first[v] ? (uint32_t)c->material++
											     : SNAP_NONE;
}

static enum snap_status fit_material(struct cut *c, struct snap_error *err)
{
	size_t n = c->b->clock->n;
	enum snap_status status = snap_trend_curves_new(&c->curves, c->material, n, err);
	if (status < 0)
		return status;
	c->fits = malloc((c->material + 1) * sizeof *c->fits);
	if (c->fits == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < n; i++) {
		sum_nodes(c, &snap_trend_column_at(c->b, i)->bytes, c->sum);
		sum_nodes(c, &snap_trend_column_at(c->b, i)->blocks, c->blocks);
		for (size_t v = 0; v < c->nodes; v++)
			if (c->curve[v] != SNAP_NONE) {
				c->curves.bytes[c->curve[v] * n + i] = c->sum[v];
				c->curves.blocks[c->curve[v] * n + i] = c->blocks[v];
			}
	}
	for (size_t k = 0; k < c->material; k++)
		c->fits[k] = snap_trend_blame_fit(c->b, &c->curves, k);
	return SNAP_OK;
}

static void list_children(struct cut *c)
{
	const uint32_t *parent = c->b->tree->parent.at;
	uint32_t begin = 0;
	memset(c->child_end, 0, c->nodes * sizeof *c->child_end);
	for (size_t v = 0; v < c->nodes; v++)
		if (parent[v] != SNAP_NONE)
			c->child_end[parent[v]]++;
	for (size_t v = 0; v < c->nodes; v++) {
		uint32_t count = c->child_end[v];
		c->child_end[v] = begin;
		begin += count;
	}
	for (uint32_t v = 0; v < c->nodes; v++)
		if (parent[v] != SNAP_NONE)
			c->child[c->child_end[parent[v]]++] = v;
}

static uint32_t first_child(const struct cut *c, uint32_t v)
{
	return v == 0 ? 0 : c->child_end[v - 1];
}

static double growth(const struct cut *c, uint32_t v)
{
	return c->last[v] - c->first[v];
}

static double score(const struct cut *c, uint32_t v)
{
	return c->curve[v] == SNAP_NONE ? 0 : c->fits[c->curve[v]].score;
}

/* The caller that most of the growth of v comes through, or SNAP_NONE. */
static uint32_t main_caller(const struct cut *c, uint32_t v)
{
	for (uint32_t k = first_child(c, v); k < c->child_end[v]; k++)
		if (growth(c, v) > 0 && growth(c, c->child[k]) >= MOST * growth(c, v))
			return c->child[k];
	return SNAP_NONE;
}

/* Whether v is called from elsewhere as well, so that the caller says more than v does. */
static bool is_shared(const struct cut *c, uint32_t v, uint32_t caller)
{
	uint32_t callers = c->child_end[v] - first_child(c, v);
	return callers > 2 || c->last[v] - c->last[caller] >= OTHERS_BYTES * c->last[v];
}

static uint32_t tighten(const struct cut *c, uint32_t v, bool leak)
{
	for (;;) {
		uint32_t caller = main_caller(c, v);
		if (caller == SNAP_NONE || !is_shared(c, v, caller) ||
		    (leak && score(c, caller) < c->b->threshold))
			return v;
		v = caller;
	}
}

static void set_path(const struct cut *c, struct snap_trend_pick *pick)
{
	const uint32_t *parent = c->b->tree->parent.at, *frame = c->b->tree->frame.at;
	uint32_t v = pick->node;
	size_t count = 0;
	for (; v != SNAP_NONE; v = parent[v])
		count++;
	pick->path_count = count;
	pick->blamed = count - 1;
	for (v = pick->node; v != SNAP_NONE; v = parent[v])
		pick->path[--count] = frame[v];
	v = pick->node;
	for (unsigned more = 0; more < 2 && (v = main_caller(c, v)) != SNAP_NONE; more++)
		pick->path[pick->path_count++] = frame[v];
}

static enum snap_status add_pick(const struct cut *c, uint32_t v, bool leak, struct snap_error *err)
{
	struct snap_trend_pick pick = {
		.node = v,
		.frame = c->b->tree->frame.at[v],
		.parts = 1,
		.leak = leak,
		.fit = c->fits[c->curve[v]],
		.growth = growth(c, v),
	};
	set_path(c, &pick);
	return snap_vector_push(&c->b->picks, pick, NULL, err);
}

/* Bottom-up: a node, or what was kept below it, whichever explains more. */
static enum snap_status cut_leaks(struct cut *c, struct snap_error *err)
{
	const uint32_t *parent = c->b->tree->parent.at;
	double *below = c->sum, *kept = c->blocks; /* of no other use now */
	memset(below, 0, c->nodes * sizeof *below);
	for (size_t v = c->nodes; v-- > 0;) {
		double here = 0;
		if (score(c, (uint32_t)v) >= c->b->threshold && growth(c, (uint32_t)v) > 0)
			here = score(c, (uint32_t)v) * growth(c, (uint32_t)v);
		c->keep[v] = here > 0 && PREFERENCE * here >= below[v];
		kept[v] = c->keep[v] ? here : below[v];
		if (parent[v] != SNAP_NONE)
			below[parent[v]] += kept[v];
	}
	enum snap_status status = SNAP_OK;
	bool *covered = c->keep; /* a node whose parent is kept is so too, but no pick */
	for (uint32_t v = 0; v < c->nodes && status == SNAP_OK; v++) {
		if (parent[v] != SNAP_NONE && covered[parent[v]])
			covered[v] = true;
		else if (c->keep[v])
			status = add_pick(c, tighten(c, v, true), true, err);
	}
	return status;
}

/* What grew or swung and is no leak, by line. */
static enum snap_status list_others(struct cut *c, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t v = 0; v < c->nodes && status == SNAP_OK; v++) {
		if (c->b->tree->parent.at[v] != SNAP_NONE || c->curve[v] == SNAP_NONE)
			continue;
		if (!snap_trend_is_small(c->b, growth(c, v)) || c->most[v] - c->first[v] >= .01 * c->b->heap)
			status = add_pick(c, tighten(c, v, false), false, err);
	}
	return status;
}

/* Rows below the nodes of picks from `first` on are theirs. */
static void own_rows(struct snap_trend_blame *b, size_t first, uint32_t *node_pick)
{
	size_t nodes = b->tree->parent.count;
	memset(node_pick, 0xff, nodes * sizeof *node_pick);
	for (size_t p = first; p < b->picks.count; p++)
		if (b->picks.at[p].node != SNAP_NONE)
			node_pick[b->picks.at[p].node] = (uint32_t)p;
	for (size_t v = 0; v < nodes; v++)
		if (node_pick[v] == SNAP_NONE && b->tree->parent.at[v] != SNAP_NONE)
			node_pick[v] = node_pick[b->tree->parent.at[v]];
	for (size_t row = 0; row < b->table->row_end.count; row++)
		if (b->row_pick[row] == SNAP_NONE && b->tree->row_node.at[row] != SNAP_NONE)
			b->row_pick[row] = node_pick[b->tree->row_node.at[row]];
}

static enum snap_status cut_open(struct cut *c, struct snap_trend_blame *b, struct snap_error *err)
{
	size_t nodes = b->tree->parent.count;
	*c = (struct cut){.b = b, .nodes = nodes};
	c->sum = calloc(5 * nodes + 1, sizeof *c->sum);
	c->curve = calloc(3 * nodes + 1, sizeof *c->curve);
	c->keep = calloc(nodes + 1, sizeof *c->keep);
	if (c->sum == NULL || c->curve == NULL || c->keep == NULL)
		return out_of_memory(err);
	c->blocks = c->sum + nodes;
	c->first = c->blocks + nodes;
	c->most = c->first + nodes;
	c->last = c->most + nodes;
	c->child_end = c->curve + nodes;
	c->child = c->child_end + nodes;
	list_children(c);
	return SNAP_OK;
}

static void cut_close(struct cut *c)
{
	free(c->sum);
	free(c->curve);
	free(c->keep);
	free(c->fits);
	snap_trend_curves_free(&c->curves);
}

/* Looks at rows without a pick and adds picks. */
static enum snap_status cut_tree(struct snap_trend_blame *b, bool leaks, struct snap_error *err)
{
	struct cut c;
	size_t first = b->picks.count;
	enum snap_status status = cut_open(&c, b, err);
	if (status == SNAP_OK) {
		find_material(&c, MATERIAL * b->heap);
		status = fit_material(&c, err);
	}
	if (status == SNAP_OK)
		status = leaks ? cut_leaks(&c, err) : list_others(&c, err);
	if (status == SNAP_OK)
		own_rows(b, first, c.curve);
	cut_close(&c);
	return status;
}

static void measure_heap(struct snap_trend_blame *b)
{
	for (size_t i = 0; i < b->clock->n; i++) {
		const struct snap_trend_column *column = snap_trend_column_at(b, i);
		for (uint32_t row = 0; row < column->bytes.count; row++)
			if (b->tree->row_node.at[row] != SNAP_NONE)
				b->heap += (double)snap_numbers_get(&column->bytes, row) / (double)b->clock->n;
	}
}

static double rank_of(const struct snap_trend_pick *pick)
{
	return pick->leak ? pick->fit.score * pick->fit.score * pick->growth : pick->growth;
}

static int compare_picks(const void *a, const void *b)
{
	const struct snap_trend_pick *x = a, *y = b;
	if (x->leak != y->leak)
		return x->leak ? -1 : 1;
	if (rank_of(x) != rank_of(y))
		return rank_of(x) > rank_of(y) ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* For all rows through a frame: the newest own line of the row that grew most, the frame, and its callers. */
static void set_frame_path(const struct snap_trend_blame *b, struct snap_trend_pick *pick)
{
	const struct snap_trend_table *table = b->table;
	size_t behind = 0;
	bool found = false;
	pick->path_count = 0;
	for (uint32_t i = snap_trend_row_begin(table, pick->row); i < table->row_end.at[pick->row] && behind < 2; i++) {
		uint32_t frame = table->path.at[i];
		bool wanted = frame == pick->frame ? !found : b->tree->own[frame] && (found || pick->path_count == 0);
		if (!wanted)
			continue;
		behind += found;
		if (frame == pick->frame) {
			found = true;
			pick->blamed = pick->path_count;
		}
		pick->path[pick->path_count++] = frame;
	}
}

/* Counts what rows say of their picks. */
static void describe(struct snap_trend_blame *b)
{
	double *most = b->curves.blocks; /* of no use before it is summed */
	for (size_t p = 0; p < b->picks.count; p++) {
		b->picks.at[p].rows = 0;
		most[p] = -INFINITY;
	}
	for (uint32_t row = 0; row < b->table->row_end.count; row++) {
		uint32_t p = b->row_pick[row];
		if (p == SNAP_NONE)
			continue;
		double grown = snap_trend_row_growth(b, row);
		b->picks.at[p].rows++;
		if (grown > most[p]) {
			most[p] = grown;
			b->picks.at[p].row = row;
		}
	}
	for (size_t p = 0; p < b->picks.count; p++) {
		most[p] = 0;
		if (b->picks.at[p].node == SNAP_NONE)
			set_frame_path(b, &b->picks.at[p]);
	}
}

/* Ranks the picks, drops small ones, and gives them their curves. */
static enum snap_status rank(struct snap_trend_blame *b, struct snap_error *err)
{
	size_t count = b->picks.count, rows = b->table->row_end.count, kept = 0;
	uint32_t *number = malloc((count + 1) * sizeof *number);
	if (number == NULL)
		return out_of_memory(err);
	for (size_t p = 0; p < count; p++) {
		b->picks.at[p].family = p; /* where it was */
		b->picks.at[p].growth = 0;
	}
	/* Of the rows that are left to each: those of a common frame may be other picks'. */
	for (uint32_t row = 0; row < rows; row++)
		if (b->row_pick[row] != SNAP_NONE)
			b->picks.at[b->row_pick[row]].growth += snap_trend_row_growth(b, row);
	if (count > 0)
		qsort(b->picks.at, count, sizeof *b->picks.at, compare_picks);
	memset(number, 0xff, count * sizeof *number);
	for (size_t p = 0; p < count; p++) {
		struct snap_trend_pick pick = b->picks.at[p];
		if (pick.leak && snap_trend_is_small(b, pick.growth))
			continue;
		number[pick.family] = (uint32_t)kept;
		b->picks.at[kept++] = pick;
	}
	b->picks.count = kept;
	for (size_t row = 0; row < rows; row++)
		if (b->row_pick[row] != SNAP_NONE)
			b->row_pick[row] = number[b->row_pick[row]];
	free(number);
	enum snap_status status = snap_trend_curves_new(&b->curves, kept, b->clock->n, err);
	if (status < 0)
		return status;
	describe(b);
	snap_trend_sum_rows(b, b->row_pick, &b->curves);
	return SNAP_OK;
}

/* Leaks that grow alike are of one family. */
static void find_families(struct snap_trend_blame *b)
{
	size_t n = b->clock->n;
	for (size_t p = 0; p < b->picks.count; p++) {
		struct snap_trend_pick *pick = &b->picks.at[p];
		pick->family = p;
		for (size_t q = 0; q < p && pick->leak && pick->family == p; q++)
			if (b->picks.at[q].family == q &&
			    snap_trend_distance(b->curves.bytes + p * n, b->curves.bytes + q * n, n) <= SAME_CURVE)
				pick->family = q;
	}
}

enum snap_status snap_trend_blame(struct snap_trend_blame *b, struct snap_error *err)
{
	size_t rows = b->table->row_end.count;
	b->threshold = b->clock->n < TREND_FEW_POINTS ? TREND_LEAK_SCORE_FEW : TREND_LEAK_SCORE;
	b->row_pick = malloc((rows + 1) * sizeof *b->row_pick);
	if (b->row_pick == NULL)
		return out_of_memory(err);
	memset(b->row_pick, 0xff, rows * sizeof *b->row_pick);
	measure_heap(b);
	enum snap_status status = SNAP_OK;
	if (b->clock->n >= SNAP_TREND_LEAK_MIN) {
		status = cut_tree(b, true, err);
		if (status == SNAP_OK)
			status = snap_trend_merge(b, err);
	}
	if (status == SNAP_OK)
		status = cut_tree(b, false, err);
	if (status == SNAP_OK)
		status = rank(b, err);
	if (status == SNAP_OK)
		find_families(b);
	return status;
}

void snap_trend_blame_free(struct snap_trend_blame *b)
{
	snap_vector_free(&b->picks, NULL);
	snap_trend_curves_free(&b->curves);
	free(b->row_pick);
}
