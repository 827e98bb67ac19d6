/* The main of a fuzz target where there is no libFuzzer: runs it on the files and folders given, once
 * each. Whatever goes wrong ends the program, with the name of the input. */
#define _GNU_SOURCE
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
/* Of the sanitizers' run time, where it is linked. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static const char *current = "";
static unsigned inputs;

static void name_input(void)
{
	static const char text[] = "\nwhile replaying ";
	ssize_t ignored = write(STDOUT_FILENO, text, sizeof text - 1);
	ignored = write(STDOUT_FILENO, current, strlen(current));
	ignored = write(STDOUT_FILENO, "\n", 1);
	(void)ignored;
}

static void die_by(int number)
{
	name_input();
	raise(number);
}

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
		current = path;
		inputs++;
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

int main(int argc, char **argv)
{
	static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
	if (__sanitizer_set_death_callback != NULL) {
		__sanitizer_set_death_callback(name_input);
	} else {
		struct sigaction action = {.sa_handler = die_by, .sa_flags = (int)SA_RESETHAND};
		for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
			sigaction(deadly[i], &action, NULL);
	}
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	bool good = true;
	for (int i = 1; i < argc; i++)
		good = nftw(argv[i], visit, 16, FTW_PHYS) == 0 && good;
	good = good && inputs > 0;
	printf("%u inputs\n%d passed, %d failed\n", inputs, good, !good);
	return good ? 0 : 1;
}
