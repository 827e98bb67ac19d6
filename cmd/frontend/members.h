/* The members of a file with how its bytes are spent, for snapinfo. Whatever fails says so by itself. */
#ifndef CMD_FRONTEND_MEMBERS_H
#define CMD_FRONTEND_MEMBERS_H

#include <snap/reader.h>
#include <snap/source.h>
#include <stdbool.h>

#include "operands.h"

struct member {
	size_t number;                  /* from 1 */
	struct snap_snapshot *snapshot; /* borrowed until the next call */
	struct snap_member_info layout; /* no sections where the format has none */
};

struct member_reader {
	const struct operand *operand; /* borrowed */
	const char *format;
	uint64_t size;              /* bytes of the file, UINT64_MAX where not known */
	struct snap_reader *reader; /* of .snap, else NULL */
	struct snap_source *source; /* of other formats, else NULL */
	struct member member;
	size_t wanted; /* 0 = all */
};

/* `options` hold for .snap files; may be NULL. */
bool members_open(struct member_reader *members, const struct operand *operand,
		  const struct snap_reader_options *options);
/* SNAP_OK with members->member, SNAP_END, or an error that is already told. */
enum snap_status members_next(struct member_reader *members);
void members_close(struct member_reader *members);

#endif
