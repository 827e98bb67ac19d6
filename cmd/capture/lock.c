/* Ownership of a lock; see lock.h. */
#define _GNU_SOURCE
#include "lock.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_LEAST = 64,
	PATIENCE_MOST = 1 << 24,
	WORTH_IT = 1 << 14, /* visits of an owner that pay for the interruption at the end */
	NEVER = UINT32_MAX,
};

static int barrier(int command)
{
	return (int)syscall(SYS_membarrier, command, 0, 0);
}

/* Waits for a moment, longer with more tries. */
static void wait_for_turn(unsigned tries)
{
	const struct timespec pause = {.tv_nsec = 50000};
	if (tries < 100)
		sched_yield();
	else
		nanosleep(&pause, NULL);
}

/* After this the owner either has seen that it is none any more or is seen to be busy. A program that has forbidden
 * itself the call meanwhile waits for what was stored on its way to arrive, and has no owners again. */
static void interrupt_owner(struct lock *lock)
{
	const struct timespec long_enough = {.tv_nsec = 1000000};
	if (barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		return;
	lock->patience = NEVER;
	nanosleep(&long_enough, NULL);
}

/* With `taken`. */
static void end_ownership(struct lock *lock)
{
	atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
	interrupt_owner(lock);
	for (unsigned tries = 0; atomic_load_explicit(&lock->busy, memory_order_acquire); tries++)
		wait_for_turn(tries);
	bool was_worth_it = lock->visits >= WORTH_IT;
	if (lock->patience == NEVER)
		return;
	if (was_worth_it && lock->patience > PATIENCE_LEAST)
		lock->patience /= 2;
	else if (!was_worth_it && lock->patience < PATIENCE_MOST)
		lock->patience *= 2;
}

static void begin_ownership(struct lock *lock, uintptr_t thread)
{
	if (lock->patience == 0)
		lock->patience = barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 ? PATIENCE_LEAST : NEVER;
	if (lock->patience == NEVER)
		return;
	lock->visits = 0;
	atomic_store_explicit(&lock->owner, thread, memory_order_relaxed);
}

void lock_take_over(struct lock *lock, uintptr_t thread)
{
	for (unsigned tries = 0; atomic_flag_test_and_set_explicit(&lock->taken, memory_order_acquire); tries++)
		wait_for_turn(tries);
	if (atomic_load_explicit(&lock->owner, memory_order_relaxed) != 0)
		end_ownership(lock);
	lock->is_exchanged = true;
	lock->streak = lock->last == thread ? lock->streak + 1 : 0;
	lock->last = thread;
	if (lock->streak >= PATIENCE_LEAST && lock->streak >= lock->patience) {
		lock->streak = 0;
		begin_ownership(lock, thread);
	}
}

void lock_after_fork(struct lock *lock)
{
	/* A child may have to register anew, and whoever was on the way to the lock is not there. */
	bool is_exchanged = lock->is_exchanged;
	*lock = (struct lock){.is_exchanged = is_exchanged};
	if (is_exchanged)
		atomic_flag_test_and_set(&lock->taken);
	else
		atomic_store(&lock->busy, true);
}
