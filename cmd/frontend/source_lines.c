/* Finding lines of source; see source_lines.h. */
#define _POSIX_C_SOURCE 200809L
#include "source_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utf8.h"

enum { FILE_BYTES_MAX = 8 << 20, CACHE_FILES = 64 };

/* A file as the snapshot names it, with what was found. */
struct source_file {
	char *name;
	size_t name_size;
	char *bytes; /* NULL if there is no such file */
	size_t size;
};
static struct source_file cache[CACHE_FILES];
static size_t cache_next;

static void forget(struct source_file *file)
{
	free(file->name);
	free(file->bytes);
	*file = (struct source_file){NULL, 0, NULL, 0};
}

/* Opening some devices has effects, so it looks before it opens and again at what it has opened. */
static int open_regular(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool load(struct source_file *file, const char *path)
{
	int fd = open_regular(path);
	if (fd < 0)
		return false;
	struct stat st;
	size_t room =
		fstat(fd, &st) == 0 && st.st_size < FILE_BYTES_MAX ? (size_t)st.st_size : FILE_BYTES_MAX;
	file->bytes = malloc(room > 0 ? room : 1);
	while (file->bytes != NULL && file->size < room) {
		ssize_t n = read(fd, file->bytes + file->size, room - file->size);
		if (n <= 0 && (n == 0 || errno != EINTR))
			break;
		if (n > 0)
			file->size += (size_t)n;
	}
	close(fd);
	return file->bytes != NULL;
}

struct path {
	char bytes[PATH_MAX];
	size_t size;
};

/* Names that Python could not decode get their bytes back. */
static bool append_name(struct path *path, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size;) {
		unsigned char escaped = utf8_escaped_byte(bytes + i, size - i);
		if (path->size + 1 >= sizeof path->bytes)
			return false;
		path->bytes[path->size++] = escaped != 0 ? (char)escaped : bytes[i];
		i += escaped != 0 ? UTF8_ESCAPED_SIZE : 1;
	}
	path->bytes[path->size] = '\0';
	return true;
}

static bool append(struct path *path, const char *text)
{
	return append_name(path, text, strlen(text));
}

/* Below the root: the whole name, then without its first part, and so on. */
static bool load_below(struct source_file *file, const char *root, const char *name, size_t size)
{
	struct path path;
	for (const char *part = name;;) {
		size_t left = size - (size_t)(part - name);
		path.size = 0;
		if (append(&path, root) && append(&path, "/") && append_name(&path, part, left) &&
		    load(file, path.bytes))
			return true;
		const char *slash = memchr(part, '/', left);
		if (slash == NULL)
			return false;
		part = slash + 1;
	}
}

static bool load_mapped(struct source_file *file, const char *map, const char *name, size_t size)
{
	size_t old = (size_t)(strchr(map, '=') - map);
	struct path path = {.size = 0};
	return size >= old && memcmp(name, map, old) == 0 && append(&path, map + old + 1) &&
	       append_name(&path, name + old, size - old) && load(file, path.bytes);
}

static void find(struct source_file *file, const struct source_options *options, struct snap_text name)
{
	struct path path = {.size = 0};
	if (name.size == 0 || name.bytes[0] == '<') /* <string>, <frozen importlib._bootstrap>, <unknown> */
		return;
	for (size_t i = 0; i < options->map_count; i++)
		if (load_mapped(file, options->maps[i], name.bytes, name.size))
			return;
	if (options->root != NULL && load_below(file, options->root, name.bytes, name.size))
		return;
	if (append_name(&path, name.bytes, name.size))
		load(file, path.bytes);
}

static const struct source_file *look_up(const struct source_options *options, struct snap_text name)
{
	for (size_t i = 0; i < CACHE_FILES; i++)
		if (cache[i].name != NULL && cache[i].name_size == name.size &&
		    memcmp(cache[i].name, name.bytes, name.size) == 0)
			return &cache[i];
	struct source_file *file = &cache[cache_next];
	cache_next = (cache_next + 1) % CACHE_FILES;
	forget(file);
	file->name = malloc(name.size + 1);
	if (file->name != NULL) {
		memcpy(file->name, name.bytes, name.size);
		file->name_size = name.size;
	}
	find(file, options, name);
	return file;
}

struct snap_text source_line(const struct source_options *options, struct snap_text name, uint32_t line)
{
	struct snap_text text = {"", 0};
	if (options->none || line == 0)
		return text;
	const struct source_file *file = look_up(options, name);
	if (file->bytes == NULL)
		return text;
	const char *at = file->bytes, *end = file->bytes + file->size;
	for (uint32_t i = 1; i < line; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		if (newline == NULL)
			return text;
		at = newline + 1;
	}
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	if (newline != NULL)
		end = newline;
	while (at < end && strchr(" \t\f\r", *at) != NULL)
		at++;
	while (at < end && strchr(" \t\f\r", end[-1]) != NULL)
		end--;
	text.bytes = at;
	text.size = (size_t)(end - at);
	return text;
}
