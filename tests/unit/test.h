/* A test program in one file: TEST(name) { CHECK(…); } as often as needed, no list to keep, no main.
 * Arguments choose tests by a part of their name. Ends with "N passed, N failed" and exit status 1 if any
 * failed. */
#ifndef TEST_H
#define TEST_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before the first include"
#endif
#include <ftw.h>
#include <snap/status.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

static struct test *test_first, **test_end = &test_first;
static unsigned test_failures; /* of the test that runs */

#define TEST(name)                                                                      \
	static void test_##name(void);                                                  \
	__attribute__((constructor)) static void test_register_##name(void)             \
	{                                                                               \
		static struct test self = {#name, test_##name, NULL};                   \
		*test_end = &self;                                                      \
		test_end = &self.next;                                                  \
	}                                                                               \
	static void test_##name(void)

/* Each of these prints what it saw and goes on; its value is whether the check held, for
 * `if (!CHECK(…)) return;` where going on makes no sense. It is an int so that `CHECK(a) & CHECK(b)`, which
 * shows both, is no finding of clang's. Arguments are evaluated once. */
#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT(got, wanted) test_check_int((intmax_t)(got), (intmax_t)(wanted), __FILE__, __LINE__, #got)
#define CHECK_STR(got, wanted) test_check_str((got), (wanted), __FILE__, __LINE__, #got)
#define CHECK_MEM(got, got_size, wanted, wanted_size) \
	test_check_mem((got), (got_size), (wanted), (wanted_size), __FILE__, __LINE__, #got)
/* A status that is not negative; shows the error if it is. */
#define CHECK_OK(status, err) test_check_ok((int)(status), (err), __FILE__, __LINE__, #status)

/* Beyond some, more failures of one test tell nothing new. */
static inline bool test_note(bool holds, const char *file, int line)
{
	if (!holds && ++test_failures <= 20)
		printf("%s:%d: ", file, line);
	return !holds && test_failures <= 20;
}

static inline int test_check(bool holds, const char *file, int line, const char *text)
{
	if (test_note(holds, file, line))
		printf("%s\n", text);
	return holds;
}

static inline int test_check_int(intmax_t got, intmax_t wanted, const char *file, int line, const char *text)
{
	if (test_note(got == wanted, file, line))
		printf("%s is %jd, wanted %jd\n", text, got, wanted);
	return got == wanted;
}

static inline int test_check_str(const char *got, const char *wanted, const char *file, int line, const char *text)
{
	bool holds = got == NULL || wanted == NULL ? got == wanted : strcmp(got, wanted) == 0;
	if (test_note(holds, file, line))
		printf("%s is \"%s\", wanted \"%s\"\n", text, got != NULL ? got : "(null)", wanted != NULL ? wanted : "(null)");
	return holds;
}

static inline int test_check_mem(const void *got, size_t got_size, const void *wanted, size_t wanted_size,
                                  const char *file, int line, const char *text)
{
	size_t shorter = got_size < wanted_size ? got_size : wanted_size, same = 0;
	const unsigned char *a = got, *b = wanted;
	while (same < shorter && a[same] == b[same])
		same++;
	bool holds = got_size == wanted_size && same == shorter;
	if (test_note(holds, file, line))
		printf("%s: %zu bytes, wanted %zu; they differ from byte %zu\n", text, got_size, wanted_size, same);
	return holds;
}

static inline int test_check_ok(int status, const struct snap_error *err, const char *file, int line,
                                 const char *text)
{
	if (test_note(status >= 0, file, line))
		printf("%s failed: %d, %s\n", text, status, err != NULL ? err->message : "");
	return status >= 0;
}

/* A folder for files, gone when the program ends. */
static char test_folder_name[256];

static inline int test_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void test_remove_folder(void)
{
	nftw(test_folder_name, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *test_folder(void)
{
	if (test_folder_name[0] != '\0')
		return test_folder_name;
	const char *parent = getenv("TMPDIR");
	snprintf(test_folder_name, sizeof test_folder_name, "%s/snap-test-XXXXXX", parent != NULL ? parent : "/tmp");
	if (mkdtemp(test_folder_name) == NULL) {
		perror(test_folder_name);
		exit(2);
	}
	atexit(test_remove_folder);
	return test_folder_name;
}

/* Under ASan an allocation that cannot be had is NULL, as elsewhere. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test *t = test_first; t != NULL; t = t->next) {
		bool chosen = argc < 2;
		for (int i = 1; i < argc; i++)
			chosen = chosen || strstr(t->name, argv[i]) != NULL;
		if (!chosen)
			continue;
		test_failures = 0;
		t->run();
		if (test_failures == 0)
			passed++;
		else
			failed++;
		printf("%s %s\n", test_failures == 0 ? "ok" : "FAILED", t->name);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0 || passed == 0;
}

#endif
