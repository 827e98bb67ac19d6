/* From the bodies of sections to tables: knows every rule of section 5 of the format. */
#ifndef SNAP_FORMAT_DECODE_H
#define SNAP_FORMAT_DECODE_H

#include "format/section.h"
#include "model/snapshot.h"

struct snap_decoder;

enum snap_status snap_decoder_new(struct snap_decoder **out, const struct snap_limits *limits,
                                  struct snap_error *err);
void snap_decoder_free(struct snap_decoder *d); /* takes NULL */

/* Begins a member. SNAP_ERR_DAMAGED when it continues nothing. */
enum snap_status snap_decoder_begin(struct snap_decoder *d, const struct snap_member_header *header,
                                    struct snap_error *err);

/* Whether a tag is one of this version. */
bool snap_decoder_knows(uint32_t tag);

/* Takes the next section, unpacked if its tag is known. SNAP_END when it was END, all of the member is there and every count is right. */
enum snap_status snap_decoder_section(struct snap_decoder *d, const struct snap_section *section,
                                      struct snap_error *err);

/* A section has begun whose body is not whole: where its tag is known, the sites before it are, and
 * snap_decoder_salvage will have them. Without memory for that it does not. */
void snap_decoder_cut(struct snap_decoder *d, const struct snap_section *section);

/* What END says, after SNAP_END. */
struct snap_end {
	bool more;
	uint64_t digest[2];
};
struct snap_end snap_decoder_end(const struct snap_decoder *d);

/* The snapshot of the member, ordered: yours. With `keep` the decoder can go on to a member that
 * continues this one; without, the tables are handed over where they are ordered as they stand. */
enum snap_status snap_decoder_take(struct snap_decoder *d, bool keep, struct snap_snapshot **out,
                                   struct snap_error *err);

/* The decoder's own tables after a whole member, borrowed until the next is begun: totals and metadata are set,
 * but nothing is ordered, and sites, stacks and names that this member does not need may be there. */
enum snap_status snap_decoder_lend(struct snap_decoder *d, struct snap_snapshot **out, struct snap_error *err);

/* After a failure within a member: what its whole sections hold. SNAP_ERR_TRUNCATED when they do not even
 * hold the metadata. */
enum snap_status snap_decoder_salvage(struct snap_decoder *d, struct snap_snapshot **out, struct snap_error *err);

#endif
