/* See utf8.h. */
#include "utf8.h"

unsigned char utf8_escaped_byte(const char *bytes, size_t size)
{
	const unsigned char *p = (const unsigned char *)bytes;
	if (size < UTF8_ESCAPED_SIZE || p[0] != 0xed || (p[1] != 0xb2 && p[1] != 0xb3) || p[2] < 0x80 ||
	    p[2] > 0xbf)
		return 0;
	return (unsigned char)((p[1] & 0x03u) << 6 | (p[2] & 0x3fu));
}
