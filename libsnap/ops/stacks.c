/* See stacks.h. */
#include "ops/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static uint64_t stack_key(const struct snap_snapshot *s, uint32_t stack)
{
	return (uint64_t)s->stack_node.at[stack] << 32 | (uint32_t)s->stack_length.at[stack] << 16 |
	       s->stack_total.at[stack];
}

enum snap_status snap_stack_walk_start(struct snap_stack_walk *w, const struct snap_snapshot *s,
				       struct snap_error *err)
{
	*w = (struct snap_stack_walk){s, NULL, 0};
	uint32_t stacks = (uint32_t)s->stack_node.count;
	bool ascending = true;
	for (uint32_t i = 1; i < stacks && ascending; i++)
		ascending = s->stack_node.at[i - 1] < s->stack_node.at[i] ||
			    stack_key(s, i - 1) < stack_key(s, i);
	if (ascending)
		return SNAP_OK;
	struct snap_keyed *rows = malloc(stacks * sizeof *rows), *scratch = malloc(stacks * sizeof *scratch);
	if (rows == NULL || scratch == NULL) {
		free(rows);
		free(scratch);
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	for (uint32_t i = 0; i < stacks; i++)
		rows[i] = (struct snap_keyed){stack_key(s, i), i};
	w->rows = snap_sort(rows, scratch, stacks);
	free(w->rows == rows ? scratch : rows);
	return SNAP_OK;
}

void snap_stack_walk_free(struct snap_stack_walk *w)
{
	free(w->rows);
	w->rows = NULL;
}

/* The number of columns is a constant in each of its copies: the loops over them unroll. */
static inline __attribute__((always_inline)) void
sum_sites(const struct snap_snapshot *s, const uint32_t *group, unsigned columns, int64_t *sums)
{
	const uint32_t *stack = s->site_stack.at;
	int64_t values[SNAP_SUMS_MAX][SNAP_VALUES_CHUNK];
	for (size_t begin = 0, sites = s->site_stack.count; begin < sites; begin += SNAP_VALUES_CHUNK) {
		size_t count = sites - begin < SNAP_VALUES_CHUNK ? sites - begin : SNAP_VALUES_CHUNK;
		snap_snapshot_read_columns(s, columns, begin, count, values);
		for (size_t i = 0; i < count;) {
			uint32_t same = stack[begin + i], to = group == NULL ? same : group[same];
			int64_t sum[SNAP_SUMS_MAX] = {0};
			do {
				for (unsigned c = 0; c < columns; c++)
					sum[c] += values[c][i];
			} while (++i < count && stack[begin + i] == same);
			for (unsigned c = 0; c < columns; c++)
				sums[(size_t)to * columns + c] += sum[c];
		}
	}
}

void snap_sum_sites(const struct snap_snapshot *s, const uint32_t *group, unsigned columns, int64_t *sums)
{
	if (columns == 2)
		sum_sites(s, group, 2, sums);
	else if (columns == 4)
		sum_sites(s, group, 4, sums);
	else
		sum_sites(s, group, 8, sums);
}

/* Looks for stacks that say the same. */
struct join {
	const struct snap_snapshot *s;
	const bool *eligible; /* NULL: all are */
	bool totals;
	bool *odd;     /* by length: whether a regular stack of this length may say what another says */
	uint32_t *end; /* by frame: where its candidates end in `stack`; they begin where those before end */
	uint32_t *stack; /* the candidates, by newest frame */
	uint64_t *hash;  /* of each stack, once it is needed */
	uint32_t *slots; /* hash table of the candidates of one frame: place in `stack` + 1, or 0 */
	uint64_t pairs;  /* of candidates of one frame */
	uint32_t most;   /* candidates of one frame */
	uint32_t *same;
	size_t joined;
};

/* So few are sooner compared with each other than looked up. */
enum { FEW = 8 };

/* It goes back to the first call and knows so. No two of these say the same: paths from depth 1 differ. */
static bool is_regular(const struct snap_snapshot *s, uint32_t stack)
{
	uint32_t length = s->stack_length.at[stack];
	return s->stack_total.at[stack] == length && s->node_depth.at[s->stack_node.at[stack]] == length;
}

static bool is_candidate(const struct join *j, uint32_t stack)
{
	return (j->eligible == NULL || j->eligible[stack]) &&
	       (j->odd[j->s->stack_length.at[stack]] || !is_regular(j->s, stack));
}

static void mark_lengths(struct join *j)
{
	const struct snap_snapshot *s = j->s;
	for (uint32_t i = 0; i < s->stack_node.count; i++)
		if ((!j->totals || s->stack_total.at[i] == s->stack_length.at[i]) && !is_regular(s, i))
			j->odd[s->stack_length.at[i]] = true;
}

/* Lists the candidates by frame, without those that are alone with theirs. */
static void list_candidates(struct join *j)
{
	const struct snap_snapshot *s = j->s;
	const uint32_t *node = s->stack_node.at, *frame = s->node_frame.at;
	uint32_t stacks = (uint32_t)s->stack_node.count, begin = 0;
	for (uint32_t i = 0; i < stacks; i++)
		j->end[frame[node[i]]] += is_candidate(j, i);
	for (size_t f = 0; f < s->frame_file.count; f++) {
		uint32_t count = j->end[f];
		j->most = count > j->most ? count : j->most;
		j->pairs += count > 1 ? (uint64_t)count * (count - 1) / 2 : 0;
		j->end[f] = count > 1 ? begin : SNAP_NONE;
		begin += count > 1 ? count : 0;
	}
	for (uint32_t i = 0; i < stacks; i++) {
		uint32_t *end = &j->end[frame[node[i]]];
		if (*end != SNAP_NONE && is_candidate(j, i))
			j->stack[(*end)++] = i;
	}
}

static bool says_the_same(const struct join *j, uint32_t a, uint32_t b)
{
	return (!j->totals || j->s->stack_total.at[a] == j->s->stack_total.at[b]) &&
	       snap_snapshot_same_window(j->s, a, b);
}

static void join_few(struct join *j, uint32_t begin, uint32_t end)
{
	for (uint32_t i = begin + 1; i < end; i++)
		for (uint32_t k = begin; k < i; k++)
			if (j->same[j->stack[k]] == j->stack[k] &&
			    says_the_same(j, j->stack[k], j->stack[i])) {
				j->same[j->stack[i]] = j->stack[k];
				j->joined++;
				break;
			}
}

static void join_many(struct join *j, uint32_t begin, uint32_t end)
{
	uint32_t mask = 3;
	while (mask < 2 * (end - begin))
		mask = 2 * mask + 1;
	memset(j->slots, 0, ((size_t)mask + 1) * sizeof *j->slots);
	for (uint32_t i = begin; i < end; i++) {
		uint32_t stack = j->stack[i], at = (uint32_t)snap_mix(j->hash[stack]) & mask;
		for (; j->slots[at] != 0; at = (at + 1) & mask) {
			uint32_t other = j->stack[j->slots[at] - 1];
			if (j->hash[other] == j->hash[stack] && says_the_same(j, other, stack)) {
				j->same[stack] = other;
				j->joined++;
				break;
			}
		}
		if (j->slots[at] == 0)
			j->slots[at] = i + 1;
	}
}

static enum snap_status join_candidates(struct join *j, struct snap_error *err)
{
	size_t stacks = j->s->stack_node.count;
	/* Hashing is for all stacks at once. */
	bool hashed = j->pairs > stacks;
	uint32_t begin = 0;
	if (hashed) {
		j->hash = malloc(stacks * sizeof *j->hash);
		j->slots = malloc((size_t)j->most * 4 * sizeof *j->slots);
		if (j->hash == NULL || j->slots == NULL)
			return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		struct snap_seed seed;
		snap_seed_draw(&seed);
		enum snap_status status = snap_snapshot_keyed_windows(j->s, &seed, j->hash, err);
		if (status < 0)
			return status;
	}
	for (size_t f = 0; f < j->s->frame_file.count; f++) {
		if (j->end[f] == SNAP_NONE)
			continue;
		if (!hashed || j->end[f] - begin <= FEW)
			join_few(j, begin, j->end[f]);
		else
			join_many(j, begin, j->end[f]);
		begin = j->end[f];
	}
	return SNAP_OK;
}

enum snap_status snap_stacks_join(const struct snap_snapshot *s, const bool *eligible, bool totals,
				  uint32_t *same, size_t *joined, struct snap_error *err)
{
	size_t stacks = s->stack_node.count, frames = s->frame_file.count;
	struct join j = {.s = s, .eligible = eligible, .totals = totals, .same = same};
	j.odd = calloc(SNAP_DEPTH_MAX + 1, sizeof *j.odd);
	j.end = calloc(frames + stacks + 1, sizeof *j.end);
	enum snap_status status = SNAP_OK;
	if (j.odd == NULL || j.end == NULL)
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	else {
		j.stack = j.end + frames;
		for (uint32_t i = 0; i < stacks; i++)
			same[i] = i;
		mark_lengths(&j);
		list_candidates(&j);
		if (j.pairs > 0)
			status = join_candidates(&j, err);
	}
	*joined = j.joined;
	free(j.odd);
	free(j.end);
	free(j.hash);
	free(j.slots);
	return status;
}

int snap_stacks_compare(const struct snap_snapshot *s, uint32_t a, uint32_t b)
{
	const uint32_t *parent = s->node_parent.at, *frame = s->node_frame.at;
	uint32_t a_length = s->stack_length.at[a], b_length = s->stack_length.at[b];
	uint32_t x = s->stack_node.at[a], y = s->stack_node.at[b],
		 common = a_length < b_length ? a_length : b_length;
	for (uint32_t i = common; i < a_length; i++)
		x = parent[x];
	for (uint32_t i = common; i < b_length; i++)
		y = parent[y];
	/* Walking from newest to oldest, the last difference is the one that decides. */
	int order = (a_length > b_length) - (a_length < b_length);
	for (; common > 0 && x != y; common--) {
		if (frame[x] != frame[y])
			order = frame[x] < frame[y] ? -1 : 1;
		x = parent[x];
		y = parent[y];
	}
	return order;
}
