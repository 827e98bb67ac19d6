/* From tables to the bytes of one member. */
#ifndef SNAP_FORMAT_ENCODE_H
#define SNAP_FORMAT_ENCODE_H

#include <snap/output.h>

#include "base/sort.h"
#include "model/snapshot.h"

/* What a member adds to its series: the rows of `tables` from the first new ones on, which must stand in
 * the order that the format asks for. Everything is borrowed. */
struct snap_member {
	uint32_t flags;

	const struct snap_meta *meta;
	const struct snap_meta *meta_before; /* of the member before, or NULL */
	const struct snap_snapshot *tables;
	uint32_t first_string, first_frame, first_node, first_stack, first_site;
	struct snap_stack_rule rule;
	const uint64_t *pairs;         /* new ones, caller << 32 | callee, ascending */
	size_t pair_count;
	const uint32_t *callee_number; /* of each new node that is no root: its frame among its caller's callees */
	const uint32_t *changed;       /* old sites whose values change, ascending */
	size_t changed_count;
	const int64_t *changes[SNAP_COLUMNS_MAX]; /* of the residuals of each changed site */
	uint64_t live_sites;
	uint64_t digest[2];
};

struct snap_encoder;

/* level 0 = stored. The output is borrowed. */
enum snap_status snap_encoder_new(struct snap_encoder **out, struct snap_output *output, int level,
                                  struct snap_error *err);
enum snap_status snap_encode_member(struct snap_encoder *e, const struct snap_member *m, struct snap_error *err);
/* The END of the member encoded last, which waits until it is known whether another follows. */
enum snap_status snap_encode_end(struct snap_encoder *e, bool more, struct snap_error *err);
void snap_encoder_free(struct snap_encoder *e);

/* value - what its predictor says; see section 5.2 of the format. The arithmetic wraps around. */
static inline int64_t snap_residual(const struct snap_snapshot *s, uint32_t column, size_t site)
{
	if (s->values[column].count == 0)
		return 0;
	return (int64_t)((uint64_t)snap_numbers_get(&s->values[column], site) -
	                 (uint64_t)snap_snapshot_predicted(s, column, site));
}

#endif
