/* See signals.h. */
#define _GNU_SOURCE
#include "signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

/* Never taken back: without a handler the next signal would end the program. */
static struct {
	_Atomic(void (*)(void)) notice;
	atomic_int number;
	struct sigaction before[_NSIG]; /* written before the handler is set */
	bool is_set[_NSIG];
} followed;

static void handle(int number, siginfo_t *info, void *context)
{
	int saved = errno;
	void (*notice)(void) = atomic_load(&followed.notice);
	if (notice != NULL && number == atomic_load(&followed.number))
		notice();
	const struct sigaction *before = &followed.before[number];
	if ((before->sa_flags & SA_SIGINFO) != 0)
		before->sa_sigaction(number, info, context);
	else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
		before->sa_handler(number);
	errno = saved;
}

bool signals_may_be(int number)
{
	return number == SIGUSR1 || number == SIGUSR2 || (number >= SIGRTMIN && number <= SIGRTMAX);
}

bool signals_follow(int number, void (*notice)(void))
{
	struct sigaction now, ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
	atomic_store(&followed.notice, notice);
	atomic_store(&followed.number, number);
	if (sigaction(number, NULL, &now) < 0)
		return false;
	/* Also where the program's own handler, set later, calls ours: that must not be called in turn. */
	if (followed.is_set[number])
		return (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == handle;
	followed.before[number] = now;
	followed.is_set[number] = sigaction(number, &ours, NULL) == 0;
	return followed.is_set[number];
}

static sigset_t file_size(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	return set;
}

void signals_hold_file_size(sigset_t *before)
{
	const sigset_t held = file_size();
	pthread_sigmask(SIG_BLOCK, &held, before);
}

/* One that the program has blocked itself may be its own, and waits for it. */
void signals_release_file_size(const sigset_t *before)
{
	const sigset_t held = file_size();
	const struct timespec at_once = {.tv_sec = 0};
	if (sigismember(before, SIGXFSZ) == 1)
		return;
	while (sigtimedwait(&held, NULL, &at_once) < 0 && errno == EINTR)
		continue;
	pthread_sigmask(SIG_SETMASK, before, NULL);
}
