/* What a tool says on standard error: one line each, "tool: file: offset N: sentence", without control
 * characters whatever names and inputs hold. */
#ifndef CMD_FRONTEND_MESSAGES_H
#define CMD_FRONTEND_MESSAGES_H

#include <snap/status.h>
#include <stdbool.h>

void message_start(const char *tool);
void message_quiet(void); /* no notes from now on */
bool message_is_quiet(void);

/* `file` may be NULL. */
void message_error(const char *file, const struct snap_error *err);
void message_fail(const char *file, const char *format, ...) SNAP_PRINTF(2, 3);
/* Not an error; silent under --quiet. */
void message_note(const char *file, const char *format, ...) SNAP_PRINTF(2, 3);

/* The command line is wrong: says why and ends with TOOL_FAILED. */
_Noreturn void message_usage(const char *format, ...) SNAP_PRINTF(1, 2);

#endif
