/* Writes JSON: exact integers, and text that is safe wherever it is shown. */
#ifndef CMD_FRONTEND_JSON_H
#define CMD_FRONTEND_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool follows; /* a value stands before, at this depth */
};

void json_open(struct json *json, char bracket);  /* '{' or '[' */
void json_close(struct json *json, char bracket); /* '}' or ']' */
/* The key of the next value; a plain word. */
void json_key(struct json *json, const char *key);
void json_integer(struct json *json, int64_t value);
void json_unsigned(struct json *json, uint64_t value);
void json_bool(struct json *json, bool value);
/* Control and invisible characters are escaped, invalid UTF-8 becomes U+FFFD. */
void json_text(struct json *json, const char *bytes, size_t size);
void json_text_key(struct json *json, const char *bytes, size_t size);

#endif
