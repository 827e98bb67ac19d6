/* Names that Python could not decode. */
#ifndef CMD_FRONTEND_UTF8_H
#define CMD_FRONTEND_UTF8_H

#include <stddef.h>

/* The byte behind a name that Python could not decode: it stands as a lone surrogate U+DC80–U+DCFF
 * (PEP 383), which pickles spell as three bytes. 0 where there is none. */
unsigned char utf8_escaped_byte(const char *bytes, size_t size);
#define UTF8_ESCAPED_SIZE 3

#endif
