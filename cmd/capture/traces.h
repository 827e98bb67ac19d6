/* tracemalloc's traces, from the list that `_tracemalloc._get_traces()` makes into a builder. */
#ifndef CMD_CAPTURE_TRACES_H
#define CMD_CAPTURE_TRACES_H

#include <snap/builder.h>

#include "python_api.h"

/* Adds all traces of the list. Makes no Python objects but the bytes of each file name; leaves no
 * exception. SNAP_ERR_UNSUPPORTED when the list is not what CPython 3.7 to 3.13 makes. */
enum snap_status traces_read(py_object *list, struct snap_builder *builder, struct snap_error *err);

#endif
