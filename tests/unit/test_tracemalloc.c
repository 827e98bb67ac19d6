/* snap/tracemalloc.h: dumps of every Python come out as CPython reads them, bad pickles are refused where
 * the defect is, and what only programs write has a meaning. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <snap/meta.h>
#include <snap/tracemalloc.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* --- bytes --- */

struct bytes {
	uint8_t *at;
	size_t size, room;
};

static void append(struct bytes *b, const void *more, size_t size)
{
	if (size > b->room - b->size) {
		b->room = (b->size + size) * 2;
		b->at = realloc(b->at, b->room);
		if (b->at == NULL)
			abort();
	}
	if (size > 0)
		memcpy(b->at + b->size, more, size);
	b->size += size;
}

/* Opcodes as a string literal, NUL bytes and all. */
#define OPS(b, literal) append((b), (literal), sizeof(literal) - 1)

static void append_u32(struct bytes *b, uint32_t n)
{
	uint8_t raw[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
	append(b, raw, sizeof raw);
}

static void drop(struct bytes *b)
{
	free(b->at);
	*b = (struct bytes){NULL, 0, 0};
}

static const char *path_of(const char *folder, const char *name)
{
	static char path[512];
	const char *root = getenv("SNAP_ROOT");
	snprintf(path, sizeof path, "%s/testdata/%s/%s", root != NULL ? root : ".", folder, name);
	return path;
}

static struct bytes load(const char *folder, const char *name)
{
	struct bytes b = {NULL, 0, 0};
	FILE *f = fopen(path_of(folder, name), "rb");
	if (!CHECK(f != NULL))
		return b;
	uint8_t part[65536];
	size_t n;
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		append(&b, part, n);
	fclose(f);
	return b;
}

/* --- reading --- */

struct feeder {
	const uint8_t *at;
	size_t size, step;
};

static ptrdiff_t feed(void *context, void *buffer, size_t size)
{
	struct feeder *f = context;
	size_t n = f->size < f->step ? f->size : f->step;
	if (n > size)
		n = size;
	if (n > 0) {
		memcpy(buffer, f->at, n);
		f->at += n;
		f->size -= n;
	}
	return (ptrdiff_t)n;
}

/* Reads from memory, or `step` bytes at a time. */
static enum snap_status read_bytes(const void *at, size_t size, size_t step, struct snap_snapshot **out,
                                   struct snap_error *err)
{
	struct feeder f = {at, size, step};
	struct snap_input *in;
	*out = NULL;
	*err = (struct snap_error){.status = SNAP_OK, .offset = SNAP_NO_OFFSET};
	enum snap_status status = step == 0 ? snap_input_from_memory(&in, at, size, err)
	                                    : snap_input_from_function(&in, feed, NULL, &f, err);
	if (!CHECK_OK(status, err))
		return status;
	status = snap_tracemalloc_read(out, in, NULL, err);
	snap_input_close(in);
	return status;
}

static struct snap_snapshot *read_good(const struct bytes *b, size_t step)
{
	struct snap_snapshot *s;
	struct snap_error err;
	return CHECK_OK(read_bytes(b->at, b->size, step, &s, &err), &err) ? s : NULL;
}

static bool digest_of(const struct bytes *b, size_t step, uint64_t digest[2])
{
	struct snap_snapshot *s = read_good(b, step);
	bool good = s != NULL && CHECK_OK(snap_snapshot_digest(s, digest, NULL), NULL);
	snap_snapshot_free(s);
	return good;
}

static int compare_rows(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "blocks domain size total file:line,file:line\n" for each site, in the order of their bytes. */
static const char *rows_of(const struct snap_snapshot *s)
{
	enum { ROWS = 16, ROW = 256, FRAMES = 8 };
	static char rows[ROWS][ROW], text[ROWS * ROW];
	size_t count = snap_snapshot_sites(s), size = 0;
	if (!CHECK(count <= ROWS))
		return "";
	for (size_t i = 0; i < count; i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, i, values);
		struct snap_frame frames[FRAMES];
		size_t length = snap_snapshot_traceback(s, site.stack, frames, FRAMES);
		int n = snprintf(rows[i], ROW, "%" PRId64 " %" PRIu32 " %" PRIu64 " %" PRIu32, values[0], site.domain,
		                 site.size, snap_snapshot_stack(s, site.stack).total);
		for (size_t j = 0; j < length && j < FRAMES; j++)
			n += snprintf(rows[i] + n, (size_t)(ROW - n), "%c%.*s:%" PRIu32, j == 0 ? ' ' : ',',
			              (int)frames[j].file.size, frames[j].file.bytes, frames[j].line);
	}
	qsort(rows, count, ROW, compare_rows);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		size += (size_t)snprintf(text + size, sizeof text - size, "%s\n", rows[i]);
	return text;
}

/* --- a snapshot put together by hand; memo entries 0 to 11 are taken by its beginning --- */

#define PROTO_4 "\x80\x04"
#define CLASSES                                                                                     \
	"\x8c\x0b" "tracemalloc" "\x94\x8c\x08" "Snapshot" "\x94\x93\x94)\x81\x94}\x94("            \
	"\x8c\x06" "traces" "\x94h\x00\x8c\x07" "_Traces" "\x94\x93\x94)\x81\x94}\x94"              \
	"\x8c\x07" "_traces" "\x94]\x94"
#define HEAD PROTO_4 CLASSES "("
#define TAIL "esb\x8c\x0f" "traceback_limit" "K\x19ub."
/* Entries 12 and 13 if first. */
#define FRAME_A "\x8c\x04" "a.py" "\x94K\x03\x86\x94"
#define FRAME_B "\x8c\x04" "b.py" "\x94K\x04\x86\x94"

static void check_rows(const struct bytes *b, const char *wanted)
{
	static const size_t steps[] = {0, 1, 3};
	for (size_t i = 0; i < 3; i++) {
		struct snap_snapshot *s = read_good(b, steps[i]);
		if (s != NULL)
			CHECK_STR(rows_of(s), wanted);
		snap_snapshot_free(s);
	}
}

#define CHECK_ROWS(literal, wanted)                         \
	do {                                                \
		struct bytes b_ = {NULL, 0, 0};             \
		OPS(&b_, literal);                          \
		check_rows(&b_, wanted);                    \
		drop(&b_);                                  \
	} while (0)

/* --- files --- */

/* Calls `row` for each line of a tab-separated file, cut into its fields. */
static unsigned each_row(const char *folder, size_t fields, void (*row)(char *field[]))
{
	FILE *f = fopen(path_of(folder, "expected.tsv"), "r");
	if (!CHECK(f != NULL))
		return 0;
	char line[1024];
	unsigned rows = 0;
	while (fgets(line, sizeof line, f) != NULL) {
		char *rest = line, *field[8];
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < fields; i++)
			field[i] = strsep(&rest, "\t");
		if (CHECK(field[fields - 1] != NULL && rest == NULL))
			row(field);
		rows++;
	}
	fclose(f);
	return rows;
}

static void check_good_file(char *field[])
{
	struct bytes b = load("foreign/tracemalloc", field[0]);
	unsigned before = test_failures;
	struct snap_snapshot *s = read_good(&b, 0);
	if (s != NULL) {
		CHECK_INT(snap_snapshot_total(s, 0), strtoll(field[1], NULL, 10));
		CHECK_INT(snap_snapshot_total(s, 1), strtoll(field[2], NULL, 10));
		CHECK_INT(snap_snapshot_sites(s), strtoll(field[3], NULL, 10));
		CHECK_INT(snap_snapshot_stacks(s), strtoll(field[4], NULL, 10));
		CHECK_STR(snap_meta_get(snap_snapshot_meta(s), "traceback_limit"), field[5]);
		CHECK_STR(snap_meta_get(snap_snapshot_meta(s), "source_format"), "tracemalloc");
		CHECK(snap_meta_get(snap_snapshot_meta(s), "time") == NULL);
		CHECK(!snap_snapshot_is_diff(s));
	}
	snap_snapshot_free(s);
	uint64_t whole[2] = {0, 0}, steps[2] = {0, 0};
	digest_of(&b, 0, whole);
	for (size_t step = 1; step <= 7; step++)
		if (digest_of(&b, step, steps))
			CHECK_MEM(steps, sizeof steps, whole, sizeof whole);
	if (test_failures != before)
		printf("  in %s\n", field[0]);
	drop(&b);
}

TEST(every_python)
{
	CHECK_INT(each_row("foreign/tracemalloc", 6, check_good_file), 21);
}

static enum snap_status status_named(const char *name)
{
	static const struct {
		const char *name;
		enum snap_status status;
	} all[] = {
	        {"SNAP_ERR_TRUNCATED", SNAP_ERR_TRUNCATED},
	        {"SNAP_ERR_DAMAGED", SNAP_ERR_DAMAGED},
	        {"SNAP_ERR_UNSUPPORTED", SNAP_ERR_UNSUPPORTED},
	        {"SNAP_ERR_LIMIT", SNAP_ERR_LIMIT},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].status;
	return SNAP_OK;
}

static void check_bad_file(char *field[])
{
	struct bytes b = load("bad/pickle", field[0]);
	unsigned before = test_failures;
	for (size_t step = 0; step <= 7; step++) {
		struct snap_snapshot *s;
		struct snap_error err;
		CHECK_INT(read_bytes(b.at, b.size, step, &s, &err), status_named(field[1]));
		CHECK_INT(err.status, status_named(field[1]));
		CHECK(s == NULL);
		if (strcmp(field[2], "-") != 0)
			CHECK_INT(err.offset, strtoll(field[2], NULL, 10));
		if (!CHECK(strstr(err.message, field[3]) != NULL))
			printf("  \"%s\", wanted \"%s\"\n", err.message, field[3]);
		for (const char *c = err.message; *c != '\0'; c++)
			CHECK(*c >= 0x20 && *c < 0x7f);
	}
	if (test_failures != before)
		printf("  in %s\n", field[0]);
	drop(&b);
}

TEST(bad_pickles)
{
	CHECK(each_row("bad/pickle", 4, check_bad_file) >= 109);
}

TEST(old_protocols)
{
	static const char *const names[] = {"edge-py3.13.0-proto0.tm", "edge-py3.13.0-proto1.tm",
	                                    "edge-py3.6.15-proto0.tm", "edge-py3.6.15-proto1.tm"};
	for (size_t i = 0; i < 4; i++) {
		struct bytes b = load("foreign/tracemalloc", names[i]);
		struct snap_snapshot *s;
		struct snap_error err;
		CHECK_INT(read_bytes(b.at, b.size, 0, &s, &err), SNAP_ERR_UNSUPPORTED);
		CHECK(strstr(err.message, "pickle.dump(snapshot, file, 2) or higher") != NULL);
		drop(&b);
	}
}

/* However a good file is cut off, the cut is found where it is. */
static void check_prefixes(const char *name, size_t stride)
{
	struct bytes b = load("foreign/tracemalloc", name);
	unsigned before = test_failures;
	for (size_t size = 0; size < b.size; size += size < 300 || b.size - size < 300 ? 1 : stride) {
		struct snap_snapshot *s;
		struct snap_error err;
		/* In memory of its own, for a sanitizer to see what is read behind it. */
		uint8_t *copy = malloc(size > 0 ? size : 1);
		memcpy(copy, b.at, size);
		CHECK_INT(read_bytes(copy, size, 0, &s, &err), SNAP_ERR_TRUNCATED);
		CHECK_INT(err.offset, size);
		free(copy);
	}
	if (test_failures != before)
		printf("  in %s\n", name);
	drop(&b);
}

TEST(prefixes)
{
	check_prefixes("edge-py3.6.15-proto2.tm", 1);
	check_prefixes("edge-py3.6.15-proto4.tm", 1);
	check_prefixes("py3.11.7.tm", 1);
	check_prefixes("two-fields.tm", 7);
	check_prefixes("edge-py3.13.0.tm", 61);
}

TEST(prefixes_of_packed_files)
{
	check_prefixes("py3.11.7.tm.gz", 1);
	check_prefixes("py3.11.7.tm.zst", 1);
}

TEST(packed_files_hold_the_same)
{
	struct bytes plain = load("foreign/tracemalloc", "py3.11.7.tm");
	static const char *const names[] = {"py3.11.7.tm.gz", "py3.11.7.tm.zst"};
	uint64_t wanted[2], got[2];
	digest_of(&plain, 0, wanted);
	for (size_t i = 0; i < 2; i++) {
		struct bytes b = load("foreign/tracemalloc", names[i]);
		if (digest_of(&b, 0, got))
			CHECK_MEM(got, sizeof got, wanted, sizeof wanted);
		drop(&b);
	}
	drop(&plain);
}

/* --- shapes --- */

TEST(four_fields)
{
	CHECK_ROWS(HEAD "(K\0K\x64" FRAME_A FRAME_B "\x86\x94K\x02t\x94"
	                "(K\x01K\xc8h\x10K\x02t\x94(K\0K\x64h\x10K\x02t\x94" TAIL,
	           "1 1 200 2 a.py:3,b.py:4\n2 0 100 2 a.py:3,b.py:4\n");
}

TEST(three_fields)
{
	CHECK_ROWS(HEAD "K\0K\x64" FRAME_A "\x85\x94\x87\x94K\x01K\x64h\x0e\x87\x94" TAIL,
	           "1 0 100 0 a.py:3\n1 1 100 0 a.py:3\n");
}

TEST(two_fields)
{
	CHECK_ROWS(HEAD "K\x64" FRAME_A "\x85\x94\x86\x94K\x65h\x0e\x86\x94" TAIL, "1 0 100 0 a.py:3\n1 0 101 0 a.py:3\n");
}

TEST(protocol_2)
{
	CHECK_ROWS("\x80\x02" "ctracemalloc\nSnapshot\nq\0)\x81q\x01}q\x02(X\x06\0\0\0tracesq\x03"
	           "ctracemalloc\n_Traces\nq\x04)\x81q\x05}q\x06X\x07\0\0\0_tracesq\x07]q\x08"
	           "((K\0K\x64X\x04\0\0\0a.pyq\tK\x03\x86r\n\0\0\0\x85q\x0bK\x01tq\x0c(K\0M\0\x01h\x0bK\x01te"
	           "sbX\x0f\0\0\0traceback_limitq\x0dK\x01ub.",
	           "1 0 100 1 a.py:3\n1 0 256 1 a.py:3\n");
}

TEST(empty_snapshot)
{
	CHECK_ROWS(HEAD TAIL, "");
	CHECK_ROWS(PROTO_4 CLASSES "sb\x8c\x0f" "traceback_limit" "K\x19ub.", "");
	CHECK_ROWS(PROTO_4 CLASSES "sb\x8c\x0f" "traceback_limit" "Nub.", "");
}

/* What does not occur in dumps of CPython, and does where a program made the snapshot. */

TEST(single_appends)
{
	CHECK_ROWS(PROTO_4 CLASSES "(K\0K\x64" FRAME_A "\x85K\x01ta(K\0K\x64h\x0d\x85K\x01ta" "sbub.",
	           "2 0 100 1 a.py:3\n");
}

TEST(traces_used_twice)
{
	CHECK_ROWS(HEAD "(K\0K\x64" FRAME_A "\x85\x94K\x01t\x94h\x0fh\x0f" TAIL, "3 0 100 1 a.py:3\n");
}

TEST(frames_used_twice)
{
	CHECK_ROWS(HEAD "(K\0K\x64" FRAME_A "h\x0dh\x0d\x87\x94K\x03t\x94" TAIL, "1 0 100 3 a.py:3,a.py:3,a.py:3\n");
}

TEST(without_memo)
{
	CHECK_ROWS(HEAD "(K\0K\x64\x8c\x04" "a.py" "K\x03\x86\x85K\x01t(K\0K\x64\x8c\x04" "a.py" "K\x03\x86\x85K\x01t" TAIL,
	           "2 0 100 1 a.py:3\n");
}

TEST(equal_tracebacks)
{
	CHECK_ROWS(HEAD "(K\0K\x64" FRAME_A "\x85\x94K\x01t\x94(K\0K\x64h\x0d\x85\x94K\x01t\x94" TAIL, "2 0 100 1 a.py:3\n");
}

TEST(totals_of_one_traceback)
{
	CHECK_ROWS(HEAD "(K\0K\x64" FRAME_A "\x85\x94K\x05t\x94(K\0K\x64h\x0eK\x07t\x94(K\0K\x64h\x0eNt\x94"
	                "(K\0K\x64h\x0eK\0t\x94(K\0K\x64h\x0eK\x05t\x94(K\0K\x64h\x0eJ\x00\x00\x01\x00t\x94"
	                "(K\0K\x64h\x0eK\x07t\x94" TAIL,
	           "1 0 100 65535 a.py:3\n2 0 100 0 a.py:3\n2 0 100 5 a.py:3\n2 0 100 7 a.py:3\n");
}

TEST(empty_tracebacks)
{
	CHECK_ROWS(HEAD "(K\0K\x64)K\x01t\x94(K\0K\x65)K\0t\x94" TAIL,
	           "1 0 100 1 <unknown>:0\n1 0 101 0 <unknown>:0\n");
}

TEST(words_as_file_names)
{
	CHECK_ROWS(HEAD "(K\0K\x64h\0K\x01\x86h\x05K\x02\x86h\x0aK\x03\x86\x87\x94K\x03t\x94" TAIL,
	           "1 0 100 3 tracemalloc:1,traces:2,_traces:3\n");
}

TEST(large_numbers)
{
	CHECK_ROWS(HEAD "(\x8a\x05\xff\xff\xff\xff\0\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x1f\x8c\x01" "a"
	                "\x8a\x05\xff\xff\xff\xff\0\x86\x85K\x01t" TAIL,
	           "1 4294967295 2305843009213693951 1 a:4294967295\n");
	CHECK_ROWS(HEAD "(K\0\x8a\x00\x8c\x01" "a" "J\0\0\x01\0\x86\x85K\x01t(K\0\x8a\x0c\x01\0\0\0\0\0\0\0\0\0\0\0\x8c\0M\0\x02\x86\x85K\x01t" TAIL,
	           "1 0 0 1 a:65536\n1 0 1 1 :512\n");
}

TEST(surrogates_keep_their_bytes)
{
	CHECK_ROWS(HEAD "(K\0K\x64\x8c\x06" "\xed\xb3\xa9.py" "K\x03\x86\x85K\x01t" TAIL, "1 0 100 1 \xed\xb3\xa9.py:3\n");
}

static void check_depth(size_t frames, enum snap_status wanted)
{
	struct bytes b = {NULL, 0, 0};
	struct snap_snapshot *s;
	struct snap_error err;
	OPS(&b, HEAD "(K\0K\x64(" FRAME_A);
	for (size_t i = 1; i < frames; i++)
		OPS(&b, "h\x0d");
	OPS(&b, "t\x94M\xff\xfft\x94" TAIL);
	CHECK_INT(read_bytes(b.at, b.size, 0, &s, &err), wanted);
	if (s != NULL)
		CHECK_INT(snap_snapshot_stack(s, 0).length, frames);
	snap_snapshot_free(s);
	drop(&b);
}

TEST(longest_traceback)
{
	check_depth(65535, SNAP_OK);
	check_depth(65536, SNAP_ERR_LIMIT);
}

TEST(longest_name)
{
	struct bytes b = {NULL, 0, 0};
	OPS(&b, HEAD "(K\0K\x64X\xff\xff\0\0");
	for (size_t i = 0; i < 65535; i++)
		OPS(&b, "n");
	OPS(&b, "K\x03\x86\x85K\x01t" TAIL);
	struct snap_snapshot *s = read_good(&b, 1000);
	if (s != NULL)
		CHECK_INT(snap_snapshot_frame(s, 0).file.size, 65535);
	snap_snapshot_free(s);
	drop(&b);
}

/* Stores the last value as the next memo entry, as protocols 4 and 2 do. */
static void append_put(struct bytes *b, uint32_t *memo, bool numbered)
{
	if (!numbered) {
		OPS(b, "\x94");
	} else if (*memo < 256) {
		OPS(b, "q");
		append_u32(b, *memo);
		b->size -= 3;
	} else {
		OPS(b, "r");
		append_u32(b, *memo);
	}
	++*memo;
}

/* Many times the buffer, so that every opcode is cut by its end somewhere, through the fast paths and
 * around them. */
static void check_long_input(bool four_fields, bool numbered)
{
	enum { TRACES = 60000 };
	struct bytes b = {NULL, 0, 0};
	/* Two names, two frames, a traceback: entries 12 to 16. */
	OPS(&b, HEAD "(K\0K\x10" FRAME_A FRAME_B "\x86\x94K\x02t");
	uint32_t memo = 17;
	int64_t size = 16;
	for (uint32_t i = 1; i < TRACES; i++) {
		if (i % 1000 == 0)
			OPS(&b, "e\x95\0\0\0\0\0\0\0\0(");
		if (four_fields)
			OPS(&b, "(");
		uint32_t bytes = i % 7 == 0 ? i : i % 300;
		size += bytes;
		OPS(&b, "K\0J");
		append_u32(&b, bytes);
		if (i % 5 == 0) {
			OPS(&b, "(h\x0cM");
			append_u32(&b, i % 40000);
			b.size -= 2;
			OPS(&b, "\x86");
			append_put(&b, &memo, numbered);
			OPS(&b, "h\x0eK\x07\x86");
			append_put(&b, &memo, numbered);
			OPS(&b, "j\x0d\0\0\0t");
			append_put(&b, &memo, numbered);
		} else {
			OPS(&b, "j\x10\0\0\0");
		}
		if (four_fields)
			OPS(&b, "K\x03t");
		else
			OPS(&b, "\x87");
		append_put(&b, &memo, numbered);
	}
	OPS(&b, TAIL);
	uint64_t whole[2] = {0, 0}, got[2] = {1, 1};
	struct snap_snapshot *s = read_good(&b, 0);
	if (s != NULL) {
		CHECK_INT(snap_snapshot_total(s, 0), TRACES);
		CHECK_INT(snap_snapshot_total(s, 1), size);
		CHECK_OK(snap_snapshot_digest(s, whole, NULL), NULL);
	}
	snap_snapshot_free(s);
	static const size_t steps[] = {1, 5, 4093, 65536, 262143, 262144};
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (digest_of(&b, steps[i], got))
			CHECK_MEM(got, sizeof got, whole, sizeof whole);
	drop(&b);
}

TEST(long_input)
{
	check_long_input(true, false);
	check_long_input(true, true);
	check_long_input(false, false);
	check_long_input(false, true);
}

/* --- around it --- */

TEST(memory_limit)
{
	struct bytes b = load("foreign/tracemalloc", "edge-py3.13.0.tm");
	bool was_enough = false;
	for (uint64_t memory = 0; memory < UINT64_C(1) << 24; memory += memory / 16 + 64) {
		struct snap_limits limits = {.memory = memory};
		struct snap_error err = {.status = SNAP_OK};
		struct snap_input *in;
		struct snap_snapshot *s = NULL;
		if (!CHECK_OK(snap_input_from_memory(&in, b.at, b.size, &err), &err))
			break;
		enum snap_status status = snap_tracemalloc_read(&s, in, &limits, &err);
		CHECK(status == SNAP_OK || (status == SNAP_ERR_LIMIT && !was_enough));
		was_enough = status == SNAP_OK;
		snap_snapshot_free(s);
		snap_input_close(in);
	}
	CHECK(was_enough);
	drop(&b);
}

static enum snap_status read_within(const struct bytes *b, uint64_t memory, struct snap_error *err)
{
	struct snap_limits limits = {.memory = memory};
	struct snap_input *in;
	struct snap_snapshot *s = NULL;
	*err = (struct snap_error){.status = SNAP_OK};
	if (!CHECK_OK(snap_input_from_memory(&in, b->at, b->size, err), err))
		return err->status;
	enum snap_status status = snap_tracemalloc_read(&s, in, &limits, err);
	snap_snapshot_free(s);
	snap_input_close(in);
	return status;
}

/* The least limit that a pickle can be read with, to `step` bytes. */
static uint64_t least_memory(const struct bytes *b, uint64_t from, uint64_t to, uint64_t step)
{
	struct snap_error err;
	while (to - from > step) {
		uint64_t middle = from + (to - from) / 2;
		enum snap_status status = read_within(b, middle, &err);
		CHECK(status == SNAP_OK || status == SNAP_ERR_LIMIT);
		if (status == SNAP_OK)
			to = middle;
		else
			from = middle;
	}
	return to;
}

/* What reading with this limit takes at its most, in bytes; in a process of its own. */
static uint64_t memory_taken(const struct bytes *b, uint64_t memory)
{
	int ends[2];
	uint64_t taken = 0;
	if (!CHECK(pipe(ends) == 0))
		return 0;
	pid_t child = fork();
	if (child == 0) {
		struct rusage before, after;
		struct snap_error err;
		getrusage(RUSAGE_SELF, &before);
		enum snap_status status = read_within(b, memory, &err);
		getrusage(RUSAGE_SELF, &after);
		taken = (uint64_t)(after.ru_maxrss - before.ru_maxrss) * 1024;
		_exit(status == SNAP_OK && write(ends[1], &taken, sizeof taken) == (ssize_t)sizeof taken ? 0 : 1);
	}
	int status;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	CHECK(read(ends[0], &taken, sizeof taken) == (ssize_t)sizeof taken);
	close(ends[0]);
	close(ends[1]);
	return taken;
}

/* The tables of the import and those of the snapshot are about as large. */
TEST(one_limit_for_all_tables)
{
	enum { TRACES = 600000, MIB = 1 << 20 };
	struct bytes b = {NULL, 0, 0};
	OPS(&b, HEAD "(K\0K\x10" FRAME_A FRAME_B "\x86\x94K\x02t");
	for (uint32_t i = 1; i < TRACES; i++) {
		if (i % 1000 == 0)
			OPS(&b, "e\x95\0\0\0\0\0\0\0\0(");
		OPS(&b, "(K\0J");
		append_u32(&b, i);
		OPS(&b, "h\x0cJ");
		append_u32(&b, i);
		OPS(&b, "\x86\x94\x85\x94K\x01t\x94");
	}
	OPS(&b, TAIL);
	uint64_t least = least_memory(&b, MIB, (uint64_t)512 * MIB, MIB);
	CHECK(least > 64 * MIB && least < 256 * MIB);
	if (SANITIZED)
		printf("not run: memory in use, as the sanitizer has an allocator of its own\n");
	uint64_t taken = SANITIZED ? least : memory_taken(&b, least);
	/* With a limit for each it would be twice as much. */
	CHECK(taken > least / 2 && taken < least + least / 2);
	drop(&b);
}

/* The same pickle in a zstd frame of one raw block that asks for a window of 2^`log` bytes. */
static struct bytes in_window(const struct bytes *b, unsigned log)
{
	struct bytes packed = {NULL, 0, 0};
	uint32_t block = (uint32_t)b->size << 3 | 1;
	const uint8_t window[2] = {0, (uint8_t)((log - 10) << 3)};
	OPS(&packed, "\x28\xb5\x2f\xfd");
	append(&packed, window, sizeof window);
	append_u32(&packed, block);
	packed.size--;
	append(&packed, b->at, b->size);
	return packed;
}

TEST(a_window_counts)
{
	const uint64_t free_of_charge = UINT64_C(16) << 20, most = UINT64_C(256) << 20;
	struct bytes b = load("foreign/tracemalloc", "edge-py3.13.0.tm");
	uint64_t least = least_memory(&b, 0, most, 1);
	for (unsigned log = 20; log <= 27; log++) {
		struct bytes packed = in_window(&b, log);
		uint64_t window = UINT64_C(1) << log, charged = window > free_of_charge ? window - free_of_charge : 0;
		uint64_t wanted = least_memory(&packed, 0, most, 1);
		/* zstd has some buffers beside its window. */
		CHECK(wanted >= charged && wanted >= least);
		CHECK(wanted <= charged + least + (UINT64_C(1) << 20));
		struct snap_error err;
		CHECK_INT(read_within(&packed, wanted - 1, &err), SNAP_ERR_LIMIT);
		drop(&packed);
	}
	struct bytes packed = in_window(&b, 28);
	struct snap_error err;
	CHECK_INT(read_within(&packed, UINT64_C(1) << 32, &err), SNAP_ERR_LIMIT);
	drop(&packed);
	drop(&b);
}

static void check_time(int64_t seconds, long nanoseconds, const char *wanted)
{
	char path[512];
	snprintf(path, sizeof path, "%s/dump", test_folder());
	FILE *f = fopen(path, "wb");
	struct bytes b = {NULL, 0, 0};
	OPS(&b, HEAD TAIL);
	CHECK(f != NULL && fwrite(b.at, 1, b.size, f) == b.size && fclose(f) == 0);
	drop(&b);
	struct timespec times[2] = {{(time_t)seconds, nanoseconds}, {(time_t)seconds, nanoseconds}};
	CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	struct snap_input *in;
	struct snap_error err;
	struct snap_snapshot *s;
	if (!CHECK_OK(snap_input_open(&in, path, &err), &err))
		return;
	if (CHECK_OK(snap_tracemalloc_read(&s, in, NULL, &err), &err)) {
		struct snap_meta *meta = snap_snapshot_meta(s);
		CHECK_STR(snap_meta_get(meta, "time"), wanted);
		CHECK_STR(snap_meta_get(meta, "time_source"), "file modification time");
		CHECK_STR(snap_meta_get(meta, "traceback_limit"), "25");
		snap_snapshot_free(s);
	}
	snap_input_close(in);
}

TEST(time_of_the_file)
{
	check_time(0, 0, "1970-01-01T00:00:00.000Z");
	check_time(1767225599, 120000000, "2025-12-31T23:59:59.120Z");
	check_time(1767225599, 1000, "2025-12-31T23:59:59.000001Z");
	check_time(1709164800, 999999999, "2024-02-29T00:00:00.999999999Z");
	check_time(-1, 500000000, "1969-12-31T23:59:59.500Z");
}

TEST(input_stays_open)
{
	struct bytes b = {NULL, 0, 0};
	struct snap_input *in;
	struct snap_snapshot *s;
	struct snap_error err;
	size_t got;
	OPS(&b, HEAD TAIL);
	if (CHECK_OK(snap_input_from_memory(&in, b.at, b.size, &err), &err)) {
		if (CHECK_OK(snap_tracemalloc_read(&s, in, NULL, &err), &err))
			snap_snapshot_free(s);
		CHECK_INT(snap_input_offset(in), b.size);
		CHECK_OK(snap_input_read(in, &got, 1, &got, &err), &err);
		CHECK_INT(got, 0);
		snap_input_close(in);
	}
	drop(&b);
}

static bool sniffs(const char *text, size_t size)
{
	return snap_tracemalloc_sniff((const uint8_t *)text, size);
}

TEST(sniff)
{
	CHECK(!sniffs("", 0));
	CHECK(sniffs("\x80", 1));
	CHECK(sniffs("\x80\x02" "c", 3));
	CHECK(sniffs("\x80\x05\x95", 3));
	CHECK(!sniffs("\x80\xff", 2));
	CHECK(sniffs("ccopy_reg\n_reconstructor\np0\n", 28));
	CHECK(sniffs("ccopyreg\n_recon", 15));
	CHECK(!sniffs("copyright", 9));
	CHECK(sniffs("\x1f\x8b\x08", 3));
	CHECK(sniffs("\x1f", 1));
	CHECK(!sniffs("\x1f\x8c", 2));
	CHECK(sniffs("\x28\xb5\x2f\xfd", 4));
	CHECK(!sniffs("\x89SNP\r\n\x1a\n", 8));
	CHECK(!sniffs("heap profile: 1", 15));
}
