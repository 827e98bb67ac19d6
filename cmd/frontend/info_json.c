/* A file and its members as one JSON object on one line; its fields are a contract, see snapinfo(1). */
#include <inttypes.h>
#include <math.h>
#include <snap/estimate.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "info.h"
#include "json.h"
#include "messages.h"

static void put_text(struct json *json, const char *key, const char *text)
{
	json_key(json, key);
	json_text(json, text, strlen(text));
}

static void put_number(struct json *json, const char *key, uint64_t number)
{
	json_key(json, key);
	json_unsigned(json, number);
}

static void put_totals(struct json *json, const struct snap_snapshot *snapshot)
{
	json_key(json, "total");
	json_open(json, '{');
	for (size_t i = 0; i < snap_snapshot_columns(snapshot); i++) {
		json_key(json, snap_snapshot_column(snapshot, i).name);
		json_integer(json, snap_snapshot_total(snapshot, i));
	}
	json_close(json, '}');
}

static void put_sections(struct json *json, const struct snap_member_info *layout)
{
	json_key(json, "sections");
	json_open(json, '[');
	for (size_t i = 0; i < layout->section_count; i++) {
		const struct snap_section_size *section = &layout->sections[i];
		json_open(json, '{');
		put_text(json, "tag", section->tag);
		put_number(json, "sections", section->sections);
		put_number(json, "stored", section->stored);
		put_number(json, "raw", section->raw);
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* What samples stand for, by column; from now on the snapshot says that as well. */
static bool put_estimate(struct json *json, struct snap_snapshot *snapshot)
{
	struct snap_error err;
	bool had_errors = snap_estimate_has_errors(snapshot);
	enum snap_status status = snap_estimate(snapshot, &err);
	if (status == SNAP_ERR_NOMEM)
		message_error(NULL, &err);
	if (status < 0 || had_errors || !snap_estimate_has_errors(snapshot))
		return status != SNAP_ERR_NOMEM;
	size_t values = snap_snapshot_is_diff(snapshot) ? 4 : 2;
	json_key(json, "estimate");
	json_open(json, '{');
	for (size_t i = 0; i < values; i++) {
		char key[2 * SNAP_COLUMN_NAME_MAX];
		const char *name = snap_snapshot_column(snapshot, i).name;
		json_key(json, name);
		json_integer(json, snap_snapshot_total(snapshot, i));
		snprintf(key, sizeof key, "%s_error", name);
		json_key(json, key);
		json_integer(json, llround(snap_estimate_error(snap_snapshot_total(snapshot, values + i))));
	}
	json_close(json, '}');
	return true;
}

static bool put_member(struct json *json, const struct member_reader *members)
{
	struct snap_snapshot *snapshot = members->member.snapshot;
	const struct snap_member_info *layout = &members->member.layout;
	char digest[33];
	snprintf(digest, sizeof digest, "%016" PRIx64 "%016" PRIx64, layout->digest[0], layout->digest[1]);
	json_open(json, '{');
	put_number(json, "offset", layout->offset);
	if (members->reader != NULL)
		put_number(json, "stored", layout->stored);
	else if (members->size != UINT64_MAX)
		put_number(json, "stored", members->size);
	put_text(json, "kind", snap_snapshot_is_diff(snapshot) ? "diff" : "snapshot");
	json_key(json, "meta");
	json_meta(json, snap_snapshot_meta(snapshot), JSON_BOTH);
	put_number(json, "strings", snap_snapshot_strings(snapshot));
	put_number(json, "frames", snap_snapshot_frames(snapshot));
	put_number(json, "nodes", snap_snapshot_nodes(snapshot));
	put_number(json, "stacks", snap_snapshot_stacks(snapshot));
	put_number(json, "sites", snap_snapshot_sites(snapshot));
	put_totals(json, snapshot);
	json_key(json, "truncated_bytes");
	json_integer(json, snap_snapshot_truncated_bytes(snapshot));
	put_text(json, "digest", digest);
	put_sections(json, layout);
	bool fine = put_estimate(json, snapshot);
	json_close(json, '}');
	return fine;
}

bool info_json(struct member_reader *members)
{
	struct buffer text;
	if (!buffer_open(&text))
		return false;
	struct json json = {.out = text.writer};
	json_open(&json, '{');
	put_number(&json, "v", 1);
	put_text(&json, "file", members->operand->path);
	put_text(&json, "format", members->format);
	json_key(&json, "members");
	json_open(&json, '[');
	enum snap_status status;
	bool told = true;
	while (told && (status = members_next(members)) == SNAP_OK)
		told = put_member(&json, members);
	json_close(&json, ']');
	json_close(&json, '}');
	bool fine = buffer_finish(&text) && told && status == SNAP_END;
	if (fine)
		puts(text.bytes);
	buffer_free(&text);
	return fine;
}
