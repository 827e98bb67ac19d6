/* Looks at the first bytes of a file; see existing.h. */
#define _POSIX_C_SOURCE 200809L
#include "existing.h"

#include <snap/input.h>
#include <snap/reader.h>
#include <snap/tracemalloc.h>
#include <sys/stat.h>

enum { MAGIC_SIZE = 8 };

enum existing existing_look(const char *path, struct snap_error *err)
{
	struct stat st;
	struct snap_input *in;
	const uint8_t *bytes;
	size_t size;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return EXISTING_NOTHING;
	if (snap_input_open(&in, path, err) < 0)
		return EXISTING_UNREADABLE;
	enum existing what = EXISTING_OTHER;
	if (snap_input_peek(in, MAGIC_SIZE, &bytes, &size, err) < 0)
		what = EXISTING_UNREADABLE;
	else if (size == 0)
		what = EXISTING_NOTHING;
	else if (snap_reader_sniff(bytes, size))
		what = EXISTING_SNAP;
	else if (snap_tracemalloc_sniff(bytes, size))
		what = EXISTING_DUMP;
	snap_input_close(in);
	return what;
}
