/* Prints how long decoding a .snap file takes in a process that has done it before, and how long zstd alone
 * takes to unpack the same sections: the best of many rounds, as "DECODE_NS ZSTD_NS".
 * usage: bench_decode FILE.snap [ROUNDS] */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zstd.h>

#include <snap/reader.h>

enum { HEADER = 20, SECTION_HEADER = 24, RAW_MAX = 4194304 };

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

static void decode(const unsigned char *bytes, size_t size)
{
	struct snap_error err;
	struct snap_input *in = NULL;
	struct snap_reader *reader = NULL;
	struct snap_snapshot *s = NULL;
	if (snap_input_from_memory(&in, bytes, size, &err) < 0 || snap_reader_open(&reader, in, NULL, &err) < 0 ||
	    snap_reader_next(reader, &s, &err) != SNAP_OK)
		fail(err.message);
	snap_snapshot_free(s);
	snap_reader_close(reader);
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

int main(int argc, char **argv)
{
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
	int rounds = argc > 2 ? atoi(argv[2]) : 40;
	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		fail("usage: bench_decode FILE.snap [ROUNDS]");
	size_t size = (size_t)ftell(file);
	rewind(file);
	unsigned char *bytes = malloc(size + 1);
	void *raw = malloc(RAW_MAX);
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	if (bytes == NULL || raw == NULL || zstd == NULL || fread(bytes, 1, size, file) != size)
		fail("cannot read the file");
	long long best_decode = -1, best_zstd = -1;
	for (int i = 0; i < rounds; i++) {
		long long begin = now_ns();
		decode(bytes, size);
		long long middle = now_ns();
		unpack(zstd, bytes, size, raw);
		long long end = now_ns();
		if (best_decode < 0 || middle - begin < best_decode)
			best_decode = middle - begin;
		if (best_zstd < 0 || end - middle < best_zstd)
			best_zstd = end - middle;
	}
	printf("%lld %lld\n", best_decode, best_zstd);
	ZSTD_freeDCtx(zstd);
	free(raw);
	free(bytes);
	fclose(file);
	return 0;
}
