/* Reads /proc; see process.h. */
#define _GNU_SOURCE
#include "process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The beginning of a file, NUL-terminated; its size, 0 on failure. */
static size_t read_file(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t got = fd >= 0 ? 1 : 0;
	while (got > 0 && size < room - 1) {
		got = read(fd, text + size, room - 1 - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	text[size] = '\0';
	return size;
}

void process_time_text(char text[PROCESS_TIME_SIZE], const struct timespec *time)
{
	struct tm tm;
	gmtime_r(&time->tv_sec, &tm);
	size_t size = strftime(text, PROCESS_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + size, PROCESS_TIME_SIZE - size, ".%03uZ", (unsigned)(time->tv_nsec / 1000000) % 1000);
}

void process_stamp(char text[PROCESS_STAMP_SIZE], const struct timespec *time)
{
	struct tm tm;
	gmtime_r(&time->tv_sec, &tm);
	strftime(text, PROCESS_STAMP_SIZE, "%Y%m%dT%H%M%SZ", &tm);
}

struct timespec process_start_time(void)
{
	char stat[1024];
	struct timespec now, since_boot;
	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	read_file("/proc/self/stat", stat, sizeof stat);
	/* The name may hold anything, so from its end: "state ppid …", and the 20th behind it is the start. */
	const char *field = strrchr(stat, ')');
	for (int i = 0; i < 20 && field != NULL; i++) {
		field = strchr(field, ' ');
		field = field != NULL ? field + 1 : NULL;
	}
	if (field == NULL)
		return now;
	const int64_t second = 1000000000, per_second = sysconf(_SC_CLK_TCK);
	int64_t ticks = strtoll(field, NULL, 10);
	int64_t start = ticks / per_second * second + ticks % per_second * second / per_second;
	int64_t age = since_boot.tv_sec * second + since_boot.tv_nsec - start;
	int64_t begun = now.tv_sec * second + now.tv_nsec - (age > 0 ? age : 0);
	return (struct timespec){.tv_sec = begun / second, .tv_nsec = begun % second};
}

static uint64_t field_of(const char *status, const char *name)
{
	const char *line = strstr(status, name);
	return line != NULL ? strtoull(line + strlen(name), NULL, 10) : 0;
}

struct process_memory process_memory(void)
{
	char status[4096];
	read_file("/proc/self/status", status, sizeof status);
	return (struct process_memory){.rss = field_of(status, "\nVmRSS:") * 1024,
				       .vms = field_of(status, "\nVmSize:") * 1024,
				       .threads = (unsigned)field_of(status, "\nThreads:")};
}

/* The smallest limit in the folders from `group` up to the root of the hierarchy. */
static uint64_t limit_above(const char *mount, const char *group, const char *file)
{
	char path[PATH_MAX], text[64];
	uint64_t smallest = 0;
	int size = snprintf(path, sizeof path, "%s%s", mount, group);
	if (size < 0 || (size_t)size + 1 + strlen(file) + 1 > sizeof path)
		return 0;
	for (char *end = path + size;;) {
		snprintf(end, sizeof path - (size_t)(end - path), "/%s", file);
		/* "max", or in the old hierarchy a number beyond any memory, stands for none. */
		if (read_file(path, text, sizeof text) > 0 && text[0] != 'm') {
			uint64_t limit = strtoull(text, NULL, 10);
			if (limit > 0 && limit < UINT64_C(1) << 62 && (smallest == 0 || limit < smallest))
				smallest = limit;
		}
		if (end <= path + strlen(mount))
			return smallest;
		do
			end--;
		while (*end != '/');
	}
}

uint64_t process_memory_limit(void)
{
	char text[4096], *rest = text, *line;
	read_file("/proc/self/cgroup", text, sizeof text);
	uint64_t smallest = 0;
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (group == NULL)
			continue;
		*group++ = '\0';
		uint64_t limit = 0;
		if (strcmp(controllers, ":") == 0)
			limit = limit_above("/sys/fs/cgroup", group, "memory.max");
		else if (strcmp(controllers, ":memory") == 0)
			limit = limit_above("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
		if (limit > 0 && (smallest == 0 || limit < smallest))
			smallest = limit;
	}
	return smallest;
}

static bool is_plain(const char *word)
{
	return word[0] != '\0' &&
	       word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@:=,+-%")] == '\0';
}

void process_arguments(char *text, size_t room)
{
	char words[8192];
	size_t size = read_file("/proc/self/cmdline", words, sizeof words), used = 0;
	for (const char *word = words; word < words + size && used + 6 < room; word += strlen(word) + 1) {
		if (word != words)
			text[used++] = ' ';
		bool plain = is_plain(word);
		if (!plain)
			text[used++] = '\'';
		/* Room for '\'' and the closing quote. */
		for (const char *c = word; *c != '\0' && used + 6 < room; c++) {
			if (*c == '\'')
				used += (size_t)sprintf(text + used, "'\\''");
			else
				text[used++] = *c;
		}
		if (!plain)
			text[used++] = '\'';
	}
	text[used] = '\0';
}
