/* Estimates from samples; see snap/estimate.h. */
#include "ops/estimate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static const char *const variance_names[] = {"blocks_variance", "bytes_variance", "old_blocks_variance",
					     "old_bytes_variance"};

/* Metadata. */

static const char *get(const struct snap_meta *meta, const char *prefix, const char *key)
{
	char prefixed[64];
	snprintf(prefixed, sizeof prefixed, "%s%s", prefix, key);
	return snap_meta_get(meta, prefixed);
}

static bool is_switched_on(const char *value)
{
	static const char *const off[] = {"", "0", "no", "false"};
	for (size_t i = 0; value != NULL && i < sizeof off / sizeof *off; i++)
		if (strcmp(value, off[i]) == 0)
			return false;
	return value != NULL;
}

static bool parse_period(const char *text, uint64_t *period)
{
	*period = 0;
	for (const char *c = text; *c >= '0' && *c <= '9'; c++)
		if (__builtin_mul_overflow(*period, 10, period) ||
		    __builtin_add_overflow(*period, (uint64_t)(*c - '0'), period))
			return false;
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0' && *period <= INT64_MAX;
}

enum snap_status snap_sampling_get(struct snap_sampling *out, const struct snap_snapshot *s, bool older,
				   struct snap_error *err)
{
	const char *prefix = older ? SNAP_META_OLD : "";
	const char *period = get(s->meta, prefix, "sample_period_bytes");
	*out = (struct snap_sampling){.kind = SNAP_EXACT};
	bool known = period == NULL || parse_period(period, &out->period);
	if (!known)
		out->period = 0;
	if (is_switched_on(get(s->meta, prefix, "estimated")))
		out->kind = SNAP_ESTIMATED;
	else if (!known)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "%ssample_period_bytes is no number of bytes, so it is not known what the "
				 "samples stand for",
				 prefix);
	else if (out->period > 0)
		out->kind = SNAP_SAMPLED;
	return SNAP_OK;
}

enum snap_status snap_sampling_sides_get(struct snap_sampling_sides *out, const struct snap_snapshot *s,
					 struct snap_error *err)
{
	out->older = (struct snap_sampling){.kind = SNAP_EXACT};
	enum snap_status status = snap_sampling_get(&out->newer, s, false, err);
	if (status == SNAP_OK && snap_snapshot_is_diff(s))
		status = snap_sampling_get(&out->older, s, true, err);
	return status;
}

bool snap_sampling_agrees(struct snap_sampling a, struct snap_sampling b)
{
	return a.kind == b.kind && (a.kind != SNAP_SAMPLED || a.period == b.period);
}

/* Columns. */

bool snap_estimate_has_errors(const struct snap_snapshot *s)
{
	uint32_t first = snap_variances_begin(snap_snapshot_is_diff(s));
	if (s->column_count < 2 * first)
		return false;
	for (uint32_t i = 0; i < first; i++)
		if (strcmp(s->columns[first + i].name, variance_names[i]) != 0)
			return false;
	return true;
}

static enum snap_status check_room(const struct snap_snapshot *s, struct snap_error *err)
{
	uint32_t first = snap_variances_begin(snap_snapshot_is_diff(s));
	if (s->column_count + first > SNAP_COLUMNS_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
				 "there are %" PRIu32 " columns, which leaves no room for %" PRIu32 " of variances",
				 s->column_count, first);
	for (uint32_t c = 0; c < s->column_count; c++)
		for (uint32_t i = 0; i < first; i++)
			if (strcmp(s->columns[c].name, variance_names[i]) == 0)
				return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
						 "there is a column %s already, and not all values are estimates",
						 variance_names[i]);
	return SNAP_OK;
}

enum snap_status snap_variances_insert(struct snap_snapshot *s, struct snap_error *err)
{
	uint32_t first = snap_variances_begin(snap_snapshot_is_diff(s)), behind = s->column_count - first;
	enum snap_status status = check_room(s, err);
	if (status < 0)
		return status;
	memmove(&s->columns[2 * first], &s->columns[first], behind * sizeof *s->columns);
	memmove(&s->values[2 * first], &s->values[first], behind * sizeof *s->values);
	memmove(&s->totals[2 * first], &s->totals[first], behind * sizeof *s->totals);
	s->column_count += first;
	for (uint32_t c = 2 * first; c < s->column_count; c++)
		if (s->columns[c].from >= first)
			s->columns[c].from += first;
	for (uint32_t i = 0; i < first; i++) {
		struct snap_column_info *info = &s->columns[first + i];
		*info = (struct snap_column_info){.unit = SNAP_UNIT_OTHER};
		memcpy(info->name, variance_names[i], strlen(variance_names[i]) + 1);
		s->values[first + i] = (struct snap_numbers){.count = 0};
		s->totals[first + i] = 0;
	}
	return SNAP_OK;
}

/* Values. */

double snap_estimate_error(int64_t variance)
{
	return variance > 0 ? 1.959964 * sqrt((double)variance) : 0;
}

/* What one sampled block of some size stands for. */
struct weight {
	double of;       /* 1/p */
	double variance; /* (1-p)/p^2 */
};

static struct weight weigh(int64_t size, uint64_t period)
{
	if (period == 0)
		return (struct weight){1, 0};
	double x = (double)(size > 0 ? size : 1) / (double)period, p = -expm1(-x);
	return (struct weight){1 / p, exp(-x) / p / p};
}

/* Some sites of the snapshot. */
struct chunk {
	size_t begin, count;
	int64_t sizes[SNAP_VALUES_CHUNK];
	double dither[SNAP_VALUES_CHUNK]; /* from 0 to below 1, another for each site */
};

/* Rounds so that of many sites, which may all be a little above one block, the sum is right. False when it does
 * not fit. */
static bool round_off(double value, double dither, int64_t *whole)
{
	double rounded = floor(value + dither);
	bool fits = fabs(rounded) < 0x1p63;
	*whole = fits ? (int64_t)rounded : INT64_MAX;
	return fits;
}

/* A new column as it grows. */
struct estimate {
	struct snap_numbers values;
	int64_t total, magnitude;
	bool saturates;
};

/* False when it does not fit. */
static bool add_up(struct estimate *e, int64_t *value)
{
	int64_t room = INT64_MAX - e->magnitude;
	if (e->saturates && *value > room)
		*value = room;
	if (*value > room || *value < -room)
		return false;
	e->magnitude += *value < 0 ? -*value : *value;
	e->total += *value;
	return true;
}

struct estimating {
	struct snap_snapshot *s;
	uint32_t first; /* column of variances */
	uint64_t newer_period, older_period; /* 0 = values stay as they are */
	uint64_t *hashes; /* of stacks */
	struct estimate columns[SNAP_COLUMNS_MAX];
};

static uint64_t period_of(const struct estimating *e, uint32_t column)
{
	return column == SNAP_COLUMN_OLD_BLOCKS || column == SNAP_COLUMN_OLD_BYTES ? e->older_period
										   : e->newer_period;
}

/* What was counted becomes what it stands for. */
static bool scale(struct estimate *to, const struct chunk *chunk, uint64_t period, int64_t *values)
{
	bool fits = true;
	for (size_t i = 0; i < chunk->count && fits; i++) {
		struct weight weight = weigh(chunk->sizes[i], period);
		/* Large values pass through a double changed. */
		if (weight.of != 1)
			fits = round_off(weight.of * (double)values[i], chunk->dither[i], &values[i]);
		fits = fits && add_up(to, &values[i]);
	}
	return fits;
}

/* `values` are blocks that were counted. */
static void vary(struct estimate *to, const struct chunk *chunk, uint64_t period, bool bytes, int64_t *values)
{
	to->saturates = true;
	for (size_t i = 0; i < chunk->count; i++) {
		struct weight weight = weigh(chunk->sizes[i], period);
		double blocks = (double)values[i], size = (double)chunk->sizes[i];
		double variance = fabs(blocks) * weight.variance;
		if (bytes)
			variance *= size * size;
		else {
			/* Of few blocks that are nearly all sampled, rounding is the larger part. */
			double lost = weight.of * blocks - floor(weight.of * blocks);
			variance += lost * (1 - lost);
		}
		round_off(variance, chunk->dither[i], &values[i]);
		add_up(to, &values[i]);
	}
}

/* Column c of what the snapshot is to have, for some sites. */
static bool estimate_chunk(struct estimating *e, uint32_t c, const struct chunk *chunk, int64_t *values)
{
	const struct snap_snapshot *s = e->s;
	bool is_variance = c >= e->first && c < 2 * e->first;
	uint32_t from = is_variance ? (c - e->first) & ~UINT32_C(1) : c < e->first ? c : c - e->first;
	uint64_t period = period_of(e, c < e->first ? c : is_variance ? from : SNAP_COLUMN_BLOCKS);
	snap_snapshot_read_values(s, from, chunk->begin, chunk->count, values);
	if (is_variance)
		vary(&e->columns[c], chunk, period, ((c - e->first) & 1) != 0, values);
	else
		return scale(&e->columns[c], chunk, s->columns[from].unit == SNAP_UNIT_OTHER ? 0 : period, values);
	return true;
}

/* The dither depends on what the site is and on nothing else: equal counts at one place, in two snapshots or on
 * both sides of a diff, have equal estimates. */
static void read_chunk(const struct estimating *e, size_t begin, struct chunk *chunk)
{
	const struct snap_snapshot *s = e->s;
	size_t sites = s->site_stack.count;
	chunk->begin = begin;
	chunk->count = sites - begin < SNAP_VALUES_CHUNK ? sites - begin : SNAP_VALUES_CHUNK;
	snap_numbers_read(&s->site_size, begin, chunk->count, chunk->sizes);
	for (size_t i = 0; i < chunk->count; i++) {
		uint64_t hash = e->hashes[s->site_stack.at[begin + i]];
		hash = snap_mix(hash ^ snap_mix((uint64_t)chunk->sizes[i] + 1));
		hash = snap_mix(hash ^ snap_mix((uint64_t)snap_snapshot_domain(s, begin + i) + 1));
		chunk->dither[i] = (double)(hash >> 11) * 0x1p-53;
	}
}

static enum snap_status estimate_columns(struct estimating *e, uint32_t columns, struct snap_error *err)
{
	struct snap_snapshot *s = e->s;
	size_t sites = s->site_stack.count;
	enum snap_status status = SNAP_OK;
	for (uint32_t c = 0; c < columns && status == SNAP_OK; c++)
		status = snap_numbers_reserve(&e->columns[c].values, sites, &s->budget, err);
	for (size_t begin = 0; begin < sites && status == SNAP_OK; begin += SNAP_VALUES_CHUNK) {
		struct chunk chunk;
		read_chunk(e, begin, &chunk);
		for (uint32_t c = 0; c < columns && status == SNAP_OK; c++) {
			int64_t values[SNAP_VALUES_CHUNK];
			if (!estimate_chunk(e, c, &chunk, values))
				return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
						 "what the samples stand for does not fit in 63 bits");
			status = snap_numbers_append(&e->columns[c].values, values, chunk.count, &s->budget, err);
		}
	}
	return status;
}

static enum snap_status mark(struct snap_meta *meta, bool newer, bool older, struct snap_error *err)
{
	enum snap_status status = newer ? snap_meta_set_text(meta, "estimated", "1", err) : SNAP_OK;
	if (status == SNAP_OK && older)
		status = snap_meta_set_text(meta, SNAP_META_OLD "estimated", "1", err);
	/* A key that said no says as much when it is gone. */
	if (status < 0 && newer)
		snap_meta_remove(meta, "estimated");
	if (status < 0 && older)
		snap_meta_remove(meta, SNAP_META_OLD "estimated");
	return status;
}

static enum snap_status estimate(struct estimating *e, bool newer, bool older, struct snap_error *err)
{
	struct snap_snapshot *s = e->s;
	uint32_t columns = s->column_count + e->first;
	enum snap_status status = check_room(s, err);
	if (status < 0)
		return status;
	e->hashes = malloc((s->stack_node.count + 1) * sizeof *e->hashes);
	if (e->hashes == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	status = snap_snapshot_window_hashes(s, e->hashes, err);
	if (status == SNAP_OK)
		status = estimate_columns(e, columns, err);
	if (status == SNAP_OK)
		status = mark(s->meta, newer, older, err);
	if (status == SNAP_OK)
		status = snap_variances_insert(s, err);
	if (status < 0)
		return status;
	for (uint32_t c = 0; c < columns; c++) {
		struct snap_numbers old = s->values[c];
		s->values[c] = e->columns[c].values;
		s->totals[c] = e->columns[c].total;
		e->columns[c].values = old;
	}
	return SNAP_OK;
}

enum snap_status snap_estimate(struct snap_snapshot *s, struct snap_error *err)
{
	struct snap_sampling_sides sides;
	enum snap_status status = snap_sampling_sides_get(&sides, s, err);
	bool newer = status == SNAP_OK && sides.newer.kind == SNAP_SAMPLED;
	bool older = status == SNAP_OK && sides.older.kind == SNAP_SAMPLED;
	if (!newer && !older)
		return status;
	struct estimating e = {
		.s = s,
		.first = snap_variances_begin(snap_snapshot_is_diff(s)),
		.newer_period = newer ? sides.newer.period : 0,
		.older_period = older ? sides.older.period : 0,
	};
	status = estimate(&e, newer, older, err);
	free(e.hashes);
	for (uint32_t c = 0; c < SNAP_COLUMNS_MAX; c++)
		snap_numbers_free(&e.columns[c].values, &s->budget);
	return status;
}

enum snap_status snap_estimate_copy(struct snap_snapshot **out, const struct snap_snapshot *s, struct snap_error *err)
{
	struct snap_sampling_sides sides;
	struct snap_snapshot *copy = NULL;
	*out = NULL;
	enum snap_status status = snap_sampling_sides_get(&sides, s, err);
	if (status == SNAP_OK && (sides.newer.kind == SNAP_SAMPLED || sides.older.kind == SNAP_SAMPLED)) {
		status = snap_snapshot_copy(&copy, s, err);
		if (status == SNAP_OK)
			status = snap_estimate(copy, err);
	}
	if (status == SNAP_OK) {
		*out = copy;
		copy = NULL;
	}
	snap_snapshot_free(copy);
	return status;
}
