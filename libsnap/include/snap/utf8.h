/* UTF-8, read strictly: surrogates and overlong forms are as invalid as stray bytes. For names, which are any bytes,
 * on their way to where only text may stand. */
#ifndef SNAP_UTF8_H
#define SNAP_UTF8_H

#include <snap/status.h>
#include <stddef.h>
#include <stdint.h>

#define SNAP_UTF8_INVALID UINT32_MAX

/* Decodes what begins at bytes[0], size > 0. Returns how many bytes that takes; *point is SNAP_UTF8_INVALID for
 * a maximal invalid part, which becomes one U+FFFD as in Python's decode(errors="replace"). Source: Unicode,
 * table 3-7. */
SNAP_API size_t snap_utf8_decode(const char *bytes, size_t size, uint32_t *point);

#endif
