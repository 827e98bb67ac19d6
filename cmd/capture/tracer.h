/* The own tracer: hooks on CPython's allocators of the domains RAW, MEM and OBJ, and what they have seen:
 * for each live block, or each one that is sampled, its site. A hook never takes the GIL, runs no Python
 * code, counts no reference and allocates nothing through Python. */
#ifndef CMD_CAPTURE_TRACER_H
#define CMD_CAPTURE_TRACER_H

#include <snap/builder.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tracer_options {
	unsigned frames;  /* newest ones kept of a stack, 1 to SNAP_DEPTH_MAX */
	uint64_t period;  /* mean bytes between samples; 0 = every block is recorded */
	uint64_t seed;    /* of the samples; 0 = one from the system */
};

/* Before all else, so that what is known is whole in the child of a fork, which waits for nobody's lock. False if
 * the system has no memory for that. A second time does nothing. */
bool tracer_follow_forks(void);

/* Begins to trace, with nothing known. False with a sentence in *why; the program is as it was then. With
 * the GIL, called from Python code. */
bool tracer_start(const struct tracer_options *options, const char **why);
/* Forgets all, and takes the hooks away unless another's are above them. With the GIL. */
void tracer_stop(void);
/* Whether blocks of all three domains come by, and objects where Python tells of them; who has put away the
 * hooks has made what is known worthless. Where only Python's telling of objects was taken over by another,
 * it is taken back, and goes on to the other as well. With the GIL. */
bool tracer_is_intact(void);
/* How objects are seen that Python would make, or makes, in memory of earlier ones. */
enum tracer_reuse {
	TRACER_REUSE_UNSEEN,
	TRACER_REUSE_TOLD,     /* Python tells of them */
	TRACER_REUSE_PREVENTED, /* the memory is given back, see reuse.h */
	TRACER_REUSE_DRAWN      /* it is, where what comes next in it is sampled, see rebirth.h */
};
enum tracer_reuse tracer_reuse(void);
/* Whether some floats are made so, unseen. */
bool tracer_misses_floats(void);

/* Memory that an extension tells of. Without the GIL. */
void tracer_track(unsigned domain, uintptr_t address, size_t size);
void tracer_untrack(unsigned domain, uintptr_t address);

struct tracer_totals {
	uint64_t blocks, bytes;  /* recorded ones that live */
	uint64_t peak_bytes;
	uint64_t lost;           /* blocks for which there was no memory */
	uint64_t own_bytes;
	bool consistent;         /* counted along the way, and over the sites, there are as many */
};

/* Bytes that a snapshot takes for a while. */
uint64_t tracer_need(void);

/* What lives at one moment. */
struct tracer_copy;

/* Nothing is forgotten between these two, so that the second needs neither lock nor GIL: one copy at a time.
 * SNAP_ERR_NOMEM. */
enum snap_status tracer_take_copy(struct tracer_copy **out, struct tracer_totals *totals, struct snap_error *err);
void tracer_free_copy(struct tracer_copy *copy); /* takes NULL */
enum snap_status tracer_build(struct tracer_copy *copy, struct snap_builder *builder, struct snap_error *err);

#endif
