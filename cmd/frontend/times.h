/* Times as snapshots carry them (RFC 3339, UTC) and as people read them. */
#ifndef CMD_FRONTEND_TIMES_H
#define CMD_FRONTEND_TIMES_H

#include <snap/meta.h>
#include <stdbool.h>
#include <stdint.h>

enum { TIME_DAY_SIZE = sizeof "2026-07-25", TIME_CLOCK_SIZE = sizeof "10:32:11" };

struct time_text {
	char day[TIME_DAY_SIZE];
	char clock[TIME_CLOCK_SIZE];
	int64_t seconds; /* since 1970 */
	double fraction; /* of a second */
};

/* False for anything but "YYYY-MM-DDTHH:MM:SS[.fraction]Z". */
bool time_parse(const char *rfc3339, struct time_text *time);

/* Where the environment has SOURCE_DATE_EPOCH, the time of a file that is later becomes that (specification of
 * reproducible-builds.org), so that what is made of it does not depend on when it was dumped or copied. False
 * when there is no memory. */
bool times_bound(struct snap_meta *meta, struct snap_error *err);

/* "42 s", "30 min", "2 h 5 min", "3 d 4 h". */
enum { TIME_SPAN_SIZE = 48 };
const char *time_span(char buffer[TIME_SPAN_SIZE], int64_t seconds);

#endif
