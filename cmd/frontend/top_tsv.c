/* A ranking as tab-separated values that PostgreSQL and ClickHouse load; see snaptop(1). */
#include "terminal.h"
#include "text.h"
#include "top_forms.h"
#include "utf8.h"

/* On a terminal nothing may steer it; elsewhere only what the databases ask for is escaped. */
static void put_text(const char *bytes, size_t size)
{
	bool to_terminal = terminal_is_stdout();
	for (size_t i = 0; i < size;) {
		uint32_t point;
		size_t length = utf8_decode(bytes + i, size - i, &point);
		if (point == UTF8_INVALID)
			fputs("\xef\xbf\xbd", stdout); /* U+FFFD */
		else if (point == '\t')
			fputs("\\t", stdout);
		else if (point == '\n')
			fputs("\\n", stdout);
		else if (point == '\r')
			fputs("\\r", stdout);
		else if (point == '\\')
			fputs("\\\\", stdout);
		else if (to_terminal)
			text_put(stdout, bytes + i, length);
		else
			fwrite(bytes + i, 1, length, stdout);
		i += length;
	}
}

static void put_frame(const struct snap_frame *frame)
{
	putchar('\t');
	put_text(frame->file.bytes, frame->file.size);
	printf("\t%" PRIu32 "\t", frame->line);
	if (frame->function.bytes != NULL)
		put_text(frame->function.bytes, frame->function.size);
}

static void put_traceback(const struct snap_frame *frames, size_t count)
{
	putchar('\t');
	while (count > 0) {
		const struct snap_frame *frame = &frames[--count];
		put_text(frame->file.bytes, frame->file.size);
		printf(":%" PRIu32 "%s", frame->line, count > 0 ? ";" : "");
	}
}

static void put_header(const struct ranking *ranking)
{
	printf("#size\tcount%s", ranking->is_diff ? "\tsize_diff\tcount_diff" : "");
	switch (ranking->options->group.by) {
	case SNAP_BY_DOMAIN:
		puts("\tdomain");
		break;
	case SNAP_BY_SIZE:
		puts("\tblock_size");
		break;
	case SNAP_BY_TRACEBACK:
		puts("\tfile\tline\tfunction\ttraceback");
		break;
	default:
		puts("\tfile\tline\tfunction");
	}
}

bool top_tsv(struct ranking *ranking)
{
	put_header(ranking);
	for (size_t i = 0; i < snap_groups_ranked(ranking->groups); i++) {
		struct snap_group_row row = snap_groups_row(ranking->groups, i);
		enum snap_group_by by = ranking->options->group.by;
		size_t count;
		if (!ranking_frames(ranking, i, 0, &count))
			return false;
		printf("%" PRId64 "\t%" PRId64, row.size, row.count);
		if (ranking->is_diff)
			printf("\t%" PRId64 "\t%" PRId64, row.size_diff, row.count_diff);
		if (by == SNAP_BY_DOMAIN)
			printf("\t%" PRIu32, row.domain);
		else if (by == SNAP_BY_SIZE)
			printf("\t%" PRIu64, row.block_size);
		else
			put_frame(&ranking->frames[0]);
		if (by == SNAP_BY_TRACEBACK)
			put_traceback(ranking->frames, count);
		putchar('\n');
	}
	return true;
}
