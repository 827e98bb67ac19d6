/* The thread that hears requests for snapshots. It has a table of descriptors of its own, so that the program
 * neither sees its socket nor can close it, and none of the program's files stays open for it. Before Linux 5.9,
 * or where CLOSE_RANGE_UNSHARE is forbidden, its descriptors are among the program's; then it looks whether they
 * are still its own, and listens anew, after a minute at most, if they are not.
 *
 * It runs no Python code, for that would find the program's descriptors missing: it hands a request on, and
 * waits for the answer. There is one in a process. */
#ifndef CMD_CAPTURE_LISTENER_H
#define CMD_CAPTURE_LISTENER_H

#include <stdbool.h>

/* Begins to listen, some milliseconds later; to be called with all signals blocked. `notice` is called by the
 * listener when a request has come. False if no thread can be started. */
bool listener_start(void (*notice)(void), unsigned delay_ms);
bool listener_runs(void);

/* The request that waits for its answer, if there is one. */
bool listener_next(bool *collect);
/* Answers it with the path of the file that was written, or a sentence that says why there is none. */
void listener_answer(bool written, const char *text);

/* Waits until the thread is gone, which is soon. Whoever asks meanwhile is not answered, and asks again. */
void listener_stop(void);
/* Removes the name of the socket, which stays when the listener stops only for a while. */
void listener_unlink(void);
/* In the child of a fork, where there is none. */
void listener_forget(void);

#endif
