/* Reads bytes front to back from a descriptor, memory or a function; see snap/input.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <snap/input.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 2 * SNAP_INPUT_PEEK_MAX };

struct snap_input {
	const uint8_t *next; /* bytes that are here and not yet handed out */
	size_t available;
	uint64_t offset;
	bool at_end;
	int failed; /* errno of the read that failed, or 0 */

	uint8_t *buffer; /* BUFFER_SIZE bytes; NULL when reading from memory */
	int fd;          /* -1 when it is not a descriptor */
	bool owns_fd;
	ptrdiff_t (*read)(void *context, void *buffer, size_t size);
	void (*close)(void *context);
	void *context;

	int64_t mtime_ns;
	uint64_t size;
};

static enum snap_status input_new(struct snap_input **out, bool buffered, struct snap_error *err)
{
	struct snap_input *in = calloc(1, sizeof *in);
	uint8_t *buffer = in != NULL && buffered ? malloc(BUFFER_SIZE) : NULL;
	if (in == NULL || (buffered && buffer == NULL)) {
		free(in);
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	in->next = in->buffer = buffer;
	in->fd = -1;
	in->mtime_ns = INT64_MIN;
	in->size = UINT64_MAX;
	*out = in;
	return SNAP_OK;
}

static void look_at_file(struct snap_input *in, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return;
	if (st->st_size >= 0)
		in->size = (uint64_t)st->st_size;
	int64_t ns;
	if (!__builtin_mul_overflow((int64_t)st->st_mtim.tv_sec, INT64_C(1000000000), &ns) &&
	    !__builtin_add_overflow(ns, (int64_t)st->st_mtim.tv_nsec, &ns))
		in->mtime_ns = ns;
}

enum snap_status snap_input_open(struct snap_input **out, const char *path, struct snap_error *err)
{
	struct snap_input *in = NULL;
	enum snap_status status = input_new(&in, true, err);
	if (status < 0)
		return status;
	if (strcmp(path, "-") == 0) {
		in->fd = STDIN_FILENO;
	} else {
		do
			in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		while (in->fd < 0 && errno == EINTR);
		in->owns_fd = in->fd >= 0;
	}
	struct stat st;
	if (in->fd < 0 || fstat(in->fd, &st) < 0) {
		status = snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot open: %s", strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		status = snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot read: it is a directory");
	}
	if (status < 0) {
		snap_input_close(in);
		return status;
	}
	look_at_file(in, &st);
	*out = in;
	return SNAP_OK;
}

enum snap_status snap_input_from_memory(struct snap_input **out, const void *bytes, size_t size, struct snap_error *err)
{
	struct snap_input *in = NULL;
	enum snap_status status = input_new(&in, false, err);
	if (status < 0)
		return status;
	in->next = bytes;
	in->available = size;
	in->at_end = true;
	*out = in;
	return SNAP_OK;
}

enum snap_status snap_input_from_function(struct snap_input **out,
                                          ptrdiff_t (*read_some)(void *context, void *buffer, size_t size),
                                          void (*close_it)(void *context), void *context,
                                          struct snap_error *err)
{
	struct snap_input *in = NULL;
	enum snap_status status = input_new(&in, true, err);
	if (status < 0) {
		if (close_it != NULL)
			close_it(context);
		return status;
	}
	in->read = read_some;
	in->close = close_it;
	in->context = context;
	*out = in;
	return SNAP_OK;
}

int64_t snap_input_mtime_ns(const struct snap_input *in)
{
	return in->mtime_ns;
}

uint64_t snap_input_size(const struct snap_input *in)
{
	return in->size;
}

uint64_t snap_input_offset(const struct snap_input *in)
{
	return in->offset;
}

/* Standard input may be a descriptor that someone else made non-blocking; then wait for it. */
static bool may_try_again(const struct snap_input *in)
{
	if (errno == EINTR)
		return true;
	if (in->fd < 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		return false;
	struct pollfd waited = {.fd = in->fd, .events = POLLIN};
	return poll(&waited, 1, -1) > 0 || errno == EINTR;
}

/* One read of at most `size` bytes; *got = 0 only at the end. */
static enum snap_status pull(struct snap_input *in, uint8_t *to, size_t size, size_t *got, struct snap_error *err)
{
	*got = 0;
	if (in->at_end)
		return SNAP_OK;
	ptrdiff_t n = -1;
	if (in->failed == 0) {
		do
			n = in->fd >= 0 ? read(in->fd, to, size) : in->read(in->context, to, size);
		while (n < 0 && may_try_again(in));
		if (n > 0 && (size_t)n > size) {
			errno = EOVERFLOW;
			n = -1;
		}
		if (n < 0)
			in->failed = errno != 0 ? errno : EIO;
	}
	if (n < 0) {
		errno = in->failed;
		return snap_fail(err, SNAP_ERR_IO, in->offset + in->available, "cannot read: %s", strerror(in->failed));
	}
	in->at_end = n == 0;
	*got = (size_t)n;
	return SNAP_OK;
}

/* Brings `size` <= SNAP_INPUT_PEEK_MAX bytes into the buffer, or all that are left. */
static enum snap_status fill(struct snap_input *in, size_t size, struct snap_error *err)
{
	while (in->available < size && !in->at_end) {
		size_t begin = (size_t)(in->next - in->buffer);
		if (in->available == 0 || BUFFER_SIZE - begin < size) {
			memmove(in->buffer, in->next, in->available);
			in->next = in->buffer;
			begin = 0;
		}
		size_t end = begin + in->available, got;
		enum snap_status status = pull(in, in->buffer + end, BUFFER_SIZE - end, &got, err);
		if (status < 0)
			return status;
		in->available += got;
	}
	return SNAP_OK;
}

void snap_input_skip(struct snap_input *in, size_t size)
{
	if (size > 0)
		in->next += size;
	in->available -= size;
	in->offset += size;
}

enum snap_status snap_input_peek(struct snap_input *in, size_t size, const uint8_t **bytes, size_t *got,
                                 struct snap_error *err)
{
	if (size > SNAP_INPUT_PEEK_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a peek sees at most %d bytes", SNAP_INPUT_PEEK_MAX);
	enum snap_status status = fill(in, size, err);
	if (status < 0)
		return status;
	*bytes = in->next;
	*got = in->available < size ? in->available : size;
	return SNAP_OK;
}

enum snap_status snap_input_read(struct snap_input *in, void *buffer, size_t size, size_t *got, struct snap_error *err)
{
	uint8_t *to = buffer;
	size_t left = size;
	while (left > 0) {
		if (in->available == 0 && !in->at_end && left >= BUFFER_SIZE) {
			/* Past the buffer: a copy saved. */
			size_t n;
			enum snap_status status = pull(in, to, left, &n, err);
			if (status < 0)
				return status;
			in->offset += n;
			to += n;
			left -= n;
			continue;
		}
		if (in->available == 0) {
			enum snap_status status = fill(in, 1, err);
			if (status < 0)
				return status;
			if (in->available == 0)
				break;
		}
		size_t n = in->available < left ? in->available : left;
		memcpy(to, in->next, n);
		snap_input_skip(in, n);
		to += n;
		left -= n;
	}
	*got = size - left;
	return SNAP_OK;
}

void snap_input_close(struct snap_input *in)
{
	if (in == NULL)
		return;
	if (in->owns_fd)
		close(in->fd);
	if (in->close != NULL)
		in->close(in->context);
	free(in->buffer);
	free(in);
}
