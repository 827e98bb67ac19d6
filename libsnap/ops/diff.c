/* Puts two snapshots side by side; see diff.h. Of their columns only blocks and bytes have an older side;
 * others are left out. */
#include <snap/diff.h>

#include <string.h>

#include "ops/combine.h"

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

enum snap_status snap_diff_new(struct snap_snapshot **out, const struct snap_snapshot *older,
			       const struct snap_snapshot *newer, struct snap_error *err)
{
	*out = NULL;
	if (snap_snapshot_is_diff(older) || snap_snapshot_is_diff(newer))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "the %s snapshot is a diff itself: a diff is made of two plain snapshots",
				 snap_snapshot_is_diff(older) ? "older" : "newer");
	struct snap_combination what = {.in = {older, newer}};
	memset(what.from, 0xff, sizeof what.from);
	what.from[0][SNAP_COLUMN_OLD_BLOCKS] = what.from[1][SNAP_COLUMN_BLOCKS] = SNAP_COLUMN_BLOCKS;
	what.from[0][SNAP_COLUMN_OLD_BYTES] = what.from[1][SNAP_COLUMN_BYTES] = SNAP_COLUMN_BYTES;
	struct snap_snapshot *diff;
	enum snap_status status = snap_combine_start(&diff, &what, err);
	if (status < 0)
		return status;
	snap_snapshot_set_columns(diff, true);
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
