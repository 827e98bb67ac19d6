/* Files of a series; see series.h. */
#define _GNU_SOURCE
#include "series.h"

#include <errno.h>
#include <fcntl.h>
#include <snap/output.h>
#include <snap/writer.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PROGRAM_MAX = 48, VARIANTS_MAX = 1 << 30, RACES_MAX = 100 };

void series_name(struct series *series, const char *program, const char *start, long pid)
{
	char name[PROGRAM_MAX + 1];
	size_t used = 0;
	for (; *program != '\0' && used < PROGRAM_MAX; program++) {
		bool fits = (*program >= 'a' && *program <= 'z') || (*program >= 'A' && *program <= 'Z') ||
			    (*program >= '0' && *program <= '9') || *program == '_' ||
			    (*program == '.' && used > 0);
		name[used++] = fits ? *program : '_';
	}
	name[used] = '\0';
	snprintf(series->stem, sizeof series->stem, "%s-%s-%ld", used > 0 ? name : "python", start, pid);
}

static bool path_of(const struct series *series, unsigned number, const char *ending, char path[PATH_MAX])
{
	char variant[16] = "";
	if (series->variant > 0)
		snprintf(variant, sizeof variant, ".%u", series->variant);
	int size = snprintf(path, PATH_MAX, "%s/%s%s-%06u.snap%s", series->folder, series->stem, variant, number,
			    ending);
	return size > 0 && size < PATH_MAX;
}

static enum snap_status system_error(struct snap_error *err, const char *what)
{
	return snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot %s: %s", what, strerror(errno));
}

static enum snap_status path_too_long(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the path is too long");
}

static struct descriptor open_file(const char *path, int flags)
{
	return descriptor_new(open(path, O_WRONLY | O_CLOEXEC | flags, 0600));
}

static enum snap_status write_snapshot(int fd, const struct snap_snapshot *snapshot, struct snap_error *err)
{
	struct snap_output *out = NULL;
	struct snap_writer *writer = NULL;
	const struct snap_writer_options options = {.level = SNAP_LEVEL_DEFAULT};
	enum snap_status status = snap_output_to_fd(&out, fd, err);
	if (status == SNAP_OK)
		status = snap_writer_new(&writer, out, &options, err);
	if (status == SNAP_OK)
		status = snap_writer_put(writer, snapshot, err);
	if (status == SNAP_OK)
		status = snap_writer_finish(writer, err);
	if (status == SNAP_OK)
		status = snap_output_finish(out, err);
	snap_writer_free(writer);
	snap_output_free(out);
	return status;
}

static void sync_folder(const char *folder)
{
	struct descriptor opened = descriptor_new(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (descriptor_is_ours(&opened))
		(void)fsync(opened.fd);
	descriptor_close(&opened);
}

/* A file without a name goes when the process does, however that ends. Where the file system has none of
 * those: NAME.tmp, which a kill leaves behind. */
static enum snap_status open_next(struct series *series, struct snap_error *err)
{
	series->temporary[0] = '\0';
	series->file = open_file(series->folder, O_TMPFILE);
	if (series->file.fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		if (!path_of(series, series->last + 1, ".tmp", series->temporary))
			return path_too_long(err);
		unlink(series->temporary);
		series->file = open_file(series->temporary, O_CREAT | O_EXCL | O_NOFOLLOW);
	}
	return series->file.fd >= 0 ? SNAP_OK : system_error(err, "create");
}

static void close_file(struct series *series)
{
	if (series->temporary[0] != '\0')
		unlink(series->temporary);
	/* Forgotten first: a fork in between must not close what has the number next. */
	struct descriptor file = series->file;
	series->file.fd = -1;
	descriptor_close(&file);
}

void series_forget(struct series *series)
{
	descriptor_close(&series->file);
}

enum snap_status series_write(struct series *series, const struct snap_snapshot *snapshot, char path[PATH_MAX],
			      struct snap_error *err)
{
	if (!path_of(series, series->last + 1, "", path))
		return path_too_long(err);
	enum snap_status status = open_next(series, err);
	if (status == SNAP_OK)
		status = write_snapshot(series->file.fd, snapshot, err);
	if (status < 0)
		close_file(series);
	return status;
}

static bool is_variant_taken(struct series *series, unsigned variant)
{
	char path[PATH_MAX];
	struct stat st;
	series->variant = variant;
	return path_of(series, 1, "", path) && lstat(path, &st) == 0;
}

/* Moves on to a variant that nobody has. There may be very many: the steps double, and then halve. */
static void move_to_free_variant(struct series *series)
{
	unsigned taken = series->variant > 0 ? series->variant : 1, step = 1;
	for (; taken + step < VARIANTS_MAX && is_variant_taken(series, taken + step); step *= 2)
		taken += step;
	for (; step > 1; step /= 2)
		if (is_variant_taken(series, taken + step / 2))
			taken += step / 2;
	series->variant = taken + 1;
}

/* Gives the file that was written its name. Only the first may find that the series belongs to another. */
static enum snap_status give_name(struct series *series, const char *from, int flags, char path[PATH_MAX],
				  struct snap_error *err)
{
	for (int races = 0;; races++) {
		if (!path_of(series, series->last + 1, "", path))
			return path_too_long(err);
		if (linkat(AT_FDCWD, from, AT_FDCWD, path, flags) == 0) {
			series->last++;
			return SNAP_OK;
		}
		if (errno != EEXIST || series->last > 0 || races == RACES_MAX)
			return system_error(err, "create");
		move_to_free_variant(series);
	}
}

/* Size of a file, 0 if somebody else removed it, and how long ago it was written. */
static uint64_t size_of(const struct series *series, unsigned number, uint64_t *seconds)
{
	char path[PATH_MAX];
	struct stat st;
	*seconds = 0;
	if (!path_of(series, number, "", path) || lstat(path, &st) < 0)
		return 0;
	time_t now = time(NULL);
	*seconds = now > st.st_mtime ? (uint64_t)(now - st.st_mtime) : 0;
	return (uint64_t)st.st_size;
}

static uint64_t size_of_all(const struct series *series)
{
	uint64_t seconds, bytes = series->oldest > 1 ? size_of(series, 1, &seconds) : 0;
	for (unsigned number = series->oldest; number <= series->last; number++)
		bytes += size_of(series, number, &seconds);
	return bytes;
}

static void prune(struct series *series)
{
	const struct retention *keep = &series->keep;
	uint64_t bytes = keep->bytes > 0 ? size_of_all(series) : 0;
	while (series->oldest < series->last) {
		char path[PATH_MAX];
		uint64_t seconds, size = size_of(series, series->oldest, &seconds);
		bool goes = (keep->files > 0 && series->standing > keep->files) ||
			    (keep->bytes > 0 && bytes > keep->bytes) ||
			    (keep->seconds > 0 && seconds > keep->seconds);
		/* One that somebody else removed counts as well. */
		if (!goes || (path_of(series, series->oldest, "", path) && unlink(path) < 0 && errno != ENOENT))
			return;
		series->oldest++;
		series->standing--;
		bytes -= size;
	}
}

enum snap_status series_publish(struct series *series, char path[PATH_MAX], struct snap_error *err)
{
	char descriptor[40];
	enum snap_status status = SNAP_OK;
	snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", series->file.fd);
	if (fsync(series->file.fd) < 0 && errno != EINVAL && errno != ENOTSUP)
		status = system_error(err, "write");
	else if (series->temporary[0] != '\0')
		status = give_name(series, series->temporary, 0, path, err);
	else if (!descriptor_is_ours(&series->file))
		status = snap_fail(err, SNAP_ERR_IO, SNAP_NO_OFFSET, "cannot write: the program has closed the file");
	else
		status = give_name(series, descriptor, AT_SYMLINK_FOLLOW, path, err);
	close_file(series);
	if (status < 0)
		return status;
	sync_folder(series->folder);
	if (series->last == 1)
		series->oldest = 2;
	series->standing++;
	prune(series);
	return SNAP_OK;
}
