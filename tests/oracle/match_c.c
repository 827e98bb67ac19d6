/* Matches globs through the public headers, for tests.
 *
 * usage: match_c <PAIRS >ANSWERS
 *
 * Pairs are a glob and a name, each with a zero byte behind it. An answer is 0 or 1, or ! for a glob that is
 * refused. The line is 7.
 */
#define _GNU_SOURCE
#include <snap/pattern.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE = 7 };

static int answer(const char *glob, const char *name, size_t name_size)
{
	struct snap_pattern *p;
	struct snap_error err;
	bool matches = false;
	enum snap_status status = snap_pattern_glob(&p, glob, NULL, &err);
	if (status == SNAP_OK)
		status = snap_pattern_matches(p, (struct snap_text){name, name_size}, LINE, &matches, &err);
	if (status < 0 && status != SNAP_ERR_INVALID) {
		fprintf(stderr, "match_c: %s\n", err.message);
		exit(2);
	}
	snap_pattern_free(p);
	return status < 0 ? '!' : matches ? '1' : '0';
}

int main(void)
{
	char *glob = NULL, *name = NULL;
	size_t glob_room = 0, name_room = 0;
	while (getdelim(&glob, &glob_room, '\0', stdin) > 0) {
		ssize_t size = getdelim(&name, &name_room, '\0', stdin);
		if (size <= 0) {
			fprintf(stderr, "match_c: a glob without a name\n");
			return 2;
		}
		putchar(answer(glob, name, (size_t)size - 1));
	}
	free(glob);
	free(name);
	return 0;
}
