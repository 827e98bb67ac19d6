/* Aligns snapshots: each traceback that any of them has is a row. Rows are looked up by the hash of their
 * frames and then compared, but of snapshots of one lineage each stack only once; a snapshot is forgotten once
 * its sums are in its column. */
#include "ops/trend.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ops/stacks.h"

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static enum snap_status intern_string(struct snap_trend_table *table, struct snap_text text, uint32_t *number,
				      struct snap_error *err)
{
	struct snap_snapshot *names = table->names;
	uint64_t hash = snap_keyed_bytes(snap_index_seed(&table->strings), text.bytes, text.size);
	size_t cursor = snap_index_start(&table->strings, hash);
	while ((*number = snap_index_next(&table->strings, hash, &cursor)) != SNAP_INDEX_NONE) {
		struct snap_text known = snap_snapshot_string(names, *number);
		if (known.size == text.size && memcmp(known.bytes, text.bytes, text.size) == 0)
			return SNAP_OK;
	}
	*number = (uint32_t)names->text_end.count;
	enum snap_status status = snap_index_reserve(&table->strings, &names->budget, err);
	if (status == SNAP_OK)
		status = snap_snapshot_push_string(names, text.bytes, text.size, err);
	if (status == SNAP_OK)
		snap_index_insert(&table->strings, hash, *number);
	return status;
}

static enum snap_status intern_frame(struct snap_trend_table *table, uint32_t file, uint32_t line,
				     uint32_t function, uint32_t *number, struct snap_error *err)
{
	struct snap_snapshot *names = table->names;
	uint64_t hash = snap_keyed_pair(snap_index_seed(&table->frames), (uint64_t)file << 32 | line, function);
	size_t cursor = snap_index_start(&table->frames, hash);
	while ((*number = snap_index_next(&table->frames, hash, &cursor)) != SNAP_INDEX_NONE)
		if (names->frame_file.at[*number] == file && names->frame_line.at[*number] == line &&
		    names->frame_function.at[*number] == function)
			return SNAP_OK;
	*number = (uint32_t)names->frame_file.count;
	enum snap_status status = snap_index_reserve(&table->frames, &names->budget, err);
	if (status == SNAP_OK)
		status = snap_snapshot_push_frame(names, file, line, function, err);
	if (status == SNAP_OK)
		snap_index_insert(&table->frames, hash, *number);
	return status;
}

static enum snap_status map_frames(struct snap_trend_table *table, const struct snap_snapshot *s,
				   struct snap_error *err)
{
	struct snap_trend_mapping *m = &table->mapping;
	enum snap_status status = snap_vector_reserve(&m->strings, s->text_end.count, NULL, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&m->frames, s->frame_file.count, NULL, err);
	while (m->strings.count < s->text_end.count && status == SNAP_OK) {
		uint32_t i = (uint32_t)m->strings.count++;
		status = intern_string(table, snap_snapshot_string(s, i), &m->strings.at[i], err);
	}
	while (m->frames.count < s->frame_file.count && status == SNAP_OK) {
		uint32_t i = (uint32_t)m->frames.count++, function = s->frame_function.at[i];
		status = intern_frame(table, m->strings.at[s->frame_file.at[i]], s->frame_line.at[i],
				      function == SNAP_NONE ? SNAP_NONE : m->strings.at[function],
				      &m->frames.at[i], err);
	}
	return status;
}

/* The row of a traceback, which may be a new one. */
static enum snap_status find_row(struct snap_trend_table *table, const struct snap_snapshot *s, uint32_t stack,
				 uint32_t *row, struct snap_error *err)
{
	struct snap_budget *budget = &table->names->budget;
	size_t length = s->stack_length.at[stack], at = table->path.count;
	uint32_t node = s->stack_node.at[stack];
	const struct snap_seed *seed = snap_index_seed(&table->rows);
	uint64_t hash = snap_keyed_begin(seed, length);
	/* A new row's frames stay behind the others'. */
	enum snap_status status = snap_vector_reserve(&table->path, at + length, budget, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < length; i++, node = s->node_parent.at[node]) {
		uint32_t frame = table->mapping.frames.at[s->node_frame.at[node]];
		table->path.at[at + i] = frame;
		hash = snap_keyed_add(seed, hash, frame);
	}
	hash = snap_mix(hash);
	size_t cursor = snap_index_start(&table->rows, hash);
	while ((*row = snap_index_next(&table->rows, hash, &cursor)) != SNAP_INDEX_NONE) {
		uint32_t begin = snap_trend_row_begin(table, *row);
		if (table->row_end.at[*row] - begin == length &&
		    memcmp(&table->path.at[begin], &table->path.at[at], length * sizeof *table->path.at) == 0)
			return SNAP_OK;
	}
	*row = (uint32_t)table->row_end.count;
	if (*row >= SNAP_ROWS_MAX || at + length > UINT32_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "there are too many different tracebacks");
	status = snap_index_reserve(&table->rows, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&table->row_end, (uint32_t)(at + length), budget, err);
	if (status < 0)
		return status;
	table->path.count += length;
	snap_index_insert(&table->rows, hash, *row);
	return SNAP_OK;
}

/* Only of stacks that have something: a member of a series lists those of the others as well. */
static enum snap_status map_rows(struct snap_trend_table *table, const struct snap_snapshot *s, const int64_t *sums,
				 struct snap_error *err)
{
	struct snap_u32s *rows = &table->mapping.rows;
	enum snap_status status = snap_vector_reserve(rows, s->stack_node.count, NULL, err);
	while (rows->count < s->stack_node.count && status == SNAP_OK)
		rows->at[rows->count++] = SNAP_NONE;
	for (uint32_t i = 0; i < s->stack_node.count && status == SNAP_OK; i++)
		if (rows->at[i] == SNAP_NONE &&
		    (sums[2 * i + SNAP_COLUMN_BLOCKS] != 0 || sums[2 * i + SNAP_COLUMN_BYTES] != 0))
			status = find_row(table, s, i, &rows->at[i], err);
	return status;
}

static enum snap_status add_column(struct snap_trend_table *table, const int64_t *sums, int64_t total,
				   struct snap_error *err)
{
	struct snap_budget *budget = &table->names->budget;
	struct snap_trend_column column = {.total = total};
	size_t rows = table->row_end.count;
	enum snap_status status = snap_numbers_reserve(&column.blocks, rows, budget, err);
	if (status == SNAP_OK)
		status = snap_numbers_reserve(&column.bytes, rows, budget, err);
	for (size_t i = 0; i < rows && status == SNAP_OK; i++) {
		status = snap_numbers_push(&column.blocks, sums[2 * i + SNAP_COLUMN_BLOCKS], budget, err);
		if (status == SNAP_OK)
			status = snap_numbers_push(&column.bytes, sums[2 * i + SNAP_COLUMN_BYTES], budget, err);
	}
	if (status == SNAP_OK)
		status = snap_vector_push(&table->columns, column, budget, err);
	if (status < 0) {
		snap_numbers_free(&column.blocks, budget);
		snap_numbers_free(&column.bytes, budget);
	}
	return status;
}

/* Sums of rows from those of stacks. */
static enum snap_status add_sums(struct snap_trend_table *table, const struct snap_snapshot *s, const int64_t *sums,
				 struct snap_error *err)
{
	const struct snap_u32s *rows = &table->mapping.rows;
	int64_t *of_rows = calloc(2 * table->row_end.count + 1, sizeof *of_rows);
	if (of_rows == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < rows->count; i++) {
		if (rows->at[i] == SNAP_NONE)
			continue;
		int64_t *row = &of_rows[2 * (size_t)rows->at[i]];
		row[SNAP_COLUMN_BLOCKS] += sums[2 * i + SNAP_COLUMN_BLOCKS];
		row[SNAP_COLUMN_BYTES] += sums[2 * i + SNAP_COLUMN_BYTES];
	}
	enum snap_status status = add_column(table, of_rows, s->totals[SNAP_COLUMN_BYTES], err);
	free(of_rows);
	return status;
}

static void forget_mapping(struct snap_trend_mapping *m)
{
	snap_lineage_drop(m->lineage);
	m->lineage = NULL;
	m->strings.count = m->frames.count = m->rows.count = 0;
}

static enum snap_status keep_root(struct snap_trend_table *table, const struct snap_snapshot *s, const char *key,
				  struct snap_error *err)
{
	const char *root = snap_meta_get(s->meta, key);
	if (root == NULL || snap_meta_get(table->names->meta, key) != NULL)
		return SNAP_OK;
	return snap_meta_set(table->names->meta, key, root, strlen(root), err);
}

enum snap_status snap_trend_table_add(struct snap_trend_table *table, const struct snap_snapshot *s,
				      struct snap_error *err)
{
	if (s->lineage == NULL || s->lineage != table->mapping.lineage) {
		forget_mapping(&table->mapping);
		table->mapping.lineage = snap_lineage_hold(s->lineage);
	}
	int64_t *sums = calloc(2 * s->stack_node.count + 1, sizeof *sums);
	if (sums == NULL)
		return out_of_memory(err);
	snap_sum_sites(s, NULL, 2, sums);
	enum snap_status status = keep_root(table, s, "root.stdlib", err);
	if (status == SNAP_OK)
		status = keep_root(table, s, "root.site", err);
	if (status == SNAP_OK)
		status = map_frames(table, s, err);
	if (status == SNAP_OK)
		status = map_rows(table, s, sums, err);
	if (status == SNAP_OK)
		status = add_sums(table, s, sums, err);
	free(sums);
	return status;
}

void snap_trend_table_free(struct snap_trend_table *table)
{
	for (size_t i = 0; i < table->columns.count; i++) {
		snap_numbers_free(&table->columns.at[i].blocks, NULL);
		snap_numbers_free(&table->columns.at[i].bytes, NULL);
	}
	snap_vector_free(&table->columns, NULL);
	snap_vector_free(&table->points, NULL);
	forget_mapping(&table->mapping);
	snap_vector_free(&table->mapping.strings, NULL);
	snap_vector_free(&table->mapping.frames, NULL);
	snap_vector_free(&table->mapping.rows, NULL);
	snap_vector_free(&table->row_end, NULL);
	snap_vector_free(&table->path, NULL);
	snap_index_free(&table->strings, &table->names->budget);
	snap_index_free(&table->frames, &table->names->budget);
	snap_index_free(&table->rows, &table->names->budget);
	snap_snapshot_free(table->names);
}
