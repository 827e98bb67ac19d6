/* Reads headers and sections: nothing is decoded before its checksum is right, nothing allocated before
 * its length is. */
#include "format/section.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <snap/reader.h>

#include "base/crc32.h"
#include "format/layout.h"

struct snap_sections {
	struct snap_input *in;
	ZSTD_DCtx *zstd; /* NULL before the first packed section: making one costs more than reading a small file */
	struct snap_u8s stored; /* a body that is too long for a peek */
	struct snap_u8s raw;
};

static uint32_t get_u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get_u32(const uint8_t *p)
{
	return get_u16(p) | get_u16(p + 2) << 16;
}

/* A tag as text for messages. */
static const char *tag_text(uint32_t tag, char text[5])
{
	for (unsigned i = 0; i < 4; i++) {
		char c = (char)(tag >> (8 * i));
		text[i] = '?';
		if (c >= ' ' && c <= '~')
			text[i] = c;
	}
	text[4] = '\0';
	return text;
}

enum snap_status snap_sections_new(struct snap_sections **out, struct snap_input *in, struct snap_error *err)
{
	*out = NULL;
	struct snap_sections *r = calloc(1, sizeof *r);
	if (r == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	r->in = in;
	*out = r;
	return SNAP_OK;
}

void snap_sections_free(struct snap_sections *r)
{
	if (r == NULL)
		return;
	ZSTD_freeDCtx(r->zstd);
	snap_vector_free(&r->stored, NULL);
	snap_vector_free(&r->raw, NULL);
	free(r);
}

static enum snap_status ends_within(struct snap_sections *r, const char *what, struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_TRUNCATED, snap_input_offset(r->in), "the file ends within %s", what);
}

/* Reads exactly `size` bytes. */
static enum snap_status read_all(struct snap_sections *r, void *buffer, size_t size, const char *what,
                                 struct snap_error *err)
{
	size_t got;
	enum snap_status status = snap_input_read(r->in, buffer, size, &got, err);
	if (status == SNAP_OK && got < size)
		return ends_within(r, what, err);
	return status;
}

enum snap_status snap_sections_header(struct snap_sections *r, struct snap_member_header *header,
                                      struct snap_error *err)
{
	uint8_t bytes[SNAP_HEADER_SIZE];
	size_t got;
	header->offset = snap_input_offset(r->in);
	enum snap_status status = snap_input_read(r->in, bytes, sizeof bytes, &got, err);
	if (status < 0)
		return status;
	if (got == 0)
		return header->offset > 0 ? SNAP_END : snap_fail(err, SNAP_ERR_TRUNCATED, 0, "the file is empty");
	if (memcmp(bytes, SNAP_MAGIC, got < SNAP_MAGIC_SIZE ? got : SNAP_MAGIC_SIZE) != 0)
		return snap_fail(err, header->offset == 0 ? SNAP_ERR_UNSUPPORTED : SNAP_ERR_DAMAGED, header->offset,
		                 header->offset == 0 ? "this is not a .snap file"
		                                     : "what follows the snapshot is no other one");
	if (got < sizeof bytes)
		return snap_fail(err, SNAP_ERR_TRUNCATED, header->offset + got, "the file ends within a header");
	if (get_u32(bytes + 16) != snap_crc32(bytes, 16))
		return snap_fail(err, SNAP_ERR_DAMAGED, header->offset, "the checksum of the header is wrong");
	header->version = (uint16_t)get_u16(bytes + 8);
	header->min_reader = (uint16_t)get_u16(bytes + 10);
	header->flags = get_u32(bytes + 12);
	if (header->min_reader == 0 || header->min_reader > header->version)
		return snap_fail(err, SNAP_ERR_DAMAGED, header->offset, "the header has impossible versions");
	if (header->min_reader > SNAP_FORMAT_VERSION)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, header->offset,
		                 "the file needs a reader of format version %u, this one reads up to %d; "
		                 "use newer snaptools",
		                 header->min_reader, SNAP_FORMAT_VERSION);
	if (header->flags & SNAP_FLAGS_RESERVED)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, header->offset,
		                 "the header has flags %#x that are not known; use newer snaptools",
		                 header->flags & SNAP_FLAGS_RESERVED);
	return SNAP_OK;
}

enum snap_status snap_sections_continues(struct snap_sections *r, bool *continues, struct snap_error *err)
{
	const uint8_t *bytes;
	size_t got;
	enum snap_status status = snap_input_peek(r->in, SNAP_HEADER_SIZE, &bytes, &got, err);
	*continues = status == SNAP_OK && got == SNAP_HEADER_SIZE &&
	             (get_u32(bytes + 12) & SNAP_FLAG_CONTINUES) != 0;
	return status;
}

/* What the numbers of a section header may be; the checksum is right. */
static enum snap_status check_header(const struct snap_section *s, uint32_t flags,
                                     struct snap_error *err)
{
	char tag[5];
	tag_text(s->tag, tag);
	if (flags & SNAP_SECTION_RESERVED)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, s->offset,
		                 "section %s has flags that are not known; use newer snaptools", tag);
	if (s->codec > SNAP_CODEC_ZSTD)
		return snap_fail(err, SNAP_ERR_UNSUPPORTED, s->offset,
		                 "section %s has codec %u, which is not known; use newer snaptools", tag, s->codec);
	if (s->size > SNAP_SECTION_RAW_MAX)
		return snap_fail(err, SNAP_ERR_DAMAGED, s->offset, "section %s claims %u bytes, the most is %u", tag,
		                 s->size, SNAP_SECTION_RAW_MAX);
	if (s->codec == SNAP_CODEC_STORED ? s->stored != s->size
	                               : s->stored > s->size + SNAP_SECTION_STORED_SLACK)
		return snap_fail(err, SNAP_ERR_DAMAGED, s->offset, "the lengths of section %s do not fit together", tag);
	if ((uint64_t)s->stored * SNAP_SECTION_RATIO < s->size)
		return snap_fail(err, SNAP_ERR_DAMAGED, s->offset,
		                 "section %s claims to unpack to more than %u times its size", tag, SNAP_SECTION_RATIO);
	return SNAP_OK;
}

static enum snap_status read_body(struct snap_sections *r, struct snap_section *s, const uint8_t *header,
                                  struct snap_error *err)
{
	char tag[5];
	enum snap_status status;
	if (s->stored <= SNAP_INPUT_PEEK_MAX) {
		/* Where it lies: a copy saved. */
		size_t got;
		status = snap_input_peek(r->in, s->stored, &s->body, &got, err);
		if (status == SNAP_OK) {
			snap_input_skip(r->in, got);
			status = got == s->stored ? SNAP_OK : ends_within(r, "a section", err);
		}
	} else {
		status = snap_vector_reserve(&r->stored, s->stored, NULL, err);
		if (status == SNAP_OK)
			status = read_all(r, r->stored.at, s->stored, "a section", err);
		s->body = r->stored.at;
	}
	if (status == SNAP_OK && get_u32(header + 16) != snap_crc32(s->body, s->stored))
		status = snap_fail(err, SNAP_ERR_DAMAGED, s->offset, "the checksum of section %s is wrong",
		                   tag_text(s->tag, tag));
	return status;
}

enum snap_status snap_sections_unpack(struct snap_sections *r, struct snap_section *s, struct snap_error *err)
{
	char tag[5];
	if (s->codec == SNAP_CODEC_STORED)
		return SNAP_OK;
	enum snap_status status = snap_vector_reserve(&r->raw, (size_t)s->size + 1, NULL, err);
	if (status < 0)
		return status;
	if (r->zstd == NULL)
		r->zstd = ZSTD_createDCtx();
	if (r->zstd == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	size_t size = ZSTD_decompressDCtx(r->zstd, r->raw.at, s->size, s->body, s->stored);
	if (ZSTD_isError(size) || size != s->size)
		return snap_fail(err, SNAP_ERR_DAMAGED, s->offset, "section %s does not unpack: %s",
		                 tag_text(s->tag, tag),
		                 ZSTD_isError(size) ? ZSTD_getErrorName(size) : "its length is wrong");
	s->body = r->raw.at;
	return SNAP_OK;
}

enum snap_status snap_sections_next(struct snap_sections *r, struct snap_section *s, struct snap_error *err)
{
	uint8_t header[SNAP_SECTION_HEADER_SIZE];
	s->offset = snap_input_offset(r->in);
	s->tag = 0;
	enum snap_status status = read_all(r, header, sizeof header, "a snapshot", err);
	if (status < 0)
		return status;
	if (get_u32(header + 20) != snap_crc32(header, 20))
		return snap_fail(err, SNAP_ERR_DAMAGED, s->offset, "the checksum of a section header is wrong");
	s->tag = get_u32(header);
	s->codec = header[4];
	s->must = header[5] & SNAP_SECTION_MUST;
	s->index = get_u16(header + 6);
	s->stored = get_u32(header + 8);
	s->size = get_u32(header + 12);
	status = check_header(s, header[5], err);
	return status < 0 ? status : read_body(r, s, header, err);
}
