/* Memory that extension modules tell tracemalloc of, as numpy does for its arrays: their calls of
 * PyTraceMalloc_Track and PyTraceMalloc_Untrack go through us, whether tracemalloc traces or not. */
#ifndef CMD_CAPTURE_EXTENSIONS_H
#define CMD_CAPTURE_EXTENSIONS_H

#include <stdbool.h>

/* Diverts the calls of all libraries that are loaded, and from then on of each that Python loads. To be
 * called again before each snapshot, for libraries may load others. The calls are never put back: they
 * go on to Python in any case. With the GIL. */
void extensions_divert(void);

#endif
