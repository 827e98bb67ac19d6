/* See gate.h. */
#define _GNU_SOURCE
#include "gate.h"

#include <time.h>

static struct {
	pthread_mutex_t lock; /* never held while anything but the gate itself is waited for */
	pthread_cond_t changed;
	unsigned forks;  /* that have closed it */
	unsigned inside; /* threads behind it */
} gates[GATES];

void gates_reset(void)
{
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	for (int i = 0; i < GATES; i++) {
		pthread_mutex_init(&gates[i].lock, NULL);
		pthread_cond_init(&gates[i].changed, &clock);
		gates[i].forks = gates[i].inside = 0;
	}
	pthread_condattr_destroy(&clock);
}

/* With the lock: until *count is 0 or the time is up. */
static void wait_for_none(enum gate which, const unsigned *count)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += GATE_WAIT_MS / 1000;
	end.tv_nsec += GATE_WAIT_MS % 1000 * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	while (*count > 0 && pthread_cond_timedwait(&gates[which].changed, &gates[which].lock, &end) == 0)
		;
}

void gate_enter(enum gate which)
{
	pthread_mutex_lock(&gates[which].lock);
	wait_for_none(which, &gates[which].forks);
	gates[which].inside++;
	pthread_mutex_unlock(&gates[which].lock);
}

static void one_less(enum gate which, unsigned *count)
{
	pthread_mutex_lock(&gates[which].lock);
	if (*count > 0)
		(*count)--;
	pthread_cond_broadcast(&gates[which].changed);
	pthread_mutex_unlock(&gates[which].lock);
}

void gate_leave(enum gate which)
{
	one_less(which, &gates[which].inside);
}

bool gate_start_thread(pthread_t *thread, void *(*routine)(void *), void *argument)
{
	pthread_mutex_lock(&gates[GATE_MEMORY].lock);
	gates[GATE_MEMORY].inside++;
	pthread_mutex_unlock(&gates[GATE_MEMORY].lock);
	bool has_begun = pthread_create(thread, NULL, routine, argument) == 0;
	if (!has_begun)
		gate_leave(GATE_MEMORY);
	return has_begun;
}

bool gate_close(enum gate which)
{
	pthread_mutex_lock(&gates[which].lock);
	gates[which].forks++;
	bool is_clear = gates[which].inside == 0;
	pthread_mutex_unlock(&gates[which].lock);
	return is_clear;
}

void gate_wait_until_clear(enum gate which)
{
	pthread_mutex_lock(&gates[which].lock);
	wait_for_none(which, &gates[which].inside);
	pthread_mutex_unlock(&gates[which].lock);
}

void gate_open(enum gate which)
{
	one_less(which, &gates[which].forks);
}
