/* The functions of the extension, one file each; snap_top and snap_diff share theirs. */
#ifndef SNAP_STORE_EXTENSION_FUNCTIONS_H
#define SNAP_STORE_EXTENSION_FUNCTIONS_H

#include "table.h"

extern const struct table function_sites, function_top, function_diff, function_meta;

#endif
