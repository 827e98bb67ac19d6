/* Words to the people who run the program, on standard error. */
#ifndef CMD_CAPTURE_TELL_H
#define CMD_CAPTURE_TELL_H

#include <stdbool.h>

/* Remembers what standard error is. */
void tell_begin(void);
/* Whether that may be written to: it is what it was, or a log that has taken its place. A program that closes
 * all descriptors may get the number for a file or a connection of its own. */
bool tell_may(void);
/* One sentence, where it may be. */
void tell(const char *sentence);

#endif
