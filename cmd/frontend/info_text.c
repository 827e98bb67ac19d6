/* A file and its members as text for people. */
#include <inttypes.h>
#include <snap/estimate.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "info.h"
#include "messages.h"
#include "numbers.h"
#include "table.h"
#include "text.h"
#include "times.h"

enum { TAGS_MAX = 32, VALUE_WIDTH_MAX = 1000, LABEL_WIDTH_MAX = 32 };

struct report {
	const struct member_reader *members;
	size_t count;
	uint16_t version;
	uint64_t stored;
	struct snap_meta *meta;                      /* what is the same in all members */
	struct table rows;                           /* one a member */
	struct buffer tables;                        /* what only a single member is asked for */
	struct snap_section_size sections[TAGS_MAX]; /* of all members */
	size_t section_count;
	uint64_t sections_stored;
	bool estimated;                              /* some rows say what samples stand for */
	struct snap_error not_estimated;             /* why what was sampled is not estimated; SNAP_OK if it is */
	double bytes, cut_bytes;
};

static enum snap_status intersect_meta(struct snap_meta *common, const struct snap_meta *all,
				       const struct snap_meta *meta, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < snap_meta_count(all); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(all, i, &value, &size);
		const char *here = snap_meta_get(meta, key);
		if (here != NULL && strcmp(here, value) == 0)
			status = snap_meta_set(common, key, value, size, err);
	}
	return status;
}

static bool keep_common_meta(struct report *report, const struct snap_meta *meta)
{
	struct snap_meta *common;
	struct snap_error err;
	enum snap_status status = snap_meta_new(&common, &err);
	if (status == SNAP_OK) {
		status = intersect_meta(common, report->count == 0 ? meta : report->meta, meta, &err);
		snap_meta_free(report->meta);
		report->meta = common;
	}
	if (status < 0)
		message_error(NULL, &err);
	return status == SNAP_OK;
}

static void add_sections(struct report *report, const struct snap_member_info *layout)
{
	for (size_t i = 0; i < layout->section_count; i++) {
		const struct snap_section_size *from = &layout->sections[i];
		size_t k = 0;
		while (k < report->section_count && strcmp(report->sections[k].tag, from->tag) != 0)
			k++;
		/* Strange tags beyond those are counted together. */
		if (k == TAGS_MAX)
			memcpy(report->sections[--k].tag, "more", sizeof "more");
		struct snap_section_size *to = &report->sections[k];
		if (k == report->section_count) {
			memcpy(to->tag, from->tag, sizeof to->tag);
			report->section_count++;
		}
		to->sections += from->sections;
		to->stored += from->stored;
		to->raw += from->raw;
		report->sections_stored += from->stored;
	}
}

/* The user's label, or the sequence number. */
static void add_label(struct table *rows, const struct snap_meta *meta)
{
	static const char prefix[] = "label.";
	const char *label = snap_meta_get(meta, "seq");
	for (size_t i = snap_meta_count(meta); i > 0; i--) {
		const char *value;
		size_t size;
		if (strncmp(snap_meta_at(meta, i - 1, &value, &size), prefix, sizeof prefix - 1) == 0)
			label = value;
	}
	if (label == NULL)
		label = "";
	table_cell_text(rows, label, text_prefix(label, strlen(label), LABEL_WIDTH_MAX));
}

static void add_row(struct table *rows, const struct member *member)
{
	struct snap_snapshot *snapshot = member->snapshot;
	const struct snap_meta *meta = snap_snapshot_meta(snapshot);
	const char *time = snap_meta_get(meta, "time");
	struct time_text parsed;
	char text[NUMBER_SIZE];
	snprintf(text, sizeof text, "%zu", member->number);
	table_cell(rows, text);
	if (time != NULL && time_parse(time, &parsed))
		snprintf(text, sizeof text, "%s %s", parsed.day, parsed.clock);
	else
		snprintf(text, sizeof text, "-");
	table_cell(rows, text);
	add_label(rows, meta);
	table_cell(rows, number_size(text, (double)snap_snapshot_total(snapshot, 1), false));
	snprintf(text, sizeof text, "%" PRId64, snap_snapshot_total(snapshot, 0));
	table_cell(rows, text);
	snprintf(text, sizeof text, "%zu", snap_snapshot_sites(snapshot));
	table_cell(rows, text);
	table_cell(rows, number_size(text, (double)member->layout.stored, false));
}

/* Totals, table sizes and digest of one member. */
static bool describe(struct report *report, const struct member *member)
{
	const struct snap_snapshot *snapshot = member->snapshot;
	if (!buffer_open(&report->tables))
		return false;
	FILE *out = report->tables.writer;
	for (size_t i = 0; i < snap_snapshot_columns(snapshot); i++) {
		struct snap_column column = snap_snapshot_column(snapshot, i);
		int64_t total = snap_snapshot_total(snapshot, i);
		char text[NUMBER_SIZE];
		fprintf(out, "%-16s  %" PRId64, column.name, total);
		if (column.unit == SNAP_UNIT_BYTES)
			fprintf(out, " (%s)", number_size(text, (double)total, false));
		fputc('\n', out);
	}
	fprintf(out, "%-16s  %zu\n%-16s  %zu\n%-16s  %zu\n%-16s  %zu\n%-16s  %zu\n", "sites",
		snap_snapshot_sites(snapshot), "stacks", snap_snapshot_stacks(snapshot), "nodes",
		snap_snapshot_nodes(snapshot), "frames", snap_snapshot_frames(snapshot), "strings",
		snap_snapshot_strings(snapshot));
	fprintf(out, "%-16s  %016" PRIx64 "%016" PRIx64 "\n", "digest", member->layout.digest[0],
		member->layout.digest[1]);
	return true;
}

/* What the samples of a member stand for; from now on the snapshot says that as well. */
static bool estimate(struct report *report, const struct member *member)
{
	static const char *const labels[] = {"sampled", "old.sampled"};
	struct snap_snapshot *snapshot = member->snapshot;
	FILE *out = report->tables.writer;
	struct snap_sampling sides[2] = {{.kind = SNAP_EXACT}, {.kind = SNAP_EXACT}};
	int64_t samples[2] = {snap_snapshot_total(snapshot, 0), 0};
	size_t count = snap_snapshot_is_diff(snapshot) ? 2 : 1;
	struct snap_error err;
	enum snap_status status = SNAP_OK;
	if (count == 2)
		samples[1] = snap_snapshot_total(snapshot, 2);
	for (size_t i = 0; i < count && status == SNAP_OK; i++)
		status = snap_sampling_get(&sides[i], snapshot, i == 1, &err);
	if (status == SNAP_OK)
		status = snap_estimate(snapshot, &err);
	if (status == SNAP_ERR_NOMEM) {
		message_error(NULL, &err);
		return false;
	}
	if (status < 0)
		report->not_estimated = err;
	for (size_t i = 0; i < count && status == SNAP_OK; i++) {
		char period[NUMBER_SIZE], bytes[NUMBER_SIZE], error[NUMBER_SIZE];
		report->estimated |= sides[i].kind == SNAP_SAMPLED;
		if (sides[i].kind != SNAP_SAMPLED || report->count > 0)
			continue;
		double half = snap_estimate_error(snap_snapshot_total(snapshot, 2 * count + 2 * i + 1));
		fprintf(out, "%-16s  one per %s on average: %" PRId64 " sample%s, about %s " TEXT_PLUS_MINUS "%s\n",
			labels[i], number_size_exact(period, sides[i].period), samples[i],
			samples[i] == 1 ? "" : "s",
			number_size(bytes, (double)snap_snapshot_total(snapshot, 2 * i + 1), false),
			number_size(error, half, false));
	}
	return true;
}

static bool add_member(struct report *report, const struct member *member)
{
	if (!keep_common_meta(report, snap_snapshot_meta(member->snapshot)))
		return false;
	if (report->count == 0 && !describe(report, member))
		return false;
	if (!estimate(report, member))
		return false;
	if (report->count == 0 && !buffer_finish(&report->tables))
		return false;
	add_sections(report, &member->layout);
	add_row(&report->rows, member);
	report->version = member->layout.version;
	report->stored += member->layout.stored;
	report->bytes += (double)snap_snapshot_total(member->snapshot, 1);
	report->cut_bytes += (double)snap_snapshot_truncated_bytes(member->snapshot);
	report->count++;
	return true;
}

static void print_title(const struct report *report)
{
	char text[NUMBER_SIZE];
	uint64_t size = report->members->reader != NULL ? report->stored : report->members->size;
	fputs(terminal_style(STYLE_BOLD), stdout);
	text_put(stdout, report->members->operand->name, strlen(report->members->operand->name));
	printf("%s: ", terminal_plain());
	if (report->members->reader != NULL)
		printf(".snap format %u", report->version);
	else
		printf("%s", report->members->format);
	printf(", %zu snapshot%s", report->count, report->count == 1 ? "" : "s");
	if (size != UINT64_MAX)
		printf(", %s", number_size(text, (double)size, false));
	putchar('\n');
}

static void print_meta(const struct snap_meta *meta)
{
	size_t width = 16;
	if (snap_meta_count(meta) > 0)
		putchar('\n');
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		size_t used = text_put(stdout, key, strlen(key));
		printf("%*s", (int)(used < width ? width - used + TABLE_GAP : TABLE_GAP), "");
		text_put_fitted(stdout, value, size, VALUE_WIDTH_MAX);
		putchar('\n');
	}
}

static void print_warnings(const struct report *report)
{
	char share[NUMBER_SIZE];
	const char *limit = snap_meta_get(report->meta, "traceback_limit");
	const char *style = terminal_style(STYLE_WARNING), *plain = terminal_plain();
	if (snap_meta_get(report->meta, "partial") != NULL)
		printf("\n%swarning: a part is lost: it was salvaged from a damaged file%s\n", style, plain);
	if (report->not_estimated.status < 0)
		printf("\n%swarning: %s%s\n", style, report->not_estimated.message, plain);
	if (!(report->cut_bytes > 0))
		return;
	printf("\n%swarning: %s of the bytes have tracebacks that were cut off", style,
	       number_share(share, report->cut_bytes, report->bytes));
	if (limit != NULL) {
		fputs(" after ", stdout);
		text_put_fitted(stdout, limit, strlen(limit), 10);
		fputs(" frames", stdout);
	}
	printf("%s\n", plain);
}

static bool print_sections(const struct report *report)
{
	struct table table;
	if (!table_open(&table, 5))
		return false;
	static const char *const titles[] = {"section", "count", "stored", "raw", "share"};
	table.left[0] = true;
	for (size_t i = 0; i < 5; i++)
		table_cell(&table, titles[i]);
	for (size_t i = 0; i < report->section_count; i++) {
		const struct snap_section_size *section = &report->sections[i];
		char text[NUMBER_SIZE];
		table_cell_text(&table, section->tag, strlen(section->tag));
		snprintf(text, sizeof text, "%" PRIu32, section->sections);
		table_cell(&table, text);
		table_cell(&table, number_size(text, (double)section->stored, false));
		table_cell(&table, number_size(text, (double)section->raw, false));
		table_cell(&table,
			   number_share(text, (double)section->stored, (double)report->sections_stored));
	}
	bool fine = table_finish(&table);
	if (fine)
		table_print(&table);
	table_close(&table);
	return fine;
}

static bool print(struct report *report)
{
	print_title(report);
	print_meta(report->meta);
	print_warnings(report);
	putchar('\n');
	if (report->count == 1)
		fputs(report->tables.bytes, stdout);
	else
		table_print(&report->rows);
	if (report->count != 1 && report->estimated)
		printf("%ssizes and counts are estimates from samples%s\n", terminal_style(STYLE_DIM),
		       terminal_plain());
	if (report->section_count == 0)
		return true;
	putchar('\n');
	return print_sections(report);
}

bool info_text(struct member_reader *members)
{
	static const char *const titles[] = {"#", "time", "label", "size", "count", "sites", "stored"};
	enum { COLUMNS = sizeof titles / sizeof *titles };
	struct report report = {.members = members};
	if (!table_open(&report.rows, COLUMNS))
		return false;
	report.rows.left[1] = report.rows.left[2] = true;
	for (size_t i = 0; i < COLUMNS; i++)
		table_cell(&report.rows, titles[i]);
	enum snap_status status;
	bool fine = true;
	while (fine && (status = members_next(members)) == SNAP_OK)
		fine = add_member(&report, &members->member);
	fine = table_finish(&report.rows) && fine && status == SNAP_END && print(&report);
	table_close(&report.rows);
	snap_meta_free(report.meta);
	buffer_free(&report.tables);
	return fine;
}
