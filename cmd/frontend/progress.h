/* How far a long reading is: on standard error, if it is a terminal and reading lasts over a second. */
#ifndef CMD_FRONTEND_PROGRESS_H
#define CMD_FRONTEND_PROGRESS_H

#include <snap/input.h>

/* Watches an input until progress_end; it must stay open until then. One at a time. */
void progress_begin(const struct snap_input *in);
void progress_end(void);
/* Shows this text, which must stay, in place of what was read: for a reading that is held up. NULL = no more. */
void progress_wait(const char *text);
/* Makes room for a message. */
void progress_clear(void);

#endif
