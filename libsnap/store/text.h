/* Names as a database takes them: UTF-8 only. */
#ifndef SNAP_STORE_TEXT_H
#define SNAP_STORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Strictly: surrogates and overlong forms are as invalid as stray bytes. */
bool snap_text_is_valid(const char *bytes, size_t size);

/* The same with U+FFFD for each maximal part that is not valid, as Python's decode(errors="replace"); not
 * NUL-terminated. */
size_t snap_text_repaired_size(const char *bytes, size_t size);
void snap_text_repair(const char *bytes, size_t size, char *repaired);

#endif
