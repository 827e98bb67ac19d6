/* Numbers as they are typed and shown. */
#ifndef CMD_FRONTEND_NUMBERS_H
#define CMD_FRONTEND_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>

/* "512", "64K", "5MiB": bytes with a binary unit; false if it is none, or does not fit. */
bool number_parse_size(const char *text, int64_t *bytes);
/* "500ms", "30s", "10m", "2h", "7d"; seconds where there is no unit; false as above, and for 0. */
bool number_parse_time(const char *text, uint64_t *milliseconds);
/* Digits only; false if there is anything else, or it does not fit. */
bool number_parse_count(const char *text, uint64_t *count);
/* Whether it is digits, perhaps behind a '-'. */
bool number_is_whole(const char *text);

enum { NUMBER_SIZE = 32 };

/* As tracemalloc's _format_size: "683 B", "20.1 MiB", with `sign` "+0 B". Averages have fractions. */
const char *number_size(char buffer[NUMBER_SIZE], double bytes, bool sign);

/* A size as people give it: "64 KiB", "65000 B", with the largest unit that leaves no fraction. */
const char *number_size_exact(char buffer[NUMBER_SIZE], uint64_t bytes);

/* "69.5%", "-0.4%"; ">999%" and "-" where it says nothing. */
const char *number_share(char buffer[NUMBER_SIZE], double part, double whole);

#endif
