/* Puts two snapshots side by side; see diff.h. Of their columns only blocks and bytes, and their variances, have
 * an older side; others are left out. */
#include <snap/diff.h>

#include <string.h>

#include "ops/combine.h"
#include "ops/estimate.h"

/* The newer's metadata, then the older's behind the prefix. What the newer has behind it is no word of
 * this older side. */
static enum snap_status add_meta(struct snap_snapshot *to, const struct snap_snapshot *from,
				 const char *prefix, struct snap_error *err)
{
	const size_t prefix_size = strlen(prefix);
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < snap_meta_count(from->meta) && status == SNAP_OK; i++) {
		char prefixed[sizeof SNAP_META_OLD + SNAP_META_KEY_MAX];
		const char *value;
		size_t size;
		const char *key = snap_meta_at(from->meta, i, &value, &size);
		if (prefix_size == 0 && strncmp(key, SNAP_META_OLD, strlen(SNAP_META_OLD)) == 0)
			continue;
		memcpy(prefixed, prefix, prefix_size);
		memcpy(prefixed + prefix_size, key, strlen(key) + 1);
		status = snap_meta_set(to->meta, prefixed, value, size, err);
	}
	return status;
}

/* Sides whose errors are known, or which have none. */
static bool have_errors(const struct snap_snapshot *const side[2], const struct snap_sampling sampling[2])
{
	bool any = false;
	for (unsigned n = 0; n < 2; n++) {
		bool has = snap_estimate_has_errors(side[n]);
		if (!has && sampling[n].kind != SNAP_EXACT)
			return false;
		any |= has;
	}
	return any;
}

static enum snap_status diff_alike(struct snap_snapshot **out, const struct snap_snapshot *older,
				   const struct snap_snapshot *newer, bool errors, struct snap_error *err)
{
	struct snap_combination what = {.in = {older, newer}};
	memset(what.from, 0xff, sizeof what.from);
	what.from[0][SNAP_COLUMN_OLD_BLOCKS] = what.from[1][SNAP_COLUMN_BLOCKS] = SNAP_COLUMN_BLOCKS;
	what.from[0][SNAP_COLUMN_OLD_BYTES] = what.from[1][SNAP_COLUMN_BYTES] = SNAP_COLUMN_BYTES;
	const uint32_t from = snap_variances_begin(false), to = snap_variances_begin(true);
	for (uint32_t i = 0; errors && i < 2; i++) {
		if (snap_estimate_has_errors(newer))
			what.from[1][to + i] = from + i;
		if (snap_estimate_has_errors(older))
			what.from[0][to + 2 + i] = from + i;
	}
	struct snap_snapshot *diff;
	enum snap_status status = snap_combine_start(&diff, &what, err);
	if (status < 0)
		return status;
	snap_snapshot_set_columns(diff, true);
	if (errors)
		status = snap_variances_insert(diff, err);
	if (status == SNAP_OK)
		status = snap_combine(&diff, &what, err);
	if (status == SNAP_OK)
		status = add_meta(diff, newer, "", err);
	if (status == SNAP_OK)
		status = add_meta(diff, older, SNAP_META_OLD, err);
	if (status < 0)
		snap_snapshot_free(diff);
	else
		*out = diff;
	return status;
}

enum snap_status snap_diff_new(struct snap_snapshot **out, const struct snap_snapshot *older,
			       const struct snap_snapshot *newer, struct snap_error *err)
{
	const struct snap_snapshot *side[2] = {older, newer};
	struct snap_snapshot *estimated[2] = {NULL, NULL};
	struct snap_sampling sampling[2];
	enum snap_status status = SNAP_OK;
	*out = NULL;
	if (snap_snapshot_is_diff(older) || snap_snapshot_is_diff(newer))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "the %s snapshot is a diff itself: a diff is made of two plain snapshots",
				 snap_snapshot_is_diff(older) ? "older" : "newer");
	for (unsigned n = 0; n < 2 && status == SNAP_OK; n++)
		status = snap_sampling_get(&sampling[n], side[n], false, err);
	bool agree = status == SNAP_OK && snap_sampling_agrees(sampling[0], sampling[1]);
	for (unsigned n = 0; n < 2 && status == SNAP_OK; n++) {
		if (agree || sampling[n].kind != SNAP_SAMPLED)
			continue;
		status = snap_snapshot_copy(&estimated[n], side[n], err);
		if (status == SNAP_OK)
			status = snap_estimate(estimated[n], err);
		side[n] = estimated[n];
	}
	if (status == SNAP_OK)
		status = diff_alike(out, side[0], side[1], have_errors(side, sampling), err);
	snap_snapshot_free(estimated[0]);
	snap_snapshot_free(estimated[1]);
	return status;
}
