/* Stacks of the tracer: each once, with its frames as (file, line, function), all counted, so that what
 * nobody needs goes. One caller at a time. */
#ifndef CMD_CAPTURE_STACKS_H
#define CMD_CAPTURE_STACKS_H

#include <snap/builder.h>

#include "frames.h"
#include "memory.h"

/* Begins with nothing; keeps the `limit` newest frames of a stack. False when there is no memory. */
bool stacks_begin(unsigned limit);
void stacks_clear(void);

/* The stack of the calling thread, whose frames_key is `key`, with one use more; 0 when there is no memory. */
uint32_t stacks_use(uint64_t key);
/* One use less; the stack goes with its last one. */
void stacks_release(uint32_t stack);

/* For a snapshot: what stacks were when it was taken, as long as none is released. */
struct stacks_copy {
	struct records stacks, frames, codes;
	uint32_t *numbers, *frame_numbers; /* of stacks and frames in the builder, + 1 */
};

/* SNAP_ERR_NOMEM. To be released also on failure. */
enum snap_status stacks_copy(struct stacks_copy *copy, struct snap_error *err);
enum snap_status stacks_build(struct stacks_copy *copy, uint32_t stack, struct snap_builder *builder,
			      uint32_t *number, struct snap_error *err);
void stacks_copy_free(struct stacks_copy *copy);

#endif
