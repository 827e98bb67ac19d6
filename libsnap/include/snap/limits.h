/* How much an input may ask of a reader. */
#ifndef SNAP_LIMITS_H
#define SNAP_LIMITS_H

#include <snap/status.h>

struct snap_limits {
	uint64_t memory; /* bytes that the tables of one snapshot or series may take; while a pickle is read, those
	                    of the import as well, and of the window of a zstd-compressed one what is above
	                    16 MiB. What a reader needs beside them is below 32 MiB. Putting what was imported
	                    in order, behind that, makes a second copy of what the snapshot keeps */
};

/* 16 GiB of tables: far above real snapshots (10^6 sites take some 30 MB), below what hurts a laptop
 * for long. Where `limits` is NULL in a call, these hold. */
SNAP_API struct snap_limits snap_limits_default(void);

#endif
