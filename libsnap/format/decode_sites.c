/* Decodes changed and new sites: sections 5.9 and 5.10 of the format. */
#include "format/decoder.h"

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
	snap_decoder_open_uses(d, c);
	if (c->status < 0)
		return;
	/* NODE has counted its own. */
	uint64_t *uses = d->uses.at;
	for (size_t i = d->first_stack; i < d->first_stack + d->promoted.count; i++)
		uses[frame[node[i]]] += USE_STACK;
	for (size_t i = stacks - d->extra.count / 3; i < stacks; i++)
		uses[frame[node[i]]] += USE_STACK;
	/* From counts to places. */
	uint64_t begin = before;
	for (size_t i = 0; i < frames; i++) {
		uint64_t count = uses[i] % USE_NODE / USE_STACK;
		uses[i] = uses[i] / USE_NODE * USE_NODE + begin;
		begin += count;
	}
	for (size_t i = d->first_stack; i < stacks; i++)
		d->site_stacks.at[uses[frame[node[i]]]++ % USE_NODE] = (uint32_t)i;
	d->site_stacks.count = before + stacks - d->first_stack;
	d->site_stacks_known = true;
}

void snap_decode_frequent(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t token = get_uint(c);
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

/* What a row of SITT tells. */
struct site_told {
	uint64_t difference;  /* of its size to `before`, */
	uint64_t kept;        /* a mask: all ones if the next row is of the same stack, else nothing, */
	uint64_t is_explicit; /* and 1 if its values are told */
};

static inline struct site_told site_told_by(uint64_t token)
{
	return (struct site_told){token >> 2, (token & 1) - 1, token >> 1 & 1};
}

enum { SHORT_CODES = 128 };

/* The way through a SITT. */
struct site_run {
	const uint8_t *in, *end;
	size_t rows, most;            /* read, and what a section has at most */
	size_t stack_at;              /* the place in site_stacks */
	uint64_t before;              /* the size in the row before, or 0 where a stack begins */
	uint64_t bits;                /* those set in any size */
	uint16_t *explicit_row;
	uint64_t frequent;
	struct site_told told[SHORT_CODES]; /* by code: nearly all are of one byte */
};

/* What is told by a code of several bytes, and where the next is; NULL where the number is none. */
static __attribute__((noinline)) const uint8_t *long_code(const struct site_run *r, const uint8_t *in,
                                                          struct site_told *told)
{
	struct uint_at next = uint_at(in, r->end);
	*told = site_told_by(next.value - r->frequent); /* which there are at most 128 of */
	return next.at;
}

/* Reads on as far as is known to stay within bytes, rows and stacks: a row takes a byte at least, and a stack at
 * most. Sizes go to `wide`, or to `narrow` where that is NULL. False at a number that is none. */
static inline __attribute__((always_inline)) bool run_on(struct site_run *r, const uint32_t *site_stacks,
                                                         size_t stacks, uint32_t *stack, int32_t *narrow,
                                                         int64_t *wide)
{
	const uint8_t *in = r->in;
	uint16_t *explicit_row = r->explicit_row;
	uint64_t before = r->before, bits = r->bits;
	size_t row = r->rows, at = r->stack_at, most = r->most - row;
	if (most > stacks - at)
		most = stacks - at;
	if (most > (size_t)(r->end - in))
		most = (size_t)(r->end - in);
	for (size_t end = row + most; row < end; row++) {
		struct site_told long_told;
		const struct site_told *told = &r->told[*in & (SHORT_CODES - 1)];
		if (*in++ >= SHORT_CODES) {
			in = long_code(r, in - 1, &long_told);
			if (in == NULL)
				return false;
			told = &long_told;
			if (end - row - 1 > (size_t)(r->end - in))
				end = row + 1 + (size_t)(r->end - in);
		}
		uint64_t size = before + told->difference;
		bits |= size;
		if (wide != NULL)
			wide[row] = (int64_t)size;
		else
			narrow[row] = (int32_t)size;
		stack[row] = site_stacks[at];
		*explicit_row = (uint16_t)row;
		explicit_row += told->is_explicit;
		at += 1 + told->kept;
		before = size & told->kept;
	}
	r->in = in;
	r->explicit_row = explicit_row;
	r->before = before;
	r->bits = bits;
	r->rows = row;
	r->stack_at = at;
	return true;
}

/* Reads a whole SITT, whose first row is `begin` of the table. */
static void run_through(struct snap_decoder *d, struct cursor *c, struct site_run *r, size_t begin)
{
	const struct snap_numbers *sizes = &d->t->site_size;
	const uint32_t *stacks = d->site_stacks.at;
	size_t count = d->site_stacks.count;
	uint32_t *stack = d->t->site_stack.at + begin;
	while (r->in < r->end && c->status == SNAP_OK) {
		bool good = r->rows < r->most;
		if (r->stack_at == count)
			snap_damaged(c, "a site without a stack");
		else if (good && sizes->is_wide)
			good = run_on(r, stacks, count, stack, NULL, sizes->wide + begin);
		else if (good)
			good = run_on(r, stacks, count, stack, sizes->narrow + begin, NULL);
		if (!good)
			snap_bad_number(c);
	}
}

/* The sum of sizes of rows [begin, end), and whether two that follow each other are the same within a stack; from
 * `wide`, or from `narrow` where that is NULL. */
static inline __attribute__((always_inline)) void look_at_sizes(struct snap_decoder *d, size_t begin, size_t end,
                                                                const int32_t *narrow, const int64_t *wide)
{
	const uint32_t *stack = d->t->site_stack.at;
	uint64_t sum = 0;
	int repeated = 0;
	size_t i = begin;
	if (i == d->first_site && i < end) {
		sum = wide != NULL ? (uint64_t)wide[i] : (uint32_t)narrow[i];
		i++;
	}
	for (; i < end; i++) {
		sum += wide != NULL ? (uint64_t)wide[i] : (uint32_t)narrow[i];
		repeated |= (stack[i] == stack[i - 1]) &
		            (wide != NULL ? wide[i] == wide[i - 1] : narrow[i] == narrow[i - 1]);
	}
	d->sizes.sum = sum;
	d->size_repeated = repeated != 0;
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
		c->status = snap_vector_reserve(&d->explicit_rows, most, &t->budget, c->err);
	d->rows_begin = begin;
	d->rows_open = true;
	if (c->status < 0)
		return;
	snap_vector_expect_writes(&t->site_stack, begin, begin + most);
	snap_numbers_expect_writes(&t->site_size, begin, begin + most);
	snap_numbers_expect_writes(&t->values[SNAP_COLUMN_BLOCKS], begin, begin + most);
	struct site_run start = {.in = c->at, .end = c->end, .most = most, .stack_at = d->site_stack_at,
	                         .explicit_row = d->explicit_rows.at, .frequent = d->frequent_count};
	for (uint64_t code = 0; code < SHORT_CODES; code++)
		start.told[code] = site_told_by(code < start.frequent ? d->frequent[code] : code - start.frequent);
	/* Sizes are told as differences within a stack. */
	if (begin > d->first_site && start.stack_at < d->site_stacks.count &&
	    t->site_stack.at[begin - 1] == d->site_stacks.at[start.stack_at])
		start.before = (uint64_t)snap_numbers_get(&t->site_size, begin - 1);
	struct site_run run = start;
	run_through(d, c, &run, begin);
	/* Hardly ever is a block so large: once more, with eight bytes for each size. */
	if (c->status == SNAP_OK && !t->site_size.is_wide && run.bits > INT32_MAX) {
		c->status = snap_numbers_widen(&t->site_size, &t->budget, c->err);
		run = start;
		run_through(d, c, &run, begin);
	}
	c->at = run.in;
	d->site_stack_at = run.stack_at;
	d->rows_explicit = (size_t)(run.explicit_row - d->explicit_rows.at);
	if (c->status < 0)
		return;
	t->site_stack.count = t->site_size.count = begin + run.rows;
	d->sizes.bits = run.bits;
	if (t->site_size.is_wide)
		look_at_sizes(d, begin, begin + run.rows, NULL, t->site_size.wide);
	else
		look_at_sizes(d, begin, begin + run.rows, t->site_size.narrow, NULL);
	if (t->site_domain.count > 0)
		c->status = snap_snapshot_store_domains(t, c->err);
}

void snap_decode_domains(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t at = d->rows_begin;
	c->status = snap_snapshot_store_domains(t, c->err);
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t run = get_uint(c), domain = get_uint(c);
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
	c->status = snap_vector_reserve(residuals, d->rows_explicit, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	const uint8_t *at = c->at, *end = c->end;
	int64_t *out = residuals->at;
	uint64_t bits = 0;
	size_t rows = 0, count = d->rows_explicit;
	for (; rows < count && at < end; rows++) {
		struct uint_at next = uint_at(at, end);
		if (next.at == NULL) {
			snap_bad_number(c);
			return;
		}
		at = next.at;
		bits |= next.value;
		out[rows] = (int64_t)(next.value >> 1 ^ (0 - (next.value & 1)));
	}
	c->at = at;
	d->residuals_are_wide |= bits > UINT32_MAX;
	if (at != end || rows != count)
		snap_damaged(c, "values do not fit the sites");
	residuals->count = rows;
}

static inline void add(struct sum *s, uint64_t value)
{
	s->sum += value;
	s->bits |= value;
}

/* Sizes of rows [begin, end), which SITT told as if all domains were the same: they are differences within a
 * stack and a domain. */
static void begin_sizes_at_domains(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	struct snap_snapshot *t = d->t;
	const uint32_t *stack = t->site_stack.at, *domain = t->site_domain.at;
	uint64_t size = begin > d->first_site ? (uint64_t)snap_numbers_get(&t->site_size, begin - 1) : 0;
	uint64_t told_before = size;
	d->size_repeated = false;
	d->sizes = (struct sum){0, 0};
	for (size_t i = begin; i < end && c->status == SNAP_OK; i++) {
		bool same_stack = i > d->first_site && stack[i] == stack[i - 1];
		bool same = same_stack && domain[i] == domain[i - 1];
		uint64_t told = (uint64_t)snap_numbers_get(&t->site_size, i);
		uint64_t difference = told - (same_stack ? told_before : 0);
		d->size_repeated |= same_stack && (same ? difference == 0 : domain[i] < domain[i - 1]);
		size = difference + (same ? size : 0);
		add(&d->sizes, size);
		told_before = told;
		c->status = snap_numbers_set(&t->site_size, i, (int64_t)size, &t->budget, c->err);
	}
}

static void finish_sizes(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	if (d->t->site_domain.count > 0)
		begin_sizes_at_domains(d, c, begin, end);
	/* What is told has 62 bits and a size 61: the first that is too large did not overflow. */
	if (d->size_repeated)
		snap_damaged(c, "sites do not ascend");
	else if (d->sizes.bits > SNAP_BLOCK_SIZE_MAX)
		snap_damaged(c, "a block size out of range");
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

/* Where a row is not explicit, its values are powers of its size: blocks are 1, bytes the size; or nothing. */
enum { NO_POWER = SNAP_COLUMNS_MAX };

static uint32_t power_of_size(const struct snap_snapshot *t, uint32_t column)
{
	const struct snap_column_info *info = &t->columns[column];
	if (info->predictor == SNAP_PREDICT_NOTHING)
		return column == SNAP_COLUMN_BLOCKS ? 0 : NO_POWER;
	uint32_t power = power_of_size(t, info->from);
	return power != NO_POWER && info->predictor == SNAP_PREDICT_SIZE_TIMES ? power + 1 : power;
}

static inline uint64_t to_power(int64_t size, uint32_t power)
{
	uint64_t value = 1;
	for (uint32_t i = 0; i < power; i++)
		value *= (uint64_t)size;
	return value;
}

/* The values of a column in rows [begin, end) as if none were explicit: adds them up, and appends them where
 * the column is stored. */
static void fill_column(struct snap_decoder *d, struct cursor *c, uint32_t column, size_t begin, size_t end,
                        struct sum *s)
{
	struct snap_snapshot *t = d->t;
	uint32_t power = power_of_size(t, column);
	if (power == 0 || power == NO_POWER) {
		*s = (struct sum){power == 0 ? end - begin : 0, power == 0};
		if (d->stored[column])
			c->status = snap_numbers_repeat(&t->values[column], power == 0, end - begin, &t->budget, c->err);
		return;
	}
	if (power == 1 && !d->stored[column]) {
		*s = d->sizes;
		return;
	}
	for (size_t at = begin; at < end && c->status == SNAP_OK; at += SNAP_VALUES_CHUNK) {
		size_t count = end - at < SNAP_VALUES_CHUNK ? end - at : SNAP_VALUES_CHUNK;
		int64_t values[SNAP_VALUES_CHUNK];
		snap_numbers_read(&t->site_size, at, count, values);
		for (size_t i = 0; i < count; i++) {
			values[i] = (int64_t)to_power(values[i], power);
			add(s, (uint64_t)values[i]);
		}
		if (d->stored[column])
			c->status = snap_numbers_append(&t->values[column], values, count, &t->budget, c->err);
	}
}

/* What a column is predicted to be in some rows, by their sizes and by columns before it. */
static void predict(const struct snap_column_info *info, const int64_t *sizes, size_t count,
                    int64_t (*columns)[SNAP_VALUES_CHUNK], int64_t *values)
{
	const int64_t *from = columns[info->from];
	if (info->predictor == SNAP_PREDICT_NOTHING)
		memset(values, 0, count * sizeof *values);
	else if (info->predictor == SNAP_PREDICT_SAME)
		memcpy(values, from, count * sizeof *values);
	else
		for (size_t i = 0; i < count; i++)
			values[i] = (int64_t)((uint64_t)from[i] * (uint64_t)sizes[i]);
}

static uint64_t sum_of_powers(const int64_t *sizes, size_t count, uint32_t power)
{
	uint64_t sum = power == 0 ? count : 0;
	for (size_t i = 0; i < count && power == 1; i++)
		sum += (uint64_t)sizes[i];
	for (size_t i = 0; i < count && power > 1 && power != NO_POWER; i++)
		sum += to_power(sizes[i], power);
	return sum;
}

/* Sets the values of some explicit rows, from place `first` in explicit_rows on. */
static void set_explicit(struct snap_decoder *d, struct cursor *c, size_t first, size_t count,
                         struct sum sums[SNAP_COLUMNS_MAX])
{
	struct snap_snapshot *t = d->t;
	const uint16_t *rows = d->explicit_rows.at + first;
	int64_t sizes[SNAP_VALUES_CHUNK], columns[SNAP_COLUMNS_MAX][SNAP_VALUES_CHUNK], any[SNAP_VALUES_CHUNK];
	snap_numbers_read_rows(&t->site_size, d->rows_begin, rows, count, sizes);
	memset(any, 0, count * sizeof *any);
	for (uint32_t k = 0; k < t->column_count && c->status == SNAP_OK; k++) {
		int64_t *values = columns[k];
		predict(&t->columns[k], sizes, count, columns, values);
		if (d->residuals[k].count > 0) {
			const int64_t *residuals = d->residuals[k].at + first;
			for (size_t i = 0; i < count; i++) {
				values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)residuals[i]);
				any[i] |= values[i]; /* what is as predicted is not 0 alone */
			}
		}
		uint64_t sum = 0, bits = 0;
		for (size_t i = 0; i < count; i++) {
			sum += (uint64_t)values[i];
			bits |= (uint64_t)values[i];
		}
		/* Less what fill_column added. */
		sums[k].sum += sum - sum_of_powers(sizes, count, power_of_size(t, k));
		sums[k].bits |= bits;
		if (d->stored[k])
			c->status = snap_numbers_set_rows(&t->values[k], d->rows_begin, rows, count, values, &t->budget, c->err);
	}
	size_t dead = 0;
	for (size_t i = 0; i < count; i++)
		dead += any[i] == 0;
	d->live -= dead;
}

/* Whether the number of blocks is all that explicit rows tell, and no number has more than 32 bits. */
static bool tells_blocks_alone(const struct snap_decoder *d)
{
	const struct snap_snapshot *t = d->t;
	bool alone = !t->site_size.is_wide && !t->values[SNAP_COLUMN_BLOCKS].is_wide && !d->residuals_are_wide &&
	             d->residuals[SNAP_COLUMN_BLOCKS].count == d->rows_explicit;
	for (uint32_t k = 1; k < t->column_count; k++)
		alone = alone && !d->stored[k] && (power_of_size(t, k) <= 1 || power_of_size(t, k) == NO_POWER);
	return alone;
}

/* What set_explicit does, for all rows of a SITT like those of nearly every snapshot. */
static void set_blocks(struct snap_decoder *d, struct sum sums[SNAP_COLUMNS_MAX])
{
	const struct snap_snapshot *t = d->t;
	const int64_t *blocks = d->residuals[SNAP_COLUMN_BLOCKS].at;
	const int32_t *sizes = t->site_size.narrow + d->rows_begin;
	int32_t *values = t->values[SNAP_COLUMN_BLOCKS].narrow + d->rows_begin;
	struct sum by_power[2] = {{0, 0}, {0, 0}};
	size_t dead = 0;
	for (size_t i = 0; i < d->rows_explicit; i++) {
		size_t row = d->explicit_rows.at[i];
		uint64_t size = (uint32_t)sizes[row], count = (uint64_t)blocks[i], bytes = size * count;
		values[row] = (int32_t)count;
		by_power[0].sum += count - 1;
		by_power[0].bits |= count;
		by_power[1].sum += bytes - size;
		by_power[1].bits |= bytes;
		dead += count == 0;
	}
	for (uint32_t k = 0; k < t->column_count; k++) {
		uint32_t power = power_of_size(t, k);
		if (power == NO_POWER)
			continue;
		sums[k].sum += by_power[power].sum;
		sums[k].bits |= by_power[power].bits;
	}
	d->live -= dead;
}

/* Values of rows [begin, end), with the count of live sites and, where no later member can change them,
 * the totals. */
static void fill_rows(struct snap_decoder *d, struct cursor *c, size_t begin, size_t end)
{
	struct snap_snapshot *t = d->t;
	struct sum sums[SNAP_COLUMNS_MAX] = {{0, 0}};
	for (uint32_t k = 0; k < t->column_count && c->status == SNAP_OK; k++)
		fill_column(d, c, k, begin, end, &sums[k]);
	d->live += end - begin;
	bool blocks_alone = tells_blocks_alone(d);
	if (blocks_alone && c->status == SNAP_OK)
		set_blocks(d, sums);
	for (size_t at = 0; at < d->rows_explicit && !blocks_alone && c->status == SNAP_OK; at += SNAP_VALUES_CHUNK) {
		size_t left = d->rows_explicit - at;
		set_explicit(d, c, at, left < SNAP_VALUES_CHUNK ? left : SNAP_VALUES_CHUNK, sums);
	}
	for (uint32_t k = 0; k < t->column_count && !d->continues; k++) {
		/* As many values as a section has, below 2^46, cannot overflow 63 bits; what could is added with
		 * care at END, and so is what has signs. */
		d->largest_sum[k] += (sums[k].bits + 1) * (end - begin);
		d->careful = d->careful || sums[k].bits >> 46 != 0 || d->largest_sum[k] >> 62 != 0;
		t->totals[k] = (int64_t)((uint64_t)t->totals[k] + sums[k].sum);
	}
}

/* Sizes and values of the SITT that was open, now that all its columns are there. */
void snap_finish_rows(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t begin = d->rows_begin, end = t->site_stack.count;
	if (!d->rows_open)
		return;
	d->rows_open = false;
	finish_sizes(d, c, begin, end);
	if (c->status == SNAP_OK)
		store_told_columns(d, c, begin);
	if (c->status == SNAP_OK)
		fill_rows(d, c, begin, end);
	for (uint32_t k = 0; k < t->column_count; k++)
		d->residuals[k].count = 0;
	d->residuals_are_wide = false;
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
