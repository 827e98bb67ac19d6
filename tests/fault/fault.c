/* Makes the N-th call of an allocator or system function fail, as the environment says; preloaded into
 * a tool (fault.so), or linked into it with the linker's --wrap (FAULT_WRAP) where a sanitizer owns the
 * allocator. Does nothing unless asked.
 *
 *   FAULT_ALLOC=N                malloc, calloc, realloc and their aligned kin return NULL
 *   FAULT_READ=N:EFFECT          likewise FAULT_WRITE, FAULT_OPEN, FAULT_FSYNC, FAULT_RENAME,
 *                                FAULT_FTRUNCATE, FAULT_CLOSE
 *   FAULT_COUNT=FILE             at exit writes "OPERATION CALLS" lines
 *
 * N counts from 1; "N+" is the N-th and all after it. EFFECT is the name of an error, or "short": read
 * or write one byte only. What stdio does inside the C library is not seen. */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum operation { ALLOC, READ, WRITE, OPEN, FSYNC, RENAME, FTRUNCATE, CLOSE, OPERATIONS };

static const char *const names[OPERATIONS] = {"ALLOC", "READ", "WRITE", "OPEN", "FSYNC", "RENAME", "FTRUNCATE", "CLOSE"};

static struct fault {
	unsigned long at; /* 0 = never */
	bool and_after;
	bool is_short;
	int error;
	atomic_ulong calls;
} faults[OPERATIONS];

/* The loader and the C library's own start allocate as well; only what comes after is the tool. */
static atomic_bool running;

static const struct {
	const char *name;
	int number;
} errors[] = {
	{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"EMFILE", EMFILE}, {"EACCES", EACCES},
	{"EDQUOT", EDQUOT}, {"EROFS", EROFS},   {"EXDEV", EXDEV}, {"EINVAL", EINVAL}, {"ENOSYS", ENOSYS},
	{"EPERM", EPERM},   {"EPIPE", EPIPE},   {"EFBIG", EFBIG},
};

static void complain(const char *variable, const char *value)
{
	char line[200];
	int n = snprintf(line, sizeof line, "fault: cannot read %s=%.100s\n", variable, value);
	if (n > 0)
		syscall(SYS_write, STDERR_FILENO, line, (size_t)n);
	_exit(125);
}

__attribute__((constructor)) static void read_environment(void)
{
	for (int i = 0; i < OPERATIONS; i++) {
		char variable[20];
		snprintf(variable, sizeof variable, "FAULT_%s", names[i]);
		const char *value = getenv(variable);
		if (value == NULL)
			continue;
		char *rest;
		struct fault *f = &faults[i];
		f->at = strtoul(value, &rest, 10);
		f->and_after = *rest == '+';
		rest += f->and_after;
		if (i == ALLOC) {
			f->error = ENOMEM;
			if (f->at == 0 || *rest != '\0')
				complain(variable, value);
			continue;
		}
		if (*rest == ':')
			rest++;
		f->is_short = strcmp(rest, "short") == 0;
		for (size_t k = 0; k < sizeof errors / sizeof *errors; k++)
			if (strcmp(rest, errors[k].name) == 0)
				f->error = errors[k].number;
		if (f->at == 0 || (f->error == 0 && !f->is_short))
			complain(variable, value);
	}
	atomic_store(&running, true);
}

__attribute__((destructor)) static void write_counts(void)
{
	atomic_store(&running, false);
	const char *file = getenv("FAULT_COUNT");
	if (file == NULL)
		return;
	long fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	for (int i = 0; i < OPERATIONS; i++) {
		char line[60];
		int n = snprintf(line, sizeof line, "%s %lu\n", names[i], atomic_load(&faults[i].calls));
		if (n > 0 && syscall(SYS_write, fd, line, (size_t)n) != n)
			complain("FAULT_COUNT", file);
	}
	syscall(SYS_close, fd);
}

/* Counts a call and tells whether it is to be hurt. */
static bool hurts(enum operation operation)
{
	if (!atomic_load_explicit(&running, memory_order_relaxed))
		return false;
	struct fault *f = &faults[operation];
	unsigned long call = atomic_fetch_add(&f->calls, 1) + 1;
	return f->at != 0 && (call == f->at || (f->and_after && call > f->at));
}

/* Whether a call fails outright, errno set. */
static bool fails(enum operation operation)
{
	if (!hurts(operation) || faults[operation].is_short)
		return false;
	errno = faults[operation].error;
	return true;
}

/* Shortens or fails a transfer. */
static bool transfer_fails(enum operation operation, size_t *size)
{
	if (!hurts(operation))
		return false;
	if (faults[operation].is_short) {
		if (*size > 1)
			*size = 1;
		return false;
	}
	errno = faults[operation].error;
	return true;
}

#ifdef FAULT_WRAP
#define OURS(name) __wrap_##name
#define REAL(name) __real_##name
#else
#define OURS(name) name
#define REAL(name) real_##name
#endif

#pragma GCC visibility push(default)

#ifdef FAULT_WRAP

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *old, size_t size);
ssize_t REAL(read)(int fd, void *buffer, size_t size);
ssize_t REAL(write)(int fd, const void *bytes, size_t size);
int REAL(open)(const char *path, int flags, ...);
int REAL(fsync)(int fd);
int REAL(rename)(const char *from, const char *to);
int REAL(renameat2)(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);
int REAL(ftruncate)(int fd, off_t size);
int REAL(close)(int fd);

void *OURS(malloc)(size_t size);
void *OURS(calloc)(size_t count, size_t size);
void *OURS(realloc)(void *old, size_t size);
ssize_t OURS(read)(int fd, void *buffer, size_t size);
ssize_t OURS(write)(int fd, const void *bytes, size_t size);
int OURS(open)(const char *path, int flags, ...);
int OURS(fsync)(int fd);
int OURS(rename)(const char *from, const char *to);
int OURS(renameat2)(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);
int OURS(ftruncate)(int fd, off_t size);
int OURS(close)(int fd);

#else

/* The C library's own names for its allocator: found without dlsym, which allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void *real_malloc(size_t size)
{
	return __libc_malloc(size);
}

static void *real_calloc(size_t count, size_t size)
{
	return __libc_calloc(count, size);
}

static void *real_realloc(void *old, size_t size)
{
	return __libc_realloc(old, size);
}

static ssize_t real_read(int fd, void *buffer, size_t size)
{
	return syscall(SYS_read, fd, buffer, size);
}

static ssize_t real_write(int fd, const void *bytes, size_t size)
{
	return syscall(SYS_write, fd, bytes, size);
}

static int real_open(const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int real_fsync(int fd)
{
	return (int)syscall(SYS_fsync, fd);
}

static int real_rename(const char *from, const char *to)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int real_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

static int real_ftruncate(int fd, off_t size)
{
	return (int)syscall(SYS_ftruncate, fd, size);
}

static int real_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

#endif

static bool has_mode(int flags)
{
	return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

void *OURS(malloc)(size_t size)
{
	return fails(ALLOC) ? NULL : REAL(malloc)(size);
}

void *OURS(calloc)(size_t count, size_t size)
{
	return fails(ALLOC) ? NULL : REAL(calloc)(count, size);
}

void *OURS(realloc)(void *old, size_t size)
{
	return fails(ALLOC) ? NULL : REAL(realloc)(old, size);
}

ssize_t OURS(read)(int fd, void *buffer, size_t size)
{
	return transfer_fails(READ, &size) ? -1 : REAL(read)(fd, buffer, size);
}

ssize_t OURS(write)(int fd, const void *bytes, size_t size)
{
	return transfer_fails(WRITE, &size) ? -1 : REAL(write)(fd, bytes, size);
}

int OURS(open)(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = has_mode(flags) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return fails(OPEN) ? -1 : REAL(open)(path, flags, mode);
}

int OURS(fsync)(int fd)
{
	return fails(FSYNC) ? -1 : REAL(fsync)(fd);
}

int OURS(rename)(const char *from, const char *to)
{
	return fails(RENAME) ? -1 : REAL(rename)(from, to);
}

int OURS(renameat2)(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
	return fails(RENAME) ? -1 : REAL(renameat2)(from_folder, from, to_folder, to, flags);
}

int OURS(ftruncate)(int fd, off_t size)
{
	return fails(FTRUNCATE) ? -1 : REAL(ftruncate)(fd, size);
}

/* As in the kernel: the descriptor is gone even when closing it fails. */
int OURS(close)(int fd)
{
	bool failing = fails(CLOSE);
	int error = errno;
	int result = REAL(close)(fd);
	if (!failing)
		return result;
	errno = error;
	return -1;
}

#ifndef FAULT_WRAP

/* Other names by which the same things are called: large files, fortified calls, aligned memory. */

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset);
int open64(const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int ftruncate64(int fd, off64_t size);

void *memalign(size_t alignment, size_t size)
{
	return fails(ALLOC) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	void *memory = memalign(alignment, size);
	if (memory == NULL)
		return ENOMEM;
	*out = memory;
	return 0;
}

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room)
{
	if (size > room)
		abort();
	return read(fd, buffer, size);
}

/* SQLite's. */
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	return transfer_fails(WRITE, &size) ? -1 : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

int fdatasync(int fd)
{
	return fails(FSYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = has_mode(flags) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open(path, flags, mode);
}

int __open_2(const char *path, int flags)
{
	return open(path, flags);
}

int __open64_2(const char *path, int flags)
{
	return open(path, flags);
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

#endif
#pragma GCC visibility pop
