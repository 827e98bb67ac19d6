/* Prints processor time of three things: the decoding of a .snap file's first snapshot, in a process that has
 * done it before; zstd alone, unpacking the same sections into one buffer again and again; and a floor that no
 * decoder gets below, zstd with as many bytes written behind it, once, as the tables have. Each is the best of
 * many rounds, as "DECODE_NS ZSTD_NS FLOOR_NS".
 *
 * None of them asks the kernel for memory: the C library, which would give it back after each round, is told to
 * keep it. What a new process pays for its pages is in the figures of the tools.
 * usage: bench_decode FILE.snap [ROUNDS] */
#define _POSIX_C_SOURCE 200809L

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include <snap/reader.h>

enum { HEADER = 20, SECTION_HEADER = 24, RAW_MAX = 4194304 };
/* Blocks below this come from a heap that is not trimmed before it has that much to give back; glibc takes no
 * larger first number. */
enum { FROM_HEAP = 1 << 25, TRIMMED = 1 << 30 };
/* Bytes of a row: names and line of a frame; parent, frame and depth of a node; node and lengths of a stack;
 * stack, size and blocks of a site. */
enum { FRAME_BYTES = 12, NODE_BYTES = 10, STACK_BYTES = 8, SITE_BYTES = 12 };

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_decode: %s\n", what);
	exit(2);
}

/* Returns how many bytes the tables have. */
static size_t decode(const unsigned char *bytes, size_t size)
{
	struct snap_error err;
	struct snap_input *in = NULL;
	struct snap_reader *reader = NULL;
	struct snap_snapshot *s = NULL;
	if (snap_input_from_memory(&in, bytes, size, &err) < 0 || snap_reader_open(&reader, in, NULL, &err) < 0 ||
	    snap_reader_next(reader, &s, &err) != SNAP_OK)
		fail(err.message);
	size_t tables = snap_snapshot_frames(s) * FRAME_BYTES + snap_snapshot_nodes(s) * NODE_BYTES +
	                snap_snapshot_stacks(s) * STACK_BYTES + snap_snapshot_sites(s) * SITE_BYTES;
	snap_snapshot_free(s);
	snap_reader_close(reader);
	return tables;
}

static size_t number(const unsigned char *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* The sections of the first member. */
static void unpack(ZSTD_DCtx *zstd, const unsigned char *bytes, size_t size, void *raw)
{
	for (size_t at = HEADER; at + SECTION_HEADER <= size;) {
		const unsigned char *header = bytes + at;
		size_t stored = number(header + 8);
		if (header[4] == 1 && ZSTD_isError(ZSTD_decompressDCtx(zstd, raw, RAW_MAX, header + SECTION_HEADER, stored)))
			fail("a section does not unpack");
		if (header[0] == 'E')
			return;
		at += SECTION_HEADER + stored;
	}
	fail("no END");
}

static void keep_least(long long *least, long long ns)
{
	if (*least < 0 || ns < *least)
		*least = ns;
}

int main(int argc, char **argv)
{
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
	int rounds = argc > 2 ? atoi(argv[2]) : 40;
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		fail("usage: bench_decode FILE.snap [ROUNDS]");
	if (mallopt(M_MMAP_THRESHOLD, FROM_HEAP) != 1 || mallopt(M_TRIM_THRESHOLD, TRIMMED) != 1)
		fail("the C library does not keep memory");
	size_t size = (size_t)ftell(file);
	rewind(file);
	unsigned char *bytes = malloc(size + 1);
	void *raw = malloc(RAW_MAX);
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	if (bytes == NULL || raw == NULL || zstd == NULL || fread(bytes, 1, size, file) != size)
		fail("cannot read the file");
	size_t table_bytes = decode(bytes, size);
	unsigned char *tables = malloc(table_bytes + 1);
	if (tables == NULL)
		fail("out of memory");
	long long best_decode = -1, best_zstd = -1, best_floor = -1;
	for (int i = 0; i < rounds; i++) {
		long long begin = now_ns();
		(void)decode(bytes, size);
		long long decoded = now_ns();
		unpack(zstd, bytes, size, raw);
		long long unpacked = now_ns();
		unpack(zstd, bytes, size, raw);
		memset(tables, i, table_bytes);
		__asm__ volatile("" : : "r"(tables) : "memory"); /* who could read them: the writing stays */
		long long written = now_ns();
		keep_least(&best_decode, decoded - begin);
		keep_least(&best_zstd, unpacked - decoded);
		keep_least(&best_floor, written - unpacked);
	}
	printf("%lld %lld %lld\n", best_decode, best_zstd, best_floor);
	ZSTD_freeDCtx(zstd);
	free(tables);
	free(raw);
	free(bytes);
	fclose(file);
	return 0;
}
