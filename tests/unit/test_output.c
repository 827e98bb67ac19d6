/* snap/output.h: what is written arrives, and a file stands under its name whole or not at all. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <snap/output.h>
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

/* A folder of its own for each test, so that left-overs show. */
static const char *folder(void)
{
	static char path[400];
	static unsigned number;
	snprintf(path, sizeof path, "%s/%u", test_folder(), number++);
	CHECK(mkdir(path, 0777) == 0);
	return path;
}

static const char *in_folder(const char *where, const char *name)
{
	static char paths[4][800];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", where, name);
	return path;
}

static unsigned files_in(const char *where)
{
	unsigned n = 0;
	DIR *d = opendir(where);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (d != NULL)
		closedir(d);
	return n;
}

static size_t read_file(const char *path, uint8_t *buffer, size_t size)
{
	FILE *f = fopen(path, "rb");
	if (!CHECK(f != NULL))
		return 0;
	size_t n = fread(buffer, 1, size, f);
	fclose(f);
	return n;
}

static void check_file(const char *path, const void *wanted, size_t size)
{
	static uint8_t buffer[SIZE + 1];
	size_t n = read_file(path, buffer, sizeof buffer);
	CHECK_MEM(buffer, n, wanted, size);
}

static void make_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");
	if (CHECK(f != NULL)) {
		CHECK(fputs(text, f) >= 0);
		CHECK(fclose(f) == 0);
	}
}

static void write_in_steps(struct snap_output *out, size_t size, size_t step)
{
	struct snap_error err = {0};
	for (size_t at = 0; at < size;) {
		size_t n = size - at < step ? size - at : step;
		if (!CHECK_OK(snap_output_write(out, content + at, n, &err), &err))
			return;
		at += n;
		if (!CHECK_INT(snap_output_offset(out), at))
			return;
	}
}

static bool create_and_finish(const char *path, const char *text)
{
	struct snap_output *out;
	struct snap_error err = {0};
	if (!CHECK_OK(snap_output_create(&out, path, &err), &err))
		return false;
	CHECK_OK(snap_output_write(out, text, strlen(text), &err), &err);
	bool done = CHECK_OK(snap_output_finish(out, &err), &err);
	snap_output_free(out);
	return done;
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	return CHECK(stat(path, &st) == 0) ? st.st_mode & 07777 : 0;
}

static const size_t steps[] = {1, 7, 4096, 65536, 131071, 131072, 131073, 200000, SIZE};
#define COUNT(array) (sizeof(array) / sizeof *(array))

TEST(memory_in_every_step)
{
	for (size_t k = 0; k < COUNT(steps); k++) {
		struct snap_output *out;
		if (!CHECK(snap_output_to_memory(&out, NULL) == SNAP_OK))
			return;
		write_in_steps(out, SIZE, steps[k]);
		CHECK_INT(snap_output_finish(out, NULL), SNAP_OK);
		size_t size;
		const void *bytes = snap_output_memory(out, &size);
		CHECK_MEM(bytes, size, content, SIZE);
		snap_output_free(out);
	}
}

TEST(memory_of_nothing)
{
	struct snap_output *out;
	size_t size = 1;
	CHECK_INT(snap_output_to_memory(&out, NULL), SNAP_OK);
	CHECK_INT(snap_output_write(out, NULL, 0, NULL), SNAP_OK);
	CHECK_INT(snap_output_finish(out, NULL), SNAP_OK);
	snap_output_memory(out, &size);
	CHECK_INT(size, 0);
	snap_output_free(out);
}

TEST(memory_that_cannot_be_had)
{
	struct snap_output *out;
	struct snap_error err;
	CHECK_INT(snap_output_to_memory(&out, NULL), SNAP_OK);
	CHECK_INT(snap_output_write(out, content, 10, NULL), SNAP_OK);
	CHECK_INT(snap_output_write(out, content, PTRDIFF_MAX, &err), SNAP_ERR_NOMEM);
	CHECK_INT(snap_output_finish(out, &err), SNAP_ERR_NOMEM);
	snap_output_free(out);
}

TEST(file_in_every_step)
{
	const char *where = folder();
	for (size_t k = 0; k < COUNT(steps); k++) {
		const char *path = in_folder(where, "out.snap");
		unlink(path);
		struct snap_output *out;
		struct snap_error err = {0};
		if (!CHECK_OK(snap_output_create(&out, path, &err), &err))
			return;
		write_in_steps(out, SIZE, steps[k]);
		CHECK(access(path, F_OK) < 0);
		CHECK_OK(snap_output_finish(out, &err), &err);
		check_file(path, content, SIZE);
		CHECK_INT(files_in(where), 1);
		snap_output_free(out);
		check_file(path, content, SIZE);
		CHECK_INT(files_in(where), 1);
	}
}

TEST(no_finish_no_trace)
{
	const char *where = folder();
	struct snap_output *out;
	CHECK_INT(snap_output_create(&out, in_folder(where, "out"), NULL), SNAP_OK);
	write_in_steps(out, SIZE, 1000);
	snap_output_free(out);
	CHECK_INT(files_in(where), 0);
	snap_output_free(NULL);
}

TEST(old_file_stays_until_the_new_is_whole)
{
	const char *where = folder();
	const char *path = in_folder(where, "out");
	make_file(path, "old");
	struct snap_output *out;
	CHECK_INT(snap_output_create(&out, path, NULL), SNAP_OK);
	write_in_steps(out, SIZE, 1000);
	check_file(path, "old", 3);
	snap_output_free(out);
	check_file(path, "old", 3);
	CHECK_INT(files_in(where), 1);

	CHECK(create_and_finish(path, "new text"));
	check_file(path, "new text", 8);
	CHECK_INT(files_in(where), 1);
}

TEST(mode_follows_umask_or_the_old_file)
{
	static const mode_t modes[] = {0600, 0640, 0666, 0755, 0200};
	const char *where = folder();
	const char *path = in_folder(where, "out");
	mode_t saved = umask(027);
	CHECK(create_and_finish(path, "x"));
	CHECK_INT(mode_of(path), 0640);
	for (size_t i = 0; i < COUNT(modes); i++) {
		CHECK(chmod(path, modes[i]) == 0);
		CHECK(create_and_finish(path, "y"));
		CHECK_INT(mode_of(path), modes[i]);
	}
	umask(saved);
}

TEST(symbolic_link_is_followed)
{
	const char *where = folder();
	char below[500], link_path[800], target[900];
	snprintf(below, sizeof below, "%s/below", where);
	CHECK(mkdir(below, 0777) == 0);
	snprintf(target, sizeof target, "%s/real", below);
	snprintf(link_path, sizeof link_path, "%s/link", where);
	make_file(target, "old");

	/* Relative, absolute, through another link; the last two to a file that is not there yet. */
	const char *second = in_folder(where, "second");
	CHECK(symlink("below/real", link_path) == 0);
	CHECK(symlink("link", second) == 0);
	CHECK(create_and_finish(second, "one"));
	check_file(target, "one", 3);
	unlink(link_path);
	CHECK(symlink(target, link_path) == 0);
	CHECK(create_and_finish(link_path, "three"));
	check_file(target, "three", 5);
	unlink(target);
	CHECK(create_and_finish(second, "four"));
	check_file(target, "four", 4);
	CHECK_INT(files_in(below), 1);
	CHECK_INT(files_in(where), 3);
	struct stat st;
	CHECK(lstat(link_path, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(lstat(second, &st) == 0 && S_ISLNK(st.st_mode));
}

TEST(links_in_a_circle)
{
	const char *where = folder();
	const char *path = in_folder(where, "circle");
	CHECK(symlink("circle", path) == 0);
	struct snap_output *out;
	struct snap_error err;
	CHECK_INT(snap_output_create(&out, path, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ELOOP);
}

TEST(places_where_nothing_can_be_created)
{
	const char *where = folder();
	struct snap_output *out;
	struct snap_error err;
	CHECK_INT(snap_output_create(&out, in_folder(where, "none/out"), &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOENT);
	CHECK_STR(err.message, "cannot create: No such file or directory");
	CHECK_INT(snap_output_create(&out, where, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, EISDIR);
	CHECK_INT(snap_output_create(&out, in_folder(where, "none/"), &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, EISDIR);
	CHECK_INT(snap_output_create(&out, "", &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOENT);
	make_file(in_folder(where, "file"), "");
	CHECK_INT(snap_output_create(&out, in_folder(where, "file/out"), &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOTDIR);
	CHECK_INT(files_in(where), 1);
}

/* Runs `body` as a user who may not do everything; its result is whether all went well. */
static void check_as_nobody(bool (*body)(const char *where), const char *where)
{
	CHECK(chmod(test_folder(), 0777) == 0 && chmod(where, 0777) == 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(2);
		_exit(body(where) ? 0 : 1);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
}

static bool read_only_is_kept(const char *where)
{
	const char *path = in_folder(where, "out");
	make_file(path, "old");
	struct snap_output *out;
	struct snap_error err;
	bool refused = CHECK(chmod(path, 0444) == 0) &&
	               CHECK_INT(snap_output_create(&out, path, &err), SNAP_ERR_IO) &&
	               CHECK_INT(err.os_errno, EACCES);
	check_file(path, "old", 3);
	return refused && test_failures == 0;
}

TEST(read_only_file_is_not_replaced)
{
	check_as_nobody(read_only_is_kept, folder());
}

static bool creates_blindly(const char *where)
{
	char below[500];
	snprintf(below, sizeof below, "%s/below", where);
	bool done = CHECK(mkdir(below, 0300) == 0) && create_and_finish(in_folder(below, "out"), "text");
	CHECK(chmod(below, 0700) == 0);
	check_file(in_folder(below, "out"), "text", 4);
	CHECK_INT(files_in(below), 1);
	return done && test_failures == 0;
}

TEST(folder_that_may_be_written_but_not_read)
{
	check_as_nobody(creates_blindly, folder());
}

TEST(full_device)
{
	struct snap_output *out;
	struct snap_error err = {0};
	if (!CHECK_OK(snap_output_create(&out, "/dev/full", &err), &err))
		return;
	CHECK_OK(snap_output_write(out, "x", 1, &err), &err);
	CHECK_INT(snap_output_finish(out, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOSPC);
	CHECK_STR(err.message, "cannot write: No space left on device");
	snap_output_free(out);
	struct stat st;
	CHECK(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));

	CHECK_OK(snap_output_create(&out, "/dev/full", &err), &err);
	CHECK_INT(snap_output_write(out, content, SIZE, &err), SNAP_ERR_IO);
	CHECK_INT(snap_output_write(out, content, 1, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, ENOSPC);
	CHECK_INT(snap_output_finish(out, &err), SNAP_ERR_IO);
	snap_output_free(out);
	CHECK(create_and_finish("/dev/null", "x"));
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
}

TEST(fifo_is_written_to)
{
	const char *where = folder();
	const char *path = in_folder(where, "fifo");
	CHECK(mkfifo(path, 0666) == 0);
	pid_t child = fork();
	if (child == 0) {
		uint8_t buffer[10];
		int fd = open(path, O_RDONLY);
		_exit(read(fd, buffer, 10) == 4 && memcmp(buffer, "text", 4) == 0 ? 0 : 1);
	}
	CHECK(create_and_finish(path, "text"));
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	struct stat st;
	CHECK(stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK_INT(files_in(where), 1);
}

/* `tool -o /dev/stdout >>log` must append to the log, not replace it. */
TEST(standard_output_by_name)
{
	static const char *const spellings[] = {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
	const char *where = folder();
	const char *path = in_folder(where, "log");
	make_file(path, "before ");
	fflush(stdout);
	int saved = dup(STDOUT_FILENO);
	int fd = open(path, O_WRONLY | O_APPEND);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	struct snap_output *out;
	bool good = true;
	for (size_t i = 0; i < COUNT(spellings); i++) {
		good = good && snap_output_create(&out, spellings[i], NULL) == SNAP_OK &&
		       snap_output_write(out, "text ", 5, NULL) == SNAP_OK && snap_output_finish(out, NULL) == SNAP_OK;
		if (good)
			snap_output_free(out);
	}
	good = good && fcntl(STDOUT_FILENO, F_GETFD) >= 0;
	dup2(saved, STDOUT_FILENO);
	close(saved);
	CHECK(good);
	check_file(path, "before text text text ", 22);
	CHECK_INT(files_in(where), 1);
}

/* With standard output closed the file must not become what is printed to. */
TEST(file_does_not_become_standard_output)
{
	const char *where = folder();
	const char *path = in_folder(where, "out");
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		close(STDERR_FILENO);
		struct snap_output *out;
		if (snap_output_create(&out, path, NULL) != SNAP_OK || fcntl(STDOUT_FILENO, F_GETFD) >= 0)
			_exit(1);
		if (snap_output_write(out, "text", 4, NULL) != SNAP_OK || snap_output_finish(out, NULL) != SNAP_OK)
			_exit(2);
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
	check_file(path, "text", 4);
}

TEST(descriptor_stays_the_callers)
{
	const char *where = folder();
	const char *path = in_folder(where, "out");
	int fd = open(path, O_WRONLY | O_CREAT, 0666);
	for (int i = 0; i < 2; i++) {
		struct snap_output *out;
		CHECK_INT(snap_output_to_fd(&out, fd, NULL), SNAP_OK);
		CHECK_INT(snap_output_write(out, "text", 4, NULL), SNAP_OK);
		CHECK_INT(snap_output_finish(out, NULL), SNAP_OK);
		snap_output_free(out);
	}
	CHECK(close(fd) == 0);
	check_file(path, "texttext", 8);
}

TEST(descriptor_that_does_not_block)
{
	int ends[2];
	if (!CHECK(pipe2(ends, O_NONBLOCK) == 0))
		return;
	pid_t child = fork();
	if (child == 0) {
		static uint8_t buffer[SIZE];
		close(ends[1]);
		fcntl(ends[0], F_SETFL, 0);
		size_t at = 0;
		for (ssize_t n; at < SIZE && (n = read(ends[0], buffer + at, 10000)) > 0; at += (size_t)n)
			usleep(200);
		_exit(at == SIZE && memcmp(buffer, content, SIZE) == 0 ? 0 : 1);
	}
	close(ends[0]);
	struct snap_output *out;
	struct snap_error err;
	CHECK_INT(snap_output_to_fd(&out, ends[1], NULL), SNAP_OK);
	write_in_steps(out, SIZE, 50000);
	CHECK_OK(snap_output_finish(out, &err), &err);
	snap_output_free(out);
	close(ends[1]);
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
}

TEST(closed_descriptor_and_closed_pipe)
{
	struct snap_output *out;
	struct snap_error err;
	CHECK_INT(snap_output_to_fd(&out, 999, NULL), SNAP_OK);
	CHECK_INT(snap_output_write(out, "x", 1, NULL), SNAP_OK);
	CHECK_INT(snap_output_finish(out, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, EBADF);
	snap_output_free(out);

	int ends[2];
	CHECK(pipe(ends) == 0);
	close(ends[0]);
	void (*saved)(int) = signal(SIGPIPE, SIG_IGN);
	CHECK_INT(snap_output_to_fd(&out, ends[1], NULL), SNAP_OK);
	CHECK_INT(snap_output_write(out, content, SIZE, &err), SNAP_ERR_IO);
	CHECK_INT(err.os_errno, EPIPE);
	snap_output_free(out);
	signal(SIGPIPE, saved);
	close(ends[1]);
}

TEST(file_that_grows_too_large)
{
	const char *where = folder();
	const char *path = in_folder(where, "out");
	make_file(path, "old");
	void (*ignored)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit saved, small;
	CHECK(getrlimit(RLIMIT_FSIZE, &saved) == 0);
	small = saved;
	small.rlim_cur = 200000;
	struct snap_output *out;
	struct snap_error err;
	CHECK_INT(snap_output_create(&out, path, NULL), SNAP_OK);
	CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
	enum snap_status status = snap_output_write(out, content, SIZE, NULL);
	if (status == SNAP_OK)
		status = snap_output_finish(out, &err);
	else
		CHECK_INT(snap_output_finish(out, &err), SNAP_ERR_IO);
	CHECK(setrlimit(RLIMIT_FSIZE, &saved) == 0);
	CHECK_INT(status, SNAP_ERR_IO);
	CHECK_INT(err.os_errno, EFBIG);
	check_file(path, "old", 3);
	CHECK_INT(files_in(where), 1);
	snap_output_free(out);
	signal(SIGXFSZ, ignored);
}

TEST(finish_only_once)
{
	const char *where = folder();
	struct snap_output *out;
	CHECK_INT(snap_output_create(&out, in_folder(where, "out"), NULL), SNAP_OK);
	CHECK_INT(snap_output_finish(out, NULL), SNAP_OK);
	CHECK_INT(snap_output_finish(out, NULL), SNAP_ERR_INVALID);
	CHECK_INT(snap_output_write(out, "x", 1, NULL), SNAP_ERR_INVALID);
	snap_output_free(out);
	check_file(in_folder(where, "out"), "", 0);
}

TEST(killed_program_leaves_no_trace)
{
	const char *where = folder();
	const char *path = in_folder(where, "out");
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct snap_output *out;
		if (snap_output_create(&out, path, NULL) == SNAP_OK && snap_output_write(out, content, SIZE, NULL) == SNAP_OK)
			raise(SIGKILL);
		_exit(1);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	CHECK(access(path, F_OK) < 0);
	/* Where the file system knows no unnamed files (O_TMPFILE), the temporary one is left. */
	int fd = open(where, O_TMPFILE | O_WRONLY, 0600);
	CHECK_INT(files_in(where), fd >= 0 ? 0 : 1);
	if (fd >= 0)
		close(fd);
}

TEST(descriptors_are_given_back)
{
	const char *where = folder();
	const char *path = in_folder(where, "out");
	int before = dup(0);
	close(before);
	for (int i = 0; i < 20; i++)
		create_and_finish(path, "text");
	struct snap_output *out;
	for (int i = 0; i < 20; i++) {
		CHECK_INT(snap_output_create(&out, path, NULL), SNAP_OK);
		snap_output_free(out);
		CHECK_INT(snap_output_create(&out, "/dev/null", NULL), SNAP_OK);
		snap_output_free(out);
	}
	int after = dup(0);
	close(after);
	CHECK_INT(after, before);
}

TEST(long_and_odd_names)
{
	const char *where = folder();
	char name[257] = {0};
	struct snap_output *out;
	struct snap_error err;
	memset(name, 'n', 256);
	CHECK_INT(snap_output_create(&out, in_folder(where, name), &err), SNAP_ERR_IO);
	name[255] = '\0'; /* as long as names can be */
	CHECK(create_and_finish(in_folder(where, name), "x"));
	CHECK(create_and_finish(in_folder(where, "-"), "x"));
	CHECK(create_and_finish(in_folder(where, "a\nb \xff"), "x"));
	CHECK_INT(files_in(where), 3);
}
