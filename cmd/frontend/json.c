/* Writing JSON; see json.h. */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <snap/utf8.h>
#include <string.h>

#include "text.h"

static void separate(struct json *json)
{
	if (json->follows)
		fputc(',', json->out);
	json->follows = true;
}

void json_open(struct json *json, char bracket)
{
	separate(json);
	fputc(bracket, json->out);
	json->follows = false;
}

void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->out);
	json->follows = true;
}

void json_key(struct json *json, const char *key)
{
	separate(json);
	fprintf(json->out, "\"%s\":", key);
	json->follows = false;
}

void json_integer(struct json *json, int64_t value)
{
	separate(json);
	fprintf(json->out, "%" PRId64, value);
}

void json_unsigned(struct json *json, uint64_t value)
{
	separate(json);
	fprintf(json->out, "%" PRIu64, value);
}

void json_null(struct json *json)
{
	separate(json);
	fputs("null", json->out);
}

void json_real(struct json *json, double value)
{
	if (!isfinite(value)) {
		json_null(json);
		return;
	}
	separate(json);
	fprintf(json->out, "%.6g", value != 0 ? value : 0);
}

void json_bool(struct json *json, bool value)
{
	separate(json);
	fputs(value ? "true" : "false", json->out);
}

static void quote(FILE *out, const char *bytes, size_t size)
{
	fputc('"', out);
	for (size_t i = 0; i < size;) {
		uint32_t point;
		size_t length = snap_utf8_decode(bytes + i, size - i, &point);
		if (point == SNAP_UTF8_INVALID)
			fputs("\\ufffd", out);
		else if (point == '"' || point == '\\')
			fprintf(out, "\\%c", (char)point);
		else if (point == '\n')
			fputs("\\n", out);
		else if (point == '\t')
			fputs("\\t", out);
		else if (point < 0x10000 && text_is_treacherous(point))
			fprintf(out, "\\u%04" PRIx32, point);
		else if (text_is_treacherous(point))
			fprintf(out, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((point - 0x10000) >> 10),
				0xdc00 + ((point - 0x10000) & 0x3ff));
		else
			fwrite(bytes + i, 1, length, out);
		i += length;
	}
	fputc('"', out);
}

void json_text(struct json *json, const char *bytes, size_t size)
{
	separate(json);
	quote(json->out, bytes, size);
}

static void text_key(struct json *json, const char *key)
{
	json_text(json, key, strlen(key));
	fputc(':', json->out);
	json->follows = false;
}

void json_meta(struct json *json, const struct snap_meta *meta, enum json_side side)
{
	static const char old[] = SNAP_META_OLD;
	json_open(json, '{');
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		bool is_old = strncmp(key, old, sizeof old - 1) == 0;
		if (side != JSON_BOTH && is_old != (side == JSON_OLDER))
			continue;
		text_key(json, side == JSON_OLDER ? key + sizeof old - 1 : key);
		json_text(json, value, size);
	}
	json_close(json, '}');
}

void json_frame(struct json *json, const struct snap_frame *frame)
{
	json_open(json, '{');
	json_key(json, "file");
	json_text(json, frame->file.bytes, frame->file.size);
	if (frame->line > 0) {
		json_key(json, "line");
		json_integer(json, frame->line);
	}
	if (frame->function.bytes != NULL) {
		json_key(json, "function");
		json_text(json, frame->function.bytes, frame->function.size);
	}
	json_close(json, '}');
}
