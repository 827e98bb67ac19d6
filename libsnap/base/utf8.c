/* Strict UTF-8; see snap/utf8.h. */
#include <snap/utf8.h>

size_t snap_utf8_decode(const char *bytes, size_t size, uint32_t *point)
{
	const unsigned char *p = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte (Unicode, table 3-7) */
	size_t length;
	uint32_t value;
	*point = SNAP_UTF8_INVALID;
	if (p[0] < 0x80) {
		*point = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		length = 2;
		value = p[0] & 0x1fu;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		length = 3;
		value = p[0] & 0x0fu;
		if (p[0] == 0xe0)
			low = 0xa0;
		else if (p[0] == 0xed)
			high = 0x9f;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		length = 4;
		value = p[0] & 0x07u;
		if (p[0] == 0xf0)
			low = 0x90;
		else if (p[0] == 0xf4)
			high = 0x8f;
	} else {
		return 1;
	}
	for (size_t i = 1; i < length; i++) {
		if (i >= size || p[i] < low || p[i] > high)
			return i;
		value = value << 6 | (p[i] & 0x3fu);
		low = 0x80;
		high = 0xbf;
	}
	*point = value;
	return length;
}
