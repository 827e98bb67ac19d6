/* Sizes, counts and shares; see numbers.h. */
#include "numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *digits(const char *text, uint64_t *value)
{
	*value = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*text - '0'), value))
			return NULL;
	return text;
}

bool number_parse_count(const char *text, uint64_t *count)
{
	const char *end = digits(text, count);
	return end != NULL && end != text && *end == '\0';
}

bool number_is_whole(const char *text)
{
	const char *digits = text[0] == '-' ? text + 1 : text;
	return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

bool number_parse_size(const char *text, int64_t *bytes)
{
	static const char *const names[][2] = {
		{"", "B"}, {"K", "KiB"}, {"M", "MiB"}, {"G", "GiB"}, {"T", "TiB"}};
	uint64_t value;
	const char *unit = digits(text, &value);
	if (unit == NULL || unit == text)
		return false;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcasecmp(unit, names[i][0]) != 0 && strcasecmp(unit, names[i][1]) != 0)
			continue;
		if (value > (uint64_t)INT64_MAX >> (10 * i))
			return false;
		*bytes = (int64_t)(value << (10 * i));
		return true;
	}
	return false;
}

bool number_parse_time(const char *text, uint64_t *milliseconds)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} names[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	uint64_t value;
	const char *unit = digits(text, &value);
	if (unit == NULL || unit == text || value == 0)
		return false;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(unit, names[i].name) == 0)
			return value <= INT32_MAX && !__builtin_mul_overflow(value, names[i].factor, milliseconds);
	return false;
}

static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
enum { UNITS = sizeof units / sizeof *units };

const char *number_size(char buffer[NUMBER_SIZE], double bytes, bool sign)
{
	size_t last = UNITS - 1;
	for (size_t i = 0;; i++, bytes /= 1024) {
		if (i > 0 && fabs(bytes) < 100) {
			snprintf(buffer, NUMBER_SIZE, sign ? "%+.1f %s" : "%.1f %s", bytes, units[i]);
			return buffer;
		}
		if (i == last || fabs(bytes) < 10 * 1024) {
			snprintf(buffer, NUMBER_SIZE, sign ? "%+.0f %s" : "%.0f %s", bytes, units[i]);
			return buffer;
		}
	}
}

const char *number_size_exact(char buffer[NUMBER_SIZE], uint64_t bytes)
{
	size_t unit = 0;
	for (; unit + 1 < UNITS && bytes != 0 && bytes % 1024 == 0; unit++)
		bytes /= 1024;
	snprintf(buffer, NUMBER_SIZE, "%" PRIu64 " %s", bytes, units[unit]);
	return buffer;
}

const char *number_share(char buffer[NUMBER_SIZE], double part, double whole)
{
	double share = whole != 0 ? 100 * part / fabs(whole) : 0;
	if (fabs(share) < 0.05)
		share = 0; /* and not -0.0 */
	if (whole == 0)
		snprintf(buffer, NUMBER_SIZE, "-");
	else if (fabs(share) >= 1000)
		snprintf(buffer, NUMBER_SIZE, share > 0 ? ">999%%" : "<-999%%");
	else
		snprintf(buffer, NUMBER_SIZE, "%.1f%%", share);
	return buffer;
}
