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
				       .rss_anonymous = field_of(status, "\nRssAnon:") * 1024,
				       .rss_peak = field_of(status, "\nVmHWM:") * 1024,
				       .swap = field_of(status, "\nVmSwap:") * 1024,
				       .threads = (unsigned)field_of(status, "\nThreads:")};
}

uint64_t process_rss(void)
{
	char statm[128];
	read_file("/proc/self/statm", statm, sizeof statm);
	const char *resident = strchr(statm, ' ');
	return resident != NULL ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t process_pss(void)
{
	char rollup[2048];
	read_file("/proc/self/smaps_rollup", rollup, sizeof rollup);
	return field_of(rollup, "\nPss:") * 1024;
}

static size_t read_of_group(const struct memory_group *group, const char *file, char *text, size_t room)
{
	char path[PATH_MAX + 40];
	snprintf(path, sizeof path, "%s/%s", group->folder, file);
	return read_file(path, text, room);
}

static uint64_t number_of_group(const struct memory_group *group, const char *file)
{
	char text[64];
	/* "max" stands for none. */
	return read_of_group(group, file, text, sizeof text) > 0 ? strtoull(text, NULL, 10) : 0;
}

/* Looks at the folders from `path` up to the root of the hierarchy. */
static void find_limit(struct memory_group *smallest, const char *mount, const char *path, bool is_old)
{
	struct memory_group group = {.is_old = is_old};
	int size = snprintf(group.folder, sizeof group.folder, "%s%s", mount, path);
	if (size < 0 || (size_t)size >= sizeof group.folder)
		return;
	for (char *end = group.folder + size;;) {
		*end = '\0';
		group.limit = number_of_group(&group, is_old ? "memory.limit_in_bytes" : "memory.max");
		/* Above this the system holds the program back until it hardly runs. */
		uint64_t high = is_old ? 0 : number_of_group(&group, "memory.high");
		if (high > 0 && (group.limit == 0 || high < group.limit))
			group.limit = high;
		/* In the old hierarchy a number beyond any memory stands for none. */
		if (group.limit > 0 && group.limit < UINT64_C(1) << 62 &&
		    (smallest->limit == 0 || group.limit < smallest->limit))
			*smallest = group;
		if (end <= group.folder + strlen(mount))
			return;
		do
			end--;
		while (*end != '/');
	}
}

void process_find_group(struct memory_group *group)
{
	char text[4096], memory[PATH_MAX], *rest = text, *line;
	const char *root = getenv("SNAP_CGROUP_ROOT");
	if (root == NULL)
		root = "/sys/fs/cgroup";
	group->limit = 0;
	snprintf(memory, sizeof memory, "%s/memory", root);
	read_file("/proc/self/cgroup", text, sizeof text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *controllers = strchr(line, ':'), *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
		if (path == NULL)
			continue;
		*path++ = '\0';
		if (strcmp(controllers, ":") == 0)
			find_limit(group, root, path, false);
		else if (strcmp(controllers, ":memory") == 0)
			find_limit(group, memory, path, true);
	}
}

uint64_t process_group_usage(const struct memory_group *group)
{
	return number_of_group(group, group->is_old ? "memory.usage_in_bytes" : "memory.current");
}

uint64_t process_group_cache(const struct memory_group *group)
{
	char stat[8192];
	stat[0] = '\n';
	read_of_group(group, "memory.stat", stat + 1, sizeof stat - 1);
	return field_of(stat, group->is_old ? "\ntotal_inactive_file " : "\ninactive_file ");
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

void process_wait_for_end(int thread)
{
	char path[64];
	const struct timespec pause = {.tv_nsec = 50000};
	snprintf(path, sizeof path, "/proc/self/task/%d", thread);
	for (int i = 0; i < 200 && access(path, F_OK) == 0; i++)
		nanosleep(&pause, NULL);
}
