/* Aligns snapshots: each traceback that any of them has is a row. Rows are looked up by the hash of their
 * frames and then compared; a snapshot is forgotten once its sums are in its column. */
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
	uint64_t hash = snap_mix_bytes(text.bytes, text.size);
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
	uint64_t hash = snap_mix(snap_mix((uint64_t)file << 32 | line) + function);
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

/* What numbers of a snapshot are in the table. */
struct mapping {
	uint32_t *strings, *frames, *rows;
	uint64_t *hashes;
	int64_t *sums; /* blocks and bytes of each row */
};

static enum snap_status map_frames(struct snap_trend_table *table, const struct snap_snapshot *s,
				   struct mapping *m, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < s->text_end.count && status == SNAP_OK; i++)
		status = intern_string(table, snap_snapshot_string(s, i), &m->strings[i], err);
	for (uint32_t i = 0; i < s->frame_file.count && status == SNAP_OK; i++) {
		uint32_t function = s->frame_function.at[i];
		status = intern_frame(table, m->strings[s->frame_file.at[i]], s->frame_line.at[i],
				      function == SNAP_NONE ? SNAP_NONE : m->strings[function],
				      &m->frames[i], err);
	}
	return status;
}

static bool row_says(const struct snap_trend_table *table, uint32_t row, const struct snap_snapshot *s,
		     uint32_t stack, const uint32_t *frames)
{
	uint32_t at = snap_trend_row_begin(table, row), length = s->stack_length.at[stack];
	if (table->row_end.at[row] - at != length)
		return false;
	uint32_t node = s->stack_node.at[stack];
	for (uint32_t i = 0; i < length; i++, node = s->node_parent.at[node])
		if (table->path.at[at + i] != frames[s->node_frame.at[node]])
			return false;
	return true;
}

static enum snap_status add_row(struct snap_trend_table *table, const struct snap_snapshot *s, uint32_t stack,
				const struct mapping *m, struct snap_error *err)
{
	struct snap_budget *budget = &table->names->budget;
	size_t length = s->stack_length.at[stack];
	uint32_t node = s->stack_node.at[stack], row = (uint32_t)table->row_end.count;
	if (row >= SNAP_ROWS_MAX || table->path.count + length > UINT32_MAX)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "there are too many different tracebacks");
	enum snap_status status = snap_vector_reserve(&table->path, table->path.count + length, budget, err);
	if (status == SNAP_OK)
		status = snap_index_reserve(&table->rows, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&table->row_hash, m->hashes[stack], budget, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < length; i++, node = s->node_parent.at[node])
		table->path.at[table->path.count++] = m->frames[s->node_frame.at[node]];
	snap_index_insert(&table->rows, m->hashes[stack], row);
	return snap_vector_push(&table->row_end, (uint32_t)table->path.count, budget, err);
}

static enum snap_status map_rows(struct snap_trend_table *table, const struct snap_snapshot *s,
				 struct mapping *m, struct snap_error *err)
{
	for (uint32_t i = 0; i < s->stack_node.count; i++) {
		uint64_t hash = m->hashes[i];
		size_t cursor = snap_index_start(&table->rows, hash);
		uint32_t row;
		do
			row = snap_index_next(&table->rows, hash, &cursor);
		while (row != SNAP_INDEX_NONE &&
		       (table->row_hash.at[row] != hash || !row_says(table, row, s, i, m->frames)));
		if (row == SNAP_INDEX_NONE) {
			row = (uint32_t)table->row_end.count;
			enum snap_status status = add_row(table, s, i, m, err);
			if (status < 0)
				return status;
		}
		m->rows[i] = row;
	}
	return SNAP_OK;
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

static enum snap_status keep_root(struct snap_trend_table *table, const struct snap_snapshot *s, const char *key,
				  struct snap_error *err)
{
	const char *root = snap_meta_get(s->meta, key);
	if (root == NULL || snap_meta_get(table->names->meta, key) != NULL)
		return SNAP_OK;
	return snap_meta_set(table->names->meta, key, root, strlen(root), err);
}

static enum snap_status add_mapped(struct snap_trend_table *table, const struct snap_snapshot *s,
				   struct mapping *m, struct snap_error *err)
{
	enum snap_status status = map_frames(table, s, m, err);
	if (status == SNAP_OK)
		status = snap_snapshot_window_hashes(s, m->hashes, err);
	if (status == SNAP_OK)
		status = map_rows(table, s, m, err);
	if (status < 0)
		return status;
	m->sums = calloc(2 * table->row_end.count + 1, sizeof *m->sums);
	if (m->sums == NULL)
		return out_of_memory(err);
	snap_sum_sites(s, m->rows, 2, m->sums);
	return add_column(table, m->sums, s->totals[SNAP_COLUMN_BYTES], err);
}

enum snap_status snap_trend_table_add(struct snap_trend_table *table, const struct snap_snapshot *s,
				      struct snap_error *err)
{
	struct mapping m = {
		.strings = malloc((s->text_end.count + 1) * sizeof *m.strings),
		.frames = malloc((s->frame_file.count + 1) * sizeof *m.frames),
		.rows = malloc((s->stack_node.count + 1) * sizeof *m.rows),
		.hashes = malloc((s->stack_node.count + 1) * sizeof *m.hashes),
	};
	enum snap_status status = SNAP_OK;
	if (m.strings == NULL || m.frames == NULL || m.rows == NULL || m.hashes == NULL)
		status = out_of_memory(err);
	if (status == SNAP_OK)
		status = keep_root(table, s, "root.stdlib", err);
	if (status == SNAP_OK)
		status = keep_root(table, s, "root.site", err);
	if (status == SNAP_OK)
		status = add_mapped(table, s, &m, err);
	free(m.strings);
	free(m.frames);
	free(m.rows);
	free(m.hashes);
	free(m.sums);
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
	snap_vector_free(&table->row_hash, NULL);
	snap_vector_free(&table->row_end, NULL);
	snap_vector_free(&table->path, NULL);
	snap_index_free(&table->strings, &table->names->budget);
	snap_index_free(&table->frames, &table->names->budget);
	snap_index_free(&table->rows, &table->names->budget);
	snap_snapshot_free(table->names);
}
