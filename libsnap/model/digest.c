/* Hashes of content, section 6 of the format: of tracebacks whatever node they hang on, and of a whole
 * snapshot however it is stored. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/snapshot.h"

/* B of section 6. */
#define BASE UINT64_C(0xD6E8FEB86659FD93)

/* A polynomial of the frames of a stack: over 2^64 with BASE as section 6 wants it, or over a prime with a
 * base that is secret, where it is known how seldom two of them are equal. */
struct ring {
	const struct snap_seed *seed; /* NULL for section 6 */
	uint64_t base;
};

#define PRIME ((UINT64_C(1) << 61) - 1)

static inline uint64_t below_prime(uint64_t n)
{
	n = (n & PRIME) + (n >> 61);
	return n >= PRIME ? n - PRIME : n;
}

static inline uint64_t times(const struct ring *r, uint64_t a, uint64_t b)
{
	if (r->seed == NULL)
		return a * b;
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;
	return below_prime(((uint64_t)product & PRIME) + (uint64_t)(product >> 61));
}

static inline uint64_t plus(const struct ring *r, uint64_t a, uint64_t b)
{
	return r->seed == NULL ? a + b : below_prime(a + b);
}

static inline uint64_t minus(const struct ring *r, uint64_t a, uint64_t b)
{
	return r->seed == NULL ? a - b : below_prime(a + PRIME - b);
}

static uint64_t *frame_hashes(const struct snap_snapshot *s, const struct ring *r)
{
	size_t frames = s->frame_file.count, strings = s->text_end.count;
	uint64_t *hashes = malloc((frames + strings + 1) * sizeof *hashes);
	if (hashes == NULL)
		return NULL;
	uint64_t *string_hashes = hashes + frames;
	for (uint32_t i = 0; i < strings; i++) {
		struct snap_text t = snap_snapshot_string(s, i);
		string_hashes[i] = r->seed == NULL ? snap_mix_bytes(t.bytes, t.size)
		                                   : snap_keyed_bytes(r->seed, t.bytes, t.size);
	}
	const uint64_t k2 = snap_mix_constant(2), k3 = snap_mix_constant(3);
	for (size_t i = 0; i < frames; i++) {
		uint32_t function = s->frame_function.at[i];
		hashes[i] = snap_mix(string_hashes[s->frame_file.at[i]] + s->frame_line.at[i] * k2 +
		                     (function == SNAP_NONE ? 0 : string_hashes[function]) * k3);
		if (r->seed != NULL)
			hashes[i] = below_prime(hashes[i]);
	}
	return hashes;
}

/* Ancestors of nodes by depth: quick while nodes are asked for in depth-first order, and right always. */
struct path {
	const struct snap_snapshot *s;
	uint32_t *at; /* by depth: the node of that depth on the way to node `next - 1` */
	uint32_t next;
	bool depth_first; /* holds for all nodes before `next` */
};

static uint32_t ancestor(struct path *p, uint32_t node, uint32_t distance)
{
	const uint32_t *parent = p->s->node_parent.at;
	const uint16_t *depth = p->s->node_depth.at;
	if (p->depth_first && node + 1 >= p->next) {
		for (; p->next <= node; p->next++) {
			uint32_t n = p->next;
			if (parent[n] != SNAP_NONE && p->at[depth[n] - 1] != parent[n])
				p->depth_first = false;
			p->at[depth[n]] = n;
		}
		if (p->depth_first)
			return p->at[depth[node] - distance];
	}
	for (; distance > 0; distance--)
		node = parent[node];
	return node;
}

static enum snap_status window_hashes(const struct snap_snapshot *s, const struct ring *r, uint64_t *hashes,
                                      struct snap_error *err)
{
	size_t nodes = s->node_parent.count, stacks = s->stack_node.count;
	const uint32_t *parent = s->node_parent.at;
	uint16_t longest = 0, deepest = 0;
	for (size_t i = 0; i < stacks; i++)
		longest = s->stack_length.at[i] > longest ? s->stack_length.at[i] : longest;
	for (size_t i = 0; i < nodes; i++)
		deepest = s->node_depth.at[i] > deepest ? s->node_depth.at[i] : deepest;
	uint64_t *frames = frame_hashes(s, r);
	uint64_t *prefix = snap_array_new(nodes, sizeof *prefix);
	uint64_t *power = malloc(((size_t)longest + 1) * sizeof *power);
	struct path path = {s, malloc(((size_t)deepest + 1) * sizeof *path.at), 0, true};
	enum snap_status status = SNAP_OK;
	if (frames == NULL || prefix == NULL || power == NULL || path.at == NULL) {
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		goto done;
	}
	power[0] = 1;
	for (uint32_t i = 1; i <= longest; i++)
		power[i] = times(r, power[i - 1], r->base);
	for (size_t i = 0; i < nodes; i++)
		prefix[i] = plus(r, parent[i] == SNAP_NONE ? 0 : times(r, prefix[parent[i]], r->base),
		                 frames[s->node_frame.at[i]]);
	for (size_t i = 0; i < stacks; i++) {
		uint32_t length = s->stack_length.at[i], node = s->stack_node.at[i];
		hashes[i] = prefix[node];
		if (length == s->node_depth.at[node]) /* it goes back to the root */
			continue;
		uint32_t above = parent[ancestor(&path, node, length - 1)];
		if (above != SNAP_NONE)
			hashes[i] = minus(r, hashes[i], times(r, prefix[above], power[length]));
	}
done:
	free(frames);
	free(prefix);
	free(power);
	free(path.at);
	return status;
}

enum snap_status snap_snapshot_window_hashes(const struct snap_snapshot *s, uint64_t *hashes, struct snap_error *err)
{
	return window_hashes(s, &(struct ring){NULL, BASE}, hashes, err);
}

enum snap_status snap_snapshot_keyed_windows(const struct snap_snapshot *s, const struct snap_seed *seed,
                                             uint64_t *hashes, struct snap_error *err)
{
	return window_hashes(s, &(struct ring){seed, below_prime(seed->words[0] ^ seed->words[1])}, hashes, err);
}

bool snap_snapshot_same_window(const struct snap_snapshot *s, uint32_t a, uint32_t b)
{
	uint32_t length = s->stack_length.at[a];
	if (s->stack_length.at[b] != length)
		return false;
	uint32_t x = s->stack_node.at[a], y = s->stack_node.at[b];
	for (; length > 0 && x != y; length--) {
		if (s->node_frame.at[x] != s->node_frame.at[y])
			return false;
		x = s->node_parent.at[x];
		y = s->node_parent.at[y];
	}
	return true;
}

static uint64_t meta_hash(const struct snap_meta *meta)
{
	uint64_t m = snap_mix_constant(8);
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		const char *bare = strncmp(key, SNAP_META_OLD, strlen(SNAP_META_OLD)) == 0 ? key + strlen(SNAP_META_OLD)
		                                                                            : key;
		if (strncmp(bare, "history.", 8) == 0)
			continue;
		m = snap_mix(m ^ snap_mix_bytes(key, strlen(key)));
		m = snap_mix(m + snap_mix_bytes(value, size));
	}
	return m;
}

enum snap_status snap_snapshot_digest(const struct snap_snapshot *s, uint64_t digest[2], struct snap_error *err)
{
	size_t stacks = s->stack_node.count;
	uint64_t *hashes = snap_array_new(stacks, sizeof *hashes);
	/* Not on the stack: a thread of somebody else's may have little of it. */
	int64_t(*values)[SNAP_VALUES_CHUNK] = snap_array_new(s->column_count, sizeof *values);
	enum snap_status status = hashes != NULL && values != NULL
					  ? snap_snapshot_window_hashes(s, hashes, err)
					  : snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	if (status < 0) {
		free(values);
		free(hashes);
		return status;
	}
	const uint64_t k4 = snap_mix_constant(4), k5 = snap_mix_constant(5), k6 = snap_mix_constant(6),
	               k7 = snap_mix_constant(7);
	for (size_t i = 0; i < stacks; i++)
		hashes[i] = snap_mix(hashes[i] + s->stack_length.at[i] * k4 + s->stack_total.at[i] * k5);
	uint64_t column_hash[SNAP_COLUMNS_MAX];
	for (uint32_t c = 0; c < s->column_count; c++)
		column_hash[c] = snap_mix_bytes(s->columns[c].name, strlen(s->columns[c].name));

	uint64_t m = meta_hash(s->meta);
	uint64_t d0 = snap_mix(m), d1 = snap_mix(m + 1);
	size_t sites = s->site_stack.count;
	for (size_t begin = 0; begin < sites; begin += SNAP_VALUES_CHUNK) {
		size_t count = sites - begin < SNAP_VALUES_CHUNK ? sites - begin : SNAP_VALUES_CHUNK;
		uint64_t e[SNAP_VALUES_CHUNK];
		int64_t sizes[SNAP_VALUES_CHUNK];
		snap_numbers_read(&s->site_size, begin, count, sizes);
		for (size_t i = 0; i < count; i++)
			e[i] = hashes[s->site_stack.at[begin + i]] + snap_snapshot_domain(s, begin + i) * k6 +
			       (uint64_t)sizes[i] * k7;
		snap_snapshot_read_columns(s, s->column_count, begin, count, values);
		for (uint32_t c = 0; c < s->column_count; c++)
			for (size_t i = 0; i < count; i++)
				e[i] += (uint64_t)values[c][i] * column_hash[c];
		for (size_t i = 0; i < count; i++) {
			d0 += snap_mix(e[i]);
			d1 += snap_mix(e[i] ^ UINT64_C(0x6A09E667F3BCC909));
		}
	}
	digest[0] = d0;
	digest[1] = d1;
	free(values);
	free(hashes);
	return SNAP_OK;
}
