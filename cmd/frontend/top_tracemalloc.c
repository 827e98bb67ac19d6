/* A ranking as `for stat in stats[:N]: print(stat)` prints it on CPython 3.9 and later, byte for byte. */
#include "messages.h"
#include "numbers.h"
#include "terminal.h"
#include "text.h"
#include "top_forms.h"
#include "utf8.h"

/* Lone surrogates come out as the bytes they stand for, as with errors="surrogateescape" (which is what
 * Python's stdout has in the C locale; elsewhere it refuses such names). A terminal gets no raw ones. */
static void put_name(struct snap_text name)
{
	if (terminal_is_stdout()) {
		text_put(stdout, name.bytes, name.size);
		return;
	}
	for (size_t i = 0; i < name.size;) {
		unsigned char escaped = utf8_escaped_byte(name.bytes + i, name.size - i);
		putchar(escaped != 0 ? escaped : (unsigned char)name.bytes[i]);
		i += escaped != 0 ? UTF8_ESCAPED_SIZE : 1;
	}
}

bool top_tracemalloc(struct ranking *ranking)
{
	enum snap_group_by by = ranking->options->group.by;
	if (by != SNAP_BY_LINENO && by != SNAP_BY_FILENAME && by != SNAP_BY_TRACEBACK) {
		message_fail(NULL, "tracemalloc groups by lineno, filename or traceback only; another "
				   "--format shows the rest");
		return false;
	}
	for (size_t i = 0; i < snap_groups_ranked(ranking->groups); i++) {
		struct snap_group_row row = snap_groups_row(ranking->groups, i);
		char size[NUMBER_SIZE], diff[NUMBER_SIZE];
		size_t count;
		if (!ranking_frames(ranking, i, 0, &count))
			return false;
		const struct snap_frame *oldest = &ranking->frames[count - 1];
		put_name(oldest->file);
		printf(":%" PRIu32 ": size=%s", oldest->line, number_size(size, (double)row.size, false));
		if (ranking->is_diff)
			printf(" (%s), count=%" PRId64 " (%+" PRId64 ")",
			       number_size(diff, (double)row.size_diff, true), row.count, row.count_diff);
		else
			printf(", count=%" PRId64, row.count);
		if (row.count != 0)
			printf(", average=%s",
			       number_size(size, (double)row.size / (double)row.count, false));
		putchar('\n');
	}
	return true;
}
