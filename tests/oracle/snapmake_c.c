/* Writes .snap files of any content through the public headers, for tests and golden files.
 *
 * usage: snapmake_c LEVEL one|series <DESCRIPTION >FILE
 *
 * A description is lines of words; text is hexadecimal, `.` where it is empty, and `-` no function:
 *
 *   columns NAME:UNIT...                 at first, if they are not blocks and bytes
 *   meta KEY VALUE                       KEY as it is
 *   site TOTAL DOMAIN SIZE VALUE... : FILE LINE FUNCTION ...    frames newest first
 *   end                                  of a snapshot
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snap/builder.h>
#include <snap/writer.h>

static struct snap_error err;

static void must(enum snap_status status)
{
	if (status == SNAP_OK)
		return;
	fprintf(stderr, "snapmake_c: %s\n", err.message);
	exit(2);
}

static void wrong(const char *what)
{
	fprintf(stderr, "snapmake_c: %s\n", what);
	exit(2);
}

static char *word(char **rest)
{
	char *found = strtok_r(NULL, " \n", rest);
	if (found == NULL)
		wrong("a line is too short");
	return found;
}

static uint64_t number(char **rest)
{
	return strtoull(word(rest), NULL, 10);
}

/* Decodes in place. */
static size_t text(char *hex)
{
	size_t n = 0;
	if (strcmp(hex, ".") == 0)
		return 0;
	for (char *at = hex; at[0] != '\0' && at[1] != '\0'; at += 2) {
		char digits[3] = {at[0], at[1], '\0'};
		hex[n++] = (char)strtoul(digits, NULL, 16);
	}
	return n;
}

static uint32_t string(struct snap_builder *b, char *hex)
{
	uint32_t id;
	must(snap_builder_string(b, hex, text(hex), &id, &err));
	return id;
}

static void put_site(struct snap_builder *b, size_t columns, char **rest)
{
	static uint32_t frames[SNAP_DEPTH_MAX];
	uint32_t total = (uint32_t)number(rest), domain = (uint32_t)number(rest), stack;
	uint64_t size = number(rest);
	int64_t values[SNAP_COLUMNS_MAX];
	for (size_t i = 0; i < columns; i++)
		values[i] = strtoll(word(rest), NULL, 10);
	if (strcmp(word(rest), ":") != 0)
		wrong("a site has other columns than the snapshot");
	size_t count = 0;
	for (char *file; (file = strtok_r(NULL, " \n", rest)) != NULL && count < SNAP_DEPTH_MAX; count++) {
		uint32_t id = string(b, file), line = (uint32_t)number(rest);
		char *function = word(rest);
		must(snap_builder_frame(b, id, line, strcmp(function, "-") == 0 ? SNAP_NO_FUNCTION : string(b, function),
		                        &frames[count], &err));
	}
	must(snap_builder_stack(b, frames, count, total, &stack, &err));
	must(snap_builder_add_values(b, stack, domain, size, values, &err));
}

static size_t read_columns(char **rest, struct snap_column columns[SNAP_COLUMNS_MAX])
{
	size_t count = 0;
	for (char *name; (name = strtok_r(NULL, " \n", rest)) != NULL && count < SNAP_COLUMNS_MAX; count++) {
		char *unit = strchr(name, ':');
		if (unit == NULL)
			wrong("a column has no unit");
		*unit = '\0';
		columns[count] = (struct snap_column){name, (enum snap_unit)atoi(unit + 1)};
	}
	return count;
}

int main(int argc, char *argv[])
{
	if (argc != 3)
		wrong("usage: snapmake_c LEVEL one|series <DESCRIPTION >FILE");
	struct snap_writer_options options = {.level = atoi(argv[1]), .series = strcmp(argv[2], "series") == 0};
	struct snap_output *output;
	struct snap_writer *writer;
	must(snap_output_to_fd(&output, 1, &err));
	must(snap_writer_new(&writer, output, &options, &err));
	struct snap_builder *b = NULL;
	size_t columns = 2, room = 0;
	char *line = NULL;
	while (getline(&line, &room, stdin) > 0) {
		char *rest, *verb = strtok_r(line, " \n", &rest);
		if (verb == NULL)
			continue;
		if (strcmp(verb, "columns") == 0) {
			struct snap_column list[SNAP_COLUMNS_MAX];
			columns = read_columns(&rest, list);
			must(snap_builder_new_columns(&b, list, columns, NULL, &err));
			continue;
		}
		if (b == NULL) {
			columns = 2;
			must(snap_builder_new(&b, NULL, &err));
		}
		if (strcmp(verb, "meta") == 0) {
			char *key = word(&rest), *value = word(&rest);
			must(snap_meta_set(snap_builder_meta(b), key, value, text(value), &err));
		} else if (strcmp(verb, "site") == 0) {
			put_site(b, columns, &rest);
		} else if (strcmp(verb, "end") == 0) {
			struct snap_snapshot *s;
			must(snap_builder_finish(b, &s, &err));
			must(snap_writer_put(writer, s, &err));
			snap_snapshot_free(s);
			snap_builder_free(b);
			b = NULL;
		} else {
			wrong("an unknown word begins a line");
		}
	}
	must(snap_writer_finish(writer, &err));
	snap_writer_free(writer);
	must(snap_output_finish(output, &err));
	snap_output_free(output);
	free(line);
	return 0;
}
