/* Writes JSON: exact integers, and text that is safe wherever it is shown. */
#ifndef CMD_FRONTEND_JSON_H
#define CMD_FRONTEND_JSON_H

#include <snap/meta.h>
#include <snap/snapshot.h>
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
/* With six digits; null for what is no number. */
void json_real(struct json *json, double value);
void json_bool(struct json *json, bool value);
void json_null(struct json *json);
/* Control and invisible characters are escaped, invalid UTF-8 becomes U+FFFD. */
void json_text(struct json *json, const char *bytes, size_t size);

/* A frame as an object. */
void json_frame(struct json *json, const struct snap_frame *frame);

/* Metadata as an object: all of it, or one side of a diff's, keys without their prefix. */
enum json_side { JSON_BOTH, JSON_NEWER, JSON_OLDER };
void json_meta(struct json *json, const struct snap_meta *meta, enum json_side side);

#endif
