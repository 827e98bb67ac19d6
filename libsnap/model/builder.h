/* The builder from inside: hashes of frames and the plain forest, for forest.c. */
#ifndef SNAP_MODEL_BUILDER_H
#define SNAP_MODEL_BUILDER_H

#include <snap/builder.h>

#include "base/hash.h"
#include "base/index.h"
#include "model/snapshot.h"

/* Until it is finished the forest is *plain*: a stack begins at a root of its own depth, so a node has
 * at most two stacks, one with a known total (its depth) and one without. */
struct snap_builder {
	struct snap_snapshot *s;
	struct snap_index strings, frames, nodes, sites;
	struct snap_u64s string_hash, frame_hash; /* of content, section 6 of the format: for the order of nodes */
	struct snap_u32s known_stack, unknown_stack; /* of each node, or SNAP_NONE */
};

static inline uint64_t snap_builder_node_hash(struct snap_builder *b, uint32_t parent, uint32_t frame)
{
	return snap_keyed(snap_index_seed(&b->nodes), (uint64_t)parent << 32 | frame);
}

/* Hangs truncated stacks below nodes that stand at the right depth with the right frames. */
enum snap_status snap_forest_join(struct snap_builder *b, struct snap_error *err);

#endif
