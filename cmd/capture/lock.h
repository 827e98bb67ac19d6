/* A lock for a few instructions at a time. One who waits long sleeps, so that a thread of higher priority
 * never keeps the holder from going on. */
#ifndef CMD_CAPTURE_LOCK_H
#define CMD_CAPTURE_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

struct lock {
	atomic_flag taken; /* clear when zeroed */
};

static inline void lock_take(struct lock *lock)
{
	for (unsigned tries = 0; atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire); tries++) {
		const struct timespec pause = {.tv_nsec = 50000};
		if (tries < 100)
			sched_yield();
		else
			nanosleep(&pause, NULL);
	}
}

static inline void lock_release(struct lock *lock)
{
	atomic_flag_clear_explicit(&lock->taken, memory_order_release);
}

#endif
