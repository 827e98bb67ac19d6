/* A file and its members as one JSON object on one line; its fields are a contract, see snapinfo(1). */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void put_meta(struct json *json, const struct snap_meta *meta)
{
	json_key(json, "meta");
	json_open(json, '{');
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		json_text_key(json, key, strlen(key));
		json_text(json, value, size);
	}
	json_close(json, '}');
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

static void put_member(struct json *json, const struct member_reader *members)
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
	put_meta(json, snap_snapshot_meta(snapshot));
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
	json_close(json, '}');
}

bool info_json(struct member_reader *members)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL) {
		message_fail(NULL, "out of memory");
		return false;
	}
	struct json json = {.out = out};
	json_open(&json, '{');
	put_number(&json, "v", 1);
	put_text(&json, "file", members->operand->path);
	put_text(&json, "format", members->format);
	json_key(&json, "members");
	json_open(&json, '[');
	enum snap_status status;
	while ((status = members_next(members)) == SNAP_OK)
		put_member(&json, members);
	json_close(&json, ']');
	json_close(&json, '}');
	bool lost = ferror(out) != 0;
	lost |= fclose(out) != 0;
	if (lost)
		message_fail(NULL, "out of memory");
	else if (status == SNAP_END)
		puts(text);
	free(text);
	return !lost && status == SNAP_END;
}
