/* Finds what a later snapshot of a series has in common with those before it. */
#include "format/series.h"

#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "format/pairs.h"

struct snap_series {
	struct snap_snapshot *t; /* the tables; values are those of the snapshot added last */
	struct snap_stack_rule rule;
	bool indexed; /* a series of one needs no indexes */
	struct snap_index strings, frames, nodes, pairs, stacks, sites;
	struct snap_u64s pair;         /* caller << 32 | callee, in the order they came */
	struct snap_u32s pair_number;  /* of the callee among those of its caller */
	struct snap_u32s callee_count; /* by frame */
	/* What snap_series_add hands out. */
	struct snap_u64s new_pairs;
	struct snap_u32s callee_number;
	struct snap_u32s changed;
	struct snap_i64s changes[SNAP_COLUMNS_MAX];
};

/* One snapshot being added: its numbers in the tables, SNAP_NONE while not known. */
struct addition {
	struct snap_series *series;
	struct snap_snapshot *t;
	const struct snap_snapshot *s;
	uint32_t first_node, first_stack, first_site;
	uint32_t *string, *frame, *node, *stack;
	struct snap_keyed *rows, *scratch; /* room for the largest table of s */
	/* New nodes, in the order they were needed. `node` counts them from first_node until they get
	 * their places. */
	struct snap_u32s new_parent, new_frame, new_depth;
	struct snap_index new_nodes;
	struct snap_u32s new_place; /* by that order: the final number */
	struct snap_error *err;
};

static uint64_t pair_key(uint32_t a, uint32_t b)
{
	return (uint64_t)a << 32 | b;
}

static uint64_t string_hash(struct snap_index *index, struct snap_text text)
{
	return snap_keyed_bytes(snap_index_seed(index), text.bytes, text.size);
}

static uint64_t frame_hash(struct snap_index *index, uint32_t file, uint32_t line, uint32_t function)
{
	return snap_keyed_pair(snap_index_seed(index), pair_key(file, line), function);
}

static uint64_t node_hash(struct snap_index *index, uint32_t parent, uint32_t frame, uint32_t depth)
{
	return snap_keyed_pair(snap_index_seed(index), pair_key(parent, frame), parent == SNAP_NONE ? depth : 0);
}

static uint64_t site_hash(struct snap_index *index, uint32_t stack, uint32_t domain, uint64_t size)
{
	return snap_keyed_pair(snap_index_seed(index), pair_key(domain, stack), size);
}

/* Of all stacks of a snapshot: alike for those that say the same, whatever snapshot they are of. */
static enum snap_status stack_hashes(struct snap_series *series, const struct snap_snapshot *s, uint64_t *hashes,
                                     struct snap_error *err)
{
	const struct snap_seed *seed = snap_index_seed(&series->stacks);
	enum snap_status status = snap_snapshot_keyed_windows(s, seed, hashes, err);
	for (uint32_t i = 0; status == SNAP_OK && i < s->stack_node.count; i++)
		hashes[i] = snap_keyed_pair(seed, hashes[i], pair_key(s->stack_length.at[i], s->stack_total.at[i]));
	return status;
}

static enum snap_status insert(struct snap_series *series, struct snap_index *index, uint64_t hash, uint32_t row,
                               struct snap_error *err)
{
	enum snap_status status = snap_index_reserve(index, &series->t->budget, err);
	if (status == SNAP_OK)
		snap_index_insert(index, hash, row);
	return status;
}

static enum snap_status index_string(struct snap_series *series, uint32_t i, struct snap_error *err)
{
	struct snap_text text = snap_snapshot_string(series->t, i);
	return insert(series, &series->strings, string_hash(&series->strings, text), i, err);
}

static enum snap_status index_frame(struct snap_series *series, uint32_t i, struct snap_error *err)
{
	const struct snap_snapshot *t = series->t;
	enum snap_status status = snap_vector_push(&series->callee_count, 0, &series->t->budget, err);
	return status < 0 ? status
	                  : insert(series, &series->frames,
	                           frame_hash(&series->frames, t->frame_file.at[i], t->frame_line.at[i],
	                                      t->frame_function.at[i]), i, err);
}

static enum snap_status index_node(struct snap_series *series, uint32_t i, struct snap_error *err)
{
	const struct snap_snapshot *t = series->t;
	return insert(series, &series->nodes,
	              node_hash(&series->nodes, t->node_parent.at[i], t->node_frame.at[i], t->node_depth.at[i]), i, err);
}

static enum snap_status index_site(struct snap_series *series, uint32_t i, struct snap_error *err)
{
	const struct snap_snapshot *t = series->t;
	return insert(series, &series->sites,
	              site_hash(&series->sites, t->site_stack.at[i], snap_snapshot_domain(t, i),
	                        (uint64_t)snap_numbers_get(&t->site_size, i)), i, err);
}

/* Numbers a new pair behind the other callees of its caller. */
static enum snap_status add_pair(struct snap_series *series, uint64_t pair, struct snap_error *err)
{
	struct snap_budget *budget = &series->t->budget;
	uint32_t number = series->callee_count.at[pair >> 32]++;
	enum snap_status status = snap_vector_push(&series->pair, pair, budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&series->pair_number, number, budget, err);
	return status < 0 ? status
	                  : insert(series, &series->pairs, snap_keyed(snap_index_seed(&series->pairs), pair),
	                           (uint32_t)series->pair.count - 1, err);
}

static uint32_t find_pair(struct snap_series *series, uint64_t pair)
{
	uint64_t hash = snap_keyed(snap_index_seed(&series->pairs), pair);
	size_t cursor = snap_index_start(&series->pairs, hash);
	uint32_t i;
	while ((i = snap_index_next(&series->pairs, hash, &cursor)) != SNAP_INDEX_NONE)
		if (series->pair.at[i] == pair)
			return i;
	return SNAP_NONE;
}

static enum snap_status index_tables(struct snap_series *series, struct snap_error *err)
{
	struct snap_snapshot *t = series->t;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; status == SNAP_OK && i < t->text_end.count; i++)
		status = index_string(series, i, err);
	for (uint32_t i = 0; status == SNAP_OK && i < t->frame_file.count; i++)
		status = index_frame(series, i, err);
	for (uint32_t i = 0; status == SNAP_OK && i < t->node_parent.count; i++)
		status = index_node(series, i, err);
	for (uint32_t i = 0; status == SNAP_OK && i < t->site_stack.count; i++)
		status = index_site(series, i, err);
	if (status < 0)
		return status;

	uint64_t *pairs;
	uint32_t *callee_number;
	size_t pair_count;
	status = snap_pairs_of_forest(t, &pairs, &pair_count, &callee_number, err);
	if (status < 0)
		return status;
	for (size_t i = 0; status == SNAP_OK && i < pair_count; i++)
		status = add_pair(series, pairs[i], err);
	free(pairs);
	free(callee_number);

	uint64_t *hashes = malloc((t->stack_node.count + 1) * sizeof *hashes);
	if (hashes == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	if (status == SNAP_OK)
		status = stack_hashes(series, t, hashes, err);
	for (uint32_t i = 0; status == SNAP_OK && i < t->stack_node.count; i++)
		status = insert(series, &series->stacks, hashes[i], i, err);
	free(hashes);
	series->indexed = status == SNAP_OK;
	return status;
}

enum snap_status snap_series_new(struct snap_series **out, const struct snap_snapshot *first,
                                 struct snap_stack_rule rule, struct snap_error *err)
{
	*out = NULL;
	struct snap_series *series = calloc(1, sizeof *series);
	if (series == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	series->rule = rule;
	enum snap_status status = snap_snapshot_copy(&series->t, first, err);
	if (status < 0) {
		free(series);
		return status;
	}
	*out = series;
	return SNAP_OK;
}

const struct snap_snapshot *snap_series_tables(const struct snap_series *series)
{
	return series->t;
}

void snap_series_free(struct snap_series *series)
{
	if (series == NULL)
		return;
	struct snap_budget *budget = &series->t->budget;
	snap_index_free(&series->strings, budget);
	snap_index_free(&series->frames, budget);
	snap_index_free(&series->nodes, budget);
	snap_index_free(&series->pairs, budget);
	snap_index_free(&series->stacks, budget);
	snap_index_free(&series->sites, budget);
	snap_vector_free(&series->pair, budget);
	snap_vector_free(&series->pair_number, budget);
	snap_vector_free(&series->callee_count, budget);
	snap_vector_free(&series->new_pairs, budget);
	snap_vector_free(&series->callee_number, budget);
	snap_vector_free(&series->changed, budget);
	for (size_t c = 0; c < SNAP_COLUMNS_MAX; c++)
		snap_vector_free(&series->changes[c], budget);
	snap_snapshot_free(series->t);
	free(series);
}

static enum snap_status add_strings(struct addition *a)
{
	struct snap_index *index = &a->series->strings;
	for (uint32_t i = 0; i < a->s->text_end.count; i++) {
		struct snap_text text = snap_snapshot_string(a->s, i);
		uint64_t hash = string_hash(index, text);
		size_t cursor = snap_index_start(index, hash);
		uint32_t found;
		while ((found = snap_index_next(index, hash, &cursor)) != SNAP_INDEX_NONE) {
			struct snap_text other = snap_snapshot_string(a->t, found);
			if (other.size == text.size && (text.size == 0 || memcmp(other.bytes, text.bytes, text.size) == 0))
				break;
		}
		if (found == SNAP_INDEX_NONE) {
			found = (uint32_t)a->t->text_end.count;
			enum snap_status status = snap_snapshot_push_string(a->t, text.bytes, text.size, a->err);
			if (status == SNAP_OK)
				status = index_string(a->series, found, a->err);
			if (status < 0)
				return status;
		}
		a->string[i] = found;
	}
	return SNAP_OK;
}

static enum snap_status add_frames(struct addition *a)
{
	const struct snap_snapshot *s = a->s, *t = a->t;
	size_t count = 0;
	for (uint32_t i = 0; i < s->frame_file.count; i++) {
		uint32_t file = a->string[s->frame_file.at[i]], line = s->frame_line.at[i],
			 function = s->frame_function.at[i];
		if (function != SNAP_NONE)
			function = a->string[function];
		uint64_t hash = frame_hash(&a->series->frames, file, line, function);
		size_t cursor = snap_index_start(&a->series->frames, hash);
		uint32_t found;
		while ((found = snap_index_next(&a->series->frames, hash, &cursor)) != SNAP_INDEX_NONE)
			if (t->frame_file.at[found] == file && t->frame_line.at[found] == line &&
			    t->frame_function.at[found] == function)
				break;
		a->frame[i] = found;
		if (found == SNAP_INDEX_NONE)
			a->rows[count++] = (struct snap_keyed){function == SNAP_NONE ? 0 : (uint64_t)function + 1, i};
	}
	struct snap_keyed *rows = snap_sort(a->rows, a->scratch, count);
	for (size_t i = 0; i < count; i++)
		rows[i].key = pair_key(a->string[s->frame_file.at[rows[i].row]], s->frame_line.at[rows[i].row]);
	rows = snap_sort(rows, rows == a->rows ? a->scratch : a->rows, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t old = rows[i].row, function = s->frame_function.at[old], number = (uint32_t)t->frame_file.count;
		enum snap_status status =
			snap_snapshot_push_frame(a->t, a->string[s->frame_file.at[old]], s->frame_line.at[old],
		                                 function == SNAP_NONE ? SNAP_NONE : a->string[function], a->err);
		if (status == SNAP_OK)
			status = index_frame(a->series, number, a->err);
		if (status < 0)
			return status;
		a->frame[old] = number;
	}
	return SNAP_OK;
}

static uint32_t find_old_node(const struct addition *a, uint32_t parent, uint32_t frame, uint32_t depth)
{
	uint64_t hash = node_hash(&a->series->nodes, parent, frame, depth);
	size_t cursor = snap_index_start(&a->series->nodes, hash);
	uint32_t n;
	while ((n = snap_index_next(&a->series->nodes, hash, &cursor)) != SNAP_INDEX_NONE)
		if (a->t->node_parent.at[n] == parent && a->t->node_frame.at[n] == frame &&
		    a->t->node_depth.at[n] == depth)
			return n;
	return SNAP_NONE;
}

/* The node in the tables, or a new one. */
static enum snap_status find_node(struct addition *a, uint32_t parent, uint32_t frame, uint32_t depth, uint32_t *node)
{
	if (parent == SNAP_NONE || parent < a->first_node) {
		*node = find_old_node(a, parent, frame, depth);
		if (*node != SNAP_NONE)
			return SNAP_OK;
	}
	uint64_t hash = node_hash(&a->new_nodes, parent, frame, depth);
	size_t cursor = snap_index_start(&a->new_nodes, hash);
	uint32_t n;
	while ((n = snap_index_next(&a->new_nodes, hash, &cursor)) != SNAP_INDEX_NONE)
		if (a->new_parent.at[n] == parent && a->new_frame.at[n] == frame && a->new_depth.at[n] == depth) {
			*node = a->first_node + n;
			return SNAP_OK;
		}
	struct snap_budget *budget = &a->t->budget;
	n = (uint32_t)a->new_parent.count;
	*node = a->first_node + n;
	enum snap_status status = snap_vector_push(&a->new_parent, parent, budget, a->err);
	if (status == SNAP_OK)
		status = snap_vector_push(&a->new_frame, frame, budget, a->err);
	if (status == SNAP_OK)
		status = snap_vector_push(&a->new_depth, depth, budget, a->err);
	if (status == SNAP_OK)
		status = snap_index_reserve(&a->new_nodes, budget, a->err);
	if (status == SNAP_OK)
		snap_index_insert(&a->new_nodes, hash, n);
	return status;
}

/* Marks a node of s, and all above it, as needed in the tables. */
enum { NEEDED = 0xFFFFFFFE };

static void need_node(struct addition *a, uint32_t node)
{
	for (; node != SNAP_NONE && a->node[node] != NEEDED; node = a->s->node_parent.at[node])
		a->node[node] = NEEDED;
}

static enum snap_status map_needed_nodes(struct addition *a)
{
	const struct snap_snapshot *s = a->s;
	for (uint32_t i = 0; i < s->node_parent.count; i++) {
		if (a->node[i] != NEEDED)
			continue;
		uint32_t parent = s->node_parent.at[i];
		enum snap_status status =
			find_node(a, parent == SNAP_NONE ? SNAP_NONE : a->node[parent], a->frame[s->node_frame.at[i]],
		                  s->node_depth.at[i], &a->node[i]);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

static bool same_stack(const struct addition *a, uint32_t of_s, uint32_t of_t)
{
	const struct snap_snapshot *s = a->s, *t = a->t;
	if (s->stack_length.at[of_s] != t->stack_length.at[of_t] || s->stack_total.at[of_s] != t->stack_total.at[of_t])
		return false;
	uint32_t x = s->stack_node.at[of_s], y = t->stack_node.at[of_t];
	for (uint32_t i = 0; i < s->stack_length.at[of_s]; i++) {
		if (a->frame[s->node_frame.at[x]] != t->node_frame.at[y])
			return false;
		x = s->node_parent.at[x];
		y = t->node_parent.at[y];
	}
	return true;
}

/* Finds the stacks that are there; the others go to missing[0..*count), and their nodes are made. */
static enum snap_status find_stacks(struct addition *a, const uint64_t *hashes, uint32_t *missing, size_t *count)
{
	*count = 0;
	for (uint32_t i = 0; i < a->s->stack_node.count; i++) {
		size_t cursor = snap_index_start(&a->series->stacks, hashes[i]);
		uint32_t found;
		while ((found = snap_index_next(&a->series->stacks, hashes[i], &cursor)) != SNAP_INDEX_NONE)
			if (same_stack(a, i, found))
				break;
		a->stack[i] = found;
		if (found != SNAP_INDEX_NONE)
			continue;
		need_node(a, a->s->stack_node.at[i]);
		missing[(*count)++] = i;
	}
	return map_needed_nodes(a);
}

static enum snap_status add_new_pairs(struct addition *a)
{
	struct snap_series *series = a->series;
	size_t count = a->new_parent.count, pairs = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t parent = a->new_parent.at[i];
		if (parent == SNAP_NONE)
			continue;
		uint32_t caller = parent < a->first_node ? a->t->node_frame.at[parent]
		                                         : a->new_frame.at[parent - a->first_node];
		uint64_t pair = pair_key(caller, a->new_frame.at[i]);
		if (find_pair(series, pair) == SNAP_NONE)
			a->rows[pairs++] = (struct snap_keyed){pair, i};
	}
	struct snap_keyed *rows = snap_sort(a->rows, a->scratch, pairs);
	series->new_pairs.count = 0;
	for (size_t i = 0; i < pairs; i++) {
		if (i > 0 && rows[i].key == rows[i - 1].key)
			continue;
		enum snap_status status = snap_vector_push(&series->new_pairs, rows[i].key, &a->t->budget, a->err);
		if (status == SNAP_OK)
			status = add_pair(series, rows[i].key, a->err);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

/* The number of a new node's frame among the callees of its caller. */
static uint32_t callee_number(const struct addition *a, uint32_t i)
{
	uint32_t parent = a->new_parent.at[i];
	uint32_t caller = parent < a->first_node ? a->t->node_frame.at[parent] : a->new_frame.at[parent - a->first_node];
	return a->series->pair_number.at[find_pair(a->series, pair_key(caller, a->new_frame.at[i]))];
}

static enum snap_status place_node(struct addition *a, uint32_t i)
{
	uint32_t parent = a->new_parent.at[i], number = (uint32_t)a->t->node_parent.count;
	a->new_place.at[i] = number;
	if (parent != SNAP_NONE && parent >= a->first_node)
		parent = a->new_place.at[parent - a->first_node];
	enum snap_status status =
		snap_snapshot_push_node(a->t, parent, a->new_frame.at[i], a->new_depth.at[i], a->err);
	if (status == SNAP_OK)
		status = index_node(a->series, number, a->err);
	if (status == SNAP_OK)
		status = snap_vector_push(&a->series->callee_number,
		                          a->new_parent.at[i] == SNAP_NONE ? 0 : callee_number(a, i), &a->t->budget,
		                          a->err);
	return status;
}

/* Gives new nodes their numbers: by attachment point, then depth first, siblings by callee number, roots
 * by frame and depth. */
static enum snap_status add_nodes(struct addition *a)
{
	size_t count = a->new_parent.count, tops = 0;
	a->series->callee_number.count = 0;
	enum snap_status status = add_new_pairs(a);
	if (status == SNAP_OK)
		status = snap_vector_reserve(&a->new_place, count, &a->t->budget, a->err);
	if (status < 0)
		return status;
	uint32_t *first_child = malloc((2 * count + 1) * sizeof *first_child), *sibling = first_child + count;
	if (first_child == NULL)
		return snap_fail(a->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	memset(first_child, 0xff, (2 * count + 1) * sizeof *first_child);
	for (uint32_t i = 0; i < count; i++)
		a->rows[i] = (struct snap_keyed){a->new_parent.at[i] == SNAP_NONE
		                                         ? (uint64_t)a->new_frame.at[i] << 16 | a->new_depth.at[i]
		                                         : callee_number(a, i),
		                                 i};
	struct snap_keyed *rows = snap_sort(a->rows, a->scratch, count);
	for (size_t i = count; i-- > 0;) {
		uint32_t n = rows[i].row, parent = a->new_parent.at[n];
		if (parent != SNAP_NONE && parent >= a->first_node) {
			sibling[n] = first_child[parent - a->first_node];
			first_child[parent - a->first_node] = n;
		}
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t parent = a->new_parent.at[rows[i].row];
		if (parent == SNAP_NONE || parent < a->first_node)
			rows[tops++] = (struct snap_keyed){parent == SNAP_NONE ? 0 : (uint64_t)parent + 1, rows[i].row};
	}
	rows = snap_sort(rows, rows == a->rows ? a->scratch : a->rows, tops);
	for (size_t i = 0; i < tops && status == SNAP_OK; i++) {
		uint32_t top = rows[i].row, n = top;
		for (;;) {
			status = place_node(a, n);
			if (status < 0)
				break;
			if (first_child[n] != SNAP_NONE) {
				n = first_child[n];
				continue;
			}
			while (n != top && sibling[n] == SNAP_NONE)
				n = a->new_parent.at[n] - a->first_node;
			if (n == top)
				break;
			n = sibling[n];
		}
	}
	free(first_child);
	return status;
}

/* The final number of a node of s. */
static uint32_t placed(const struct addition *a, uint32_t node_of_s)
{
	uint32_t n = a->node[node_of_s];
	return n < a->first_node ? n : a->new_place.at[n - a->first_node];
}

static enum snap_status add_stacks(struct addition *a, const uint64_t *hashes, const uint32_t *missing, size_t count)
{
	const struct snap_snapshot *s = a->s;
	struct snap_snapshot *t = a->t;
	for (size_t i = 0; i < count; i++) {
		uint32_t old = missing[i];
		a->rows[i] = (struct snap_keyed){(uint64_t)s->stack_length.at[old] << 16 | s->stack_total.at[old], old};
	}
	struct snap_keyed *rows = snap_sort(a->rows, a->scratch, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t old = rows[i].row, node = placed(a, s->stack_node.at[old]), depth = t->node_depth.at[node];
		uint32_t length = a->series->rule.limit != 0 && depth > a->series->rule.limit ? a->series->rule.limit
		                                                                               : depth;
		bool follows = s->stack_length.at[old] == length &&
		               s->stack_total.at[old] == (a->series->rule.known ? depth : 0);
		rows[i].key = (uint64_t)!follows << 32 | node;
	}
	rows = snap_sort(rows, rows == a->rows ? a->scratch : a->rows, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t old = rows[i].row, number = (uint32_t)t->stack_node.count;
		enum snap_status status = snap_snapshot_push_stack(t, (uint32_t)rows[i].key, s->stack_length.at[old],
		                                                   s->stack_total.at[old], a->err);
		if (status == SNAP_OK)
			status = insert(a->series, &a->series->stacks, hashes[old], number, a->err);
		if (status < 0)
			return status;
		a->stack[old] = number;
	}
	return SNAP_OK;
}

static uint32_t find_site(const struct addition *a, size_t i)
{
	uint32_t stack = a->stack[a->s->site_stack.at[i]], domain = snap_snapshot_domain(a->s, i);
	uint64_t size = (uint64_t)snap_numbers_get(&a->s->site_size, i);
	uint64_t hash = site_hash(&a->series->sites, stack, domain, size);
	size_t cursor = snap_index_start(&a->series->sites, hash);
	uint32_t found;
	while ((found = snap_index_next(&a->series->sites, hash, &cursor)) != SNAP_INDEX_NONE)
		if (a->t->site_stack.at[found] == stack && snap_snapshot_domain(a->t, found) == domain &&
		    (uint64_t)snap_numbers_get(&a->t->site_size, found) == size)
			break;
	return found;
}

/* Gives the sites in the tables their values in the new snapshot and notes what changes; the rows of
 * sites that are not in the tables go to a->rows. */
static enum snap_status change_sites(struct addition *a, size_t *missing)
{
	struct snap_series *series = a->series;
	struct snap_snapshot *t = a->t;
	size_t columns = t->column_count, sites = t->site_stack.count;
	int64_t *values = calloc(sites * columns + 1, sizeof *values);
	if (values == NULL)
		return snap_fail(a->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	*missing = 0;
	for (uint32_t i = 0; i < a->s->site_stack.count; i++) {
		uint32_t found = find_site(a, i);
		if (found == SNAP_INDEX_NONE)
			a->rows[(*missing)++] = (struct snap_keyed){(uint64_t)snap_numbers_get(&a->s->site_size, i), i};
		else
			for (uint32_t c = 0; c < columns; c++)
				values[found * columns + c] += snap_snapshot_value(a->s, c, i);
	}
	series->changed.count = 0;
	for (uint32_t c = 0; c < columns; c++)
		series->changes[c].count = 0;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < sites && status == SNAP_OK; i++) {
		int64_t before[SNAP_COLUMNS_MAX];
		bool any = false;
		for (uint32_t c = 0; c < columns; c++) {
			before[c] = snap_residual(t, c, i);
			any = any || snap_snapshot_value(t, c, i) != values[i * columns + c];
		}
		if (!any)
			continue;
		for (uint32_t c = 0; c < columns && status == SNAP_OK; c++)
			status = snap_snapshot_set_value(t, c, i, values[i * columns + c], a->err);
		if (status == SNAP_OK)
			status = snap_vector_push(&series->changed, i, &t->budget, a->err);
		for (uint32_t c = 0; c < columns && status == SNAP_OK; c++) {
			int64_t change = (int64_t)((uint64_t)snap_residual(t, c, i) - (uint64_t)before[c]);
			status = snap_vector_push(&series->changes[c], change, &t->budget, a->err);
		}
	}
	free(values);
	return status;
}

static struct snap_keyed *sort_again(struct addition *a, struct snap_keyed *rows, size_t count)
{
	return snap_sort(rows, rows == a->rows ? a->scratch : a->rows, count);
}

/* Appends the sites of a->rows[0..count) in the order the format wants. */
static enum snap_status add_sites(struct addition *a, size_t count)
{
	const struct snap_snapshot *s = a->s;
	struct snap_snapshot *t = a->t;
	struct snap_keyed *rows = snap_sort(a->rows, a->scratch, count);
	for (size_t i = 0; i < count; i++)
		rows[i].key = pair_key(a->stack[s->site_stack.at[rows[i].row]], snap_snapshot_domain(s, rows[i].row));
	rows = sort_again(a, rows, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t stack = a->stack[s->site_stack.at[rows[i].row]];
		rows[i].key = stack < a->first_stack ? 0 : (uint64_t)t->node_frame.at[t->stack_node.at[stack]] + 1;
	}
	rows = sort_again(a, rows, count);
	for (size_t i = 0; i < count; i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, rows[i].row, values);
		uint32_t number = (uint32_t)t->site_stack.count;
		enum snap_status status =
			snap_snapshot_push_site(t, a->stack[site.stack], site.domain, site.size, values, a->err);
		if (status == SNAP_OK)
			status = index_site(a->series, number, a->err);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status add_tables(struct addition *a)
{
	const struct snap_snapshot *s = a->s;
	size_t stacks = s->stack_node.count, missing = 0;
	uint64_t *hashes = malloc((stacks + 1) * sizeof *hashes);
	uint32_t *missing_stacks = malloc((stacks + 1) * sizeof *missing_stacks);
	enum snap_status status = hashes == NULL || missing_stacks == NULL
	                                  ? snap_fail(a->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory")
	                                  : stack_hashes(a->series, s, hashes, a->err);
	if (status == SNAP_OK)
		status = add_strings(a);
	if (status == SNAP_OK)
		status = add_frames(a);
	if (status == SNAP_OK)
		status = find_stacks(a, hashes, missing_stacks, &missing);
	if (status == SNAP_OK)
		status = add_nodes(a);
	if (status == SNAP_OK)
		status = add_stacks(a, hashes, missing_stacks, missing);
	if (status == SNAP_OK)
		status = change_sites(a, &missing);
	if (status == SNAP_OK)
		status = add_sites(a, missing);
	free(hashes);
	free(missing_stacks);
	return status;
}

enum snap_status snap_series_add(struct snap_series *series, const struct snap_snapshot *s, struct snap_member *m,
                                 struct snap_error *err)
{
	struct snap_snapshot *t = series->t;
	if (!series->indexed) {
		enum snap_status status = index_tables(series, err);
		if (status < 0)
			return status;
	}
	struct addition a = {.series = series, .t = t, .s = s, .err = err};
	m->first_string = (uint32_t)t->text_end.count;
	m->first_frame = (uint32_t)t->frame_file.count;
	m->first_node = a.first_node = (uint32_t)t->node_parent.count;
	m->first_stack = a.first_stack = (uint32_t)t->stack_node.count;
	m->first_site = a.first_site = (uint32_t)t->site_stack.count;

	size_t strings = s->text_end.count, frames = s->frame_file.count, nodes = s->node_parent.count,
	       stacks = s->stack_node.count, largest = s->site_stack.count;
	size_t numbers = strings + frames + nodes + stacks;
	largest = (largest > numbers ? largest : numbers) + 1;
	a.string = malloc((numbers + 1) * sizeof *a.string);
	a.rows = malloc(largest * sizeof *a.rows);
	a.scratch = malloc(largest * sizeof *a.scratch);
	enum snap_status status = SNAP_OK;
	if (a.string == NULL || a.rows == NULL || a.scratch == NULL) {
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	} else {
		memset(a.string, 0xff, (numbers + 1) * sizeof *a.string);
		a.frame = a.string + strings;
		a.node = a.frame + frames;
		a.stack = a.node + nodes;
		status = add_tables(&a);
	}
	free(a.string);
	free(a.rows);
	free(a.scratch);
	snap_vector_free(&a.new_parent, &t->budget);
	snap_vector_free(&a.new_frame, &t->budget);
	snap_vector_free(&a.new_depth, &t->budget);
	snap_vector_free(&a.new_place, &t->budget);
	snap_index_free(&a.new_nodes, &t->budget);
	if (status < 0)
		return status;

	m->tables = t;
	m->rule = series->rule;
	m->pairs = series->new_pairs.at;
	m->pair_count = series->new_pairs.count;
	m->callee_number = series->callee_number.at;
	m->changed = series->changed.at;
	m->changed_count = series->changed.count;
	for (uint32_t c = 0; c < t->column_count; c++)
		m->changes[c] = series->changes[c].at;
	return SNAP_OK;
}
