/* Tables first (combine_tables.h), then the sites, stack by stack in the order of their newest frames, and
 * their values, a chunk at a time. */
#include "ops/combine.h"

#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "ops/combine_tables.h"

struct side {
	const struct snap_snapshot *s;
	const uint32_t *origin_of; /* see snap_stack_origins */
	uint32_t *begin, *end;     /* of each stack: its sites */
	const uint32_t *from;      /* of each column of the result: that of this side, or SNAP_NONE */
	uint32_t waiting[SNAP_VALUES_CHUNK]; /* see below: the site of this side, or SNAP_NONE */
};

SNAP_VECTOR(keyed_rows, struct snap_keyed);

struct combining {
	struct snap_snapshot *u;
	struct side side[2];
	struct snap_stack_origins origins;
	size_t waiting;                         /* the last sites of the result, which have no values yet */
	bool computed[SNAP_COLUMNS_MAX];        /* the column is what its predictor says */
	uint32_t copied_from[SNAP_COLUMNS_MAX]; /* the only side that it has values from, or SNAP_NONE */
	bool domains;                           /* some are not 0 */
	struct keyed_rows rows, scratch;        /* sites of stacks that say the same */
	bool untidy;                            /* something may be left that no site needs */
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static enum snap_status does_not_fit(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "a sum of values does not fit in 63 bits");
}

/* Values. */

/* What a column gets from one side only is copied as it is stored there. */
static void copy_values(struct snap_numbers *to, const struct snap_numbers *from, const uint32_t *sites,
			size_t count)
{
	if (to->is_wide)
		for (size_t i = 0; i < count; i++)
			to->wide[to->count + i] = sites[i] == SNAP_NONE ? 0 : from->wide[sites[i]];
	else
		for (size_t i = 0; i < count; i++)
			to->narrow[to->count + i] = sites[i] == SNAP_NONE ? 0 : from->narrow[sites[i]];
	to->count += count;
}

static enum snap_status add_up_values(struct combining *m, uint32_t column, struct snap_error *err)
{
	int64_t values[SNAP_VALUES_CHUNK] = {0};
	bool overflow = false;
	for (unsigned n = 0; n < 2; n++) {
		const struct side *side = &m->side[n];
		for (size_t i = 0; i < m->waiting && side->from[column] != SNAP_NONE; i++)
			if (side->waiting[i] != SNAP_NONE) {
				int64_t value =
					snap_snapshot_value(side->s, side->from[column], side->waiting[i]);
				overflow |= __builtin_add_overflow(values[i], value, &values[i]);
			}
	}
	if (overflow)
		return does_not_fit(err);
	return m->computed[column]
		       ? SNAP_OK
		       : snap_numbers_append(&m->u->values[column], values, m->waiting, &m->u->budget, err);
}

static enum snap_status flush_waiting(struct combining *m, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t c = 0; c < m->u->column_count && status == SNAP_OK; c++) {
		if (m->copied_from[c] != SNAP_NONE) {
			const struct side *side = &m->side[m->copied_from[c]];
			copy_values(&m->u->values[c], &side->s->values[side->from[c]], side->waiting,
				    m->waiting);
		} else if (!m->computed[c] ||
			   (m->side[0].from[c] != SNAP_NONE && m->side[1].from[c] != SNAP_NONE)) {
			/* Sums that will not be stored must fit all the same. */
			status = add_up_values(m, c, err);
		}
	}
	m->waiting = 0;
	return status;
}

/* The next site of the result and the sites it comes from, or SNAP_NONE. There is room for all. */
static inline enum snap_status add_site(struct combining *m, uint32_t stack, uint32_t domain, int64_t size,
					uint32_t a, uint32_t b, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	size_t site = u->site_stack.count++;
	u->site_stack.at[site] = stack;
	if (m->domains)
		u->site_domain.at[site] = domain;
	if (u->site_size.is_wide)
		u->site_size.wide[site] = size;
	else
		u->site_size.narrow[site] = (int32_t)size;
	m->side[0].waiting[m->waiting] = a;
	m->side[1].waiting[m->waiting] = b;
	return ++m->waiting < SNAP_VALUES_CHUNK ? SNAP_OK : flush_waiting(m, err);
}

/* One more site that is added to the last one of the result. */
static enum snap_status add_again(struct combining *m, const struct side *side, uint32_t site,
				  struct snap_error *err)
{
	int64_t sums[SNAP_COLUMNS_MAX];
	size_t last = m->u->site_stack.count - 1;
	enum snap_status status = flush_waiting(m, err);
	for (uint32_t c = 0; c < m->u->column_count && status == SNAP_OK; c++) {
		int64_t more =
			side->from[c] == SNAP_NONE ? 0 : snap_snapshot_value(side->s, side->from[c], site);
		if (__builtin_add_overflow(snap_snapshot_value(m->u, c, last), more, &sums[c]))
			status = does_not_fit(err);
	}
	for (uint32_t c = 0; c < m->u->column_count && status == SNAP_OK; c++)
		status = snap_snapshot_set_value(m->u, c, last, sums[c], err);
	return status;
}

/* Sites. */

static inline int compare_sites(const struct snap_snapshot *a, size_t i, const struct snap_snapshot *b,
				size_t j)
{
	uint32_t x = snap_snapshot_domain(a, i), y = snap_snapshot_domain(b, j);
	int64_t x_size = snap_numbers_get(&a->site_size, i), y_size = snap_numbers_get(&b->site_size, j);
	if (x != y)
		return x < y ? -1 : 1;
	return x_size == y_size ? 0 : x_size < y_size ? -1 : 1;
}

/* The sites of a stack that has one origin. */
static inline enum snap_status combine_sites(struct combining *m, uint32_t stack, uint32_t origin,
					     struct snap_error *err)
{
	const struct side *a = &m->side[0], *b = &m->side[1];
	uint32_t x = a->origin_of[origin], y = b->origin_of[origin];
	uint32_t i = 0, i_end = 0, j = 0, j_end = 0;
	if (x != SNAP_NONE) {
		i = a->begin[x];
		i_end = a->end[x];
	}
	if (y != SNAP_NONE) {
		j = b->begin[y];
		j_end = b->end[y];
	}
	enum snap_status status = SNAP_OK;
	while ((i < i_end || j < j_end) && status == SNAP_OK) {
		int order = j == j_end ? -1 : i == i_end ? 1 : compare_sites(a->s, i, b->s, j);
		const struct snap_snapshot *s = order <= 0 ? a->s : b->s;
		uint32_t site = order <= 0 ? i : j;
		status = add_site(m, stack, snap_snapshot_domain(s, site), snap_numbers_get(&s->site_size, site),
				  order <= 0 ? i : SNAP_NONE, order >= 0 ? j : SNAP_NONE, err);
		i += order <= 0;
		j += order >= 0;
	}
	return status;
}

/* Where a row is a site of the one side or, behind all of those, of the other. */
static const struct side *side_of_row(const struct combining *m, uint32_t row, uint32_t *site)
{
	uint32_t first = (uint32_t)m->side[0].s->site_stack.count;
	*site = row < first ? row : row - first;
	return &m->side[row >= first];
}

/* Lists the sites of all origins of a stack as rows by (domain, size). */
static enum snap_status list_rows(struct combining *m, uint32_t origin, struct snap_keyed **sorted,
				  struct snap_error *err)
{
	m->rows.count = 0;
	for (; origin != SNAP_NONE; origin = m->origins.next[origin])
		for (unsigned n = 0; n < 2; n++) {
			const struct side *side = &m->side[n];
			uint32_t stack = side->origin_of[origin];
			uint32_t before = n == 0 ? 0 : (uint32_t)m->side[0].s->site_stack.count;
			for (uint32_t i = stack == SNAP_NONE ? 0 : side->begin[stack];
			     stack != SNAP_NONE && i < side->end[stack]; i++) {
				struct snap_keyed row = {(uint64_t)snap_numbers_get(&side->s->site_size, i),
							 before + i};
				enum snap_status status = snap_vector_push(&m->rows, row, NULL, err);
				if (status < 0)
					return status;
			}
		}
	enum snap_status status = snap_vector_reserve(&m->scratch, m->rows.count, NULL, err);
	if (status < 0)
		return status;
	struct snap_keyed *rows = snap_sort(m->rows.at, m->scratch.at, m->rows.count);
	for (size_t r = 0; r < m->rows.count; r++) {
		uint32_t site;
		const struct side *side = side_of_row(m, rows[r].row, &site);
		rows[r].key = snap_snapshot_domain(side->s, site);
	}
	*sorted = snap_sort(rows, rows == m->rows.at ? m->scratch.at : m->rows.at, m->rows.count);
	return SNAP_OK;
}

/* The sites of a stack that has several origins: they may be on one side, and equal. */
static enum snap_status combine_rows(struct combining *m, uint32_t stack, uint32_t origin,
				     struct snap_error *err)
{
	struct snap_keyed *rows;
	enum snap_status status = list_rows(m, origin, &rows, err);
	for (size_t r = 0, end; status == SNAP_OK && r < m->rows.count; r = end) {
		uint32_t site, first[2] = {SNAP_NONE, SNAP_NONE};
		const struct side *side = side_of_row(m, rows[r].row, &site);
		uint64_t domain = rows[r].key;
		int64_t size = snap_numbers_get(&side->s->site_size, site);
		for (end = r; end < m->rows.count; end++) {
			side = side_of_row(m, rows[end].row, &site);
			if (rows[end].key != domain || snap_numbers_get(&side->s->site_size, site) != size)
				break;
			if (first[side - m->side] == SNAP_NONE)
				first[side - m->side] = site;
		}
		status = add_site(m, stack, (uint32_t)domain, size, first[0], first[1], err);
		for (size_t k = r; k < end && status == SNAP_OK; k++) {
			side = side_of_row(m, rows[k].row, &site);
			if (site != first[side - m->side])
				status = add_again(m, side, site, err);
		}
	}
	return status;
}

static enum snap_status find_sites(struct side *side, struct snap_error *err)
{
	const uint32_t *stack = side->s->site_stack.at;
	uint32_t stacks = (uint32_t)side->s->stack_node.count, sites = (uint32_t)side->s->site_stack.count;
	side->begin = snap_array_new(2 * (size_t)stacks, sizeof *side->begin);
	if (side->begin == NULL)
		return out_of_memory(err);
	memset(side->begin, 0, 2 * (size_t)stacks * sizeof *side->begin);
	side->end = side->begin + stacks;
	/* The sites of a stack stand together. */
	for (uint32_t i = 0, end; i < sites; i = end) {
		for (end = i + 1; end < sites && stack[end] == stack[i]; end++)
			;
		side->begin[stack[i]] = i;
		side->end[stack[i]] = end;
	}
	return SNAP_OK;
}

/* The stacks of the result by newest frame: the order of sites. */
static uint32_t *list_by_frame(const struct snap_snapshot *u)
{
	size_t frames = u->frame_file.count, stacks = u->stack_node.count;
	uint32_t *by_frame = snap_array_new(stacks, sizeof *by_frame);
	uint32_t *begin = calloc(frames + 1, sizeof *begin);
	if (by_frame == NULL || begin == NULL) {
		free(by_frame);
		free(begin);
		return NULL;
	}
	for (size_t i = 0; i < stacks; i++)
		begin[u->node_frame.at[u->stack_node.at[i]] + 1]++;
	for (size_t f = 0; f < frames; f++)
		begin[f + 1] += begin[f];
	for (uint32_t i = 0; i < stacks; i++)
		by_frame[begin[u->node_frame.at[u->stack_node.at[i]]]++] = i;
	free(begin);
	return by_frame;
}

static enum snap_status combine_all_sites(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	const struct snap_stack_origins *origins = &m->origins;
	uint32_t *by_frame = list_by_frame(u);
	enum snap_status status = by_frame == NULL ? out_of_memory(err) : SNAP_OK;
	for (size_t i = 0; i < u->stack_node.count && status == SNAP_OK; i++) {
		uint32_t stack = by_frame[i], origin = origins->first == NULL ? stack : origins->first[stack];
		if (origins->next == NULL || origins->next[origin] == SNAP_NONE)
			status = combine_sites(m, stack, origin, err);
		else
			status = combine_rows(m, stack, origin, err);
	}
	if (status == SNAP_OK)
		status = flush_waiting(m, err);
	u->site_size.count = u->site_stack.count;
	u->site_domain.count = m->domains ? u->site_stack.count : 0;
	free(by_frame);
	return status;
}

/* Columns. */

/* A column needs no memory where all it comes from have none and the prediction stays true of the sum. */
static bool is_computed(const struct combining *m, uint32_t column)
{
	const struct snap_column_info *info = &m->u->columns[column];
	bool computed = info->predictor != SNAP_PREDICT_NOTHING;
	for (unsigned n = 0; n < 2 && computed; n++) {
		const struct snap_snapshot *s = m->side[n].s;
		uint32_t from = m->side[n].from[column], base = m->side[n].from[info->from];
		computed = from == SNAP_NONE ? base == SNAP_NONE
					     : s->values[from].count == 0 &&
						       s->columns[from].predictor == info->predictor &&
						       s->columns[from].from == base;
	}
	return computed;
}

/* Room for all sites, of the width that they need. */
static enum snap_status make_room(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	const struct snap_snapshot *a = m->side[0].s, *b = m->side[1].s;
	size_t most = a->site_stack.count + b->site_stack.count;
	size_t least = a->site_stack.count > b->site_stack.count ? a->site_stack.count : b->site_stack.count;
	u->site_size.is_wide = a->site_size.is_wide || b->site_size.is_wide;
	for (uint32_t c = 0; c < u->column_count; c++) {
		m->computed[c] = is_computed(m, c);
		m->copied_from[c] = SNAP_NONE;
		for (unsigned n = 0; n < 2 && !m->computed[c]; n++) {
			const struct snap_snapshot *s = m->side[n].s;
			uint32_t from = m->side[n].from[c], other = m->side[1 - n].from[c];
			if (from != SNAP_NONE && other == SNAP_NONE &&
			    (from == 0 || s->values[from].count > 0)) {
				m->copied_from[c] = n;
				u->values[c].is_wide = s->values[from].is_wide;
			}
		}
	}
	m->domains = a->site_domain.count > 0 || b->site_domain.count > 0;
	enum snap_status status = snap_snapshot_reserve_sites(u, most, err);
	if (status == SNAP_OK && m->domains)
		status = snap_vector_reserve(&u->site_domain, most, &u->budget, err);
	for (uint32_t c = 0; c < u->column_count && status == SNAP_OK; c++)
		if (!m->computed[c])
			status = snap_numbers_reserve(&u->values[c], most, &u->budget, err);
	if (status < 0)
		return status;
	snap_vector_expect_writes(&u->site_stack, 0, least);
	snap_numbers_expect_writes(&u->site_size, 0, least);
	for (uint32_t c = 0; c < u->column_count; c++)
		if (!m->computed[c])
			snap_numbers_expect_writes(&u->values[c], 0, least);
	return status;
}

static bool has_dead_sites(const struct snap_snapshot *u)
{
	bool live = true;
	for (size_t i = 0; i < u->site_stack.count && live; i++) {
		live = false;
		for (uint32_t c = 0; c < u->column_count; c++)
			live |= snap_snapshot_value(u, c, i) != 0;
	}
	return !live;
}

/* Sums. Where a column has only one source, its values are the same ones; where all columns have and none
 * was left out, no site has lost all its values. */
static enum snap_status finish(struct combining *m, struct snap_error *err)
{
	struct snap_snapshot *u = m->u;
	size_t sources = 0;
	bool added = false;
	for (uint32_t c = 0; c < u->column_count; c++) {
		added |= m->side[0].from[c] != SNAP_NONE && m->side[1].from[c] != SNAP_NONE;
		for (unsigned n = 0; n < 2; n++)
			if (m->side[n].from[c] != SNAP_NONE) {
				u->totals[c] = m->side[n].s->totals[m->side[n].from[c]];
				sources++;
			}
	}
	if (added || sources < (size_t)m->side[0].s->column_count + m->side[1].s->column_count)
		m->untidy |= has_dead_sites(u);
	return added ? snap_snapshot_sum(u, err) : SNAP_OK;
}

static enum snap_status combine(struct combining *m, struct snap_error *err)
{
	const struct snap_snapshot *const in[2] = {m->side[0].s, m->side[1].s};
	enum snap_status status = snap_combine_tables(m->u, in, &m->origins, &m->untidy, err);
	for (unsigned n = 0; n < 2 && status == SNAP_OK; n++) {
		m->side[n].origin_of = m->origins.in[n];
		status = find_sites(&m->side[n], err);
	}
	if (status == SNAP_OK)
		status = make_room(m, err);
	if (status == SNAP_OK)
		status = combine_all_sites(m, err);
	return status < 0 ? status : finish(m, err);
}

enum snap_status snap_combine(struct snap_snapshot **out, const struct snap_combination *what,
			      struct snap_error *err)
{
	struct combining m = {.u = *out};
	for (unsigned n = 0; n < 2; n++) {
		m.side[n].s = what->in[n];
		m.side[n].from = what->from[n];
	}
	enum snap_status status = combine(&m, err);
	free(m.side[0].begin);
	free(m.side[1].begin);
	snap_vector_free(&m.rows, NULL);
	snap_vector_free(&m.scratch, NULL);
	snap_stack_origins_free(&m.origins);
	if (status < 0 || !m.untidy)
		return status;
	struct snap_snapshot *tidy;
	status = snap_snapshot_order(&tidy, m.u, err);
	if (status < 0)
		return status;
	snap_snapshot_free(*out);
	*out = tidy;
	return SNAP_OK;
}

enum snap_status snap_combine_start(struct snap_snapshot **out, const struct snap_combination *what,
				    struct snap_error *err)
{
	uint64_t a = what->in[0]->budget.limit, b = what->in[1]->budget.limit;
	struct snap_limits limits = {a > UINT64_MAX - b ? UINT64_MAX : a + b};
	return snap_snapshot_new(out, &limits, err);
}
