/* Strict UTF-8 (Unicode, table 3-7); see text.h. */
#include "store/text.h"

#include <string.h>

/* How many bytes what begins at p[0], size > 0, takes, and whether it is a character. */
static size_t part(const unsigned char *p, size_t size, bool *valid)
{
	unsigned char first = p[0], low = 0x80, high = 0xbf; /* bounds of the second byte */
	*valid = first < 0x80;
	if (first < 0xc2 || first > 0xf4)
		return 1;
	size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++) {
		if (i >= size || p[i] < low || p[i] > high)
			return i;
		low = 0x80;
		high = 0xbf;
	}
	*valid = true;
	return length;
}

bool snap_text_is_valid(const char *bytes, size_t size)
{
	bool valid = true;
	for (size_t at = 0; at < size && valid;)
		at += part((const unsigned char *)bytes + at, size - at, &valid);
	return valid;
}

static const char replacement[] = "\xef\xbf\xbd";
enum { REPLACEMENT_SIZE = sizeof replacement - 1 };

size_t snap_text_repaired_size(const char *bytes, size_t size)
{
	size_t repaired = 0;
	bool valid;
	for (size_t at = 0, n; at < size; at += n) {
		n = part((const unsigned char *)bytes + at, size - at, &valid);
		repaired += valid ? n : REPLACEMENT_SIZE;
	}
	return repaired;
}

void snap_text_repair(const char *bytes, size_t size, char *repaired)
{
	bool valid;
	for (size_t at = 0, n; at < size; at += n) {
		n = part((const unsigned char *)bytes + at, size - at, &valid);
		memcpy(repaired, valid ? bytes + at : replacement, valid ? n : REPLACEMENT_SIZE);
		repaired += valid ? n : REPLACEMENT_SIZE;
	}
}
