/* UTF-8: every character comes back, and of all else the maximal parts that Unicode's table 3-7 gives. */
#define _GNU_SOURCE
#include <snap/utf8.h>

#include "test.h"

static size_t encode(uint32_t point, char *to)
{
	unsigned length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (unsigned i = length; i-- > 1; point >>= 6)
		to[i] = (char)(0x80 | (point & 0x3f));
	to[0] = (char)(heads[length] | point);
	return length;
}

TEST(characters)
{
	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		char bytes[5] = "    ";
		uint32_t got;
		size_t size = encode(point, bytes), length = snap_utf8_decode(bytes, 5, &got);
		bool surrogate = point >= 0xd800 && point < 0xe000;
		if (got == (surrogate ? SNAP_UTF8_INVALID : point) && length == (surrogate ? 1 : size))
			continue;
		CHECK_INT(got, point);
		CHECK_INT(length, size);
		return;
	}
}

TEST(other_bytes)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{"\x80", 1},         {"\xbf\xbf", 1},     {"\xc0\x80", 1},         {"\xc1\xbf", 1},
		{"\xc3", 1},         {"\xc3(", 1},        {"\xe0\x80\x80", 1},     {"\xe0\x9f\xbf", 1},
		{"\xe2\x82", 2},     {"\xe2\x82(", 2},    {"\xf0\x8f\xbf\xbf", 1}, {"\xf0\x9f\x90", 3},
		{"\xf0\x9f\x90(", 3}, {"\xf4\x90\x80\x80", 1}, {"\xf5\x80\x80\x80", 1}, {"\xff", 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint32_t point;
		CHECK_INT(snap_utf8_decode(cases[i].bytes, strlen(cases[i].bytes), &point), cases[i].length);
		CHECK(point == SNAP_UTF8_INVALID);
	}
}
