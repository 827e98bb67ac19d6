/* Adds up snapshots; see diff.h. */
#include <snap/diff.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ops/combine.h"
#include "ops/estimate.h"

static enum snap_status add_two(struct snap_snapshot **out, const struct snap_snapshot *a,
				const struct snap_snapshot *b, struct snap_error *err)
{
	struct snap_combination what = {.in = {a, b}};
	memset(what.from, 0xff, sizeof what.from);
	for (uint32_t c = 0; c < a->column_count; c++)
		what.from[0][c] = what.from[1][c] = c;
	struct snap_snapshot *sum;
	enum snap_status status = snap_combine_start(&sum, &what, err);
	if (status < 0)
		return status;
	memcpy(sum->columns, a->columns, sizeof sum->columns);
	sum->column_count = a->column_count;
	status = snap_combine(&sum, &what, err);
	if (status < 0)
		snap_snapshot_free(sum);
	else
		*out = sum;
	return status;
}

/* Halves before wholes: what is summed up stays of a size, so many snapshots cost no more than their
 * bytes times the logarithm of their number. */
static enum snap_status add_all(struct snap_snapshot **out, struct snap_snapshot *const *snapshots,
				size_t count, struct snap_error *err)
{
	if (count == 2)
		return add_two(out, snapshots[0], snapshots[1], err);
	struct snap_snapshot *left = NULL, *right = NULL;
	size_t half = count / 2;
	enum snap_status status = half == 1 ? SNAP_OK : add_all(&left, snapshots, half, err);
	if (status == SNAP_OK)
		status = add_all(&right, snapshots + half, count - half, err);
	if (status == SNAP_OK)
		status = add_two(out, left == NULL ? snapshots[0] : left, right, err);
	snap_snapshot_free(left);
	snap_snapshot_free(right);
	return status;
}

static bool all_have(struct snap_snapshot *const *snapshots, size_t count, const char *key, const char *value,
		     size_t size)
{
	for (size_t i = 1; i < count; i++) {
		const char *other = snap_meta_get(snapshots[i]->meta, key);
		if (other == NULL || strlen(other) != size || memcmp(other, value, size) != 0)
			return false;
	}
	return true;
}

/* Those that have been merged before count as what they were. */
static uint64_t merged_before(struct snap_snapshot *const *snapshots, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		const char *text = snap_meta_get(snapshots[i]->meta, "merged");
		unsigned long long number = text != NULL ? strtoull(text, NULL, 10) : 1;
		sum += number > 0 && number < UINT32_MAX ? number : 1;
	}
	return sum;
}

static enum snap_status merge_meta(struct snap_meta *to, struct snap_snapshot *const *snapshots, size_t count,
				   struct snap_error *err)
{
	const struct snap_meta *first = snapshots[0]->meta;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < snap_meta_count(first) && status == SNAP_OK; i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(first, i, &value, &size);
		if (all_have(snapshots, count, key, value, size))
			status = snap_meta_set(to, key, value, size, err);
	}
	/* What a part of one is missing from, that is missing from all. */
	static const char *const lasting[] = {"partial", SNAP_META_OLD "partial"};
	for (size_t k = 0; k < sizeof lasting / sizeof *lasting; k++)
		for (size_t i = 0; i < count && status == SNAP_OK; i++) {
			const char *value = snap_meta_get(snapshots[i]->meta, lasting[k]);
			if (value != NULL)
				status = snap_meta_set_text(to, lasting[k], value, err);
		}
	return status < 0 ? status : snap_meta_set_format(to, "merged", err, "%" PRIu64, merged_before(snapshots, count));
}

/* How one side of all snapshots together was recorded, and whether all were in one way. */
static void join_sampling(struct snap_sampling *all, struct snap_sampling one, bool first, bool *agree)
{
	if (first) {
		*all = one;
		return;
	}
	*agree &= snap_sampling_agrees(*all, one);
	if (one.kind != SNAP_EXACT)
		all->kind = one.kind;
}

static enum snap_status join_all_sampling(struct snap_sampling_sides *all, struct snap_snapshot *const *snapshots,
					  size_t count, bool *agree, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	*agree = true;
	for (size_t i = 0; i < count && status == SNAP_OK; i++) {
		struct snap_sampling_sides sides;
		status = snap_sampling_sides_get(&sides, snapshots[i], err);
		if (status < 0)
			break;
		join_sampling(&all->newer, sides.newer, i == 0, agree);
		join_sampling(&all->older, sides.older, i == 0, agree);
	}
	return status;
}

/* Equal keys came along already; but a period may be written in two ways, and what is exact says nothing. */
static enum snap_status mark_side(struct snap_meta *meta, bool older, struct snap_sampling sampling, bool agree,
				  struct snap_error *err)
{
	if (sampling.kind == SNAP_EXACT)
		return SNAP_OK;
	if (agree && sampling.kind == SNAP_SAMPLED)
		return snap_meta_set_format(meta, older ? SNAP_META_OLD "sample_period_bytes" : "sample_period_bytes",
					    err, "%" PRIu64, sampling.period);
	return snap_meta_set_text(meta, older ? SNAP_META_OLD "estimated" : "estimated", "1", err);
}

static enum snap_status merge_alike(struct snap_snapshot **out, struct snap_snapshot *const *snapshots,
				    size_t count, struct snap_error *err)
{
	for (size_t i = 1; i < count; i++)
		if (!snap_snapshot_same_columns(snapshots[0], snapshots[i]))
			return snap_fail(
				err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				"snapshot %zu has other columns than the first: they cannot be added", i + 1);
	struct snap_snapshot *sum = NULL;
	enum snap_status status = count == 1 ? snap_snapshot_order(&sum, snapshots[0], err)
					     : add_all(&sum, snapshots, count, err);
	if (status == SNAP_OK)
		status = merge_meta(sum->meta, snapshots, count, err);
	if (status < 0)
		snap_snapshot_free(sum);
	else
		*out = sum;
	return status;
}

/* Copies that can be added up: each with estimates and variances, which are 0 for what is exact. */
static enum snap_status copy_estimated(struct snap_snapshot **copies, struct snap_snapshot *const *snapshots,
				       size_t count, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < count && status == SNAP_OK; i++) {
		struct snap_sampling_sides sides;
		status = snap_snapshot_copy(&copies[i], snapshots[i], err);
		if (status == SNAP_OK)
			status = snap_sampling_sides_get(&sides, copies[i], err);
		if (status == SNAP_OK)
			status = snap_estimate(copies[i], err);
		if (status == SNAP_OK && sides.newer.kind == SNAP_EXACT && sides.older.kind == SNAP_EXACT)
			status = snap_variances_insert(copies[i], err);
	}
	return status;
}

enum snap_status snap_merge_new(struct snap_snapshot **out, struct snap_snapshot *const *snapshots,
				size_t count, struct snap_error *err)
{
	struct snap_sampling_sides all;
	struct snap_snapshot *sum = NULL, **copies = NULL;
	bool agree;
	*out = NULL;
	enum snap_status status = join_all_sampling(&all, snapshots, count, &agree, err);
	if (status < 0)
		return status;
	if (!agree) {
		copies = calloc(count, sizeof *copies);
		status = copies == NULL ? snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory")
					: copy_estimated(copies, snapshots, count, err);
	}
	if (status == SNAP_OK)
		status = merge_alike(&sum, agree ? snapshots : copies, count, err);
	if (status == SNAP_OK)
		status = mark_side(sum->meta, false, all.newer, agree, err);
	if (status == SNAP_OK)
		status = mark_side(sum->meta, true, all.older, agree, err);
	for (size_t i = 0; copies != NULL && i < count; i++)
		snap_snapshot_free(copies[i]);
	free(copies);
	if (status < 0)
		snap_snapshot_free(sum);
	else
		*out = sum;
	return status;
}
