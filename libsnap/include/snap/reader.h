/* Reads .snap streams: the snapshots of a file one by one, and how its bytes are spent. */
#ifndef SNAP_READER_H
#define SNAP_READER_H

#include <snap/input.h>
#include <snap/limits.h>
#include <snap/snapshot.h>

struct snap_reader;

/* The format version this library writes, and the highest it reads for sure. */
#define SNAP_FORMAT_VERSION 1

struct snap_reader_options {
	struct snap_limits limits;
	bool check;   /* verify digests as well */
	bool salvage; /* a truncated or damaged member gives what its whole sections hold, with the metadata
	                 key `partial`, and ends the reading; see snap_reader_damage. Where nothing of the
	                 member is whole, the call fails as without it */
};

/* The input is taken, also on failure. `options` may be NULL. SNAP_ERR_UNSUPPORTED when the bytes do
 * not begin as .snap, SNAP_ERR_TRUNCATED when there are none. */
SNAP_API enum snap_status snap_reader_open(struct snap_reader **out, struct snap_input *in,
                                           const struct snap_reader_options *options, struct snap_error *err);

/* The next snapshot: yours; free with snap_snapshot_free. SNAP_END behind the last. After a failure
 * every further call fails in the same way. */
SNAP_API enum snap_status snap_reader_next(struct snap_reader *r, struct snap_snapshot **out,
                                           struct snap_error *err);

/* The next snapshot as the reader itself has it, borrowed until the next call and not to be changed: quicker, as
 * nothing is put in order, most of all where a member continues others. Beside what the snapshot needs it may hold what only
 * others need, so it is only for snap_snapshot_meta, snap_snapshot_total and snap_trend_add. SNAP_END and
 * failures as of snap_reader_next. */
SNAP_API enum snap_status snap_reader_borrow(struct snap_reader *r, struct snap_snapshot **out,
                                             struct snap_error *err);

/* Reads over the next snapshot without handing it out. */
SNAP_API enum snap_status snap_reader_skip(struct snap_reader *r, struct snap_error *err);

/* With `salvage`: why the last snapshot is partial; status SNAP_OK if it is not. Borrowed. */
SNAP_API const struct snap_error *snap_reader_damage(const struct snap_reader *r);

/* Space that sections of one tag take in the member read last. */
struct snap_section_size {
	char tag[5];
	uint32_t sections;
	uint64_t stored; /* bytes in the file, section headers included */
	uint64_t raw;    /* bytes before compression */
};

struct snap_member_info {
	uint64_t offset; /* of the member in the stream */
	uint64_t stored; /* bytes of the whole member */
	uint16_t version;
	uint16_t min_reader;
	bool continues; /* needs the members before it */
	bool canonical;
	uint64_t digest[2];
	const struct snap_section_size *sections; /* in order of first appearance, borrowed until the next call */
	size_t section_count;
};

SNAP_API struct snap_member_info snap_reader_member(const struct snap_reader *r);

SNAP_API void snap_reader_close(struct snap_reader *r); /* takes NULL */

/* Whether bytes begin as .snap does, or are a beginning of the magic of at least one byte. */
SNAP_API bool snap_reader_sniff(const uint8_t *bytes, size_t size);

#endif
