/* Prints what libsnap reads in .snap files as snapdump.py does, for comparison: for each file its name, an
 * object a member, and, where one cannot be read, the error; all on lines of their own. Digests and the
 * order of canonical members are checked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snap/reader.h>

/* The number of bytes of a UTF-8 character, or 0 if there is none. */
static size_t character(const unsigned char *s, size_t size, unsigned *code)
{
	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	size_t n = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
	static const unsigned lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	if (s[0] < 0xC0 || s[0] > 0xF7 || n > size)
		return 0;
	*code = s[0] & (0x7Fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3Fu);
	}
	return *code < lowest[n] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000) ? 0 : n;
}

/* As json.dumps(text.decode("utf-8", "surrogateescape")). */
static void put_text(const char *text, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	putchar('"');
	while (size > 0) {
		unsigned code = 0;
		size_t n = character(s, size, &code);
		if (n == 0) {
			code = 0xDC00u + s[0];
			n = 1;
		}
		if (code >= 0x10000)
			printf("\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF));
		else if (code < 0x20 || code > 0x7E || code == '"' || code == '\\')
			printf("\\u%04x", code);
		else
			putchar((int)code);
		s += n;
		size -= n;
	}
	putchar('"');
}

static void put_values(const int64_t *values, size_t count)
{
	putchar('[');
	for (size_t i = 0; i < count; i++)
		printf("%s%" PRId64, i > 0 ? ", " : "", values[i]);
	putchar(']');
}

static void put_site(const struct snap_snapshot *s, size_t i)
{
	static struct snap_frame frames[SNAP_DEPTH_MAX];
	int64_t buffer[SNAP_COLUMNS_MAX];
	struct snap_site site = snap_snapshot_site(s, i, buffer);
	size_t length = snap_snapshot_traceback(s, site.stack, frames, SNAP_DEPTH_MAX);
	printf("%s[[", i > 0 ? ", " : "");
	for (size_t f = 0; f < length; f++) {
		printf("%s[", f > 0 ? ", " : "");
		put_text(frames[f].file.bytes, frames[f].file.size);
		printf(", %" PRIu32 ", ", frames[f].line);
		if (frames[f].function.bytes == NULL)
			printf("null");
		else
			put_text(frames[f].function.bytes, frames[f].function.size);
		putchar(']');
	}
	printf("], %" PRIu32 ", %" PRIu32 ", %" PRIu64 ", ", snap_snapshot_stack(s, site.stack).total, site.domain,
	       site.size);
	put_values(site.values, snap_snapshot_columns(s));
	putchar(']');
}

static void put_member(const struct snap_member_info *info, struct snap_snapshot *s)
{
	printf("{\"offset\": %" PRIu64 ", \"version\": %d, \"continues\": %s, \"canonical\": %s, ", info->offset,
	       info->version, info->continues ? "true" : "false", info->canonical ? "true" : "false");
	printf("\"digest\": \"%016" PRIx64 "%016" PRIx64 "\", \"columns\": [", info->digest[0], info->digest[1]);
	for (size_t i = 0; i < snap_snapshot_columns(s); i++)
		printf("%s\"%s\"", i > 0 ? ", " : "", snap_snapshot_column(s, i).name);
	printf("], \"units\": [");
	for (size_t i = 0; i < snap_snapshot_columns(s); i++)
		printf("%s%d", i > 0 ? ", " : "", (int)snap_snapshot_column(s, i).unit);
	printf("], \"meta\": [");
	const struct snap_meta *meta = snap_snapshot_meta(s);
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		printf("%s[", i > 0 ? ", " : "");
		put_text(key, strlen(key));
		printf(", ");
		put_text(value, size);
		putchar(']');
	}
	printf("], \"totals\": {");
	for (size_t i = 0; i < snap_snapshot_columns(s); i++)
		printf("%s\"%s\": %" PRId64, i > 0 ? ", " : "", snap_snapshot_column(s, i).name,
		       snap_snapshot_total(s, i));
	printf("}, \"rows\": [");
	for (size_t i = 0; i < snap_snapshot_sites(s); i++)
		put_site(s, i);
	printf("]}\n");
}

static const char *kind(enum snap_status status)
{
	switch (status) {
	case SNAP_ERR_TRUNCATED:
		return "truncated";
	case SNAP_ERR_DAMAGED:
		return "damaged";
	case SNAP_ERR_UNSUPPORTED:
		return "unsupported";
	case SNAP_ERR_LIMIT:
		return "limit";
	default:
		return "other";
	}
}

static enum snap_status put_file(const char *path, struct snap_error *err)
{
	struct snap_input *in;
	enum snap_status status = snap_input_open(&in, path, err);
	if (status != SNAP_OK)
		return status;
	struct snap_reader *reader;
	struct snap_reader_options options = {.limits = snap_limits_default(), .check = true};
	status = snap_reader_open(&reader, in, &options, err);
	if (status != SNAP_OK)
		return status;
	struct snap_snapshot *s;
	while ((status = snap_reader_next(reader, &s, err)) == SNAP_OK) {
		struct snap_member_info info = snap_reader_member(reader);
		put_member(&info, s);
		snap_snapshot_free(s);
	}
	snap_reader_close(reader);
	return status;
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		printf("{\"file\": ");
		put_text(argv[i], strlen(argv[i]));
		printf("}\n");
		struct snap_error err;
		enum snap_status status = put_file(argv[i], &err);
		if (status == SNAP_END)
			continue;
		printf("{\"error\": \"%s\", \"offset\": %" PRIu64 ", \"message\": ", kind(status), err.offset);
		put_text(err.message, strlen(err.message));
		printf("}\n");
	}
	return ferror(stdout) || fclose(stdout) != 0 ? 2 : 0;
}
