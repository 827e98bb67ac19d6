/* A signal that the agent listens to beside the program, and one that it must not bring upon it. */
#ifndef CMD_CAPTURE_SIGNALS_H
#define CMD_CAPTURE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* SIGUSR1, SIGUSR2 and the real-time signals that the C library leaves to programs. */
bool signals_may_be(int number);

/* From now on `notice`, which has to be safe in a handler, is called when the signal comes, and then the
 * handler that the program had set. One that it sets later takes its place, and may call it. A signal
 * that was followed before is not any more. False if that cannot be done. */
bool signals_follow(int number, void (*notice)(void));

/* A file that grows beyond RLIMIT_FSIZE ends a program by SIGXFSZ that does not ignore it, as Python does. Around what
 * this thread writes, it is not sent. `before` is the thread's mask. */
void signals_hold_file_size(sigset_t *before);
void signals_release_file_size(const sigset_t *before);

#endif
