/* Where a tool that shows something writes it: standard output, or the file of -o. Apart from tool.h, so that tools
 * which read no snapshots need none of the library. */
#ifndef CMD_FRONTEND_REPORT_H
#define CMD_FRONTEND_REPORT_H

#include "tool.h"

/* What is printed from now on goes to the file, which appears when report_finish is called without TOOL_FAILED;
 * NULL and "-" are standard output. Ends the tool where that cannot be. */
void report_begin(const char *path);

/* Call last, in place of tool_finish. */
int report_finish(enum tool_exit status);

#endif
