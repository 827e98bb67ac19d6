/* The main of a fuzz target where there is no libFuzzer: runs it on the files and folders given, once
 * each. Whatever goes wrong ends the program, with the name of the input. */
#define _GNU_SOURCE
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Seen by the process that replays and by the one that waits for it, which no sanitizer ends. */
static struct {
	unsigned inputs;
	char current[4096];
} *shared;

static bool replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) < 0) {
		perror(path);
		return false;
	}
	long end = ftell(f);
	size_t size = end > 0 ? (size_t)end : 0;
	/* Exactly as long as the input, so that a sanitizer sees a byte read behind it. */
	uint8_t *bytes = malloc(size > 0 ? size : 1);
	rewind(f);
	bool whole = bytes != NULL && fread(bytes, 1, size, f) == size;
	fclose(f);
	if (whole) {
		snprintf(shared->current, sizeof shared->current, "%s", path);
		shared->inputs++;
		LLVMFuzzerTestOneInput(bytes, size);
	} else {
		fprintf(stderr, "%s: cannot read\n", path);
	}
	free(bytes);
	return whole;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type != FTW_F || replay(path) ? 0 : 1;
}

static bool replay_all(int count, char **paths)
{
	bool good = true;
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 0; i < count; i++)
		good = nftw(paths[i], visit, 16, FTW_PHYS) == 0 && good;
	return good;
}

int main(int argc, char **argv)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	pid_t child = fork();
	if (child == 0)
		return replay_all(argc - 1, argv + 1) ? 0 : 1;
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 2;
	if (WIFSIGNALED(status))
		printf("signal %d, last replayed: %s\n", WTERMSIG(status), shared->current);
	else if (WEXITSTATUS(status) > 1)
		printf("exit status %d, last replayed: %s\n", WEXITSTATUS(status), shared->current);
	bool good = status == 0 && shared->inputs > 0;
	printf("%u inputs\n%d passed, %d failed\n", shared->inputs, good, !good);
	return good ? 0 : 1;
}
