/* A lock for a few instructions at a time, cheapest for the thread that takes it again and again: such a thread comes
 * to own it, and takes it without an atomic exchange, which would be most of what a block costs. Another thread that
 * wants it takes the ownership away first, for which the system has to interrupt the owner. (Biased locking: Kawachiya,
 * Koseki and Onodera, "Lock reservation", 2002; Dice, Huang and Yang, "Asymmetric Dekker synchronization", 2001.) One
 * who waits long sleeps, so that a thread of higher priority never keeps the holder from going on. */
#ifndef CMD_CAPTURE_LOCK_H
#define CMD_CAPTURE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Zeroed, it is free. */
struct lock {
	atomic_uintptr_t owner; /* 0 = none */
	atomic_bool busy;       /* the owner holds it, or is about to find out that it no longer owns it */
	atomic_flag taken;      /* one who does not own it holds it, or waits for the owner */
	bool is_exchanged;      /* who holds it does not own it */
	uintptr_t last;         /* who took it last by exchange, */
	uint32_t streak;        /* how often in a row, */
	uint32_t patience;      /* and how often it takes to become the owner; 0 = not known yet */
	uint64_t visits;        /* of the owner, since it is */
};

/* By exchange; see lock_take. */
void lock_take_over(struct lock *lock, uintptr_t thread);

/* `thread` tells threads that live apart, and is not 0. Not to be taken twice. */
static inline void lock_take(struct lock *lock, uintptr_t thread)
{
	if (atomic_load_explicit(&lock->owner, memory_order_relaxed) == thread) {
		atomic_store_explicit(&lock->busy, true, memory_order_relaxed);
		/* Not for the processor: who takes the ownership away sees to that. */
		atomic_signal_fence(memory_order_seq_cst);
		if (atomic_load_explicit(&lock->owner, memory_order_relaxed) == thread) {
			lock->visits++;
			return;
		}
		atomic_store_explicit(&lock->busy, false, memory_order_release);
	}
	lock_take_over(lock, thread);
}

static inline void lock_release(struct lock *lock)
{
	if (!lock->is_exchanged) {
		atomic_store_explicit(&lock->busy, false, memory_order_release);
		return;
	}
	lock->is_exchanged = false;
	atomic_flag_clear_explicit(&lock->taken, memory_order_release);
}

/* In the child of a fork, by the thread that is left, which holds the lock. */
void lock_after_fork(struct lock *lock);

#endif
