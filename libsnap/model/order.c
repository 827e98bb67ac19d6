/* Makes an ordered snapshot of any tables: what no site needs is left out, the rest is numbered so that
 * comparing numbers compares names. */
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "model/snapshot.h"

/* New numbers by old ones; SNAP_NONE for what is not needed. */
struct renumbering {
	const struct snap_snapshot *from;
	struct snap_snapshot *to;
	uint32_t *string, *frame, *node, *stack;
	bool repeated; /* two strings, frames, siblings, stacks or sites are equal */
	struct snap_keyed *rows, *scratch; /* room for the largest table */
	uint32_t *order;                   /* likewise */
};

/* What is predicted from nothing is nothing, so stored columns decide. */
static bool is_live(const struct snap_snapshot *s, size_t site)
{
	for (uint32_t c = 0; c < s->column_count; c++)
		if (s->values[c].count > 0 && snap_numbers_get(&s->values[c], site) != 0)
			return true;
	return false;
}

/* Marks by 0 the nodes that live stacks show. From deep to shallow, by counting, because a parent may
 * have any number. */
static enum snap_status mark_nodes(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	size_t nodes = s->node_parent.count, levels = 2;
	for (size_t i = 0; i < nodes; i++)
		levels = s->node_depth.at[i] + 2u > levels ? s->node_depth.at[i] + 2u : levels;
	uint32_t *begin = calloc(levels, sizeof *begin);
	uint16_t *need = calloc(nodes + 1, sizeof *need); /* how many frames from here up are shown */
	if (begin == NULL || need == NULL) {
		free(begin);
		free(need);
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	for (size_t i = 0; i < s->stack_node.count; i++) {
		uint16_t *here = &need[s->stack_node.at[i]];
		if (r->stack[i] == 0 && *here < s->stack_length.at[i])
			*here = s->stack_length.at[i];
	}
	for (size_t i = 0; i < nodes; i++)
		begin[s->node_depth.at[i] + 1]++;
	for (size_t i = 1; i < levels; i++)
		begin[i] += begin[i - 1];
	for (uint32_t i = 0; i < nodes; i++)
		r->order[begin[s->node_depth.at[i]]++] = i;
	for (size_t i = nodes; i-- > 0;) {
		uint32_t n = r->order[i], parent = s->node_parent.at[n];
		if (need[n] == 0)
			continue;
		r->node[n] = 0;
		r->frame[s->node_frame.at[n]] = 0;
		if (need[n] > 1 && need[parent] < need[n] - 1)
			need[parent] = (uint16_t)(need[n] - 1);
	}
	free(begin);
	free(need);
	return SNAP_OK;
}

/* Marks by 0 what is needed, from sites down to strings. */
static enum snap_status mark(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	for (size_t i = 0; i < s->site_stack.count; i++)
		if (is_live(s, i))
			r->stack[s->site_stack.at[i]] = 0;
	enum snap_status status = mark_nodes(r, err);
	for (size_t i = 0; i < s->frame_file.count && status == SNAP_OK; i++)
		if (r->frame[i] == 0) {
			r->string[s->frame_file.at[i]] = 0;
			if (s->frame_function.at[i] != SNAP_NONE)
				r->string[s->frame_function.at[i]] = 0;
		}
	return status;
}

/* A node whose parent no stack shows becomes a root. */
static uint32_t parent_of(const struct renumbering *r, uint32_t node)
{
	uint32_t parent = r->from->node_parent.at[node];
	return parent != SNAP_NONE && r->node[parent] != SNAP_NONE ? parent : SNAP_NONE;
}

struct named_row {
	struct snap_text name;
	uint32_t row;
};

static int compare_names(const void *a, const void *b)
{
	const struct snap_text *x = &((const struct named_row *)a)->name, *y = &((const struct named_row *)b)->name;
	size_t common = x->size < y->size ? x->size : y->size;
	int order = common == 0 ? 0 : memcmp(x->bytes, y->bytes, common);
	return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static enum snap_status order_strings(struct renumbering *r, struct snap_error *err)
{
	size_t count = 0;
	struct named_row *names = malloc((r->from->text_end.count + 1) * sizeof *names);
	if (names == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	for (uint32_t i = 0; i < r->from->text_end.count; i++)
		if (r->string[i] == 0)
			names[count++] = (struct named_row){snap_snapshot_string(r->from, i), i};
	qsort(names, count, sizeof *names, compare_names);
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < count && status == SNAP_OK; i++) {
		r->string[names[i].row] = i;
		r->repeated = r->repeated || (i > 0 && compare_names(&names[i - 1], &names[i]) == 0);
		status = snap_snapshot_push_string(r->to, names[i].name.bytes, names[i].name.size, err);
	}
	free(names);
	return status;
}

static enum snap_status order_frames(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	size_t count = 0;
	for (uint32_t i = 0; i < s->frame_file.count; i++)
		if (r->frame[i] == 0) {
			uint32_t function = s->frame_function.at[i];
			/* No function sorts first: codes begin at 1. */
			uint64_t code = function == SNAP_NONE ? 0 : (uint64_t)r->string[function] + 1;
			r->rows[count++] = (struct snap_keyed){code, i};
		}
	struct snap_keyed *rows = snap_sort(r->rows, r->scratch, count);
	for (size_t i = 0; i < count; i++)
		rows[i].key = (uint64_t)r->string[s->frame_file.at[rows[i].row]] << 32 | s->frame_line.at[rows[i].row];
	rows = snap_sort(rows, rows == r->rows ? r->scratch : r->rows, count);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t old = rows[i].row, function = s->frame_function.at[old];
		r->frame[old] = i;
		r->repeated = r->repeated || (i > 0 && rows[i].key == rows[i - 1].key &&
		                              s->frame_function.at[rows[i - 1].row] == function);
		enum snap_status status =
			snap_snapshot_push_frame(r->to, r->string[s->frame_file.at[old]], s->frame_line.at[old],
		                                 function == SNAP_NONE ? SNAP_NONE : r->string[function], err);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

/* Sorts siblings by linking nodes to their parents in descending order, then walks depth first. */
static enum snap_status order_nodes(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	size_t nodes = s->node_parent.count, count = 0;
	for (uint32_t i = 0; i < nodes; i++)
		if (r->node[i] == 0)
			r->rows[count++] = (struct snap_keyed){
				(uint64_t)r->frame[s->node_frame.at[i]] << 16 | s->node_depth.at[i], i};
	struct snap_keyed *rows = snap_sort(r->rows, r->scratch, count);

	uint32_t *first_child = malloc((2 * nodes + 1) * sizeof *first_child);
	if (first_child == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	uint32_t *sibling = first_child + nodes;
	memset(first_child, 0xff, (2 * nodes + 1) * sizeof *first_child);
	uint32_t first_root = SNAP_NONE;
	for (size_t i = count; i-- > 0;) {
		uint32_t n = rows[i].row, parent = parent_of(r, n);
		uint32_t *head = parent == SNAP_NONE ? &first_root : &first_child[parent];
		r->repeated = r->repeated || (*head != SNAP_NONE && s->node_frame.at[*head] == s->node_frame.at[n] &&
		                              s->node_depth.at[*head] == s->node_depth.at[n]);
		sibling[n] = *head;
		*head = n;
	}
	uint32_t next = 0;
	enum snap_status status = SNAP_OK;
	for (uint32_t n = first_root; n != SNAP_NONE && status == SNAP_OK;) {
		uint32_t parent = parent_of(r, n);
		r->node[n] = next++;
		status = snap_snapshot_push_node(r->to, parent == SNAP_NONE ? SNAP_NONE : r->node[parent],
		                                 r->frame[s->node_frame.at[n]], s->node_depth.at[n], err);
		if (first_child[n] != SNAP_NONE) {
			n = first_child[n];
			continue;
		}
		while (n != SNAP_NONE && sibling[n] == SNAP_NONE)
			n = parent_of(r, n);
		if (n != SNAP_NONE)
			n = sibling[n];
	}
	free(first_child);
	return status;
}

static enum snap_status order_stacks(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	size_t count = 0;
	for (uint32_t i = 0; i < s->stack_node.count; i++)
		if (r->stack[i] == 0)
			r->rows[count++] = (struct snap_keyed){
				(uint64_t)s->stack_length.at[i] << 16 | s->stack_total.at[i], i};
	struct snap_keyed *rows = snap_sort(r->rows, r->scratch, count);
	for (size_t i = 0; i < count; i++)
		rows[i].key = r->node[s->stack_node.at[rows[i].row]];
	rows = snap_sort(rows, rows == r->rows ? r->scratch : r->rows, count);
	/* The rule of what is left over, which may not be that of the whole. */
	for (size_t i = 0; i < count; i++) {
		enum snap_status status =
			snap_snapshot_push_stack(r->to, (uint32_t)rows[i].key, s->stack_length.at[rows[i].row],
		                                 s->stack_total.at[rows[i].row], err);
		if (status < 0)
			return status;
	}
	struct snap_stack_rule rule = snap_snapshot_stack_rule(r->to);
	for (uint32_t i = 0; i < count; i++)
		rows[i].key |= (uint64_t)!snap_stack_follows(r->to, i, rule) << 32;
	rows = snap_sort(rows, rows == r->rows ? r->scratch : r->rows, count);
	r->to->stack_node.count = r->to->stack_length.count = r->to->stack_total.count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t old = rows[i].row, before = i > 0 ? rows[i - 1].row : old;
		r->stack[old] = i;
		r->repeated = r->repeated || (i > 0 && s->stack_node.at[before] == s->stack_node.at[old] &&
		                              s->stack_length.at[before] == s->stack_length.at[old] &&
		                              s->stack_total.at[before] == s->stack_total.at[old]);
		enum snap_status status =
			snap_snapshot_push_stack(r->to, (uint32_t)rows[i].key, s->stack_length.at[old],
		                                 s->stack_total.at[old], err);
		if (status < 0)
			return status;
	}
	return SNAP_OK;
}

/* Sites of one stack, [begin, end) of r->order, by (domain, size). */
static void order_sites_of_stack(struct renumbering *r, size_t begin, size_t end)
{
	const struct snap_snapshot *s = r->from;
	size_t count = end - begin;
	if (count < 2)
		return;
	for (size_t i = 0; i < count; i++)
		r->rows[i] = (struct snap_keyed){
			(uint64_t)snap_numbers_get(&s->site_size, r->order[begin + i]), r->order[begin + i]};
	struct snap_keyed *rows = snap_sort(r->rows, r->scratch, count);
	for (size_t i = 0; i < count; i++)
		rows[i].key = snap_snapshot_domain(s, rows[i].row);
	rows = snap_sort(rows, rows == r->rows ? r->scratch : r->rows, count);
	for (size_t i = 0; i < count; i++) {
		r->order[begin + i] = rows[i].row;
		r->repeated = r->repeated || (i > 0 && rows[i].key == rows[i - 1].key &&
		                              snap_numbers_get(&s->site_size, rows[i].row) ==
		                                      snap_numbers_get(&s->site_size, rows[i - 1].row));
	}
}

static enum snap_status order_sites(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	size_t stacks = r->to->stack_node.count, sites = s->site_stack.count, live = 0;
	uint32_t *rank = malloc((2 * stacks + 1) * sizeof *rank);
	if (rank == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	uint32_t *end = rank + stacks; /* of the sites of the k-th stack, by the order of its frame */
	memset(end, 0, (stacks + 1) * sizeof *end);
	for (uint32_t i = 0; i < stacks; i++)
		r->rows[i] = (struct snap_keyed){r->to->node_frame.at[r->to->stack_node.at[i]], i};
	struct snap_keyed *rows = snap_sort(r->rows, r->scratch, stacks);
	for (uint32_t i = 0; i < stacks; i++)
		rank[rows[i].row] = i;

	for (size_t i = 0; i < sites; i++)
		if (is_live(s, i))
			end[rank[r->stack[s->site_stack.at[i]]] + 1]++;
	for (size_t k = 0; k < stacks; k++)
		end[k + 1] += end[k];
	live = end[stacks];
	/* end[k] is where k begins, until k's sites have pushed it to where they end. */
	for (uint32_t i = 0; i < sites; i++)
		if (is_live(s, i))
			r->order[end[rank[r->stack[s->site_stack.at[i]]]]++] = i;
	for (size_t k = 0; k < stacks; k++)
		order_sites_of_stack(r, k == 0 ? 0 : end[k - 1], end[k]);
	free(rank);

	enum snap_status status = snap_snapshot_reserve_sites(r->to, live, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < live && status == SNAP_OK; i++) {
		uint32_t old = r->order[i];
		r->to->site_stack.at[i] = r->stack[s->site_stack.at[old]];
		status = snap_numbers_push(&r->to->site_size, snap_numbers_get(&s->site_size, old), &r->to->budget, err);
	}
	r->to->site_stack.count = live;
	if (s->site_domain.count > 0 && status == SNAP_OK)
		status = snap_snapshot_store_domains(r->to, err);
	for (size_t i = 0; i < live && s->site_domain.count > 0 && status == SNAP_OK; i++)
		r->to->site_domain.at[i] = s->site_domain.at[r->order[i]];
	for (uint32_t c = 0; c < s->column_count; c++)
		for (size_t i = 0; i < live && s->values[c].count > 0 && status == SNAP_OK; i++)
			status = snap_numbers_push(&r->to->values[c], snap_numbers_get(&s->values[c], r->order[i]),
			                           &r->to->budget, err);
	return status;
}

static size_t largest_table(const struct snap_snapshot *s)
{
	size_t sizes[] = {s->text_end.count, s->frame_file.count, s->node_parent.count, s->stack_node.count,
	                  s->site_stack.count};
	size_t largest = 1;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		largest = sizes[i] > largest ? sizes[i] : largest;
	return largest;
}

static enum snap_status start(struct renumbering *r, struct snap_error *err)
{
	const struct snap_snapshot *s = r->from;
	size_t strings = s->text_end.count, frames = s->frame_file.count, nodes = s->node_parent.count,
	       stacks = s->stack_node.count, largest = largest_table(s);
	size_t numbers = strings + frames + nodes + stacks;
	r->string = malloc((numbers + 1) * sizeof *r->string);
	r->rows = malloc(largest * sizeof *r->rows);
	r->scratch = malloc(largest * sizeof *r->scratch);
	r->order = malloc(largest * sizeof *r->order);
	if (r->string == NULL || r->rows == NULL || r->scratch == NULL || r->order == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	memset(r->string, 0xff, (numbers + 1) * sizeof *r->string);
	r->frame = r->string + strings;
	r->node = r->frame + frames;
	r->stack = r->node + nodes;

	return snap_snapshot_new_like(&r->to, s, err);
}

enum snap_status snap_snapshot_order(struct snap_snapshot **out, const struct snap_snapshot *from,
                                     struct snap_error *err)
{
	struct renumbering r = {.from = from};
	*out = NULL;
	enum snap_status status = start(&r, err);
	if (status == SNAP_OK)
		status = mark(&r, err);
	if (status == SNAP_OK)
		status = order_strings(&r, err);
	if (status == SNAP_OK)
		status = order_frames(&r, err);
	if (status == SNAP_OK)
		status = order_nodes(&r, err);
	if (status == SNAP_OK)
		status = order_stacks(&r, err);
	if (status == SNAP_OK)
		status = order_sites(&r, err);
	if (status == SNAP_OK)
		status = snap_snapshot_sum(r.to, err);
	free(r.string);
	free(r.rows);
	free(r.scratch);
	free(r.order);
	if (status < 0) {
		snap_snapshot_free(r.to);
		return status;
	}
	if (r.repeated) {
		/* Only a file that breaks the rules has those; the builder adds up what is equal. */
		status = snap_snapshot_canonical(out, r.to, err);
		snap_snapshot_free(r.to);
		return status;
	}
	*out = r.to;
	return SNAP_OK;
}
