/* Streaming decompression; see unpack.h. */
#include "import/unpack.h"

#include <errno.h>
#include <snap/status.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	PACKED_SIZE = 64 * 1024,
	WINDOW_LOG_FREE = 24, /* 16 MiB, within what a reader may need beside its tables */
	WINDOW_LOG_MAX = 27,  /* what the zstd tool takes without being told */
	RATIO_MAX = 1100,     /* what gzip cannot reach, and far above what dumps do */
};

/* Bytes that may be unpacked whatever the ratio. */
#define UNPACKED_FREE (UINT64_C(64) << 20)

static const uint8_t gzip_magic[3] = {0x1f, 0x8b, 0x08};
static const uint8_t zstd_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

struct unpack {
	struct snap_input *in;
	struct snap_error *trouble;
	z_stream *gzip;  /* one of these two is not NULL */
	ZSTD_DCtx *zstd;
	struct snap_budget *budget;
	uint64_t charged; /* to the budget, for the window of `zstd` */
	const char *name;
	const uint8_t *next;
	size_t available;
	uint64_t begin, unpacked; /* offset of the first packed byte; bytes handed out */
	bool in_stream; /* between the first byte of a gzip member or zstd frame and its last */
	uint8_t packed[PACKED_SIZE];
};

/* True, too, for a beginning that is too short to tell: it is found truncated later. */
static bool begins(const uint8_t *bytes, size_t size, const uint8_t *magic, size_t magic_size)
{
	return size > 0 && memcmp(bytes, magic, size < magic_size ? size : magic_size) == 0;
}

bool snap_unpack_sniff(const uint8_t *bytes, size_t size)
{
	return begins(bytes, size, gzip_magic, sizeof gzip_magic) || begins(bytes, size, zstd_magic, sizeof zstd_magic);
}

static uint64_t packed_offset(const struct unpack *u)
{
	return snap_input_offset(u->in) - u->available;
}

static enum snap_status refill(struct unpack *u, struct snap_error *err)
{
	u->next = u->packed;
	return snap_input_read(u->in, u->packed, sizeof u->packed, &u->available, err);
}

/* One step of decompression; *got may be 0 without being the end. */
static enum snap_status step_gzip(struct unpack *u, uint8_t *buffer, size_t size, size_t *got, struct snap_error *err)
{
	z_stream *z = u->gzip;
	z->next_in = (Bytef *)(uintptr_t)u->next; /* zlib does not write there, its type only says so */
	z->avail_in = (uInt)u->available;
	z->next_out = buffer;
	z->avail_out = (uInt)(size < PACKED_SIZE ? size : PACKED_SIZE);
	int result = inflate(z, Z_NO_FLUSH);
	*got = (size_t)(z->next_out - buffer);
	u->next = z->next_in;
	u->available = z->avail_in;
	if (result == Z_STREAM_END) {
		u->in_stream = false;
		return inflateReset(z) == Z_OK ? SNAP_OK : SNAP_ERR_NOMEM;
	}
	if (result == Z_OK || result == Z_BUF_ERROR)
		return SNAP_OK;
	if (result == Z_MEM_ERROR)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	return snap_fail(err, SNAP_ERR_DAMAGED, packed_offset(u), "the gzip data is damaged: %s",
	                 z->msg != NULL ? z->msg : "unknown error");
}

static enum snap_status window_too_large(const struct unpack *u, struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_LIMIT, packed_offset(u),
	                 "the zstd data needs too large a window; unpack it first with zstd -d --long=31");
}

/* A window is made when its frame begins and written as bytes come out, so one that is refused here has taken
 * little. */
static enum snap_status charge_window(struct unpack *u, struct snap_error *err)
{
	const uint64_t held = ZSTD_sizeof_DCtx(u->zstd), free_of_charge = UINT64_C(1) << WINDOW_LOG_FREE;
	const uint64_t due = held > free_of_charge ? held - free_of_charge : 0;
	if (due > u->charged && due - u->charged > u->budget->limit - u->budget->used)
		return window_too_large(u, err);
	u->budget->used += due - u->charged;
	u->charged = due;
	return SNAP_OK;
}

static enum snap_status step_zstd(struct unpack *u, uint8_t *buffer, size_t size, size_t *got, struct snap_error *err)
{
	ZSTD_inBuffer from = {u->next, u->available, 0};
	ZSTD_outBuffer to = {buffer, size, 0};
	size_t result = ZSTD_decompressStream(u->zstd, &to, &from);
	*got = to.pos;
	u->next += from.pos;
	u->available -= from.pos;
	if (ZSTD_isError(result)) {
		switch (ZSTD_getErrorCode(result)) {
		case ZSTD_error_memory_allocation:
			return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		case ZSTD_error_frameParameter_windowTooLarge:
			return window_too_large(u, err);
		default:
			return snap_fail(err, SNAP_ERR_DAMAGED, packed_offset(u), "the zstd data is damaged: %s",
			                 ZSTD_getErrorName(result));
		}
	}
	u->in_stream = result != 0;
	return charge_window(u, err);
}

static bool may_begin_stream(const struct unpack *u, uint8_t first)
{
	if (u->gzip != NULL)
		return first == gzip_magic[0];
	return first == zstd_magic[0] || (first & 0xf0) == 0x50; /* a frame, a skippable frame */
}

static enum snap_status unpack_some(struct unpack *u, uint8_t *buffer, size_t size, size_t *got, struct snap_error *err)
{
	*got = 0;
	while (*got == 0) {
		bool at_end = false;
		if (u->available == 0) {
			enum snap_status status = refill(u, err);
			if (status < 0)
				return status;
			at_end = u->available == 0;
		}
		if (!u->in_stream) {
			if (at_end)
				return SNAP_OK;
			/* The tools that write these formats may put one stream behind another, and nothing else. */
			if (!may_begin_stream(u, *u->next))
				return snap_fail(err, SNAP_ERR_DAMAGED, packed_offset(u), "bytes that are not %s data follow it",
				                 u->name);
			u->in_stream = true;
		}
		/* At the end there may still be output held back. */
		enum snap_status status = u->gzip != NULL ? step_gzip(u, buffer, size, got, err)
		                                          : step_zstd(u, buffer, size, got, err);
		if (status < 0)
			return status;
		u->unpacked += *got;
		if (u->unpacked > UNPACKED_FREE && u->unpacked / RATIO_MAX > packed_offset(u) - u->begin)
			return snap_fail(err, SNAP_ERR_LIMIT, packed_offset(u),
			                 "the %s data unpacks to more than %d times its size; if it is meant to, unpack it first",
			                 u->name, RATIO_MAX);
		if (at_end && *got == 0 && u->in_stream)
			return snap_fail(err, SNAP_ERR_TRUNCATED, packed_offset(u), "the input ends in the middle of its %s data",
			                 u->name);
	}
	return SNAP_OK;
}

static ptrdiff_t unpack_read(void *context, void *buffer, size_t size)
{
	struct unpack *u = context;
	size_t got;
	if (u->trouble->status < 0 || unpack_some(u, buffer, size, &got, u->trouble) < 0) {
		errno = EIO;
		return -1;
	}
	return (ptrdiff_t)got;
}

static void unpack_close(void *context)
{
	struct unpack *u = context;
	if (u->gzip != NULL)
		inflateEnd(u->gzip);
	free(u->gzip);
	ZSTD_freeDCtx(u->zstd);
	u->budget->used -= u->charged;
	free(u);
}

static bool open_gzip(struct unpack *u)
{
	u->name = "gzip";
	u->gzip = calloc(1, sizeof *u->gzip);
	if (u->gzip != NULL && inflateInit2(u->gzip, 15 + 16) != Z_OK) {
		free(u->gzip);
		u->gzip = NULL;
	}
	return u->gzip != NULL;
}

static bool open_zstd(struct unpack *u)
{
	u->name = "zstd";
	u->zstd = ZSTD_createDCtx();
	return u->zstd != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX));
}

enum snap_status snap_unpack_open(struct snap_input **out, struct snap_input *in, struct snap_budget *budget,
                                  struct snap_error *trouble, struct snap_error *err)
{
	*out = NULL;
	const uint8_t *bytes;
	size_t size;
	enum snap_status status = snap_input_peek(in, sizeof zstd_magic, &bytes, &size, err);
	if (status < 0 || !snap_unpack_sniff(bytes, size))
		return status;

	struct unpack *u = malloc(sizeof *u);
	if (u == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	u->in = in;
	u->trouble = trouble;
	u->gzip = NULL;
	u->zstd = NULL;
	u->budget = budget;
	u->charged = 0;
	u->next = u->packed;
	u->available = 0;
	u->begin = snap_input_offset(in);
	u->unpacked = 0;
	u->in_stream = false;
	*trouble = (struct snap_error){.status = SNAP_OK, .offset = SNAP_NO_OFFSET};
	if (!(begins(bytes, size, gzip_magic, sizeof gzip_magic) ? open_gzip(u) : open_zstd(u))) {
		unpack_close(u);
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	return snap_input_from_function(out, unpack_read, unpack_close, u, err);
}
