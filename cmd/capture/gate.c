/* See gate.h. */
#define _GNU_SOURCE
#include "gate.h"

#include <pthread.h>
#include <time.h>

static struct gate {
	pthread_mutex_t lock; /* never held while anything but the gate itself is waited for */
	pthread_cond_t changed;
	unsigned forks;  /* that have closed it */
	unsigned inside; /* threads behind it */
} gate;

void gate_reset(void)
{
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&gate.lock, NULL);
	pthread_cond_init(&gate.changed, &clock);
	pthread_condattr_destroy(&clock);
	gate.forks = gate.inside = 0;
}

/* With the lock: until *count is 0 or the time is up. */
static void wait_for_none(const unsigned *count)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += GATE_WAIT_MS / 1000;
	end.tv_nsec += GATE_WAIT_MS % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	while (*count > 0 && pthread_cond_timedwait(&gate.changed, &gate.lock, &end) == 0)
		;
}

void gate_enter(void)
{
	pthread_mutex_lock(&gate.lock);
	wait_for_none(&gate.forks);
	gate.inside++;
	pthread_mutex_unlock(&gate.lock);
}

static void one_less(unsigned *count)
{
	pthread_mutex_lock(&gate.lock);
	if (*count > 0)
		(*count)--;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

void gate_leave(void)
{
	one_less(&gate.inside);
}

void gate_close(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.forks++;
	wait_for_none(&gate.inside);
	pthread_mutex_unlock(&gate.lock);
}

void gate_open(void)
{
	one_less(&gate.forks);
}
