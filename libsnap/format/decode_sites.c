/* Decodes changed and new sites: sections 5.9 and 5.10 of the format. */
#include "format/decoder.h"

#include <stdlib.h>
#include <string.h>

void snap_decode_changed(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	d->changed.count = d->changes.count = 0;
	for (size_t row = 0; more_rows(c, row); row++) {
		uint32_t site = next_number(c, d->next_changed, d->first_site, "a site that is not there");
		d->next_changed = site + 1;
		PUSH(c, d, &d->changed, site);
	}
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->changes, d->changed.count * t->column_count, &d->t->budget, c->err);
	for (size_t i = 0; i < d->changed.count && c->status == SNAP_OK; i++)
		for (uint32_t k = 0; k < t->column_count; k++) {
			uint32_t site = d->changed.at[i];
			d->changes.at[d->changes.count++] =
				(int64_t)((uint64_t)snap_snapshot_value(t, k, site) -
			                  (uint64_t)snap_snapshot_predicted(t, k, site));
		}
}

void snap_decode_changes(struct snap_decoder *d, struct cursor *c)
{
	size_t columns = d->t->column_count, rows = 0;
	for (; more_rows(c, rows) && rows < d->changed.count; rows++) {
		int64_t *residual = &d->changes.at[rows * columns + c->section->index];
		*residual = (int64_t)((uint64_t)*residual + (uint64_t)get_int(c));
	}
	if (c->at != c->end || rows != d->changed.count)
		snap_damaged(c, "changes do not fit the sites");
}

void snap_finish_changes(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t columns = t->column_count;
	for (size_t i = 0; i < d->changed.count; i++) {
		uint32_t site = d->changed.at[i];
		int64_t before = 0, after = 0;
		for (uint32_t k = 0; k < columns; k++)
			before |= snap_snapshot_value(t, k, site);
		for (uint32_t k = 0; k < columns && c->status == SNAP_OK; k++) {
			int64_t value = (int64_t)((uint64_t)snap_snapshot_predicted(t, k, site) +
			                          (uint64_t)d->changes.at[i * columns + k]);
			c->status = snap_snapshot_set_value(t, k, site, value, c->err);
			after |= value;
		}
		d->live += (size_t)(after != 0) - (size_t)(before != 0);
	}
	d->changed.count = d->changes.count = 0;
}

void snap_decode_old_stacks(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->site_stacks.count == 0 ? 0
		                                           : (uint64_t)d->site_stacks.at[d->site_stacks.count - 1] + 1;
		uint32_t stack = next_number(c, least, d->first_stack, "a stack that is not there");
		PUSH(c, d, &d->site_stacks, stack);
	}
}

/* Appends the new stacks by the frame of their node: a counting sort, which keeps their order. */
static void list_new_stacks(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	const uint32_t *node = t->stack_node.at, *frame = t->node_frame.at;
	size_t stacks = t->stack_node.count, before = d->site_stacks.count, frames = t->frame_file.count;
	c->status = snap_vector_reserve(&d->site_stacks, before + stacks - d->first_stack, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	snap_vector_expect_writes(&d->site_stacks, before, before + stacks - d->first_stack);
	uint32_t *begin = calloc(frames + 1, sizeof *begin);
	if (begin == NULL) {
		c->status = snap_fail(c->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		return;
	}
	for (size_t i = d->first_stack; i < stacks; i++)
		begin[frame[node[i]] + 1]++;
	for (size_t i = 0; i < frames; i++)
		begin[i + 1] += begin[i];
	for (size_t i = d->first_stack; i < stacks; i++)
		d->site_stacks.at[before + begin[frame[node[i]]]++] = (uint32_t)i;
	d->site_stacks.count = before + stacks - d->first_stack;
	free(begin);
	d->site_stacks_known = true;
}

void snap_decode_frequent(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t token = snap_get_uint(c);
		bool again = row == SNAP_FREQUENT_MAX;
		for (size_t i = 0; i < row && !again; i++)
			again = d->frequent[i] == token;
		if (again) {
			snap_damaged(c, "too many tokens, or one twice");
			return;
		}
		d->frequent[row] = token;
		d->frequent_count = (uint32_t)row + 1;
	}
}

void snap_decode_sites(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	if (!d->site_stacks_known)
		list_new_stacks(d, c);
	size_t most = rows_at_most(c), begin = t->site_stack.count;
	if (c->status == SNAP_OK)
		c->status = snap_snapshot_reserve_sites(t, rows_to_expect(c, begin, t->site_stack.capacity), c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->is_explicit, most, &t->budget, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->sizes, most, &t->budget, c->err);
	d->rows_begin = begin;
	d->rows_explicit = 0;
	d->rows_open = true;
	if (c->status < 0)
		return;
	snap_vector_expect_writes(&t->site_stack, begin, begin + most);
	snap_numbers_expect_writes(&t->site_size, begin, begin + most);
	snap_numbers_expect_writes(&t->values[SNAP_COLUMN_BLOCKS], begin, begin + most);
	if (d->sizes.count < most) {
		snap_vector_expect_writes(&d->sizes, d->sizes.count, most);
		d->sizes.count = most;
	}
	size_t rows = 0, at = d->site_stack_at, stacks = d->site_stacks.count, explicit = 0;
	const uint32_t *site_stacks = d->site_stacks.at;
	uint32_t *stack = t->site_stack.at + begin;
	int64_t *sizes = d->sizes.at;
	uint8_t *is_explicit = d->is_explicit.at;
	const uint8_t *in = c->at, *end = c->end;
	/* Nearly all codes are of one byte: their tokens. */
	enum { SHORT_CODES = 128 };
	uint64_t frequent = d->frequent_count, short_token[SHORT_CODES];
	for (uint64_t code = 0; code < SHORT_CODES; code++)
		short_token[code] = code < frequent ? d->frequent[code] : code - frequent;
	for (; in < end; rows++) {
		uint64_t token;
		if (at == stacks) {
			snap_damaged(c, "a site without a stack");
			break;
		}
		if (rows == most) {
			snap_bad_number(c);
			break;
		}
		if (*in < SHORT_CODES) {
			token = short_token[*in++];
		} else {
			struct uint_at next = uint_at(in, end);
			if (next.at == NULL) {
				snap_bad_number(c);
				break;
			}
			in = next.at;
			token = next.value - frequent; /* which there are at most 128 of */
		}
		stack[rows] = site_stacks[at];
		sizes[rows] = (int64_t)(token >> 2);
		is_explicit[rows] = token >> 1 & 1;
		explicit += token >> 1 & 1;
		at += token & 1;
	}
	c->at = in;
	d->site_stack_at = at;
	d->rows_explicit = explicit;
	if (c->status < 0)
		return;
	t->site_stack.count = begin + rows;
	if (t->site_domain.count > 0)
		c->status = snap_snapshot_store_domains(t, c->err);
}

void snap_decode_domains(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t at = d->rows_begin;
	c->status = snap_snapshot_store_domains(t, c->err);
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t run = snap_get_uint(c), domain = snap_get_uint(c);
		if (run == 0 || run > t->site_stack.count - at || domain > UINT32_MAX ||
		    (row > 0 && domain == t->site_domain.at[at - 1])) {
			snap_damaged(c, "domains do not fit the sites");
			return;
		}
		for (; run > 0; run--)
			t->site_domain.at[at++] = (uint32_t)domain;
	}
	if (at != t->site_stack.count)
		snap_damaged(c, "domains do not fit the sites");
}

void snap_decode_values(struct snap_decoder *d, struct cursor *c)
{
	struct snap_i64s *residuals = &d->residuals[c->section->index];
	c->status = snap_vector_reserve(residuals, d->rows_explicit + 1, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	const uint8_t *at = c->at, *end = c->end;
	int64_t *out = residuals->at;
	size_t rows = 0, count = d->rows_explicit;
	for (; rows < count && at < end; rows++) {
		struct uint_at next = uint_at(at, end);
		if (next.at == NULL) {
			snap_bad_number(c);
			return;
		}
		at = next.at;
		out[rows] = (int64_t)(next.value >> 1 ^ (0 - (next.value & 1)));
	}
	c->at = at;
	if (at != end || rows != count)
		snap_damaged(c, "values do not fit the sites");
	residuals->count = rows;
	residuals->at[rows] = 0; /* read, not used, by fill_values */
}

/* Sizes of rows [begin, end): they need the domains, which come after them. */
static void fill_sizes(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	struct snap_snapshot *t = d->t;
	const uint32_t *stack = t->site_stack.at;
	int64_t *sizes = d->sizes.at, before = 0;
	if (begin > d->first_site)
		before = snap_numbers_get(&t->site_size, begin - 1);
	bool ascends = true, domains = t->site_domain.count > 0;
	uint64_t high = 0;
	uint32_t last_stack = begin > d->first_site ? stack[begin - 1] : SNAP_NONE;
	uint32_t last_domain = begin > d->first_site ? snap_snapshot_domain(t, begin - 1) : 0;
	for (size_t i = 0; i < end - begin; i++) {
		uint32_t this_stack = stack[begin + i], this_domain = domains ? t->site_domain.at[begin + i] : 0;
		int64_t size = sizes[i];
		if (this_stack == last_stack) {
			bool same = this_domain == last_domain;
			ascends &= same ? size > 0 : this_domain > last_domain;
			size += same ? before : 0;
		}
		last_stack = this_stack;
		last_domain = this_domain;
		/* What is told has 62 bits and what went before 61: no overflow. */
		before = size & (int64_t)SNAP_BLOCK_SIZE_MAX;
		high |= (uint64_t)size;
		sizes[i] = size;
	}
	bool in_range = high <= SNAP_BLOCK_SIZE_MAX;
	if (!ascends)
		snap_damaged(c, "sites do not ascend");
	else if (!in_range)
		snap_damaged(c, "a block size out of range");
	else
		c->status = snap_numbers_append(&t->site_size, sizes, end - begin, &t->budget, c->err);
}

/* A column that is told for the first time gets memory; up to here all was as predicted. */
static void store_told_columns(struct snap_decoder *d, struct cursor *c, size_t begin)
{
	struct snap_snapshot *t = d->t;
	size_t all = t->site_stack.count;
	t->site_stack.count = begin;
	for (uint32_t k = 1; k < t->column_count && c->status == SNAP_OK; k++) {
		d->stored[k] = t->values[k].count > 0 || d->residuals[k].count > 0;
		if (d->stored[k] && t->values[k].count == 0)
			c->status = snap_snapshot_store_column(t, k, c->err);
	}
	d->stored[SNAP_COLUMN_BLOCKS] = true;
	t->site_stack.count = all;
}

/* What adding up a column needs; see fill_rows. */
struct sum {
	uint64_t sum, bits; /* the sum, and the bits that are set in any value */
};

static struct sum add_up(const int64_t *values, size_t count)
{
	struct sum s = {0, 0};
	for (size_t i = 0; i < count; i++) {
		s.sum += (uint64_t)values[i];
		s.bits |= (uint64_t)values[i];
	}
	return s;
}

/* The values of one column in a chunk of rows, from what it is predicted from and from its residuals, of
 * which *residual is the next. */
static void fill_values(const struct snap_decoder *d, uint32_t column, const int64_t *sizes, const uint8_t *is_explicit,
                        size_t count, const int64_t **residual, int64_t (*chunks)[SNAP_VALUES_CHUNK])
{
	const struct snap_column_info *info = &d->t->columns[column];
	int64_t *values = chunks[column];
	const int64_t *from = chunks[info->from];
	if (info->predictor == SNAP_PREDICT_SIZE_TIMES)
		for (size_t i = 0; i < count; i++)
			values[i] = (int64_t)((uint64_t)sizes[i] * (uint64_t)from[i]);
	else if (info->predictor == SNAP_PREDICT_SAME)
		memcpy(values, from, count * sizeof *values);
	else if (column == SNAP_COLUMN_BLOCKS)
		for (size_t i = 0; i < count; i++)
			values[i] = !is_explicit[i];
	else
		memset(values, 0, count * sizeof *values);
	if (d->residuals[column].count == 0)
		return;
	/* Without a branch, which no processor could foresee; reads one residual beyond the last. */
	const int64_t *next = *residual;
	for (size_t i = 0; i < count; i++) {
		uint64_t mask = 0 - (uint64_t)is_explicit[i];
		values[i] = (int64_t)((uint64_t)values[i] + ((uint64_t)*next & mask));
		next += is_explicit[i];
	}
	*residual = next;
}

/* Values of rows [begin, end), with the count of live sites and, where no later member can change them,
 * the totals. */
static void fill_rows(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	struct snap_snapshot *t = d->t;
	const int64_t *residual[SNAP_COLUMNS_MAX];
	int64_t chunks[SNAP_COLUMNS_MAX][SNAP_VALUES_CHUNK];
	bool overflow = false;
	for (uint32_t k = 0; k < t->column_count; k++)
		residual[k] = d->residuals[k].at;
	for (size_t at = begin; at < end && c->status == SNAP_OK; at += SNAP_VALUES_CHUNK) {
		size_t count = end - at < SNAP_VALUES_CHUNK ? end - at : SNAP_VALUES_CHUNK;
		int64_t *any = chunks[SNAP_COLUMN_BLOCKS], several[SNAP_VALUES_CHUNK];
		for (uint32_t k = 0; k < t->column_count && c->status == SNAP_OK; k++) {
			const int64_t *values = chunks[k];
			fill_values(d, k, d->sizes.at + (at - begin), d->is_explicit.at + (at - begin), count, &residual[k],
			            chunks);
			struct sum s = add_up(values, count);
			/* A thousand values below 2^46 cannot overflow 63 bits; what could is added with care at
			 * END, and so is what has signs. */
			d->largest_sum[k] += (s.bits + 1) * count;
			d->careful = d->careful || s.bits >> 46 != 0 || d->largest_sum[k] >> 62 != 0;
			overflow |= !d->continues && __builtin_add_overflow(t->totals[k], (int64_t)s.sum, &t->totals[k]);
			/* What is not stored is zero where that is which it is predicted from. */
			if (!d->stored[k])
				continue;
			if (k != SNAP_COLUMN_BLOCKS) {
				for (size_t i = 0; i < count; i++)
					several[i] = any[i] | values[i];
				any = several;
			}
			c->status = snap_numbers_append(&t->values[k], values, count, &t->budget, c->err);
		}
		for (size_t i = 0; i < count; i++)
			d->live += any[i] != 0;
	}
	if (overflow && c->status == SNAP_OK)
		snap_damaged(c, "the sum of a column does not fit in 63 bits");
}

/* Sizes and values of the SITT that was open, now that all its columns are there. */
void snap_finish_rows(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t begin = d->rows_begin, end = t->site_stack.count;
	if (!d->rows_open)
		return;
	d->rows_open = false;
	fill_sizes(d, c, begin, end);
	if (c->status == SNAP_OK)
		store_told_columns(d, c, begin);
	if (c->status == SNAP_OK)
		fill_rows(d, c, begin, end);
	for (uint32_t k = 0; k < t->column_count; k++)
		d->residuals[k].count = 0;
	if (c->status == SNAP_OK)
		d->whole_sites = end;
}

void snap_finish_sites(struct snap_decoder *d, struct cursor *c)
{
	snap_finish_rows(d, c);
	if (c->status == SNAP_OK && !d->site_stacks_known)
		list_new_stacks(d, c);
	if (c->status == SNAP_OK && d->site_stack_at != d->site_stacks.count)
		snap_damaged(c, "a stack without sites");
}
