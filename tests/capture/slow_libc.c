/* Preloaded into a Python program: an allocator with one lock, which it does not see to at a fork, and a
 * disk that takes its time.
 *
 *   SLOW_WRITE_MS=N   the first write of a thread that is not the main one to a file without a name takes
 *                     so long; the file "writing" is made when it begins
 *   SLOW_FREE_MS=N    the first free() of that thread after it has the lock for so long
 *   SLOW_START_MS=N   every thread has the lock for so long before it begins, as with a sanitizer
 *   NO_THREADS=1      no thread can be begun
 *   SLOW_FSYNC_MS=N   fsync takes so long; "syncing" is made when it begins */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long write_ms, free_ms, start_ms, fsync_ms, no_threads;
static pid_t first_process;
static _Thread_local bool has_written, has_freed;

static long number(const char *name)
{
	const char *text = getenv(name);
	return text != NULL ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void read_environment(void)
{
	first_process = getpid();
	write_ms = number("SLOW_WRITE_MS");
	free_ms = number("SLOW_FREE_MS");
	start_ms = number("SLOW_START_MS");
	fsync_ms = number("SLOW_FSYNC_MS");
	no_threads = number("NO_THREADS");
}

static bool is_main(void)
{
	return syscall(SYS_gettid) == getpid();
}

static void take_time(long ms)
{
	const struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&span, NULL);
}

/* The other threads of the parent would only wait for the lock, and fork when they have had it. */
static bool uses_lock(void)
{
	return (free_ms > 0 || start_ms > 0) && (has_written || getpid() != first_process);
}

static void enter(void)
{
	if (uses_lock())
		pthread_mutex_lock(&lock);
}

static void leave(void)
{
	if (uses_lock())
		pthread_mutex_unlock(&lock);
}

static void begin(long ms, const char *sign)
{
	mknod(sign, S_IFREG | 0600, 0); /* without a descriptor, which the program may be about to close */
	take_time(ms);
}

#pragma GCC visibility push(default)

void *malloc(size_t size)
{
	enter();
	void *block = __libc_malloc(size);
	leave();
	return block;
}

void *calloc(size_t count, size_t size)
{
	enter();
	void *block = __libc_calloc(count, size);
	leave();
	return block;
}

void *realloc(void *old, size_t size)
{
	enter();
	void *block = __libc_realloc(old, size);
	leave();
	return block;
}

void free(void *block)
{
	enter();
	if (has_written && !has_freed) {
		has_freed = true;
		take_time(free_ms);
	}
	__libc_free(block);
	leave();
}

struct start {
	void *(*routine)(void *);
	void *argument;
};

static void *start_slowly(void *argument)
{
	struct start start = *(struct start *)argument;
	__libc_free(argument);
	pthread_mutex_lock(&lock);
	take_time(start_ms);
	pthread_mutex_unlock(&lock);
	return start.routine(start.argument);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
	if (no_threads)
		return EAGAIN;
	if (start_ms == 0)
		return create(thread, attributes, routine, argument);
	struct start *start = __libc_malloc(sizeof *start);
	*start = (struct start){routine, argument};
	return create(thread, attributes, start_slowly, start);
}

int fsync(int fd)
{
	if (fsync_ms > 0)
		begin(fsync_ms, "syncing");
	return (int)syscall(SYS_fsync, fd);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	struct stat st;
	if (write_ms > 0 && !has_written && !is_main() && fstat(fd, &st) == 0 && st.st_nlink == 0) {
		has_written = true;
		begin(write_ms, "writing");
	}
	return syscall(SYS_write, fd, bytes, size);
}

#pragma GCC visibility pop
