/* What stands where a file is to be written, so that no snapshot or dump is lost to a slip. */
#ifndef CMD_FRONTEND_EXISTING_H
#define CMD_FRONTEND_EXISTING_H

#include <snap/status.h>

enum existing {
	EXISTING_NOTHING, /* nor anything in it; or it is no regular file */
	EXISTING_SNAP,
	EXISTING_DUMP, /* of tracemalloc, or compressed */
	EXISTING_OTHER,
	EXISTING_UNREADABLE, /* *err says why */
};

enum existing existing_look(const char *path, struct snap_error *err);

#endif
