/* Adds up snapshots; see diff.h. */
#include <snap/diff.h>

#include <string.h>

#include "ops/combine.h"

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
	return status < 0 ? status : snap_meta_set_format(to, "merged", err, "%zu", count);
}

enum snap_status snap_merge_new(struct snap_snapshot **out, struct snap_snapshot *const *snapshots,
				size_t count, struct snap_error *err)
{
	*out = NULL;
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
