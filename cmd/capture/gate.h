/* What a fork waits for. Not every allocator survives a fork while another thread is inside it: some
 * leave the child a lock whose holder is not there. Threads that allocate without the GIL do so behind
 * this gate, and a fork closes it, waits until they are out, and opens it in the parent.
 *
 * All of these are called without the GIL, so that nobody keeps another waiting for it; behind the gate it
 * may be taken. Nobody waits longer than GATE_WAIT_MS: then things go on as they would without. */
#ifndef CMD_CAPTURE_GATE_H
#define CMD_CAPTURE_GATE_H

enum { GATE_WAIT_MS = 2000 };

/* Before all else, and in the child of a fork: the gate is open and nobody is behind it. */
void gate_reset(void);

/* Around allocating; waits while it is closed. Not to be nested. */
void gate_enter(void);
void gate_leave(void);

/* Around a fork; several may be under way. */
void gate_close(void);
void gate_open(void);

#endif
