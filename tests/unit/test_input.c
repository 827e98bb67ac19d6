/* snap/input.h: the same bytes from files, memory and functions, whatever the size of the steps. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <snap/input.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

enum { SIZE = 400000 };
static uint8_t content[SIZE];

__attribute__((constructor)) static void make_content(void)
{
	uint32_t x = 1;
	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		content[i] = (uint8_t)(x >> 24);
	}
}

/* Hands out `step` bytes a call (0 = as many as fit), interrupted before each. */
struct feeder {
	size_t at, size, step;
	size_t fail_at;
	int error;
	unsigned interruptions, interrupted;
	unsigned closed;
};

static ptrdiff_t feed(void *context, void *buffer, size_t size)
{
	struct feeder *f = context;
	if (f->interrupted < f->interruptions) {
		f->interrupted++;
		errno = EINTR;
		return -1;
	}
	f->interrupted = 0;
	if (f->error != 0 && f->at >= f->fail_at) {
		errno = f->error;
		return -1;
	}
	size_t n = f->size - f->at;
	if (n > size)
		n = size;
	if (f->step != 0 && n > f->step)
		n = f->step;
	memcpy(buffer, content + f->at, n);
	f->at += n;
	return (ptrdiff_t)n;
}

static void close_feeder(void *context)
{
	((struct feeder *)context)->closed++;
}

/* Reads all in steps of `step` and compares. */
static void check_all(struct snap_input *in, size_t size, size_t step)
{
	static uint8_t buffer[SIZE + 1];
	struct snap_error err = {0};
	size_t at = 0;
	for (;;) {
		size_t got;
		if (!CHECK_OK(snap_input_read(in, buffer, step, &got, &err), &err))
			return;
		if (!CHECK(got <= step && at + got <= size))
			return;
		if (!CHECK(memcmp(buffer, content + at, got) == 0))
			return;
		at += got;
		if (!CHECK_INT(snap_input_offset(in), at))
			return;
		if (got < step)
			break;
	}
	CHECK_INT(at, size);
	size_t got = 7;
	CHECK_OK(snap_input_read(in, buffer, 1, &got, &err), &err);
	CHECK_INT(got, 0);
}

static const char *make_file(const char *name, size_t size)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/%s", test_folder(), name);
	FILE *f = fopen(path, "wb");
	if (CHECK(f != NULL)) {
		CHECK(fwrite(content, 1, size, f) == size);
		CHECK(fclose(f) == 0);
	}
	return path;
}

static const size_t sizes[] = {0, 1, 2, 7, 1000, 65535, 65536, 65537, 131071, 131072, 131073, 262144, SIZE};
static const size_t steps[] = {1, 2, 7, 100, 4096, 65536, 131071, 131072, 131073, SIZE + 1};
#define COUNT(array) (sizeof(array) / sizeof *(array))

TEST(memory_in_every_step)
{
	for (size_t s = 0; s < COUNT(sizes); s++) {
		for (size_t k = 0; k < COUNT(steps); k++) {
			struct snap_input *in;
			if (!CHECK(snap_input_from_memory(&in, content, sizes[s], NULL) == SNAP_OK))
				return;
			check_all(in, sizes[s], steps[k]);
			snap_input_close(in);
		}
	}
}

TEST(memory_of_no_bytes_may_be_null)
{
	struct snap_input *in;
	const uint8_t *bytes;
	size_t got = 1;
	CHECK_INT(snap_input_from_memory(&in, NULL, 0, NULL), SNAP_OK);
	CHECK_INT(snap_input_peek(in, 10, &bytes, &got, NULL), SNAP_OK);
	CHECK_INT(got, 0);
	CHECK_INT(snap_input_read(in, NULL, 0, &got, NULL), SNAP_OK);
	CHECK_INT(got, 0);
	snap_input_close(in);
}

TEST(file_in_every_step)
{
	for (size_t s = 0; s < COUNT(sizes); s++) {
		const char *path = make_file("file", sizes[s]);
		for (size_t k = 0; k < COUNT(steps); k++) {
			struct snap_input *in;
			struct snap_error err;
			if (!CHECK_OK(snap_input_open(&in, path, &err), &err))
				return;
			CHECK_INT(snap_input_size(in), sizes[s]);
			check_all(in, sizes[s], steps[k]);
			snap_input_close(in);
		}
	}
}

TEST(function_in_every_step)
{
	static const size_t feeds[] = {1, 7, 4095, 65536, 100000, 0};
	for (size_t f = 0; f < COUNT(feeds); f++) {
		for (size_t k = 1; k < COUNT(steps); k++) {
			struct feeder feeder = {.size = feeds[f] == 1 ? 5000 : SIZE, .step = feeds[f], .interruptions = 2};
			struct snap_input *in;
			if (!CHECK(snap_input_from_function(&in, feed, close_feeder, &feeder, NULL) == SNAP_OK))
				return;
			CHECK(snap_input_size(in) == UINT64_MAX);
			CHECK(snap_input_mtime_ns(in) == INT64_MIN);
			check_all(in, feeder.size, steps[k]);
			CHECK_INT(feeder.closed, 0);
			snap_input_close(in);
			CHECK_INT(feeder.closed, 1);
		}
	}
}

TEST(peek_sees_what_read_gives)
{
	static const size_t looks[] = {0, 1, 5, 4096, 65535, 65536};
	static uint8_t buffer[SIZE];
	for (size_t step = 1; step < 200000; step = step * 3 + 1) {
		for (size_t l = 0; l < COUNT(looks); l++) {
			struct feeder feeder = {.size = SIZE, .step = 10007};
			struct snap_input *in;
			if (!CHECK(snap_input_from_function(&in, feed, NULL, &feeder, NULL) == SNAP_OK))
				return;
			size_t at = 0, got = 0;
			for (unsigned i = 0; i < 200 && at < SIZE; i++) {
				const uint8_t *bytes;
				size_t seen, wanted = SIZE - at < looks[l] ? SIZE - at : looks[l];
				CHECK_INT(snap_input_peek(in, looks[l], &bytes, &seen, NULL), SNAP_OK);
				if (!CHECK_INT(seen, wanted) || !CHECK(memcmp(bytes, content + at, seen) == 0))
					break;
				CHECK_INT(snap_input_offset(in), at);
				CHECK_INT(snap_input_read(in, buffer, step, &got, NULL), SNAP_OK);
				if (!CHECK(memcmp(buffer, content + at, got) == 0))
					break;
				at += got;
			}
			snap_input_close(in);
		}
	}
}

TEST(skip_consumes_what_was_seen)
{
	struct feeder feeder = {.size = SIZE, .step = 10007};
	struct snap_input *in;
	if (!CHECK(snap_input_from_function(&in, feed, NULL, &feeder, NULL) == SNAP_OK))
		return;
	for (size_t at = 0, step = 1; at < SIZE; step = step * 3 % 65521) {
		const uint8_t *bytes;
		size_t seen;
		CHECK_INT(snap_input_peek(in, step, &bytes, &seen, NULL), SNAP_OK);
		snap_input_skip(in, seen);
		at += seen;
		CHECK_INT(snap_input_offset(in), at);
		/* Still there. */
		if (!CHECK(seen > 0) || !CHECK(memcmp(bytes, content + at - seen, seen) == 0))
			break;
	}
	snap_input_close(in);
}

TEST(peek_has_a_limit)
{
	struct snap_input *in;
	const uint8_t *bytes;
	size_t got;
	CHECK_INT(snap_input_from_memory(&in, content, SIZE, NULL), SNAP_OK);
	CHECK_INT(snap_input_peek(in, 65536, &bytes, &got, NULL), SNAP_OK);
	CHECK_INT(got, 65536);
	CHECK_INT(snap_input_peek(in, 65537, &bytes, &got, NULL), SNAP_ERR_INVALID);
	snap_input_close(in);
}

TEST(error_of_the_system_stays)
{
	static const size_t places[] = {0, 1, 65536, 131072, 300000};
	static uint8_t buffer[SIZE];
	for (size_t i = 0; i < COUNT(places); i++) {
		struct feeder feeder = {.size = SIZE, .step = 0, .fail_at = places[i], .error = EIO};
		struct snap_input *in;
		struct snap_error err = {0};
		size_t got;
		if (!CHECK(snap_input_from_function(&in, feed, NULL, &feeder, NULL) == SNAP_OK))
			return;
		enum snap_status status;
		do
			status = snap_input_read(in, buffer, 1000, &got, &err);
		while (status == SNAP_OK && got == 1000);
		CHECK_INT(status, SNAP_ERR_IO);
		CHECK_INT(err.status, SNAP_ERR_IO);
		CHECK_INT(err.os_errno, EIO);
		CHECK(err.offset >= places[i]);
		CHECK(strstr(err.message, "cannot read") != NULL);
		feeder.error = 0;
		CHECK_INT(snap_input_read(in, buffer, 1000, &got, &err), SNAP_ERR_IO);
		CHECK_INT(err.os_errno, EIO);
		snap_input_close(in);
	}
}

static ptrdiff_t claim_too_much(void *context, void *buffer, size_t size)
{
	(void)context;
	(void)buffer;
	return (ptrdiff_t)size + 1;
}

TEST(function_that_claims_too_much)
{
	struct snap_input *in;
	uint8_t byte;
	size_t got;
	CHECK_INT(snap_input_from_function(&in, claim_too_much, NULL, NULL, NULL), SNAP_OK);
	CHECK_INT(snap_input_read(in, &byte, 1, &got, NULL), SNAP_ERR_IO);
	snap_input_close(in);
}

TEST(file_that_is_not_there)
{
	struct snap_input *in;
	struct snap_error err;
	char path[400];
	snprintf(path, sizeof path, "%s/none", test_folder());
	CHECK_INT(snap_input_open(&in, path, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOENT);
	CHECK(err.offset == SNAP_NO_OFFSET);
	CHECK_STR(err.message, "cannot open: No such file or directory");
	CHECK_INT(snap_input_open(&in, "", &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOENT);
}

TEST(folder_is_no_input)
{
	struct snap_input *in;
	struct snap_error err;
	CHECK_INT(snap_input_open(&in, test_folder(), &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, EISDIR);
	CHECK_STR(err.message, "cannot read: it is a directory");
}

TEST(modification_time)
{
	const char *path = make_file("old", 3);
	struct timespec times[2] = {{.tv_sec = 1, .tv_nsec = 2}, {.tv_sec = 1700000000, .tv_nsec = 123456789}};
	CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
	struct snap_input *in;
	if (!CHECK(snap_input_open(&in, path, NULL) == SNAP_OK))
		return;
	CHECK(snap_input_mtime_ns(in) == INT64_C(1700000000123456789));
	snap_input_close(in);

	times[1] = (struct timespec){.tv_sec = -1, .tv_nsec = 1};
	CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
	if (!CHECK(snap_input_open(&in, path, NULL) == SNAP_OK))
		return;
	CHECK(snap_input_mtime_ns(in) == INT64_C(-999999999));
	snap_input_close(in);
}

/* Standard input that another program made non-blocking, and a writer slower than the reader. */
TEST(pipe_that_does_not_block)
{
	int ends[2];
	if (!CHECK(pipe2(ends, O_NONBLOCK) == 0))
		return;
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		for (size_t at = 0; at < 1000; at += 100) {
			usleep(2000);
			if (write(ends[1], content + at, 100) != 100)
				_exit(1);
		}
		_exit(0);
	}
	close(ends[1]);
	int saved = dup(STDIN_FILENO);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	struct snap_input *in;
	struct snap_error err;
	if (CHECK_OK(snap_input_open(&in, "-", &err), &err)) {
		CHECK(snap_input_size(in) == UINT64_MAX);
		check_all(in, 1000, 300);
		snap_input_close(in);
	}
	CHECK(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* closing the input left it open */
	dup2(saved, STDIN_FILENO);
	close(saved);
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

TEST(descriptors_are_given_back)
{
	const char *path = make_file("again", 10);
	int before = dup(0);
	close(before);
	for (int i = 0; i < 3000; i++) {
		struct snap_input *in;
		if (!CHECK(snap_input_open(&in, path, NULL) == SNAP_OK))
			return;
		snap_input_close(in);
	}
	int after = dup(0);
	close(after);
	CHECK_INT(after, before);
	snap_input_close(NULL);
}
