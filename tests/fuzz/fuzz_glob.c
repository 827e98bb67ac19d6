/* A glob, a zero byte and a name: reading the glob ends with OK, or, behind '@', with INVALID; and what it
 * matches follows from what it says, as far as that can be told without reading it the same way again. */
#define _GNU_SOURCE
#include <snap/pattern.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* Time is their product; what is wrong shows in short ones. */
enum { GLOB_MAX = 2048, NAME_MAX = 8192 };

static char *joined(const char *a, size_t a_size, const char *b, size_t b_size)
{
	char *text = malloc(a_size + b_size + 1);
	REQUIRE(text != NULL);
	if (a_size > 0)
		memcpy(text, a, a_size);
	if (b_size > 0)
		memcpy(text + a_size, b, b_size);
	text[a_size + b_size] = '\0';
	return text;
}

static bool holds(const struct snap_pattern *p, const char *name, size_t size, uint32_t line)
{
	bool matches;
	REQUIRE(snap_pattern_matches(p, (struct snap_text){name, size}, line, &matches, NULL) == SNAP_OK);
	return matches;
}

static bool holds_once(const char *glob, const char *name, size_t size, uint32_t line)
{
	struct snap_pattern *p;
	REQUIRE(snap_pattern_glob(&p, glob, NULL, NULL) == SNAP_OK);
	bool matches = holds(p, name, size, line);
	snap_pattern_free(p);
	return matches;
}

static size_t without_c(const char *text, size_t size)
{
	return size >= 4 && memcmp(text + size - 4, ".pyc", 4) == 0 ? size - 1 : size;
}

/* Of "GLOB:LINE": where the ':' is, or else the end. */
static size_t end_of_glob(const char *glob, size_t size, uint32_t *line)
{
	char *end;
	const char *colon = memrchr(glob, ':', size);
	if (colon == NULL || colon == glob || colon[1] < '0' || colon[1] > '9')
		return size;
	unsigned long long number = strtoull(colon + 1, &end, 10);
	if (end != glob + size || number > UINT32_MAX)
		return size;
	*line = (uint32_t)number;
	return (size_t)(colon - glob);
}

/* A character in brackets stands for itself, a '!' for itself anywhere else. */
static void must_match_itself(const char *name, size_t size)
{
	char *glob = malloc(3 * size + 4);
	REQUIRE(glob != NULL);
	size_t end = 0;
	for (size_t i = 0; i < size; i++) {
		bool special = strchr("*?[@:", name[i]) != NULL;
		if (special)
			glob[end++] = '[';
		glob[end++] = name[i];
		if (special)
			glob[end++] = ']';
	}
	glob[end] = '\0';
	REQUIRE(holds_once(glob, name, size, 1));
	if (size > 0 && without_c(name, size) == size)
		REQUIRE(!holds_once(glob, name, size - 1, 1));
	glob[end++] = '*';
	glob[end] = '\0';
	REQUIRE(holds_once(glob, name, without_c(name, size), 1) || without_c(name, size) != size);
	free(glob);
}

static void must_make_sense(const char *glob, size_t glob_size, const char *name, size_t size)
{
	struct snap_pattern *p;
	uint32_t line = 1;
	size_t end = end_of_glob(glob, glob_size, &line);
	REQUIRE(snap_pattern_glob(&p, glob, NULL, NULL) == SNAP_OK);
	bool matches = holds(p, name, size, line);
	REQUIRE(holds(p, name, size, line + 1) == (matches && end == glob_size));
	snap_pattern_free(p);

	if (memchr(glob, '*', end) == NULL && memchr(glob, '?', end) == NULL &&
	    memchr(glob, '[', end) == NULL) {
		size_t wanted = without_c(glob, end), got = without_c(name, size);
		REQUIRE(matches == (wanted == got && memcmp(glob, name, got) == 0));
	}
	/* A star takes nothing, or one more. */
	char *more = joined("*", 1, glob, glob_size), *longer = joined("x", 1, name, size);
	if (glob[0] != ':') {
		bool behind_star = holds_once(more, name, size, line);
		REQUIRE(behind_star || !matches);
		REQUIRE(!behind_star || holds_once(more, longer, size + 1, line));
	}
	free(more);
	/* One character more, the same on both sides, changes nothing. */
	if (glob[0] != ':') {
		more = joined("x", 1, glob, glob_size);
		REQUIRE(holds_once(more, longer, size + 1, line) == matches);
		free(more);
	}
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = size > 0 ? (const char *)bytes : "";
	const char *zero = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t glob_size = zero != NULL ? (size_t)(zero - text) : size;
	const char *rest = zero != NULL ? zero + 1 : "";
	size_t name_size = zero != NULL ? strnlen(rest, size - glob_size - 1) : 0;
	if (glob_size > GLOB_MAX || name_size > NAME_MAX)
		return 0;
	char *glob = joined(text, glob_size, NULL, 0), *name = joined(rest, name_size, NULL, 0);
	must_match_itself(name, name_size);
	if (glob[0] == '@') {
		struct snap_pattern *p;
		struct snap_error err;
		enum snap_status status = snap_pattern_glob(&p, glob, NULL, &err);
		REQUIRE(status == SNAP_OK || status == SNAP_ERR_INVALID);
		REQUIRE((status == SNAP_OK) == (p != NULL));
		if (status == SNAP_OK)
			holds(p, name, name_size, 1);
		snap_pattern_free(p);
	} else {
		must_make_sense(glob, glob_size, name, name_size);
	}
	free(glob);
	free(name);
	return 0;
}
