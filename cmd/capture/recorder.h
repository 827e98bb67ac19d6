/* Who records what a snapshot is made of: the own tracer, or tracemalloc. All of this is called with the
 * GIL. */
#ifndef CMD_CAPTURE_RECORDER_H
#define CMD_CAPTURE_RECORDER_H

#include <snap/builder.h>
#include <stdbool.h>
#include <stdint.h>

#include "tracer.h"

enum recorder_mode { RECORDER_SAMPLED, RECORDER_EXACT, RECORDER_TRACEMALLOC };

#define RECORDER_PERIOD     (UINT64_C(64) << 10)
#define RECORDER_PERIOD_MAX (UINT64_C(1) << 40)

struct recorder_options {
	enum recorder_mode mode;
	uint64_t period; /* of RECORDER_SAMPLED: mean bytes between samples, 1 to RECORDER_PERIOD_MAX */
	unsigned frames; /* newest ones kept of a traceback; of tracemalloc, unless it traces already */
};

/* False if there is no mode of that name. */
bool recorder_find_mode(const char *name, enum recorder_mode *mode);

/* Begins to record. Where the own tracer does not know the interpreter, tracemalloc does it, and *warning
 * says why; else that is NULL. False with a sentence in *why when nothing can. Called from Python code. */
bool recorder_start(const struct recorder_options *options, const char **warning, const char **why);
/* Puts the own tracer away. tracemalloc traces on: to end it is dear, and not safe before 3.13.2. */
void recorder_stop(void);

/* Bytes of memory that reading takes for a while, beyond few megabytes. With the GIL. */
uint64_t recorder_need(void);

/* Reads what was recorded up to this moment, with its metadata, into a builder. The sites of the own tracer
 * are only copied: *rest is yours; they get into the builder by tracer_build, which needs no GIL, and go by
 * tracer_free_copy. For tracemalloc *rest is NULL. SNAP_ERR_INVALID when the program has put an end to
 * recording. */
enum snap_status recorder_read(struct snap_builder *builder, struct tracer_copy **rest, struct snap_error *err);

#endif
