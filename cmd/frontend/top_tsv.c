/* A ranking as tab-separated values that PostgreSQL and ClickHouse load; see snaptop(1). */
#include <stdio.h>

#include "top_forms.h"
#include "tsv.h"

static void put_header(const struct ranking *ranking)
{
	printf("#size\tcount%s", ranking->is_diff ? "\tsize_diff\tcount_diff" : "");
	const char *key = "\tfile\tline\tfunction";
	switch (ranking->options->group.by) {
	case SNAP_BY_DOMAIN:
		key = "\tdomain";
		break;
	case SNAP_BY_SIZE:
		key = "\tblock_size";
		break;
	case SNAP_BY_TRACEBACK:
		key = "\tfile\tline\tfunction\ttraceback";
		break;
	default:
		break;
	}
	fputs(key, stdout);
	if (ranking->has_errors)
		printf("\tsize_error\tcount_error%s",
		       ranking->is_diff ? "\tsize_diff_error\tcount_diff_error" : "");
	putchar('\n');
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
		else {
			putchar('\t');
			tsv_frame(&ranking->frames[0]);
		}
		if (by == SNAP_BY_TRACEBACK) {
			putchar('\t');
			tsv_traceback(ranking->frames, count);
		}
		if (ranking->has_errors)
			printf("\t%.0f\t%.0f", row.size_error, row.count_error);
		if (ranking->has_errors && ranking->is_diff)
			printf("\t%.0f\t%.0f", row.size_diff_error, row.count_diff_error);
		putchar('\n');
	}
	return true;
}
