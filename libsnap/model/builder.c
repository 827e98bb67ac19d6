/* Interns what a recorder tells into tables and makes an ordered snapshot of them. */
#include "model/builder.h"

#include <stdlib.h>
#include <string.h>

enum snap_status snap_builder_new_columns(struct snap_builder **out, const struct snap_column *columns, size_t count,
                                          const struct snap_limits *limits, struct snap_error *err)
{
	*out = NULL;
	if (count < 2 || count > SNAP_COLUMNS_MAX || strcmp(columns[0].name, "blocks") != 0 ||
	    columns[0].unit != SNAP_UNIT_BLOCKS || strcmp(columns[1].name, "bytes") != 0 ||
	    columns[1].unit != SNAP_UNIT_BYTES)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
		                 "a snapshot has 2 to %d columns, the first two blocks and bytes", SNAP_COLUMNS_MAX);
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(columns[i].name);
		bool bad = length == 0 || length > SNAP_COLUMN_NAME_MAX ||
		           strspn(columns[i].name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length;
		for (size_t j = 0; j < i; j++)
			bad = bad || strcmp(columns[i].name, columns[j].name) == 0;
		if (bad || columns[i].unit > SNAP_UNIT_OTHER)
			return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "column %zu has a bad name or unit", i);
	}
	struct snap_builder *b = calloc(1, sizeof *b);
	if (b == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	enum snap_status status = snap_snapshot_new(&b->s, limits, err);
	if (status < 0) {
		free(b);
		return status;
	}
	bool diff = count == 4 && strcmp(columns[2].name, "old_blocks") == 0 &&
	            strcmp(columns[3].name, "old_bytes") == 0 && columns[2].unit == SNAP_UNIT_BLOCKS &&
	            columns[3].unit == SNAP_UNIT_BYTES;
	snap_snapshot_set_columns(b->s, diff);
	for (size_t i = diff ? count : 2; i < count; i++) {
		struct snap_column_info *c = &b->s->columns[b->s->column_count++];
		*c = (struct snap_column_info){.unit = columns[i].unit, .predictor = SNAP_PREDICT_NOTHING};
		memcpy(c->name, columns[i].name, strlen(columns[i].name));
	}
	*out = b;
	return SNAP_OK;
}

enum snap_status snap_builder_new(struct snap_builder **out, const struct snap_limits *limits, struct snap_error *err)
{
	const struct snap_column columns[] = {{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}};
	return snap_builder_new_columns(out, columns, 2, limits, err);
}

/* What only building needs. */
static void free_indexes(struct snap_builder *b)
{
	struct snap_budget *budget = &b->s->budget;
	snap_index_free(&b->strings, budget);
	snap_index_free(&b->frames, budget);
	snap_index_free(&b->nodes, budget);
	snap_index_free(&b->sites, budget);
	snap_vector_free(&b->string_hash, budget);
	snap_vector_free(&b->frame_hash, budget);
	snap_vector_free(&b->known_stack, budget);
	snap_vector_free(&b->unknown_stack, budget);
}

void snap_builder_free(struct snap_builder *b)
{
	if (b == NULL)
		return;
	free_indexes(b);
	snap_snapshot_free(b->s);
	free(b);
}

struct snap_meta *snap_builder_meta(struct snap_builder *b)
{
	return b->s->meta;
}

enum snap_status snap_builder_string(struct snap_builder *b, const char *bytes, size_t size, uint32_t *string,
                                     struct snap_error *err)
{
	if (size > SNAP_STRING_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a name of %zu bytes is over the limit of %d", size,
		                 SNAP_STRING_MAX);
	if (size > 0 && memchr(bytes, 0, size) != NULL)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a name has a NUL byte");
	uint64_t hash = snap_keyed_bytes(snap_index_seed(&b->strings), bytes, size);
	size_t cursor = snap_index_start(&b->strings, hash);
	for (uint32_t i; (i = snap_index_next(&b->strings, hash, &cursor)) != SNAP_INDEX_NONE;) {
		struct snap_text t = snap_snapshot_string(b->s, i);
		if (t.size == size && (size == 0 || memcmp(t.bytes, bytes, size) == 0)) {
			*string = i;
			return SNAP_OK;
		}
	}
	enum snap_status status = snap_index_reserve(&b->strings, &b->s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&b->string_hash, b->string_hash.count + 1, &b->s->budget, err);
	if (status == SNAP_OK)
		status = snap_snapshot_push_string(b->s, bytes, size, err);
	if (status < 0)
		return status;
	b->string_hash.at[b->string_hash.count++] = snap_mix_bytes(bytes, size);
	*string = (uint32_t)b->s->text_end.count - 1;
	snap_index_insert(&b->strings, hash, *string);
	return SNAP_OK;
}

enum snap_status snap_builder_frame(struct snap_builder *b, uint32_t file, uint32_t line, uint32_t function,
                                    uint32_t *frame, struct snap_error *err)
{
	struct snap_snapshot *s = b->s;
	size_t strings = s->text_end.count;
	if (file >= strings || (function != SNAP_NO_FUNCTION && function >= strings))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a frame names a string that is not there");
	uint64_t hash = snap_keyed_pair(snap_index_seed(&b->frames), (uint64_t)file << 32 | line, function);
	size_t cursor = snap_index_start(&b->frames, hash);
	for (uint32_t i; (i = snap_index_next(&b->frames, hash, &cursor)) != SNAP_INDEX_NONE;)
		if (s->frame_file.at[i] == file && s->frame_line.at[i] == line && s->frame_function.at[i] == function) {
			*frame = i;
			return SNAP_OK;
		}
	enum snap_status status = snap_index_reserve(&b->frames, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&b->frame_hash, b->frame_hash.count + 1, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_snapshot_push_frame(s, file, line, function, err);
	if (status < 0)
		return status;
	b->frame_hash.at[b->frame_hash.count++] =
		snap_mix(b->string_hash.at[file] + line * snap_mix_constant(2) +
	                 (function == SNAP_NO_FUNCTION ? 0 : b->string_hash.at[function]) * snap_mix_constant(3));
	*frame = (uint32_t)s->frame_file.count - 1;
	snap_index_insert(&b->frames, hash, *frame);
	return SNAP_OK;
}

static enum snap_status new_node(struct snap_builder *b, uint64_t hash, uint32_t parent, uint32_t frame,
                                 uint32_t depth, uint32_t *node, struct snap_error *err)
{
	struct snap_budget *budget = &b->s->budget;
	size_t n = b->s->node_parent.count;
	enum snap_status status = snap_index_reserve(&b->nodes, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&b->known_stack, n + 1, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&b->unknown_stack, n + 1, budget, err);
	if (status == SNAP_OK)
		status = snap_snapshot_push_node(b->s, parent, frame, depth, err);
	if (status < 0)
		return status;
	b->known_stack.at[b->known_stack.count++] = SNAP_NONE;
	b->unknown_stack.at[b->unknown_stack.count++] = SNAP_NONE;
	*node = (uint32_t)n;
	snap_index_insert(&b->nodes, hash, *node);
	return SNAP_OK;
}

enum snap_status snap_builder_stack(struct snap_builder *b, const uint32_t *frames, size_t count, uint32_t total,
                                    uint32_t *stack, struct snap_error *err)
{
	struct snap_snapshot *s = b->s;
	if (total > SNAP_DEPTH_MAX)
		total = SNAP_DEPTH_MAX;
	if (count == 0 || count > SNAP_DEPTH_MAX || (total != 0 && total < count))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a traceback of %zu frames out of %u", count, total);
	uint32_t depth = total == 0 ? 1 : total - (uint32_t)count + 1;
	uint32_t node = SNAP_NONE;
	for (size_t i = count; i-- > 0; depth++) {
		uint32_t frame = frames[i];
		if (frame >= s->frame_file.count)
			return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a traceback names a frame that is not there");
		/* No node has a number this high; roots of different depths differ. */
		uint32_t parent_code = node == SNAP_NONE ? UINT32_MAX - depth : node;
		uint64_t hash = snap_builder_node_hash(b, parent_code, frame);
		size_t cursor = snap_index_start(&b->nodes, hash);
		uint32_t found;
		while ((found = snap_index_next(&b->nodes, hash, &cursor)) != SNAP_INDEX_NONE)
			if (s->node_frame.at[found] == frame && s->node_parent.at[found] == node &&
			    s->node_depth.at[found] == depth)
				break;
		if (found == SNAP_INDEX_NONE) {
			enum snap_status status = new_node(b, hash, node, frame, depth, &found, err);
			if (status < 0)
				return status;
		}
		node = found;
	}
	uint32_t *known = &(total == 0 ? &b->unknown_stack : &b->known_stack)->at[node];
	if (*known == SNAP_NONE) {
		enum snap_status status = snap_snapshot_push_stack(s, node, (uint32_t)count, total, err);
		if (status < 0)
			return status;
		*known = (uint32_t)s->stack_node.count - 1;
	}
	*stack = *known;
	return SNAP_OK;
}

/* Finds or makes the row of a site, with zero values. */
static enum snap_status find_site(struct snap_builder *b, uint32_t stack, uint32_t domain, uint64_t size,
                                  uint32_t *site, struct snap_error *err)
{
	struct snap_snapshot *s = b->s;
	if (stack >= s->stack_node.count)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a site names a stack that is not there");
	if (size > SNAP_BLOCK_SIZE_MAX)
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "a block of %llu bytes",
		                 (unsigned long long)size);
	uint64_t hash = snap_keyed_pair(snap_index_seed(&b->sites), (uint64_t)domain << 32 | stack, size);
	size_t cursor = snap_index_start(&b->sites, hash);
	for (uint32_t i; (i = snap_index_next(&b->sites, hash, &cursor)) != SNAP_INDEX_NONE;)
		if (s->site_stack.at[i] == stack && (uint64_t)snap_numbers_get(&s->site_size, i) == size &&
		    snap_snapshot_domain(s, i) == domain) {
			*site = i;
			return SNAP_OK;
		}
	static const int64_t none[SNAP_COLUMNS_MAX];
	enum snap_status status = snap_index_reserve(&b->sites, &s->budget, err);
	if (status == SNAP_OK)
		status = snap_snapshot_push_site(s, stack, domain, size, none, err);
	if (status < 0)
		return status;
	*site = (uint32_t)s->site_stack.count - 1;
	snap_index_insert(&b->sites, hash, *site);
	return SNAP_OK;
}

static enum snap_status site_overflow(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "the sum of a site does not fit in 63 bits");
}

enum snap_status snap_builder_add(struct snap_builder *b, uint32_t stack, uint32_t domain, uint64_t size,
                                  int64_t blocks, struct snap_error *err)
{
	struct snap_numbers *column = &b->s->values[SNAP_COLUMN_BLOCKS];
	uint32_t site;
	enum snap_status status = find_site(b, stack, domain, size, &site, err);
	if (status < 0)
		return status;
	int64_t sum, bytes;
	if (b->s->column_count == 2 && b->s->values[SNAP_COLUMN_BYTES].count == 0) {
		/* Bytes follow from blocks by themselves. */
		if (__builtin_add_overflow(snap_numbers_get(column, site), blocks, &sum) ||
		    __builtin_mul_overflow((int64_t)size, sum, &bytes))
			return site_overflow(err);
		return snap_numbers_set(column, site, sum, &b->s->budget, err);
	}
	int64_t values[SNAP_COLUMNS_MAX] = {blocks};
	if (__builtin_mul_overflow((int64_t)size, blocks, &values[SNAP_COLUMN_BYTES]))
		return site_overflow(err);
	return snap_builder_add_values(b, stack, domain, size, values, err);
}

enum snap_status snap_builder_add_values(struct snap_builder *b, uint32_t stack, uint32_t domain, uint64_t size,
                                         const int64_t *values, struct snap_error *err)
{
	uint32_t site;
	int64_t sums[SNAP_COLUMNS_MAX];
	enum snap_status status = find_site(b, stack, domain, size, &site, err);
	if (status < 0)
		return status;
	/* All before any is set: what is predicted moves with what it is predicted from. */
	for (uint32_t c = 0; c < b->s->column_count; c++)
		if (__builtin_add_overflow(snap_snapshot_value(b->s, c, site), values[c], &sums[c]))
			return site_overflow(err);
	for (uint32_t c = 0; status == SNAP_OK && c < b->s->column_count; c++)
		status = snap_snapshot_set_value(b->s, c, site, sums[c], err);
	return status;
}

/* Whether each node leads to a stack that has a site with values. One that does not leaves no trace in an
 * ordered snapshot, but the trees that were joined to it would. */
static enum snap_status all_is_needed(const struct snap_snapshot *s, bool *all, struct snap_error *err)
{
	size_t nodes = s->node_parent.count;
	uint8_t *needed = calloc(nodes + 1, 1);
	if (needed == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (size_t i = 0; i < s->site_stack.count; i++) {
		int64_t any = 0;
		for (uint32_t c = 0; c < s->column_count; c++)
			any |= snap_snapshot_value(s, c, i);
		if (any == 0)
			continue;
		for (uint32_t n = s->stack_node.at[s->site_stack.at[i]]; n != SNAP_NONE && needed[n] == 0;
		     n = s->node_parent.at[n])
			needed[n] = 1;
	}
	*all = memchr(needed, 0, nodes) == NULL;
	free(needed);
	return SNAP_OK;
}

enum snap_status snap_builder_finish(struct snap_builder *b, struct snap_snapshot **out, struct snap_error *err)
{
	*out = NULL;
	bool all = false;
	enum snap_status status = all_is_needed(b->s, &all, err);
	if (status < 0)
		return status;
	if (!all) {
		struct snap_snapshot *rest = NULL;
		status = snap_snapshot_order(&rest, b->s, err);
		if (status == SNAP_OK)
			status = snap_snapshot_canonical(out, rest, err);
		snap_snapshot_free(rest);
		return status;
	}
	status = snap_forest_join(b, err);
	if (status < 0)
		return status;
	free_indexes(b);
	b->s->canonical = true;
	return snap_snapshot_order(out, b->s, err);
}
