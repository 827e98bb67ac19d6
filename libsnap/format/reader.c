/* Reads the snapshots of a .snap stream one by one. */
#include <snap/reader.h>

#include <stdlib.h>
#include <string.h>

#include "format/decode.h"
#include "format/layout.h"

/* Tags of one version, and room for some of a newer one; further ones share the last row. */
enum { SIZES_MAX = 32 };

struct snap_reader {
	struct snap_input *in;
	struct snap_reader_options options;
	struct snap_sections *sections;
	struct snap_decoder *decoder;
	struct snap_member_info info;
	struct snap_section_size sizes[SIZES_MAX];
	bool more;                 /* the member before says that another follows */
	bool in_member;            /* the decoder has begun the member of `info` */
	enum snap_status over;     /* what every further call comes to, with `why` */
	struct snap_error why;
	struct snap_error damage;
	struct snap_snapshot *lent; /* by snap_reader_borrow, where it is not the decoder's */
};

bool snap_reader_sniff(const uint8_t *bytes, size_t size)
{
	return size > 0 && memcmp(bytes, SNAP_MAGIC, size < SNAP_MAGIC_SIZE ? size : SNAP_MAGIC_SIZE) == 0;
}

void snap_reader_close(struct snap_reader *r)
{
	if (r == NULL)
		return;
	snap_sections_free(r->sections);
	snap_decoder_free(r->decoder);
	snap_snapshot_free(r->lent);
	snap_input_close(r->in);
	free(r);
}

enum snap_status snap_reader_open(struct snap_reader **out, struct snap_input *in,
                                  const struct snap_reader_options *options, struct snap_error *err)
{
	*out = NULL;
	struct snap_reader *r = calloc(1, sizeof *r);
	if (r == NULL) {
		snap_input_close(in);
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	r->in = in;
	r->options.limits = snap_limits_default();
	if (options != NULL)
		r->options = *options;
	const uint8_t *bytes;
	size_t got;
	enum snap_status status = snap_sections_new(&r->sections, in, err);
	if (status == SNAP_OK)
		status = snap_decoder_new(&r->decoder, &r->options.limits, err);
	if (status == SNAP_OK)
		status = snap_input_peek(in, SNAP_MAGIC_SIZE, &bytes, &got, err);
	if (status == SNAP_OK && got == 0)
		status = snap_fail(err, SNAP_ERR_TRUNCATED, 0, "the file is empty");
	else if (status == SNAP_OK && !snap_reader_sniff(bytes, got))
		status = snap_fail(err, SNAP_ERR_UNSUPPORTED, 0, "this is not a .snap file");
	if (status < 0) {
		snap_reader_close(r);
		return status;
	}
	*out = r;
	return SNAP_OK;
}

static void count_section(struct snap_reader *r, const struct snap_section *s)
{
	char tag[5] = {(char)s->tag, (char)(s->tag >> 8), (char)(s->tag >> 16), (char)(s->tag >> 24), '\0'};
	size_t i = 0;
	while (i < r->info.section_count && memcmp(r->sizes[i].tag, tag, sizeof tag) != 0)
		i++;
	if (i == SIZES_MAX)
		i--;
	if (i == r->info.section_count) {
		r->sizes[i] = (struct snap_section_size){.sections = 0};
		memcpy(r->sizes[i].tag, tag, sizeof tag);
		r->info.section_count++;
	}
	r->sizes[i].sections++;
	r->sizes[i].stored += SNAP_SECTION_HEADER_SIZE + s->stored;
	r->sizes[i].raw += s->size;
}

/* Reads one member into the decoder. SNAP_END behind the last member. */
static enum snap_status read_member(struct snap_reader *r, struct snap_error *err)
{
	struct snap_member_header header;
	r->in_member = false;
	enum snap_status status = snap_sections_header(r->sections, &header, err);
	if (status == SNAP_END && r->more)
		return snap_fail(err, SNAP_ERR_TRUNCATED, header.offset, "the file ends before the next snapshot");
	if (status != SNAP_OK)
		return status;
	r->info = (struct snap_member_info){.offset = header.offset,
	                                    .version = header.version,
	                                    .min_reader = header.min_reader,
	                                    .continues = header.flags & SNAP_FLAG_CONTINUES,
	                                    .canonical = header.flags & SNAP_FLAG_CANONICAL,
	                                    .sections = r->sizes};
	status = snap_decoder_begin(r->decoder, &header, err);
	r->in_member = status == SNAP_OK;
	struct snap_section section = {.offset = header.offset};
	while (status == SNAP_OK) {
		status = snap_sections_next(r->sections, &section, err);
		if (status == SNAP_OK && snap_decoder_knows(section.tag))
			status = snap_sections_unpack(r->sections, &section, err);
		if (status == SNAP_OK) {
			count_section(r, &section);
			status = snap_decoder_section(r->decoder, &section, err);
		} else if (r->options.salvage) {
			snap_decoder_cut(r->decoder, &section);
		}
	}
	/* A limit is met in a table, which knows no offset. */
	if (status == SNAP_ERR_LIMIT && err != NULL && err->offset == SNAP_NO_OFFSET)
		err->offset = section.offset;
	if (status < 0)
		return status;
	r->in_member = false;
	r->info.stored = snap_input_offset(r->in) - header.offset;
	struct snap_end end = snap_decoder_end(r->decoder);
	r->more = end.more;
	memcpy(r->info.digest, end.digest, sizeof end.digest);
	return SNAP_OK;
}

static enum snap_status check_digest(struct snap_reader *r, const struct snap_snapshot *s, struct snap_error *err)
{
	uint64_t digest[2];
	enum snap_status status = snap_snapshot_digest(s, digest, err);
	if (status == SNAP_OK && memcmp(digest, r->info.digest, sizeof digest) != 0)
		return snap_fail(err, SNAP_ERR_DAMAGED, snap_input_offset(r->in) - SNAP_END_SIZE - SNAP_SECTION_HEADER_SIZE,
		                 "the content does not have the digest that the file says");
	return status;
}

/* Hands out what a damaged member holds, and keeps why it is damaged. */
static enum snap_status salvage(struct snap_reader *r, struct snap_snapshot **out)
{
	struct snap_error damage = r->why, failure;
	enum snap_status status = snap_decoder_salvage(r->decoder, out, &failure);
	if (status == SNAP_OK)
		status = snap_meta_set_format(snap_snapshot_meta(*out), "partial", &failure, "offset %llu: %s",
		                              (unsigned long long)damage.offset, damage.message);
	if (status < 0) {
		snap_snapshot_free(*out);
		*out = NULL;
		/* Where there is nothing to save, the damage is what there is to say. */
		if (status == SNAP_ERR_NOMEM)
			r->why = failure;
		return r->why.status;
	}
	r->damage = damage;
	r->over = SNAP_END;
	return SNAP_OK;
}

static enum snap_status next(struct snap_reader *r, struct snap_snapshot **out)
{
	enum snap_status status = read_member(r, &r->why);
	if (status == SNAP_OK && out != NULL) {
		bool keep = false;
		status = snap_sections_continues(r->sections, &keep, &r->why);
		if (status == SNAP_OK)
			status = snap_decoder_take(r->decoder, keep, out, &r->why);
		if (status == SNAP_OK && r->options.check)
			status = check_digest(r, *out, &r->why);
		if (status < 0) {
			snap_snapshot_free(*out);
			*out = NULL;
		}
		return status;
	}
	/* Where nothing of a member is whole, the members before it were all there is. */
	bool salvageable = status == SNAP_ERR_TRUNCATED || status == SNAP_ERR_DAMAGED;
	if (salvageable && r->options.salvage && out != NULL && r->in_member)
		return salvage(r, out);
	return status;
}

static enum snap_status next_or_over(struct snap_reader *r, struct snap_snapshot **out, struct snap_error *err)
{
	if (r->over == SNAP_OK) {
		enum snap_status status = next(r, out);
		if (status == SNAP_OK)
			return SNAP_OK;
		r->over = status;
	}
	if (r->over < 0 && err != NULL)
		*err = r->why;
	return r->over;
}

enum snap_status snap_reader_next(struct snap_reader *r, struct snap_snapshot **out, struct snap_error *err)
{
	*out = NULL;
	return next_or_over(r, out, err);
}

enum snap_status snap_reader_borrow(struct snap_reader *r, struct snap_snapshot **out, struct snap_error *err)
{
	*out = NULL;
	/* What is checked or saved must be a snapshot of its own. */
	if (r->options.check || r->options.salvage) {
		snap_snapshot_free(r->lent);
		enum snap_status status = snap_reader_next(r, &r->lent, err);
		*out = r->lent;
		return status;
	}
	enum snap_status status = next_or_over(r, NULL, err);
	return status == SNAP_OK ? snap_decoder_lend(r->decoder, out, err) : status;
}

enum snap_status snap_reader_skip(struct snap_reader *r, struct snap_error *err)
{
	return next_or_over(r, NULL, err);
}

const struct snap_error *snap_reader_damage(const struct snap_reader *r)
{
	return &r->damage;
}

struct snap_member_info snap_reader_member(const struct snap_reader *r)
{
	return r->info;
}
