/* UTF-8, read strictly: surrogates and overlong forms are as invalid as stray bytes. */
#ifndef CMD_FRONTEND_UTF8_H
#define CMD_FRONTEND_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_INVALID UINT32_MAX

/* Decodes what begins at bytes[0], size > 0. Returns how many bytes that takes; *point is UTF8_INVALID
 * for a maximal invalid part, which becomes one U+FFFD as in Python's decode(errors="replace"). */
size_t utf8_decode(const char *bytes, size_t size, uint32_t *point);

/* The byte behind a name that Python could not decode: it stands as a lone surrogate U+DC80–U+DCFF
 * (PEP 383), which pickles spell as three bytes. 0 where there is none. */
unsigned char utf8_escaped_byte(const char *bytes, size_t size);
#define UTF8_ESCAPED_SIZE 3

#endif
