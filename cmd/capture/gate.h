/* What a fork waits for. There are two gates: threads of ours are behind them while they do what the child of
 * a fork would not survive, and a fork closes a gate, waits until they are out, and opens it in the parent.
 *
 * Those that wait are called without the GIL, so that nobody keeps another waiting for it.
 * Nobody waits longer than GATE_WAIT_MS: then things go on as they would without. */
#ifndef CMD_CAPTURE_GATE_H
#define CMD_CAPTURE_GATE_H

#include <pthread.h>
#include <stdbool.h>

enum { GATE_WAIT_MS = 2000 };

enum gate {
	/* Allocating without the GIL. Not every allocator survives a fork while another thread is inside it: some
	 * leave the child a lock whose holder is not there. The GIL may be taken behind this gate. */
	GATE_MEMORY,
	/* Having the GIL, or waiting for it: the child has nobody who would release it, or take it when it has been
	 * asked for. A fork that Python knows of puts that right, one in C does not. */
	GATE_PYTHON,
	GATES,
};

/* Before all else, and in the child of a fork: the gates are open and nobody is behind them. */
void gates_reset(void);

/* Around what must not be forked; waits while the gate is closed. Not to be nested for the same gate. */
void gate_enter(enum gate which);
void gate_leave(enum gate which);

/* Begins a thread behind GATE_MEMORY, which the routine leaves before all else: some allocators, and what is put
 * in their place to find errors, are at work before it. Does not wait. False if no thread can be begun. */
bool gate_start_thread(pthread_t *thread, void *(*routine)(void *), void *argument);

/* Around a fork; several may be under way. False if somebody is still behind the gate; does not wait. */
bool gate_close(enum gate which);
void gate_wait_until_clear(enum gate which);
void gate_open(enum gate which);

#endif
