/* Redaction from inside: the hashes, and what redact.c and redact_meta.c both do with texts. */
#ifndef SNAP_OPS_REDACT_H
#define SNAP_OPS_REDACT_H

#include <snap/redact.h>
#include <string.h>

#include "base/sha256.h"
#include "model/snapshot.h"

/* What a hash is of. It stands before the text that is hashed, so equal texts that mean different things
 * have different hashes. */
enum snap_redact_role {
	ROLE_FILE = 'f',
	ROLE_FOLDER = 'd', /* what files have before the part that stays, and roots */
	ROLE_FUNCTION = 'n',
	ROLE_KEY = 'k',
	ROLE_VALUE = 'v',
};

enum { DIGITS = 24 };

/* What redacted names begin with, and the longest of them beside what stays of the name. */
#define FILE_HEAD      "redacted/"
#define SPECIAL_HEAD   "<redacted "
#define FUNCTION_HEAD  "redacted_"
#define VALUE_HEAD     "redacted:"
#define KEY_HEAD       "redacted."
#define REDACTED_ROOM  64 /* a name has two hashes at most */

/* Writes head, hash and tail, and returns their size. */
size_t snap_redact_write(const struct snap_hmac *keyed, enum snap_redact_role role, struct snap_text hashed,
			 const char *head, struct snap_text tail, char *to);

/* Adds the entries of `from` to the empty `to`, redacted. */
enum snap_status snap_redact_meta(const struct snap_hmac *keyed, struct snap_meta *to, const struct snap_meta *from,
				  struct snap_error *err);

/* Whether a module or package of this name is of the standard library of CPython 3.4 to 3.14 and written in
 * Python. */
bool snap_redact_is_stdlib_name(struct snap_text name);

static inline struct snap_text text_of(const char *string)
{
	return (struct snap_text){string, strlen(string)};
}

static inline bool equals(struct snap_text text, const char *string)
{
	return text.size == strlen(string) && memcmp(text.bytes, string, text.size) == 0;
}

static inline bool equals_any(struct snap_text text, const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (equals(text, strings[i]))
			return true;
	return false;
}

static inline bool begins(struct snap_text text, const char *with)
{
	return text.size >= strlen(with) && memcmp(text.bytes, with, strlen(with)) == 0;
}

static inline struct snap_text behind(struct snap_text text, size_t begin)
{
	return (struct snap_text){text.bytes + begin, text.size - begin};
}

/* How many bytes from the beginning are among `allowed`. */
static inline size_t span(struct snap_text text, const char *allowed)
{
	size_t n = 0;
	while (n < text.size && text.bytes[n] != '\0' && strchr(allowed, text.bytes[n]) != NULL)
		n++;
	return n;
}

#define DECIMAL "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#endif
