/*
 * Runs one command and writes what it cost: "wall_ns user_us system_us peak_kib status" into a file.
 * It exists because a child inherits its parent's peak memory until it has one of its own: forked from
 * Python, every small tool would seem to need as much as Python does.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long microseconds(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: measure REPORT COMMAND [ARGUMENT...]\n");
		return 2;
	}

	long long started = now_ns();
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}

	int status;
	struct rusage usage;
	if (child < 0 || wait4(child, &status, 0, &usage) != child) {
		perror("measure");
		return 2;
	}
	long long wall = now_ns() - started;

	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	FILE *report = fopen(argv[1], "w");
	if (!report) {
		perror(argv[1]);
		return 2;
	}
	fprintf(report, "%lld %lld %lld %ld %d\n", wall, microseconds(usage.ru_utime),
		microseconds(usage.ru_stime), usage.ru_maxrss, code);
	if (fclose(report)) {
		perror(argv[1]);
		return 2;
	}
	return code;
}
