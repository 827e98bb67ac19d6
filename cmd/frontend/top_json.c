/* A ranking as one JSON object; its fields are a contract, see snaptop(1). */
#include <math.h>
#include <string.h>

#include "json.h"
#include "top_forms.h"

/* Of sampled input only. */
static void put_error(struct json *json, const struct ranking *ranking, const char *key, double error)
{
	if (!ranking->has_errors)
		return;
	json_key(json, key);
	json_integer(json, llround(error));
}

static void put_values(struct json *json, const struct ranking *ranking, const struct snap_group_row *row)
{
	json_key(json, "size");
	json_integer(json, row->size);
	json_key(json, "count");
	json_integer(json, row->count);
	put_error(json, ranking, "size_error", row->size_error);
	put_error(json, ranking, "count_error", row->count_error);
	if (!ranking->is_diff)
		return;
	json_key(json, "size_diff");
	json_integer(json, row->size_diff);
	json_key(json, "count_diff");
	json_integer(json, row->count_diff);
	put_error(json, ranking, "size_diff_error", row->size_diff_error);
	put_error(json, ranking, "count_diff_error", row->count_diff_error);
}

static bool put_row(struct json *json, struct ranking *ranking, size_t i)
{
	struct snap_group_row row = snap_groups_row(ranking->groups, i);
	json_open(json, '{');
	if (ranking->options->group.by == SNAP_BY_DOMAIN) {
		json_key(json, "domain");
		json_integer(json, row.domain);
	} else if (ranking->options->group.by == SNAP_BY_SIZE) {
		json_key(json, "block_size");
		json_unsigned(json, row.block_size);
	} else {
		size_t count;
		if (!ranking_frames(ranking, i, 0, &count))
			return false;
		json_key(json, "traceback");
		json_open(json, '[');
		while (count > 0)
			json_frame(json, &ranking->frames[--count]);
		json_close(json, ']');
		if (row.total > 0) {
			json_key(json, "total_nframe");
			json_integer(json, row.total);
		}
	}
	put_values(json, ranking, &row);
	json_close(json, '}');
	return true;
}

bool top_json(struct ranking *ranking)
{
	static const char *const keys[] = {
		[SNAP_BY_LINENO] = "lineno",     [SNAP_BY_FILENAME] = "filename",
		[SNAP_BY_FUNCTION] = "function", [SNAP_BY_TRACEBACK] = "traceback",
		[SNAP_BY_DOMAIN] = "domain",     [SNAP_BY_SIZE] = "size",
	};
	struct json json = {.out = stdout};
	const struct snap_meta *meta = snap_snapshot_meta(ranking->snapshot);
	const struct snap_group_options *group = &ranking->options->group;
	json_open(&json, '{');
	json_key(&json, "v");
	json_integer(&json, 1);
	json_key(&json, "kind");
	json_text(&json, ranking->is_diff ? "diff" : "snapshot", ranking->is_diff ? 4 : 8);
	json_key(&json, "group_by");
	json_text(&json, keys[group->by], strlen(keys[group->by]));
	json_key(&json, "cumulative");
	json_bool(&json, group->cumulative != SNAP_SELF);
	json_key(&json, "meta");
	json_meta(&json, meta, ranking->is_diff ? JSON_NEWER : JSON_BOTH);
	if (ranking->is_diff) {
		json_key(&json, "old_meta");
		json_meta(&json, meta, JSON_OLDER);
	}
	json_key(&json, "total");
	json_open(&json, '{');
	put_values(&json, ranking, &ranking->total);
	json_close(&json, '}');
	json_key(&json, "groups");
	json_unsigned(&json, snap_groups_count(ranking->groups));
	json_key(&json, "rows");
	json_open(&json, '[');
	for (size_t i = 0; i < snap_groups_ranked(ranking->groups); i++)
		if (!put_row(&json, ranking, i))
			return false;
	json_close(&json, ']');
	json_close(&json, '}');
	putchar('\n');
	return true;
}
