/* Ranks the groups of a snapshot and hands them to a form; see top.h. */
#include "top.h"

#include <snap/estimate.h>
#include <stdlib.h>

#include "messages.h"
#include "top_forms.h"

const struct top_options top_options_default = {.count = 10, .frames = 10};

bool ranking_frames(struct ranking *ranking, size_t i, size_t max, size_t *count)
{
	size_t wanted = snap_groups_row(ranking->groups, i).frames;
	if (max > 0 && wanted > max)
		wanted = max;
	if (wanted > ranking->room) {
		struct snap_frame *grown = realloc(ranking->frames, wanted * sizeof *grown);
		if (grown == NULL) {
			message_fail(NULL, "out of memory");
			return false;
		}
		ranking->frames = grown;
		ranking->room = wanted;
	}
	snap_groups_frames(ranking->groups, i, ranking->frames, wanted);
	*count = wanted;
	return true;
}

bool top_show(struct snap_snapshot *snapshot, const struct top_options *options)
{
	static bool (*const forms[])(struct ranking *) = {
		[TOP_TABLE] = top_table,
		[TOP_TRACEMALLOC] = top_tracemalloc,
		[TOP_JSON] = top_json,
		[TOP_TSV] = top_tsv,
	};
	struct snap_group_options grouping = options->group;
	if (options->format == TOP_TRACEMALLOC && grouping.cumulative != SNAP_SELF)
		grouping.cumulative = SNAP_CUMULATIVE_TRACEMALLOC;
	struct snap_groups *groups;
	struct snap_error err;
	if (snap_estimate(snapshot, &err) < 0 ||
	    snap_groups_new(&groups, snapshot, &grouping, options->count, &err) < 0) {
		message_error(NULL, &err);
		return false;
	}
	struct ranking ranking = {
		.snapshot = snapshot,
		.groups = groups,
		.options = options,
		.is_diff = snap_snapshot_is_diff(snapshot),
		.has_errors = snap_estimate_has_errors(snapshot),
		.total = snap_groups_total(groups),
	};
	bool shown = forms[options->format](&ranking);
	free(ranking.frames);
	snap_groups_free(groups);
	return shown;
}
