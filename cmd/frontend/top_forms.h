/* What the forms of a ranking are made from; only for the files top_*.c. */
#ifndef CMD_FRONTEND_TOP_FORMS_H
#define CMD_FRONTEND_TOP_FORMS_H

#include <inttypes.h>
#include <stdlib.h>

#include "top.h"

struct ranking {
	struct snap_snapshot *snapshot;
	const struct snap_groups *groups;
	const struct top_options *options;
	bool is_diff;
	bool has_errors; /* the values are estimates with known errors */
	struct snap_group_row total;
	struct snap_frame *frames; /* of the row that ranking_frames read last, newest first */
	size_t room;
};

/* Reads up to `max` frames (0 = all) of row i into ranking->frames; how many are there, in *count.
 * False when there is no memory. */
bool ranking_frames(struct ranking *ranking, size_t i, size_t max, size_t *count);

bool top_table(struct ranking *ranking);
bool top_tracemalloc(struct ranking *ranking);
bool top_json(struct ranking *ranking);
bool top_tsv(struct ranking *ranking);

/* The lines above a table that say what is shown or compared. */
void top_header(struct snap_snapshot *snapshot, const struct snap_group_row *total);

#endif
