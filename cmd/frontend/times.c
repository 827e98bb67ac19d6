/* Reading and showing times; see times.h. */
#define _POSIX_C_SOURCE 200809L
#include "times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "numbers.h"

/* Days since 1970-01-01 in the Gregorian calendar (Hinnant, days_from_civil). */
static int64_t days_since_1970(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = y / 400, of_era = y % 400;
	int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool number(const char **text, int digits, int *value)
{
	*value = 0;
	for (int i = 0; i < digits; i++, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + (**text - '0');
	}
	return true;
}

static bool sign(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

bool time_parse(const char *text, struct time_text *time)
{
	const char *at = text;
	int year, month, day, hour, minute, second;
	if (!number(&at, 4, &year) || !sign(&at, '-') || !number(&at, 2, &month) || !sign(&at, '-') ||
	    !number(&at, 2, &day) || !sign(&at, 'T') || !number(&at, 2, &hour) || !sign(&at, ':') ||
	    !number(&at, 2, &minute) || !sign(&at, ':') || !number(&at, 2, &second))
		return false;
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	double digit = 0.1;
	time->fraction = 0;
	if (sign(&at, '.'))
		for (; *at >= '0' && *at <= '9'; at++, digit /= 10)
			time->fraction += digit * (*at - '0');
	if (strcmp(at, "Z") != 0 && strcmp(at, "+00:00") != 0)
		return false;
	memcpy(time->day, text, TIME_DAY_SIZE - 1);
	time->day[TIME_DAY_SIZE - 1] = '\0';
	memcpy(time->clock, text + TIME_DAY_SIZE, TIME_CLOCK_SIZE - 1);
	time->clock[TIME_CLOCK_SIZE - 1] = '\0';
	time->seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

const char *time_span(char buffer[TIME_SPAN_SIZE], int64_t seconds)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t i = 0;
	while (i < 3 && seconds < units[i].seconds)
		i++;
	int64_t whole = seconds / units[i].seconds, rest = seconds % units[i].seconds;
	int64_t next = i < 3 ? rest / units[i + 1].seconds : 0;
	if (next > 0)
		snprintf(buffer, TIME_SPAN_SIZE, "%lld %s %lld %s", (long long)whole, units[i].name,
			 (long long)next, units[i + 1].name);
	else
		snprintf(buffer, TIME_SPAN_SIZE, "%lld %s", (long long)whole, units[i].name);
	return buffer;
}

bool times_bound(struct snap_meta *meta, struct snap_error *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	const char *told = snap_meta_get(meta, "time"), *source = snap_meta_get(meta, "time_source");
	uint64_t epoch;
	struct time_text time;
	struct tm tm;
	if (text == NULL || told == NULL || source == NULL || strcmp(source, "file modification time") != 0 ||
	    !number_parse_count(text, &epoch) || !time_parse(told, &time) || time.seconds < 0 ||
	    (uint64_t)time.seconds < epoch)
		return true;
	const time_t bound = (time_t)epoch; /* before year 10,000 */
	char as_text[64];
	if (gmtime_r(&bound, &tm) == NULL)
		return true;
	strftime(as_text, sizeof as_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return snap_meta_set_text(meta, "time", as_text, err) == SNAP_OK;
}
