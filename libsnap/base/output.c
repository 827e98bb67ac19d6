/* Writes bytes to a descriptor, to memory, or to a file by way of a temporary one beside it, so that
 * a file that is not whole never stands under its final name; see snap/output.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <snap/output.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_SIZE = 131072, LINKS_MAX = 40, NAMES_MAX = 100 };

struct snap_output {
	uint8_t *buffer;
	size_t used, capacity;
	uint64_t offset;
	int failed; /* errno of the write that failed, or 0 */
	bool finished;

	bool in_memory;
	int fd;
	bool owns_fd;

	/* Of a file that is to appear when it is whole. */
	char *target;    /* NULL if there is none */
	char *temporary; /* a name beside it; NULL as long as there is none and when it is gone */
	mode_t creation_mode;
};

static enum snap_status no_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static enum snap_status system_error(struct snap_error *err, const char *what)
{
	return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot %s: %s", what, strerror(errno));
}

static enum snap_status output_new(struct snap_output **out, struct snap_error *err)
{
	struct snap_output *o = calloc(1, sizeof *o);
	uint8_t *buffer = o != NULL ? malloc(BUFFER_SIZE) : NULL;
	if (buffer == NULL) {
		free(o);
		return no_memory(err);
	}
	o->buffer = buffer;
	o->capacity = BUFFER_SIZE;
	o->fd = -1;
	*out = o;
	return SNAP_OK;
}

/* Where standard output or error was closed, the next file opened would take its place and what is
 * meant for people would end up in it. */
static int above_standard(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int saved = errno;
	close(fd);
	errno = saved;
	return moved;
}

static int open_for_writing(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | flags, mode);
	while (fd < 0 && errno == EINTR);
	return above_standard(fd);
}

/* /dev/fd/N and /proc/self/fd/N are a descriptor in the clothes of a file; -1 if `path` is neither. */
static int descriptor_of(const char *path)
{
	static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		size_t n = strlen(folders[i]);
		if (strncmp(path, folders[i], n) != 0)
			continue;
		const char *digit = path + n;
		int fd = 0;
		for (; *digit >= '0' && *digit <= '9' && fd < 1000000; digit++)
			fd = fd * 10 + (*digit - '0');
		if (digit != path + n && *digit == '\0')
			return fd;
	}
	return -1;
}

/* Takes the place of the last part of `path` in memory of its own, as a symbolic link's text does. */
static char *beside(const char *path, const char *name)
{
	const char *slash = name[0] == '/' ? NULL : strrchr(path, '/');
	size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
	size_t size = strlen(name) + 1;
	char *joined = malloc(folder + size);
	if (joined != NULL) {
		memcpy(joined, path, folder);
		memcpy(joined + folder, name, size);
	}
	return joined;
}

/* Follows symbolic links at the end of *path (yours, also on failure), so that the rename replaces the
 * file and not the link to it. Stops at a descriptor. */
static enum snap_status follow_links(char **path, struct snap_error *err)
{
	for (int i = 0; i < LINKS_MAX; i++) {
		if (descriptor_of(*path) >= 0)
			return SNAP_OK;
		char link[4096];
		ssize_t n = readlink(*path, link, sizeof link);
		if (n < 0)
			return SNAP_OK; /* no link, or an error that opening will meet as well */
		if ((size_t)n == sizeof link) {
			errno = ENAMETOOLONG;
			return system_error(err, "create");
		}
		link[n] = '\0';
		char *next = beside(*path, link);
		if (next == NULL)
			return no_memory(err);
		free(*path);
		*path = next;
	}
	errno = ELOOP;
	return system_error(err, "create");
}

/* Tries names `TARGET.tmp-XXXXXX`, of a target whose name is too long for that its beginning, until `make` makes one
 * of them, which is then the temporary file. */
static enum snap_status make_temporary(struct snap_output *o, int (*make)(struct snap_output *o, const char *name),
                                       struct snap_error *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	static const char ending[] = ".tmp-XXXXXX";
	const char *slash = strrchr(o->target, '/'), *base = slash != NULL ? slash + 1 : o->target;
	size_t length = strlen(o->target), base_length = strlen(base), room = NAME_MAX + 1 - sizeof ending;
	if (base_length > room && base_length <= NAME_MAX)
		length -= base_length - room;
	char *name = malloc(length + sizeof ending);
	if (name == NULL)
		return no_memory(err);
	memcpy(name, o->target, length);
	memcpy(name + length, ending, sizeof ending);
	char *varied = name + length + sizeof ending - 1 - 6;
	for (int i = 0; i < NAMES_MAX; i++) {
		uint8_t bytes[6];
		if (getentropy(bytes, sizeof bytes) < 0)
			break;
		for (size_t k = 0; k < sizeof bytes; k++)
			varied[k] = letters[bytes[k] % 32];
		if (make(o, name) == 0) {
			o->temporary = name;
			return SNAP_OK;
		}
		if (errno != EEXIST)
			break;
	}
	enum snap_status status = system_error(err, "create");
	free(name);
	return status;
}

static int create_at(struct snap_output *o, const char *name)
{
	o->fd = open_for_writing(name, O_CREAT | O_EXCL, o->creation_mode);
	return o->fd < 0 ? -1 : 0;
}

static void path_of_descriptor(int fd, char path[40])
{
	snprintf(path, 40, "/proc/self/fd/%d", fd);
}

static int link_at(struct snap_output *o, const char *name)
{
	char path[40];
	path_of_descriptor(o->fd, path);
	return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* A file without a name, which goes when the program does, however that ends; it is named as soon as it
 * is whole. Not every system can. */
static bool open_unnamed(struct snap_output *o)
{
#ifdef O_TMPFILE
	char *folder = beside(o->target, ".");
	if (folder == NULL)
		return false;
	o->fd = open_for_writing(folder, O_TMPFILE, o->creation_mode);
	free(folder);
	if (o->fd < 0)
		return false;
	char path[40];
	path_of_descriptor(o->fd, path);
	if (access(path, F_OK) == 0)
		return true;
	close(o->fd);
	o->fd = -1;
#else
	(void)o;
#endif
	return false;
}

/* A new file in the folder of the target. An existing target keeps its mode, and where the system allows
 * it its owner. */
static enum snap_status open_temporary(struct snap_output *o, const struct stat *existing, struct snap_error *err)
{
	o->creation_mode = existing != NULL ? 0600 : 0666;
	if (!open_unnamed(o)) {
		enum snap_status status = make_temporary(o, create_at, err);
		if (status < 0)
			return status;
	}
	o->owns_fd = true;
	if (existing == NULL)
		return SNAP_OK;
	/* Only root can give files away; for others the mode is all that is promised. */
	bool foreign = existing->st_uid != geteuid() || existing->st_gid != getegid();
	if (foreign && fchown(o->fd, existing->st_uid, existing->st_gid) < 0)
		errno = 0;
	if (fchmod(o->fd, existing->st_mode & 0777) < 0)
		return system_error(err, "create");
	return SNAP_OK;
}

enum snap_status snap_output_create(struct snap_output **out, const char *path, struct snap_error *err)
{
	struct snap_output *o = NULL;
	enum snap_status status = output_new(&o, err);
	if (status < 0)
		return status;
	char *target = strdup(path);
	status = target != NULL ? follow_links(&target, err) : no_memory(err);
	if (status < 0)
		goto failed;

	struct stat st;
	bool exists = false, too_long = false;
	int standing = descriptor_of(target);
	if (standing >= 0) {
		o->fd = fcntl(standing, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	} else {
		exists = stat(target, &st) == 0;
		too_long = !exists && errno == ENAMETOOLONG;
		if (exists && !S_ISREG(st.st_mode))
			o->fd = open_for_writing(target, 0, 0); /* a device or FIFO is itself the place to write to */
	}
	if (standing >= 0 || (exists && !S_ISREG(st.st_mode))) {
		o->owns_fd = o->fd >= 0;
		if (o->fd < 0)
			status = system_error(err, "open for writing");
	} else if (too_long) {
		/* A file without a name would be made, and find that out at its end. */
		status = system_error(err, "create");
	} else if (target[0] == '\0' || target[strlen(target) - 1] == '/') {
		errno = target[0] == '\0' ? ENOENT : EISDIR;
		status = system_error(err, "create");
	} else if (exists && faccessat(AT_FDCWD, target, W_OK, AT_EACCESS) < 0) {
		/* A rename would get past the protection of a read-only file. */
		status = system_error(err, "overwrite");
	} else {
		o->target = target;
		target = NULL;
		status = open_temporary(o, exists ? &st : NULL, err);
	}
	if (status < 0)
		goto failed;
	free(target);
	*out = o;
	return SNAP_OK;

failed:
	free(target);
	snap_output_free(o);
	return status;
}

enum snap_status snap_output_to_fd(struct snap_output **out, int fd, struct snap_error *err)
{
	struct snap_output *o = NULL;
	enum snap_status status = output_new(&o, err);
	if (status < 0)
		return status;
	o->fd = fd;
	*out = o;
	return SNAP_OK;
}

enum snap_status snap_output_to_memory(struct snap_output **out, struct snap_error *err)
{
	struct snap_output *o = NULL;
	enum snap_status status = output_new(&o, err);
	if (status < 0)
		return status;
	o->in_memory = true;
	*out = o;
	return SNAP_OK;
}

static enum snap_status fail_to_write(struct snap_output *o, struct snap_error *err)
{
	if (o->failed == 0)
		o->failed = errno != 0 ? errno : EIO;
	errno = o->failed;
	if (errno == ENOMEM && o->in_memory)
		return no_memory(err);
	return system_error(err, "write");
}

/* A descriptor of the caller's may be non-blocking; then wait for it. */
static bool may_try_again(int fd)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	struct pollfd waited = {.fd = fd, .events = POLLOUT};
	return poll(&waited, 1, -1) > 0 || errno == EINTR;
}

static enum snap_status push(struct snap_output *o, const uint8_t *bytes, size_t size, struct snap_error *err)
{
	while (size > 0) {
		ssize_t n = write(o->fd, bytes, size);
		if (n < 0 && may_try_again(o->fd))
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return fail_to_write(o, err);
		}
		bytes += n;
		size -= (size_t)n;
	}
	return SNAP_OK;
}

static enum snap_status flush(struct snap_output *o, struct snap_error *err)
{
	if (o->in_memory)
		return SNAP_OK;
	size_t used = o->used;
	o->used = 0;
	return push(o, o->buffer, used, err);
}

static enum snap_status make_room_in_memory(struct snap_output *o, size_t size, struct snap_error *err)
{
	if (size <= o->capacity - o->used)
		return SNAP_OK;
	size_t wanted = o->capacity + o->capacity / 2;
	if (size > PTRDIFF_MAX - o->used)
		wanted = SIZE_MAX;
	else if (wanted < o->used + size)
		wanted = o->used + size;
	uint8_t *grown = realloc(o->buffer, wanted);
	if (grown == NULL) {
		errno = ENOMEM;
		return fail_to_write(o, err);
	}
	o->buffer = grown;
	o->capacity = wanted;
	return SNAP_OK;
}

enum snap_status snap_output_write(struct snap_output *o, const void *bytes, size_t size, struct snap_error *err)
{
	if (o->finished)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the output is finished");
	if (o->failed != 0)
		return fail_to_write(o, err);
	enum snap_status status = SNAP_OK;
	if (o->in_memory)
		status = make_room_in_memory(o, size, err);
	else if (size > o->capacity - o->used)
		status = flush(o, err);
	if (status < 0)
		return status;
	if (size > o->capacity - o->used) {
		status = push(o, bytes, size, err);
		if (status < 0)
			return status;
	} else if (size > 0) {
		memcpy(o->buffer + o->used, bytes, size);
		o->used += size;
	}
	o->offset += size;
	return SNAP_OK;
}

int snap_output_descriptor(const struct snap_output *o)
{
	return o->fd;
}

uint64_t snap_output_offset(const struct snap_output *o)
{
	return o->offset;
}

static int sync_descriptor(int fd)
{
	int result;
	do
		result = fsync(fd);
	while (result < 0 && errno == EINTR);
	/* Some file systems have no such notion. */
	return result < 0 && (errno == EINVAL || errno == ENOTSUP) ? 0 : result;
}

static int close_owned(struct snap_output *o)
{
	if (!o->owns_fd)
		return 0;
	o->owns_fd = false;
	int result = close(o->fd);
	o->fd = -1;
	return result < 0 && errno == EINTR ? 0 : result;
}

/* The folder of a path, opened so that it can be synced; -1 with errno. */
static int open_folder(const char *path)
{
	char *folder = beside(path, ".");
	if (folder == NULL) {
		errno = ENOMEM;
		return -1;
	}
	int fd;
	do
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	int saved = errno;
	free(folder);
	errno = saved;
	return fd;
}

/* Swaps two files; fails where the file system cannot. */
static int exchange(const char *a, const char *b)
{
#ifdef RENAME_EXCHANGE
	return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
	(void)a;
	(void)b;
	errno = ENOSYS;
	return -1;
#endif
}

static void remove_temporary(struct snap_output *o)
{
	if (o->temporary == NULL)
		return;
	int saved = errno;
	unlink(o->temporary);
	free(o->temporary);
	o->temporary = NULL;
	errno = saved;
}

/* Gives the whole file its name. An old file is exchanged and not overwritten, where the file system
 * can: it comes back if the folder cannot be made durable. */
static enum snap_status put_in_place(struct snap_output *o, int folder, struct snap_error *err)
{
	bool replaces = access(o->target, F_OK) == 0;
	bool exchanged = replaces && exchange(o->temporary, o->target) == 0;
	if (!exchanged && rename(o->temporary, o->target) < 0)
		return system_error(err, "rename the temporary file");
	if (folder >= 0 && sync_descriptor(folder) < 0) {
		enum snap_status status = system_error(err, "sync the folder");
		if (exchanged)
			exchange(o->temporary, o->target);
		else if (!replaces)
			unlink(o->target);
		return status;
	}
	if (exchanged)
		remove_temporary(o);
	free(o->temporary);
	o->temporary = NULL;
	return SNAP_OK;
}

static enum snap_status finish_file(struct snap_output *o, struct snap_error *err)
{
	if (sync_descriptor(o->fd) < 0)
		return system_error(err, "sync");
	if (o->temporary == NULL) {
		enum snap_status named = make_temporary(o, link_at, err);
		if (named < 0)
			return named;
	}
	if (close_owned(o) < 0)
		return system_error(err, "close");
	int folder = open_folder(o->target);
	if (folder < 0 && errno == ENOMEM)
		return no_memory(err);
	if (folder < 0 && errno != EACCES) /* one may write into a folder that one may not read */
		return system_error(err, "open the folder");
	enum snap_status status = put_in_place(o, folder, err);
	if (folder >= 0)
		close(folder);
	return status;
}

enum snap_status snap_output_finish(struct snap_output *o, struct snap_error *err)
{
	if (o->finished)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the output is finished");
	o->finished = true;
	enum snap_status status = o->failed != 0 ? fail_to_write(o, err) : flush(o, err);
	if (status == SNAP_OK && o->target != NULL)
		status = finish_file(o, err);
	else if (status == SNAP_OK && close_owned(o) < 0)
		status = system_error(err, "close");
	/* Gone at once, not when the caller gets round to free. */
	if (status < 0)
		remove_temporary(o);
	return status;
}

const void *snap_output_memory(const struct snap_output *o, size_t *size)
{
	*size = o->used;
	return o->buffer;
}

void snap_output_free(struct snap_output *o)
{
	if (o == NULL)
		return;
	close_owned(o);
	remove_temporary(o);
	free(o->target);
	free(o->buffer);
	free(o);
}
