/* See text.h. */
#include "store/text.h"

#include <snap/utf8.h>
#include <string.h>

/* How many bytes what stands at the beginning takes, and whether it is a character. */
static size_t part(const char *bytes, size_t size, bool *valid)
{
	uint32_t point;
	size_t length = snap_utf8_decode(bytes, size, &point);
	*valid = point != SNAP_UTF8_INVALID;
	return length;
}

bool snap_text_is_valid(const char *bytes, size_t size)
{
	bool valid = true;
	for (size_t at = 0; at < size && valid;)
		at += part(bytes + at, size - at, &valid);
	return valid;
}

static const char replacement[] = "\xef\xbf\xbd";
enum { REPLACEMENT_SIZE = sizeof replacement - 1 };

size_t snap_text_repaired_size(const char *bytes, size_t size)
{
	size_t repaired = 0;
	bool valid;
	for (size_t at = 0, n; at < size; at += n) {
		n = part(bytes + at, size - at, &valid);
		repaired += valid ? n : REPLACEMENT_SIZE;
	}
	return repaired;
}

void snap_text_repair(const char *bytes, size_t size, char *repaired)
{
	bool valid;
	for (size_t at = 0, n; at < size; at += n) {
		n = part(bytes + at, size - at, &valid);
		memcpy(repaired, valid ? bytes + at : replacement, valid ? n : REPLACEMENT_SIZE);
		repaired += valid ? n : REPLACEMENT_SIZE;
	}
}
