/* A ranking as a table for people: the guilty line first, and readable in 80 columns. */
#include <math.h>
#include <string.h>

#include "frames.h"
#include "numbers.h"
#include "table.h"
#include "terminal.h"
#include "text.h"
#include "top_forms.h"

enum { SOURCE_ROWS = 10, INDENT = FRAME_INDENT };

static void put_older(size_t frames, const char *what)
{
	if (frames > 0)
		printf("%*s%s" TEXT_ELLIPSIS " %zu older frame%s%s%s\n", INDENT, "",
		       terminal_style(STYLE_DIM), frames, frames == 1 ? "" : "s", what, terminal_plain());
}

/* The frames are in ranking->frames, newest first. */
static void put_traceback(const struct ranking *ranking, const struct snap_group_row *row, size_t count)
{
	bool newest_first = ranking->options->most_recent_first;
	size_t hidden = row->frames - count;
	size_t lost = row->total > row->frames ? row->total - row->frames : 0;
	if (!newest_first) {
		put_older(lost, " not recorded");
		put_older(hidden, ", -t 0 shows all");
	}
	for (size_t i = 0; i < count; i++) {
		const struct snap_frame *frame = &ranking->frames[newest_first ? i : count - 1 - i];
		printf("%*s", INDENT, "");
		frame_put(frame, terminal_width() - INDENT, STYLE_NONE, false);
		putchar('\n');
		frame_put_source(&ranking->options->sources, frame, 2 * INDENT);
	}
	if (newest_first) {
		put_older(hidden, ", -t 0 shows all");
		put_older(lost, " not recorded");
	}
}

/* The error of what stands before it. */
static void add_error(struct table *table, const struct ranking *ranking, double error)
{
	char number[NUMBER_SIZE], text[NUMBER_SIZE + sizeof TEXT_PLUS_MINUS];
	if (!ranking->has_errors)
		return;
	snprintf(text, sizeof text, TEXT_PLUS_MINUS "%s", number_size(number, error, false));
	table_cell(table, text);
}

static void add_values(struct table *table, const struct ranking *ranking, const struct snap_group_row *row)
{
	char text[NUMBER_SIZE];
	if (ranking->is_diff) {
		table_cell(table, number_size(text, (double)row->size_diff, true));
		add_error(table, ranking, row->size_diff_error);
		snprintf(text, sizeof text, "%+" PRId64, row->count_diff);
		table_cell(table, text);
	}
	table_cell(table, number_size(text, (double)row->size, false));
	if (!ranking->is_diff)
		add_error(table, ranking, row->size_error);
	snprintf(text, sizeof text, "%" PRId64, row->count);
	table_cell(table, text);
	if (!ranking->is_diff)
		table_cell(table, row->count != 0
					  ? number_size(text, (double)row->size / (double)row->count, false)
					  : "-");
	if (ranking->is_diff)
		table_cell(table,
			   number_share(text, (double)row->size_diff, (double)ranking->total.size_diff));
	else
		table_cell(table, number_share(text, (double)row->size, (double)ranking->total.size));
}

static void add_titles(struct table *table, const struct ranking *ranking)
{
	static const char *const snapshot[] = {"size", "count", "average", "share"};
	static const char *const diff[] = {"±size", "±count", "size", "count", "share"};
	size_t titles = ranking->is_diff ? sizeof diff / sizeof *diff : sizeof snapshot / sizeof *snapshot;
	for (size_t i = 0; i < titles; i++) {
		table_cell(table, ranking->is_diff ? diff[i] : snapshot[i]);
		if (i == 0 && ranking->has_errors)
			table_cell(table, "error");
	}
}

/* On the way to the rest, absurd values may leave 63 bits for a while; wrapping brings them back. */
static void subtract(int64_t *from, int64_t value)
{
	*from = (int64_t)((uint64_t)*from - (uint64_t)value);
}

static void subtract_row(struct snap_group_row *from, const struct snap_group_row *row)
{
	subtract(&from->size, row->size);
	subtract(&from->count, row->count);
	subtract(&from->size_diff, row->size_diff);
	subtract(&from->count_diff, row->count_diff);
	/* Errors are roots of variances, and these are what can be subtracted. */
	from->size_error = sqrt(fmax(0, from->size_error * from->size_error - row->size_error * row->size_error));
	from->size_diff_error = sqrt(fmax(0, from->size_diff_error * from->size_diff_error -
						     row->size_diff_error * row->size_diff_error));
}

static bool fill(struct table *table, const struct ranking *ranking)
{
	struct snap_group_row rest = ranking->total;
	size_t ranked = snap_groups_ranked(ranking->groups);
	add_titles(table, ranking);
	for (size_t i = 0; i < ranked; i++) {
		struct snap_group_row row = snap_groups_row(ranking->groups, i);
		add_values(table, ranking, &row);
		subtract_row(&rest, &row);
	}
	/* Cumulative groups overlap: there is no sum of the rest. */
	for (size_t i = 0; ranking->options->group.cumulative != SNAP_SELF && i < table->columns; i++)
		table_cell(table, "");
	if (ranking->options->group.cumulative == SNAP_SELF)
		add_values(table, ranking, &rest);
	add_values(table, ranking, &ranking->total);
	return table_finish(table);
}

static const char *domain_name(uint32_t domain)
{
	return domain == 0 ? "  Python" : domain == 389047 ? "  NumPy's data" : "";
}

static void put_group(const struct ranking *ranking, const struct snap_group_row *row, size_t room,
		      bool first)
{
	enum snap_group_by by = ranking->options->group.by;
	enum terminal_style style = first ? STYLE_BOLD : STYLE_NONE;
	if (by != SNAP_BY_DOMAIN && by != SNAP_BY_SIZE) {
		frame_put(&ranking->frames[0], room, style, by == SNAP_BY_FUNCTION);
		putchar('\n');
		return;
	}
	fputs(terminal_style(style), stdout);
	if (by == SNAP_BY_SIZE)
		printf("%" PRIu64 " B", row->block_size);
	else
		printf("%" PRIu32 "%s", row->domain, domain_name(row->domain));
	printf("%s\n", first ? terminal_plain() : "");
}

static bool put_rows(struct ranking *ranking, struct table *table)
{
	static const struct {
		const char *title, *one, *many;
	} names[] = {
		[SNAP_BY_LINENO] = {"line", "line", "lines"},
		[SNAP_BY_FILENAME] = {"file", "file", "files"},
		[SNAP_BY_FUNCTION] = {"function", "function", "functions"},
		[SNAP_BY_TRACEBACK] = {"traceback", "traceback", "tracebacks"},
		[SNAP_BY_DOMAIN] = {"domain", "domain", "domains"},
		[SNAP_BY_SIZE] = {"block size", "block size", "block sizes"},
	};
	const struct top_options *options = ranking->options;
	enum snap_group_by by = options->group.by;
	enum terminal_style styles[TABLE_COLUMNS_MAX] = {STYLE_NONE}, dim[TABLE_COLUMNS_MAX];
	size_t indent = table_width(table), width = terminal_width();
	size_t room = width > indent + 20 ? width - indent : 20;
	size_t ranked = snap_groups_ranked(ranking->groups),
	       more = snap_groups_count(ranking->groups) - ranked;
	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
		dim[i] = STYLE_DIM;

	table_row(table, dim, true);
	printf("%s%s%s\n", terminal_style(STYLE_DIM), names[by].title, terminal_plain());
	for (size_t i = 0; i < ranked; i++) {
		struct snap_group_row row = snap_groups_row(ranking->groups, i);
		size_t count;
		if (!ranking_frames(ranking, i, options->frames, &count))
			return false;
		styles[0] = !ranking->is_diff   ? STYLE_NONE
			    : row.size_diff > 0 ? STYLE_GROWN
			    : row.size_diff < 0 ? STYLE_SHRUNK
						: STYLE_NONE;
		table_row(table, styles, true);
		put_group(ranking, &row, room, i == 0);
		if (by == SNAP_BY_LINENO && i < SOURCE_ROWS)
			frame_put_source(&options->sources, &ranking->frames[0], indent + TABLE_GAP);
		if (by == SNAP_BY_TRACEBACK) {
			put_traceback(ranking, &row, count);
			putchar('\n');
		}
	}
	if (more > 0) {
		table_row(table, dim, true);
		printf("%s" TEXT_ELLIPSIS " %zu more %s%s\n", terminal_style(STYLE_DIM), more,
		       more == 1 ? names[by].one : names[by].many, terminal_plain());
	} else {
		table_skip(table);
	}
	table_row(table, NULL, true);
	puts("total");
	return true;
}

bool top_table(struct ranking *ranking)
{
	struct table table;
	size_t columns = ranking->is_diff ? 5 : 4;
	if (!table_open(&table, ranking->has_errors ? columns + 1 : columns))
		return false;
	bool shown = fill(&table, ranking);
	if (shown) {
		top_header(ranking->snapshot, &ranking->total);
		shown = put_rows(ranking, &table);
	}
	table_close(&table);
	return shown;
}
