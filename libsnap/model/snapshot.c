/* The tables of a snapshot: making, appending, looking up. */
#include "model/snapshot.h"

#include <stdlib.h>
#include <string.h>

static void set_column(struct snap_column_info *c, const char *name, enum snap_unit unit,
                       enum snap_predictor predictor, uint32_t from)
{
	memset(c, 0, sizeof *c);
	memcpy(c->name, name, strlen(name));
	c->unit = unit;
	c->predictor = predictor;
	c->from = from;
}

void snap_snapshot_set_columns(struct snap_snapshot *s, bool diff)
{
	s->column_count = diff ? 4 : 2;
	set_column(&s->columns[SNAP_COLUMN_BLOCKS], "blocks", SNAP_UNIT_BLOCKS, SNAP_PREDICT_NOTHING, 0);
	set_column(&s->columns[SNAP_COLUMN_BYTES], "bytes", SNAP_UNIT_BYTES, SNAP_PREDICT_SIZE_TIMES,
	           SNAP_COLUMN_BLOCKS);
	if (diff) {
		set_column(&s->columns[SNAP_COLUMN_OLD_BLOCKS], "old_blocks", SNAP_UNIT_BLOCKS, SNAP_PREDICT_SAME,
		           SNAP_COLUMN_BLOCKS);
		set_column(&s->columns[SNAP_COLUMN_OLD_BYTES], "old_bytes", SNAP_UNIT_BYTES,
		           SNAP_PREDICT_SIZE_TIMES, SNAP_COLUMN_OLD_BLOCKS);
	}
}

bool snap_snapshot_same_columns(const struct snap_snapshot *a, const struct snap_snapshot *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (uint32_t c = 0; c < a->column_count; c++) {
		const struct snap_column_info *x = &a->columns[c], *y = &b->columns[c];
		if (strcmp(x->name, y->name) != 0 || x->unit != y->unit || x->predictor != y->predictor ||
		    x->from != y->from)
			return false;
	}
	return true;
}

enum snap_status snap_snapshot_new(struct snap_snapshot **out, const struct snap_limits *limits,
                                   struct snap_error *err)
{
	*out = NULL;
	struct snap_snapshot *s = calloc(1, sizeof *s);
	if (s == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	enum snap_status status = snap_meta_new(&s->meta, err);
	if (status < 0) {
		free(s);
		return status;
	}
	s->budget.limit = limits != NULL ? limits->memory : snap_limits_default().memory;
	snap_snapshot_set_columns(s, false);
	*out = s;
	return SNAP_OK;
}

enum snap_status snap_snapshot_new_like(struct snap_snapshot **out, const struct snap_snapshot *from,
                                        struct snap_error *err)
{
	*out = NULL;
	struct snap_snapshot *s = calloc(1, sizeof *s);
	if (s == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	enum snap_status status = snap_meta_copy(&s->meta, from->meta, err);
	if (status < 0) {
		free(s);
		return status;
	}
	s->budget.limit = from->budget.limit;
	memcpy(s->columns, from->columns, sizeof s->columns);
	s->column_count = from->column_count;
	s->canonical = from->canonical;
	s->said_canonical = from->said_canonical;
	*out = s;
	return SNAP_OK;
}

enum snap_status snap_snapshot_copy(struct snap_snapshot **out, const struct snap_snapshot *from,
                                    struct snap_error *err)
{
	struct snap_snapshot *s;
	enum snap_status status = snap_snapshot_new_like(&s, from, err);
	*out = NULL;
	if (status < 0)
		return status;
#define COPY(table)                                                                              \
	do {                                                                                     \
		if (status == SNAP_OK)                                                           \
			status = snap_vector_reserve(&s->table, from->table.count, &s->budget, err); \
		if (status == SNAP_OK && from->table.count > 0) {                                \
			memcpy(s->table.at, from->table.at, from->table.count * sizeof *s->table.at); \
			s->table.count = from->table.count;                                      \
		}                                                                                \
	} while (0)
	COPY(text);
	COPY(text_end);
	COPY(frame_file);
	COPY(frame_line);
	COPY(frame_function);
	COPY(node_parent);
	COPY(node_frame);
	COPY(node_depth);
	COPY(stack_node);
	COPY(stack_length);
	COPY(stack_total);
	COPY(site_stack);
	COPY(site_domain);
#undef COPY
	if (status == SNAP_OK)
		status = snap_numbers_copy(&s->site_size, &from->site_size, &s->budget, err);
	for (uint32_t c = 0; status == SNAP_OK && c < from->column_count; c++)
		status = snap_numbers_copy(&s->values[c], &from->values[c], &s->budget, err);
	if (status < 0) {
		snap_snapshot_free(s);
		return status;
	}
	memcpy(s->totals, from->totals, sizeof s->totals);
	*out = s;
	return SNAP_OK;
}

void snap_snapshot_free(struct snap_snapshot *s)
{
	if (s == NULL)
		return;
	snap_meta_free(s->meta);
	snap_vector_free(&s->text, NULL);
	snap_vector_free(&s->text_end, NULL);
	snap_vector_free(&s->frame_file, NULL);
	snap_vector_free(&s->frame_line, NULL);
	snap_vector_free(&s->frame_function, NULL);
	snap_vector_free(&s->node_parent, NULL);
	snap_vector_free(&s->node_frame, NULL);
	snap_vector_free(&s->node_depth, NULL);
	snap_vector_free(&s->stack_node, NULL);
	snap_vector_free(&s->stack_length, NULL);
	snap_vector_free(&s->stack_total, NULL);
	snap_vector_free(&s->site_stack, NULL);
	snap_vector_free(&s->site_domain, NULL);
	snap_numbers_free(&s->site_size, NULL);
	for (size_t c = 0; c < SNAP_COLUMNS_MAX; c++)
		snap_numbers_free(&s->values[c], NULL);
	snap_lineage_drop(s->lineage);
	free(s);
}

enum snap_status snap_lineage_new(struct snap_lineage **out, struct snap_error *err)
{
	*out = malloc(sizeof **out);
	if (*out == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	(*out)->holders = 1;
	return SNAP_OK;
}

struct snap_lineage *snap_lineage_hold(struct snap_lineage *lineage)
{
	if (lineage != NULL)
		lineage->holders++;
	return lineage;
}

void snap_lineage_drop(struct snap_lineage *lineage)
{
	if (lineage != NULL && --lineage->holders == 0)
		free(lineage);
}

struct snap_text snap_snapshot_string(const struct snap_snapshot *s, uint32_t string)
{
	size_t begin = string == 0 ? 0 : s->text_end.at[string - 1];
	/* text.at is NULL while all strings are empty; a known name is never NULL. */
	const char *bytes = s->text.at != NULL ? (const char *)s->text.at + begin : "";
	return (struct snap_text){bytes, s->text_end.at[string] - begin};
}

static enum snap_status table_full(const char *what, struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "more than %u %s in one table", SNAP_ROWS_MAX, what);
}

enum snap_status snap_snapshot_push_string(struct snap_snapshot *s, const void *bytes, size_t size,
                                           struct snap_error *err)
{
	size_t end = s->text.count + size;
	if (s->text_end.count >= SNAP_ROWS_MAX || end > UINT32_MAX)
		return table_full("strings", err);
	enum snap_status status = snap_vector_reserve(&s->text, end, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->text_end, s->text_end.count + 1, &s->budget, err);
	if (status < 0)
		return status;
	if (size > 0)
		memcpy(s->text.at + s->text.count, bytes, size);
	s->text.count = end;
	s->text_end.at[s->text_end.count++] = (uint32_t)end;
	return SNAP_OK;
}

enum snap_status snap_snapshot_reserve_frames(struct snap_snapshot *s, size_t n, struct snap_error *err)
{
	if (n > SNAP_ROWS_MAX)
		return table_full("frames", err);
	enum snap_status status = snap_vector_reserve(&s->frame_file, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->frame_line, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->frame_function, n, &s->budget, err);
	return status;
}

enum snap_status snap_snapshot_push_frame(struct snap_snapshot *s, uint32_t file, uint32_t line, uint32_t function,
                                          struct snap_error *err)
{
	enum snap_status status = snap_snapshot_reserve_frames(s, s->frame_file.count + 1, err);
	if (status < 0)
		return status;
	s->frame_file.at[s->frame_file.count++] = file;
	s->frame_line.at[s->frame_line.count++] = line;
	s->frame_function.at[s->frame_function.count++] = function;
	return SNAP_OK;
}

enum snap_status snap_snapshot_reserve_nodes(struct snap_snapshot *s, size_t n, struct snap_error *err)
{
	if (n > SNAP_ROWS_MAX)
		return table_full("stack nodes", err);
	enum snap_status status = snap_vector_reserve(&s->node_parent, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->node_frame, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->node_depth, n, &s->budget, err);
	return status;
}

enum snap_status snap_snapshot_push_node(struct snap_snapshot *s, uint32_t parent, uint32_t frame, uint32_t depth,
                                         struct snap_error *err)
{
	enum snap_status status = snap_snapshot_reserve_nodes(s, s->node_parent.count + 1, err);
	if (status < 0)
		return status;
	s->node_parent.at[s->node_parent.count++] = parent;
	s->node_frame.at[s->node_frame.count++] = frame;
	s->node_depth.at[s->node_depth.count++] = (uint16_t)depth;
	return SNAP_OK;
}

enum snap_status snap_snapshot_reserve_stacks(struct snap_snapshot *s, size_t n, struct snap_error *err)
{
	if (n > SNAP_ROWS_MAX)
		return table_full("stacks", err);
	enum snap_status status = snap_vector_reserve(&s->stack_node, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->stack_length, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&s->stack_total, n, &s->budget, err);
	return status;
}

enum snap_status snap_snapshot_push_stack(struct snap_snapshot *s, uint32_t node, uint32_t length, uint32_t total,
                                          struct snap_error *err)
{
	enum snap_status status = snap_snapshot_reserve_stacks(s, s->stack_node.count + 1, err);
	if (status < 0)
		return status;
	s->stack_node.at[s->stack_node.count++] = node;
	s->stack_length.at[s->stack_length.count++] = (uint16_t)length;
	s->stack_total.at[s->stack_total.count++] = (uint16_t)total;
	return SNAP_OK;
}

enum snap_status snap_snapshot_reserve_sites(struct snap_snapshot *s, size_t n, struct snap_error *err)
{
	if (n > SNAP_ROWS_MAX)
		return table_full("sites", err);
	enum snap_status status = snap_vector_reserve(&s->site_stack, n, &s->budget, err);
	if (status == SNAP_OK && s->site_domain.count > 0)
		status = snap_vector_reserve(&s->site_domain, n, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_numbers_reserve(&s->site_size, n, &s->budget, err);
	for (uint32_t c = 0; status == SNAP_OK && c < s->column_count; c++)
		if (c == 0 || s->values[c].count > 0)
			status = snap_numbers_reserve(&s->values[c], n, &s->budget, err);
	return status;
}

enum snap_status snap_snapshot_store_domains(struct snap_snapshot *s, struct snap_error *err)
{
	size_t stored = s->site_domain.count, all = s->site_stack.count;
	enum snap_status status = snap_vector_reserve(&s->site_domain, all, &s->budget, err);
	if (status == SNAP_OK && all > stored) {
		memset(s->site_domain.at + stored, 0, (all - stored) * sizeof *s->site_domain.at);
		s->site_domain.count = all;
	}
	return status;
}

void snap_snapshot_read_predicted(const struct snap_snapshot *s, uint32_t column, size_t begin, size_t count,
                                  int64_t *values)
{
	const struct snap_column_info *c = &s->columns[column];
	if (c->predictor == SNAP_PREDICT_NOTHING) {
		memset(values, 0, count * sizeof *values);
		return;
	}
	snap_snapshot_read_values(s, c->from, begin, count, values);
	if (c->predictor != SNAP_PREDICT_SIZE_TIMES)
		return;
	int64_t sizes[SNAP_VALUES_CHUNK];
	snap_numbers_read(&s->site_size, begin, count, sizes);
	for (size_t i = 0; i < count; i++)
		values[i] = (int64_t)((uint64_t)values[i] * (uint64_t)sizes[i]);
}

void snap_snapshot_read_values(const struct snap_snapshot *s, uint32_t column, size_t begin, size_t count,
                               int64_t *values)
{
	if (s->values[column].count != 0)
		snap_numbers_read(&s->values[column], begin, count, values);
	else
		snap_snapshot_read_predicted(s, column, begin, count, values);
}

void snap_snapshot_read_columns(const struct snap_snapshot *s, uint32_t columns, size_t begin, size_t count,
                                int64_t (*values)[SNAP_VALUES_CHUNK])
{
	int64_t sizes[SNAP_VALUES_CHUNK];
	bool sizes_read = false;
	for (uint32_t c = 0; c < columns; c++) {
		const struct snap_column_info *info = &s->columns[c];
		const int64_t *from = values[info->from]; /* one before this, if it is predicted from any */
		if (s->values[c].count != 0) {
			snap_numbers_read(&s->values[c], begin, count, values[c]);
		} else if (info->predictor == SNAP_PREDICT_NOTHING) {
			memset(values[c], 0, count * sizeof *values[c]);
		} else if (info->predictor == SNAP_PREDICT_SAME) {
			memcpy(values[c], from, count * sizeof *values[c]);
		} else {
			if (!sizes_read)
				snap_numbers_read(&s->site_size, begin, count, sizes);
			sizes_read = true;
			for (size_t i = 0; i < count; i++)
				values[c][i] = (int64_t)((uint64_t)from[i] * (uint64_t)sizes[i]);
		}
	}
}

enum snap_status snap_snapshot_store_column(struct snap_snapshot *s, uint32_t column, struct snap_error *err)
{
	struct snap_numbers stored = {.count = 0};
	enum snap_status status = snap_numbers_reserve(&stored, s->site_stack.count, &s->budget, err);
	for (size_t i = 0; status == SNAP_OK && i < s->site_stack.count; i++)
		status = snap_numbers_push(&stored, snap_snapshot_predicted(s, column, i), &s->budget, err);
	if (status < 0) {
		snap_numbers_free(&stored, &s->budget);
		return status;
	}
	s->values[column] = stored;
	return SNAP_OK;
}

enum snap_status snap_snapshot_set_value(struct snap_snapshot *s, uint32_t column, size_t site, int64_t value,
                                         struct snap_error *err)
{
	if (s->values[column].count == 0) {
		if (value == snap_snapshot_predicted(s, column, site))
			return SNAP_OK;
		enum snap_status status = snap_snapshot_store_column(s, column, err);
		if (status < 0)
			return status;
	}
	return snap_numbers_set(&s->values[column], site, value, &s->budget, err);
}

enum snap_status snap_snapshot_push_site(struct snap_snapshot *s, uint32_t stack, uint32_t domain, uint64_t size,
                                         const int64_t *values, struct snap_error *err)
{
	size_t site = s->site_stack.count;
	enum snap_status status = snap_snapshot_reserve_sites(s, site + 1, err);
	if (status == SNAP_OK)
		status = snap_numbers_push(&s->site_size, (int64_t)size, &s->budget, err);
	if (status < 0)
		return status;
	s->site_stack.at[s->site_stack.count++] = stack;
	if (domain != 0 || s->site_domain.count > 0) {
		status = snap_snapshot_store_domains(s, err);
		if (status == SNAP_OK)
			s->site_domain.at[site] = domain;
	}
	for (uint32_t c = 0; c < s->column_count && status == SNAP_OK; c++) {
		if (c == 0 || s->values[c].count > 0)
			status = snap_numbers_push(&s->values[c], values[c], &s->budget, err);
		else
			status = snap_snapshot_set_value(s, c, site, values[c], err);
	}
	return status;
}

enum snap_status snap_snapshot_sum(struct snap_snapshot *s, struct snap_error *err)
{
	int64_t values[SNAP_VALUES_CHUNK];
	for (uint32_t c = 0; c < s->column_count; c++) {
		int64_t sum = 0, magnitude = 0;
		for (size_t i = 0; i < s->site_stack.count; i++) {
			size_t at = i % SNAP_VALUES_CHUNK, left = s->site_stack.count - i;
			if (at == 0)
				snap_snapshot_read_values(s, c, i, left < SNAP_VALUES_CHUNK ? left : SNAP_VALUES_CHUNK,
				                          values);
			/* The negative of a magnitude always exists. */
			int64_t less = values[at] < 0 ? values[at] : -values[at];
			if (__builtin_add_overflow(magnitude, less, &magnitude) || magnitude == INT64_MIN)
				return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
				                 "the sum of column %s does not fit in 63 bits", s->columns[c].name);
			sum += values[at];
		}
		s->totals[c] = sum;
	}
	return SNAP_OK;
}

struct snap_stack_rule snap_snapshot_stack_rule(const struct snap_snapshot *s)
{
	const uint16_t *lengths = s->stack_length.at, *totals = s->stack_total.at;
	uint16_t longest = 0, truncated = 0, known = 0;
	for (size_t i = 0; i < s->stack_node.count; i++) {
		longest = lengths[i] > longest ? lengths[i] : longest;
		truncated |= totals[i] > lengths[i];
		known |= totals[i];
	}
	return (struct snap_stack_rule){truncated ? longest : 0, known != 0};
}

struct snap_meta *snap_snapshot_meta(struct snap_snapshot *s)
{
	return s->meta;
}

bool snap_snapshot_is_diff(const struct snap_snapshot *s)
{
	return s->column_count > SNAP_COLUMN_OLD_BYTES &&
	       strcmp(s->columns[SNAP_COLUMN_OLD_BLOCKS].name, "old_blocks") == 0 &&
	       strcmp(s->columns[SNAP_COLUMN_OLD_BYTES].name, "old_bytes") == 0;
}

size_t snap_snapshot_columns(const struct snap_snapshot *s)
{
	return s->column_count;
}

struct snap_column snap_snapshot_column(const struct snap_snapshot *s, size_t i)
{
	return (struct snap_column){s->columns[i].name, s->columns[i].unit};
}

int64_t snap_snapshot_total(const struct snap_snapshot *s, size_t column)
{
	return s->totals[column];
}

size_t snap_snapshot_strings(const struct snap_snapshot *s)
{
	return s->text_end.count;
}

size_t snap_snapshot_frames(const struct snap_snapshot *s)
{
	return s->frame_file.count;
}

size_t snap_snapshot_nodes(const struct snap_snapshot *s)
{
	return s->node_parent.count;
}

size_t snap_snapshot_stacks(const struct snap_snapshot *s)
{
	return s->stack_node.count;
}

size_t snap_snapshot_sites(const struct snap_snapshot *s)
{
	return s->site_stack.count;
}

struct snap_site snap_snapshot_site(const struct snap_snapshot *s, size_t i, int64_t buffer[SNAP_COLUMNS_MAX])
{
	for (uint32_t c = 0; c < s->column_count; c++)
		buffer[c] = snap_snapshot_value(s, c, i);
	return (struct snap_site){s->site_stack.at[i], snap_snapshot_domain(s, i),
	                          (uint64_t)snap_numbers_get(&s->site_size, i), buffer};
}

struct snap_stack snap_snapshot_stack(const struct snap_snapshot *s, uint32_t stack)
{
	return (struct snap_stack){s->stack_length.at[stack], s->stack_total.at[stack]};
}

struct snap_frame snap_snapshot_frame(const struct snap_snapshot *s, uint32_t frame)
{
	struct snap_frame f = {snap_snapshot_string(s, s->frame_file.at[frame]), {NULL, 0}, s->frame_line.at[frame]};
	if (s->frame_function.at[frame] != SNAP_NONE)
		f.function = snap_snapshot_string(s, s->frame_function.at[frame]);
	return f;
}

size_t snap_snapshot_traceback(const struct snap_snapshot *s, uint32_t stack, struct snap_frame *frames, size_t max)
{
	size_t length = s->stack_length.at[stack];
	uint32_t node = s->stack_node.at[stack];
	for (size_t i = 0; i < length && i < max; i++, node = s->node_parent.at[node])
		frames[i] = snap_snapshot_frame(s, s->node_frame.at[node]);
	return length;
}

int64_t snap_snapshot_truncated_bytes(const struct snap_snapshot *s)
{
	int64_t bytes = 0;
	for (size_t i = 0; i < s->site_stack.count; i++) {
		uint32_t stack = s->site_stack.at[i];
		if (s->stack_total.at[stack] > s->stack_length.at[stack])
			bytes += snap_snapshot_value(s, SNAP_COLUMN_BYTES, i);
	}
	return bytes;
}
