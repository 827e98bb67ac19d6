/* capture/lock.h: one at a time, whoever owns it. */
#define _GNU_SOURCE
#include "capture/lock.h"

#include <pthread.h>
#include <sys/wait.h>

#include "test.h"

enum { THREADS = 4, OFTEN = 400000, SELDOM = 2000 };

static struct lock lock;
static uint64_t visits; /* with the lock */
static volatile uintptr_t holder;

static bool visit(uintptr_t thread)
{
	lock_take(&lock, thread);
	/* Nothing here that would keep processors apart. */
	holder = thread;
	visits++;
	bool alone = holder == thread;
	lock_release(&lock);
	return alone;
}

struct visitor {
	uintptr_t thread;
	unsigned times, pause; /* visits, and microseconds between them */
	bool alone;
};

static void *come_by(void *argument)
{
	struct visitor *v = argument;
	v->alone = true;
	for (unsigned i = 0; i < v->times; i++) {
		v->alone = visit(v->thread) && v->alone;
		if (v->pause > 0)
			usleep(v->pause);
	}
	return NULL;
}

TEST(who_comes_often_owns_it)
{
	lock = (struct lock){.owner = 0};
	for (int i = 0; i < 1000; i++)
		CHECK(visit(1));
	/* Where the system does not know how to interrupt an owner, there is none. */
	uintptr_t owner = atomic_load(&lock.owner);
	CHECK(owner == 1 || lock.patience == UINT32_MAX);
	if (owner != 1)
		printf("not run: ownership: membarrier(2) is not there\n");
	CHECK(visit(2));
	CHECK(atomic_load(&lock.owner) == 0);
	CHECK(visit(1));
}

static void exercise(unsigned often, unsigned pause)
{
	lock = (struct lock){.owner = 0};
	visits = 0;
	struct visitor visitors[THREADS];
	pthread_t threads[THREADS];
	uint64_t all = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		bool is_often = i < often;
		visitors[i] = (struct visitor){i + 1, is_often ? OFTEN : SELDOM, is_often ? 0 : pause, false};
		all += visitors[i].times;
		CHECK(pthread_create(&threads[i], NULL, come_by, &visitors[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK(visitors[i].alone);
	}
	CHECK(visits == all);
}

TEST(an_owner_is_interrupted)
{
	exercise(1, 50);
}

TEST(several_that_come_often)
{
	exercise(THREADS, 0);
}

/* The child of an owner, or of another, has a lock that works. */
static void fork_with(unsigned before)
{
	lock = (struct lock){.owner = 0};
	for (unsigned i = 0; i < before; i++)
		CHECK(visit(1));
	lock_take(&lock, 1);
	pid_t child = fork();
	if (child == 0) {
		lock_after_fork(&lock);
		lock_release(&lock);
		bool alone = true;
		for (int i = 0; i < 1000; i++)
			alone = visit((uintptr_t)(i / 300) + 1) && alone;
		_exit(alone ? 0 : 1);
	}
	lock_release(&lock);
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(visit(1) && visit(2));
}

TEST(fork_by_the_owner)
{
	fork_with(1000);
}

TEST(fork_by_another)
{
	fork_with(0);
}
