/* Figures that tell memory that Python holds from memory that allocators hold for it. What a system does not
 * tell is left out. */
#ifndef CMD_CAPTURE_DETAILS_H
#define CMD_CAPTURE_DETAILS_H

#include <snap/meta.h>
#include <stdbool.h>
#include <stdint.h>

/* From here on Python's arenas are counted, if that can be done; with the GIL, before anything is traced. */
void details_begin(void);
void details_put_arenas(struct snap_meta *meta);

/* Too dear to be asked for at every snapshot. */
struct details {
	uint64_t pss; /* bytes; 0 = unknown */
	struct {
		bool is_known;
		uint64_t heap, mapped, free; /* bytes: of arenas, beside them, and within arenas but not in use */
	} malloc;
};

/* Of the system and the C library: may take long, so without the GIL. */
void details_read(struct details *details);

/* The above, and those of Python: with the GIL. */
void details_put(const struct details *details, struct snap_meta *meta);

#endif
