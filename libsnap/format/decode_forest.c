/* Decodes pairs, nodes and stacks: sections 5.6 to 5.8 of the format. */
#include "format/decoder.h"

#include <string.h>

void snap_decode_callers(struct snap_decoder *d, struct cursor *c)
{
	uint64_t frames = d->t->frame_file.count;
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->callers.count == 0 ? 0 : (uint64_t)d->callers.at[d->callers.count - 1] + 1;
		uint64_t token = get_uint(c), gap = token >> 1;
		if (gap >= frames || least + gap >= frames) {
			snap_damaged(c, "a caller that is not there");
			return;
		}
		if (token & 1)
			PUSH(c, d, &d->list_callers, (uint32_t)d->callers.count);
		PUSH(c, d, &d->callers, (uint32_t)(least + gap));
	}
}

void snap_decode_first_callees(struct snap_decoder *d, struct cursor *c)
{
	int64_t frames = (int64_t)d->t->frame_file.count;
	for (size_t row = 0; more_rows(c, row); row++) {
		int64_t before = d->first_callees.count == 0 ? 0 : d->first_callees.at[d->first_callees.count - 1];
		int64_t change = get_int(c);
		if (change < -before || change >= frames - before || d->first_callees.count == d->callers.count) {
			snap_damaged(c, "a callee that is not there or has no caller");
			return;
		}
		PUSH(c, d, &d->first_callees, (uint32_t)(before + change));
	}
}

/* Ends the list of a caller in further_callees; frames have numbers below it. */
#define LAST_CALLEE (UINT32_C(1) << 31)

/* Lists are short, and no processor foresees their ends: so these take no branch, here and where pairs are merged. */
void snap_decode_further_callees(struct snap_decoder *d, struct cursor *c)
{
	uint64_t frames = d->t->frame_file.count;
	size_t count = d->further_callees.count, most = rows_at_most(c);
	size_t list = d->list_ends.count, lists = d->list_callers.count;
	c->status = snap_vector_reserve(&d->further_callees, count + most, &d->t->budget, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&d->list_ends, lists, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	const uint8_t *at = c->at, *end = c->end;
	const uint32_t *callers = d->list_callers.at, *first_callees = d->first_callees.at;
	uint32_t *callees = d->further_callees.at, *list_ends = d->list_ends.at;
	uint64_t before = d->callee_before, begun = d->list_begun ? UINT64_MAX : 0;
	size_t count_end = count + most, first_count = d->first_callees.count;
	while (at < end && count < count_end) {
		struct uint_at token = uint_at(at, end);
		if (token.at == NULL) {
			snap_bad_number(c);
			return;
		}
		at = token.at;
		if (list >= lists || callers[list] >= first_count) {
			snap_damaged(c, "a callee without a caller");
			return;
		}
		uint64_t gap = token.value >> 1, last = token.value & 1;
		before = (before & begun) | (first_callees[callers[list]] & ~begun);
		before += 1 + gap;
		if (before >= frames) {
			snap_damaged(c, "a callee that is not there");
			return;
		}
		callees[count++] = (uint32_t)(before | last << 31);
		list_ends[list] = (uint32_t)count;
		list += last;
		begun = last - 1;
	}
	if (at < end)
		snap_damaged(c, "too many rows");
	c->at = at;
	d->further_callees.count = count;
	d->list_begun = begun != 0;
	d->callee_before = (uint32_t)before;
	d->list_ends.count = list;
}

/* Where the callees that a frame had before this member began. */
static uint32_t old_begin(const struct snap_decoder *d, size_t frame)
{
	return (uint32_t)(frame < d->callee_begin.count ? d->callee_begin.at[frame] : d->callee.count);
}

static size_t old_frame_count(const struct snap_decoder *d)
{
	return d->callee_begin.count == 0 ? 0 : d->callee_begin.count - 1;
}

/* Fills `begin`, for one more than there are frames, and `callee` with the callees of each frame, the new ones behind
 * the old. */
static void merge_pairs(struct snap_decoder *d, uint32_t *begin, uint32_t *callee)
{
	size_t frames = d->t->frame_file.count, old_frames = old_frame_count(d);
	const uint32_t *callers = d->callers.at, *further = d->further_callees.at;
	uint32_t *list_ends = d->list_ends.at;
	memset(begin, 0, (frames + 1) * sizeof *begin);
	for (size_t frame = 0; frame < old_frames; frame++)
		begin[frame + 1] = old_begin(d, frame + 1) - old_begin(d, frame);
	for (size_t i = 0; i < d->callers.count; i++)
		begin[callers[i] + 1]++;
	for (size_t i = 0, end = 0; i < d->list_ends.count; end = list_ends[i++])
		begin[callers[d->list_callers.at[i]] + 1] += list_ends[i] - (uint32_t)end;
	for (size_t frame = 0; frame < frames; frame++)
		begin[frame + 1] += begin[frame];
	/* Old callees move by the same up to those of the next caller. */
	for (size_t i = 0, frame = 0, next; d->callee.count > 0 && frame < old_frames; i++, frame = next) {
		next = i < d->callers.count && callers[i] < old_frames ? callers[i] + 1 : old_frames;
		memcpy(callee + begin[frame], d->callee.at + old_begin(d, frame),
		       (old_begin(d, next) - old_begin(d, frame)) * sizeof *callee);
	}
	/* As if none had a list; then the first callees of those that have, and how far each list is to be moved. */
	for (size_t i = 0; i < d->callers.count; i++)
		callee[begin[callers[i] + 1] - 1] = d->first_callees.at[i];
	for (size_t i = 0, end = 0; i < d->list_ends.count; i++) {
		size_t at = d->list_callers.at[i], list_end = list_ends[i];
		uint32_t callees_end = begin[callers[at] + 1];
		callee[callees_end - (list_end - end) - 1] = d->first_callees.at[at];
		list_ends[i] = callees_end - (uint32_t)list_end;
		end = list_end;
	}
	for (size_t i = 0, list = 0; i < d->further_callees.count; i++) {
		callee[(uint32_t)i + list_ends[list]] = further[i] & ~LAST_CALLEE;
		list += further[i] / LAST_CALLEE;
	}
}

/* Whether a new pair is an old one; after merge_pairs. `had_by` has room for a number by frame. */
static bool repeats_pair(const struct snap_decoder *d, const uint32_t *begin, const uint32_t *callee, uint32_t *had_by)
{
	bool repeats = false;
	/* By callee, the caller that was last found to have it, + 1. */
	memset(had_by, 0, d->t->frame_file.count * sizeof *had_by);
	for (size_t i = 0; i < d->callers.count; i++) {
		uint32_t caller = d->callers.at[i], old = old_begin(d, caller + 1) - old_begin(d, caller);
		for (uint32_t at = begin[caller]; at < begin[caller + 1]; at++) {
			repeats |= had_by[callee[at]] == caller + 1;
			if (at < begin[caller] + old)
				had_by[callee[at]] = caller + 1;
		}
	}
	return repeats;
}

/* Puts the new callees of each caller behind its old ones. */
void snap_finish_pairs(struct snap_decoder *d, struct cursor *c)
{
	size_t frames = d->t->frame_file.count, old = d->callee.count;
	size_t added = d->first_callees.count + d->further_callees.count;
	if (d->list_begun || d->list_ends.count != d->list_callers.count ||
	    d->first_callees.count != d->callers.count) {
		snap_damaged(c, "callers without callees");
		return;
	}
	if (frames == old_frame_count(d) && added == 0)
		return;
	struct snap_u32s begin = {0}, callee = {0}, had_by = {0};
	struct snap_budget *budget = &d->t->budget;
	if (old + added > SNAP_ROWS_MAX)
		snap_damaged(c, "too many pairs");
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&begin, frames + 1, budget, c->err);
	if (c->status == SNAP_OK)
		c->status = snap_vector_reserve(&callee, old + added, budget, c->err);
	if (c->status == SNAP_OK)
		merge_pairs(d, begin.at, callee.at);
	if (c->status == SNAP_OK && old > 0 && added > 0)
		c->status = snap_vector_reserve(&had_by, frames, budget, c->err);
	if (c->status == SNAP_OK && had_by.capacity > 0 && repeats_pair(d, begin.at, callee.at, had_by.at))
		snap_damaged(c, "a pair is repeated");
	snap_vector_free(&had_by, budget);
	if (c->status == SNAP_OK) {
		begin.count = frames + 1;
		callee.count = old + added;
		snap_vector_free(&d->callee_begin, budget);
		snap_vector_free(&d->callee, budget);
		d->callee_begin = begin;
		d->callee = callee;
	} else {
		snap_vector_free(&begin, budget);
		snap_vector_free(&callee, budget);
	}
}

void snap_decode_attachments(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->attach.count == 0 ? 0 : (uint64_t)d->attach.at[d->attach.count - 1] + 1;
		uint32_t code = next_number(c, least, (uint64_t)d->first_node + 1, "an attachment point that is not there");
		PUSH(c, d, &d->attach, code);
	}
}

/* The list of the next attachment point. */
static struct level open_list(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	struct level level = {.parent = SNAP_NONE, .depth = 1};
	size_t points = d->attach.count == 0 ? 1 : d->attach.count;
	if (d->attach_at == points) {
		snap_damaged(c, "nodes behind the last list");
		return level;
	}
	uint32_t code = d->attach.count == 0 ? 0 : d->attach.at[d->attach_at];
	d->attach_at++;
	if (code > 0) {
		uint32_t frame = t->node_frame.at[code - 1];
		level = (struct level){code - 1, t->node_depth.at[code - 1] + 1u,
		                       {d->callee_begin.at[frame], d->callee_begin.at[frame + 1]}};
	}
	return level;
}

/* The frame of a node that is not a further callee of the open list's caller: one of the next list, or a root, or
 * the rules are broken. */
static __attribute__((noinline, cold)) uint32_t other_frame(struct snap_decoder *d, struct cursor *c, uint64_t skipped,
                                                            uint32_t node)
{
	struct level *list = &d->levels.at[d->levels.count - 1];
	if (list == d->levels.at) {
		*++list = open_list(d, c);
		d->levels.count++;
	}
	uint64_t number = list->callees[0] + skipped;
	if (c->status == SNAP_OK && number < list->callees[1]) {
		list->callees[0] = (uint32_t)number + 1;
		return d->callee.at[number];
	}
	if (list->parent != SNAP_NONE)
		snap_damaged(c, "a node has a callee that its caller does not have");
	else if (number >= d->t->frame_file.count)
		snap_damaged(c, "a root has a frame that is not there");
	PUSH(c, d, &d->roots, node);
	list->callees[0] = (uint32_t)number;
	return (uint32_t)number;
}

void snap_decoder_open_uses(struct snap_decoder *d, struct cursor *c)
{
	size_t frames = d->t->frame_file.count;
	if (c->status < 0 || d->uses.count == frames)
		return;
	c->status = snap_vector_reserve(&d->uses, frames, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	memset(d->uses.at, 0, frames * sizeof *d->uses.at);
	d->uses.count = frames;
}

/* Nodes from number `node` to `nodes_end`, or until the section ends; returns the number behind the last. */
static uint32_t decode_some_nodes(struct snap_decoder *d, struct cursor *c, uint32_t node, uint32_t nodes_end)
{
	struct snap_snapshot *t = d->t;
	/* Room for the children of each node, and for the first two lists. */
	c->status = snap_vector_reserve(&d->levels, d->levels.count + (nodes_end - node) + 2, &t->budget, c->err);
	if (c->status < 0)
		return node;
	if (d->levels.count == 0)
		d->levels.at[d->levels.count++] = (struct level){.parent = SNAP_NONE};
	const uint32_t *begin = d->callee_begin.at, *callee = d->callee.at;
	uint32_t *parents = t->node_parent.at, *node_frames = t->node_frame.at;
	uint32_t *stack_node = t->stack_node.at + t->stack_node.count;
	uint16_t *depths = t->node_depth.at;
	uint64_t *uses = d->uses.at;
	struct level *top = d->levels.at + d->levels.count; /* behind the open list */
	const uint8_t *at = c->at, *end = c->end;
	/* A row takes a byte at least: with a bound on rows the end of the bytes needs not be looked for. What is seldom
	 * is marked as such, for a compiler that has hardly registers enough for the rest. */
	if (nodes_end - node > end - at)
		nodes_end = node + (uint32_t)(end - at);
	for (; node < nodes_end; node++) {
		uint64_t bits = *at++;
		if (__builtin_expect(bits >= 0x80, 0)) {
			struct uint_at token = snap_long_uint(at - 1, end);
			if (token.at == NULL) {
				snap_bad_number(c);
				return node;
			}
			bits = token.value;
			at = token.at;
			if (nodes_end - node - 1 > end - at)
				nodes_end = node + 1 + (uint32_t)(end - at);
		}
		struct level *list = top - 1;
		uint64_t number = list->callees[0] + (bits >> SNAP_NODE_SHIFT);
		uint32_t frame;
		if (__builtin_expect(number < list->callees[1], 1)) {
			frame = callee[number];
			list->callees[0] = (uint32_t)number + 1;
		} else {
			d->levels.count = (size_t)(top - d->levels.at);
			frame = other_frame(d, c, bits >> SNAP_NODE_SHIFT, node);
			if (c->status < 0)
				return node;
			top = d->levels.at + d->levels.count;
			list = top - 1;
		}
		uint32_t depth = list->depth;
		parents[node] = list->parent;
		node_frames[node] = frame;
		depths[node] = (uint16_t)depth; /* as if all new roots had depth 1; see lower_trees */
		/* The stacks get their lengths, and their places, when the group is complete. */
		*stack_node = node;
		stack_node += bits >> 2 & 1;
		uses[frame] += (bits & SNAP_NODE_STACK) + USE_NODE;
		if (__builtin_expect((bits & (SNAP_NODE_STACK | SNAP_NODE_CHILDREN)) == 0, 0))
			d->loose_leaf = true;
		/* Children come next. A list that has ended needs not be kept until that below it has, which takes its
		 * place. Without a branch, which no processor could foresee: a leaf's list is written, and not opened. */
		top -= bits & SNAP_NODE_LAST;
		top->parent = node;
		top->depth = depth + 1;
		memcpy(&top->callees, &begin[frame], sizeof top->callees); /* one load, one store */
		top += bits >> 1 & 1;
	}
	c->at = at;
	d->levels.count = (size_t)(top - d->levels.at);
	t->stack_node.count = (size_t)(stack_node - t->stack_node.at);
	return node;
}

static bool any_zero(const uint16_t *depths, size_t count)
{
	uint16_t any = 0;
	for (size_t i = 0; i < count; i++)
		any |= (uint16_t)(depths[i] == 0);
	return any;
}

void snap_decode_nodes(struct snap_decoder *d, struct cursor *c)
{
	enum { AT_ONCE = 4096 };
	struct snap_snapshot *t = d->t;
	uint32_t node = (uint32_t)t->node_parent.count;
	size_t most = rows_at_most(c), stacks = t->stack_node.count;
	snap_decoder_open_uses(d, c);
	if (c->status == SNAP_OK)
		c->status = snap_snapshot_reserve_nodes(t, rows_to_expect(c, node, t->node_parent.capacity), c->err);
	if (c->status == SNAP_OK)
		c->status = snap_snapshot_reserve_stacks(t, rows_to_expect(c, stacks, t->stack_node.capacity), c->err);
	if (c->status < 0)
		return;
	snap_vector_expect_writes(&t->node_parent, node, node + most);
	snap_vector_expect_writes(&t->node_frame, node, node + most);
	snap_vector_expect_writes(&t->node_depth, node, node + most);
	snap_vector_expect_writes(&t->stack_node, stacks, stacks + most / 2);
	uint32_t nodes_end = node + (uint32_t)most;
	while (node < nodes_end && c->at < c->end && c->status == SNAP_OK)
		node = decode_some_nodes(d, c, node, nodes_end - node < AT_ONCE ? nodes_end : node + AT_ONCE);
	if (c->status == SNAP_OK && c->at < c->end)
		snap_bad_number(c);
	/* The first depth that has become too large for 16 bits is 65,536. */
	size_t before = t->node_depth.count;
	d->too_deep |= any_zero(t->node_depth.at + before, node - before);
	t->node_parent.count = t->node_frame.count = t->node_depth.count = node;
}

void snap_decode_root_depths(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t depth = get_uint(c);
		if (depth > SNAP_DEPTH_MAX)
			snap_damaged(c, "a root lies too deep");
		PUSH(c, d, &d->root_depths, (uint32_t)depth);
	}
}

/* Lowers the tree of each new root to the depth that RDEP tells. */
static void lower_trees(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	const uint32_t *parents = t->node_parent.at, *frames = t->node_frame.at, *roots = d->roots.at;
	uint16_t *depths = t->node_depth.at;
	size_t nodes = t->node_parent.count, count = d->roots.count;
	if (count != d->root_depths.count) {
		snap_damaged(c, count > d->root_depths.count ? "the depth of a root is missing" : "depths without a root");
		return;
	}
	for (size_t k = 0; k < count; k++) {
		bool same = k > 0 && frames[roots[k]] == frames[roots[k - 1]];
		uint32_t below = d->root_depths.at[k] + (same ? depths[roots[k - 1]] : 0u), i = roots[k];
		/* Up to the next root, or to what hangs below an old node. */
		do {
			uint32_t depth = depths[i] + below;
			d->too_deep |= depth > SNAP_DEPTH_MAX;
			depths[i] = (uint16_t)depth;
		} while (++i < nodes && parents[i] != SNAP_NONE && parents[i] >= d->first_node);
		d->deep_roots |= below > 0;
	}
}

void snap_finish_nodes(struct snap_decoder *d, struct cursor *c)
{
	size_t points = d->attach.count;
	if (points == 0 && d->t->node_parent.count > d->first_node)
		points = 1;
	if (d->levels.count > 1 || d->attach_at != points) {
		snap_damaged(c, "a list of nodes is not finished");
		return;
	}
	if (d->root_depths.count > 0)
		lower_trees(d, c);
	for (size_t k = 1; k < d->roots.count && d->root_depths.count == 0; k++)
		if (d->t->node_frame.at[d->roots.at[k]] == d->t->node_frame.at[d->roots.at[k - 1]])
			snap_damaged(c, "the depth of a root is missing");
	if (d->too_deep)
		snap_damaged(c, "a node lies too deep");
}

void snap_decode_promoted(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->promoted.count == 0 ? 0 : (uint64_t)d->promoted.at[d->promoted.count - 1] + 1;
		uint32_t node = next_number(c, least, d->first_node, "a node that is not there");
		PUSH(c, d, &d->promoted, node);
	}
}

/* How many frames a stack can have at each node. */
static enum snap_status fill_rooms(struct snap_decoder *d, struct snap_error *err)
{
	const struct snap_snapshot *t = d->t;
	size_t nodes = t->node_parent.count;
	enum snap_status status = snap_vector_reserve(&d->room, nodes, &d->t->budget, err);
	if (status < 0)
		return status;
	snap_vector_expect_writes(&d->room, d->room.count, nodes);
	for (; d->room.count < nodes; d->room.count++) {
		uint32_t parent = t->node_parent.at[d->room.count];
		d->room.at[d->room.count] = (uint16_t)(parent == SNAP_NONE ? 1u : d->room.at[parent] + 1u);
	}
	return SNAP_OK;
}

static uint32_t rule_length(const struct snap_decoder *d, uint32_t depth)
{
	return d->rule.limit != 0 && depth > d->rule.limit ? d->rule.limit : depth;
}

void snap_decode_extra_stacks(struct snap_decoder *d, struct cursor *c)
{
	c->status = fill_rooms(d, c->err);
	for (size_t row = 0; more_rows(c, row); row++) {
		const uint32_t *before = d->extra.count == 0 ? NULL : &d->extra.at[d->extra.count - 3];
		uint32_t node = next_number(c, before == NULL ? 0 : before[0], d->t->node_parent.count,
		                            "a node that is not there");
		uint64_t length = get_uint(c), total = get_uint(c);
		if (c->status < 0)
			return;
		uint32_t depth = d->t->node_depth.at[node];
		if (length == 0 || length > d->room.at[node] || total > SNAP_DEPTH_MAX || (total != 0 && total < length) ||
		    (length == rule_length(d, depth) && total == (d->rule.known ? depth : 0))) {
			snap_damaged(c, "a stack that cannot be");
			return;
		}
		if (before != NULL && before[0] == node &&
		    (before[1] > length || (before[1] == length && before[2] >= total))) {
			snap_damaged(c, "stacks do not ascend");
			return;
		}
		PUSH(c, d, &d->extra, node);
		PUSH(c, d, &d->extra, (uint32_t)length);
		PUSH(c, d, &d->extra, (uint32_t)total);
	}
}

/* Puts the promoted nodes before the new ones, whose stacks NODE has listed, and the others behind. */
void snap_finish_stacks(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t first = d->first_stack, listed = t->stack_node.count - first, promoted = d->promoted.count;
	size_t end = t->stack_node.count + promoted;
	c->status = snap_snapshot_reserve_stacks(t, end + d->extra.count / 3, c->err);
	if (c->status < 0)
		return;
	snap_vector_expect_writes(&t->stack_length, first, end);
	snap_vector_expect_writes(&t->stack_total, first, end);
	uint32_t *nodes = t->stack_node.at;
	if (promoted > 0) {
		memmove(nodes + first + promoted, nodes + first, listed * sizeof *nodes);
		memcpy(nodes + first, d->promoted.at, promoted * sizeof *nodes);
	}
	/* Apart from each other, so that the second is one of vectors. */
	const uint16_t *depths = t->node_depth.at;
	uint16_t *lengths = t->stack_length.at, *totals = t->stack_total.at;
	uint16_t limit = (uint16_t)rule_length(d, SNAP_DEPTH_MAX), known = d->rule.known ? UINT16_MAX : 0;
	for (size_t i = first; i < end; i++)
		totals[i] = depths[nodes[i]];
	for (size_t i = first; i < end; i++) {
		lengths[i] = totals[i] < limit ? totals[i] : limit;
		totals[i] &= known;
	}
	t->stack_node.count = t->stack_length.count = t->stack_total.count = end;
	/* Where all roots have depth 1 there is room for all frames of the way from them. */
	if (d->deep_roots)
		c->status = fill_rooms(d, c->err);
	for (size_t i = first; i < end && d->deep_roots && c->status == SNAP_OK; i++)
		if (t->stack_length.at[i] > d->room.at[nodes[i]])
			snap_damaged(c, "a stack reaches above its root");
	for (size_t i = 0; i < d->extra.count && c->status == SNAP_OK; i += 3)
		c->status = snap_snapshot_push_stack(t, d->extra.at[i], d->extra.at[i + 1], d->extra.at[i + 2], c->err);
}
