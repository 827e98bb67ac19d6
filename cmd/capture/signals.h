/* A signal that the agent listens to beside the program. */
#ifndef CMD_CAPTURE_SIGNALS_H
#define CMD_CAPTURE_SIGNALS_H

#include <stdbool.h>

/* SIGUSR1, SIGUSR2 and the real-time signals that the C library leaves to programs. */
bool signals_may_be(int number);

/* From now on `notice`, which has to be safe in a handler, is called when the signal comes, and then the
 * handler that the program had set. One that it sets later takes its place, and may call it. A signal
 * that was followed before is not any more. False if that cannot be done. */
bool signals_follow(int number, void (*notice)(void));

#endif
