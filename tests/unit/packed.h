/* Snapshots to the bytes of a .snap stream and back, and the bytes of a stream taken apart. */
#ifndef PACKED_H
#define PACKED_H

#include <snap/reader.h>
#include <snap/writer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PACKED_HEADER = 20, PACKED_SECTION = 24, PACKED_END = 64 };

struct packed {
	uint8_t *bytes;
	size_t size;
};

static inline enum snap_status packed_try(struct packed *p, struct snap_snapshot *const *snapshots, size_t count,
                                          int level, bool series, struct snap_error *err)
{
	*p = (struct packed){NULL, 0};
	struct snap_output *out = NULL;
	struct snap_writer *w = NULL;
	const struct snap_writer_options options = {.level = level, .series = series};
	enum snap_status status = snap_output_to_memory(&out, err);
	if (status == SNAP_OK)
		status = snap_writer_new(&w, out, &options, err);
	for (size_t i = 0; i < count && status == SNAP_OK; i++)
		status = snap_writer_put(w, snapshots[i], err);
	if (status == SNAP_OK)
		status = snap_writer_finish(w, err);
	if (status == SNAP_OK)
		status = snap_output_finish(out, err);
	if (status == SNAP_OK) {
		const void *bytes = snap_output_memory(out, &p->size);
		p->bytes = malloc(p->size);
		if (p->bytes == NULL)
			abort();
		memcpy(p->bytes, bytes, p->size);
	}
	snap_writer_free(w);
	snap_output_free(out);
	return status;
}

static inline struct packed packed_new(struct snap_snapshot *const *snapshots, size_t count, int level, bool series)
{
	struct packed p;
	struct snap_error err;
	if (packed_try(&p, snapshots, count, level, series, &err) < 0) {
		fprintf(stderr, "cannot write: %s\n", err.message);
		abort();
	}
	return p;
}

/* Hands out 1 to 7 bytes at a time, as a pipe may. */
struct packed_drip {
	const uint8_t *next, *end;
	unsigned step; /* 0 = 1, 2, … 7, 1, 2 … */
	unsigned calls;
	unsigned closed;
};

static inline ptrdiff_t packed_drip_read(void *context, void *buffer, size_t size)
{
	struct packed_drip *d = context;
	size_t n = d->step != 0 ? d->step : 1 + d->calls++ % 7;
	if (n > size)
		n = size;
	if (n > (size_t)(d->end - d->next))
		n = (size_t)(d->end - d->next);
	if (n > 0)
		memcpy(buffer, d->next, n);
	d->next += n;
	return (ptrdiff_t)n;
}

static inline void packed_drip_close(void *context)
{
	((struct packed_drip *)context)->closed++;
}

/* All the snapshots of a stream, up to `max`; *count of them are there also on failure. The status is
 * SNAP_END when the stream ended as it should. */
static inline enum snap_status packed_read(struct snap_input *in, const struct snap_reader_options *options,
                                           struct snap_snapshot **snapshots, size_t max, size_t *count,
                                           struct snap_error *err)
{
	struct snap_reader *r;
	*count = 0;
	enum snap_status status = snap_reader_open(&r, in, options, err);
	if (status < 0)
		return status;
	while (*count < max && (status = snap_reader_next(r, &snapshots[*count], err)) == SNAP_OK)
		++*count;
	snap_reader_close(r);
	return status;
}

static inline enum snap_status packed_open(const void *bytes, size_t size, const struct snap_reader_options *options,
                                           struct snap_snapshot **snapshots, size_t max, size_t *count,
                                           struct snap_error *err)
{
	struct snap_input *in;
	*count = 0;
	enum snap_status status = snap_input_from_memory(&in, bytes, size, err);
	return status < 0 ? status : packed_read(in, options, snapshots, max, count, err);
}

static inline void packed_free_all(struct snap_snapshot **snapshots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snap_snapshot_free(snapshots[i]);
}

static inline uint32_t packed_get(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void packed_put(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint32_t packed_crc(const uint8_t *p, size_t size)
{
	return (uint32_t)crc32(crc32(0, Z_NULL, 0), p, (uInt)size);
}

/* Whether the section at `p` has this tag. */
static inline bool packed_is(const uint8_t *p, const char *tag)
{
	return memcmp(p, tag, 4) == 0;
}

static inline size_t packed_section_size(const uint8_t *p)
{
	return PACKED_SECTION + (size_t)packed_get(p + 8);
}

/* Makes checksums right again after a change that keeps all lengths. */
static inline void packed_repair(uint8_t *p, size_t size)
{
	size_t at = 0;
	while (at + PACKED_HEADER <= size) {
		packed_put(p + at + 16, packed_crc(p + at, 16));
		at += PACKED_HEADER;
		for (bool end = false;
		     !end && at + PACKED_SECTION <= size && packed_section_size(p + at) <= size - at;) {
			end = packed_is(p + at, "END ");
			packed_put(p + at + 16, packed_crc(p + at + PACKED_SECTION, packed_get(p + at + 8)));
			packed_put(p + at + 20, packed_crc(p + at, 20));
			at += packed_section_size(p + at);
		}
	}
}

/* Where the n-th section of this tag begins, counted from 0, or SIZE_MAX. */
static inline size_t packed_find(const uint8_t *p, size_t size, const char *tag, size_t n)
{
	size_t at = 0;
	while (at + PACKED_HEADER <= size) {
		at += PACKED_HEADER;
		for (bool end = false; !end && at + PACKED_SECTION <= size; at += packed_section_size(p + at)) {
			end = packed_is(p + at, "END ");
			if (packed_is(p + at, tag) && n-- == 0)
				return at;
		}
	}
	return SIZE_MAX;
}

#endif
