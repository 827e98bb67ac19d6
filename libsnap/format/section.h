/* The container of .snap from outside: headers and sections, verified, unpacked, not understood. */
#ifndef SNAP_FORMAT_SECTION_H
#define SNAP_FORMAT_SECTION_H

#include <stdbool.h>
#include <snap/input.h>

#include "base/vector.h"

struct snap_member_header {
	uint64_t offset;
	uint16_t version, min_reader;
	uint32_t flags;
};

struct snap_section {
	uint64_t offset; /* of the section's header */
	uint32_t tag;    /* 0 while the header is not known */
	uint32_t index;
	bool must;
	uint8_t codec;
	uint32_t stored;     /* bytes of the body in the file */
	const uint8_t *body; /* as stored, and after snap_sections_unpack `size` bytes; borrowed until the
	                        next call */
	uint32_t size;
};

struct snap_sections;

/* The input is borrowed. */
enum snap_status snap_sections_new(struct snap_sections **out, struct snap_input *in, struct snap_error *err);
/* The next member's header; SNAP_END where the input ends before its first byte. */
enum snap_status snap_sections_header(struct snap_sections *r, struct snap_member_header *header,
                                      struct snap_error *err);
/* Looks whether the next member continues this one, without consuming it. */
enum snap_status snap_sections_continues(struct snap_sections *r, bool *continues, struct snap_error *err);
enum snap_status snap_sections_next(struct snap_sections *r, struct snap_section *section, struct snap_error *err);
/* Unpacks the body of the section read last; what is not known is not unpacked. */
enum snap_status snap_sections_unpack(struct snap_sections *r, struct snap_section *section, struct snap_error *err);
void snap_sections_free(struct snap_sections *r); /* takes NULL */

#endif
