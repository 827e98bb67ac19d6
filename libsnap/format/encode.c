/* Encodes members: columns of varints, cut into sections, compressed one by one. */
#include "format/encode.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <snap/reader.h>

#include "base/crc32.h"
#include "format/layout.h"

/* No row takes more: three varints. */
enum { ROW_BYTES_MAX = 30 };

struct frequent {
	uint32_t count, token;
};

struct snap_encoder {
	struct snap_output *output;
	int level;
	ZSTD_CCtx *zstd;
	struct snap_u8s raw, packed;
	/* Of the rows of the SITT being made: which are explicit; by column: whether VALS tells it. */
	struct snap_u8s is_explicit;
	bool told[SNAP_COLUMNS_MAX];
	struct snap_u64s tokens;
	/* SITD: how many tokens have a code, and by token the code + 1, or 0. */
	uint32_t frequent_count;
	uint8_t code_of[SNAP_FREQUENT_BELOW];
	/* The section being made; SNAP_TAG_END when there is none. */
	uint32_t tag, index, rows;
	bool written; /* at least one section of this tag was */
	uint8_t end[SNAP_END_SIZE];
	enum snap_status status; /* the first failure; what follows does nothing */
	struct snap_error *err;
};

static void put_u16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	put_u16(p, v & 0xFFFF);
	put_u16(p + 2, v >> 16);
}

static void put_u64(uint8_t *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static void output(struct snap_encoder *e, const void *bytes, size_t size)
{
	if (e->status == SNAP_OK)
		e->status = snap_output_write(e->output, bytes, size, e->err);
}

/* The section's body: the raw bytes, or what zstd makes of them where that is shorter. */
static const uint8_t *pack(struct snap_encoder *e, size_t *size, uint32_t *codec)
{
	const uint8_t *raw = e->raw.at;
	*size = e->raw.count;
	*codec = SNAP_CODEC_STORED;
	if (e->level == 0 || e->raw.count < 16)
		return raw;
	/* Room for the padding as well. */
	size_t bound = ZSTD_compressBound(e->raw.count) + 8 + e->raw.count / SNAP_SECTION_RATIO + 1;
	e->status = snap_vector_reserve(&e->packed, bound, NULL, e->err);
	if (e->status < 0)
		return raw;
	size_t packed = ZSTD_compress2(e->zstd, e->packed.at, e->packed.capacity, e->raw.at, e->raw.count);
	if (ZSTD_isError(packed)) {
		e->status = snap_fail(e->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		return raw;
	}
	size_t least = (e->raw.count + SNAP_SECTION_RATIO - 1) / SNAP_SECTION_RATIO;
	if (packed < least) {
		/* A skippable frame keeps the ratio below what readers accept. */
		size_t padding = least - packed < 8 ? 0 : least - packed - 8;
		put_u32(e->packed.at + packed, 0x184D2A50);
		put_u32(e->packed.at + packed + 4, (uint32_t)padding);
		memset(e->packed.at + packed + 8, 0, padding);
		packed += 8 + padding;
	}
	if (packed >= e->raw.count)
		return raw;
	*size = packed;
	*codec = SNAP_CODEC_ZSTD;
	return e->packed.at;
}

static void write_section(struct snap_encoder *e)
{
	uint32_t codec;
	size_t size;
	const uint8_t *body = pack(e, &size, &codec);
	uint8_t header[SNAP_SECTION_HEADER_SIZE];
	put_u32(header, e->tag);
	header[4] = (uint8_t)codec;
	header[5] = (uint8_t)(e->tag == SNAP_TAG_META ? 0 : SNAP_SECTION_MUST);
	put_u16(header + 6, e->index);
	put_u32(header + 8, (uint32_t)size);
	put_u32(header + 12, (uint32_t)e->raw.count);
	put_u32(header + 16, snap_crc32(body, size));
	put_u32(header + 20, snap_crc32(header, 20));
	output(e, header, sizeof header);
	output(e, body, size);
	e->raw.count = 0;
	e->rows = 0;
	e->written = true;
}

static void begin_section(struct snap_encoder *e, uint32_t tag, uint32_t index)
{
	e->tag = tag;
	e->index = index;
	e->rows = 0;
	e->raw.count = 0;
	e->written = false;
}

static void reserve(struct snap_encoder *e, size_t more)
{
	if (e->status == SNAP_OK)
		e->status = snap_vector_reserve(&e->raw, e->raw.count + more, NULL, e->err);
}

/* Before each row; false when something has failed. */
static inline bool row(struct snap_encoder *e)
{
	if (e->rows == SNAP_SECTION_ROWS)
		write_section(e);
	e->rows++;
	if (e->raw.capacity - e->raw.count < ROW_BYTES_MAX)
		reserve(e, ROW_BYTES_MAX);
	return e->status == SNAP_OK;
}

/* Returns where the next number goes. */
static inline uint8_t *write_uint(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

static inline void put_uint(struct snap_encoder *e, uint64_t v)
{
	e->raw.count = (size_t)(write_uint(e->raw.at + e->raw.count, v) - e->raw.at);
}

/* For loops over many rows of one number each: where the first of `rows` goes, at most a section's; to be
 * closed by put_rows with where the last one ended. NULL when something has failed. */
static uint8_t *open_rows(struct snap_encoder *e, size_t rows)
{
	enum { UINT_BYTES_MAX = 10 };
	reserve(e, rows * UINT_BYTES_MAX + 1);
	return e->status == SNAP_OK ? e->raw.at + e->raw.count : NULL;
}

static void put_rows(struct snap_encoder *e, size_t rows, const uint8_t *end)
{
	e->raw.count = (size_t)(end - e->raw.at);
	e->rows = (uint32_t)rows;
	if (rows > 0)
		write_section(e);
}

static void put_bytes(struct snap_encoder *e, const void *bytes, size_t size)
{
	reserve(e, size + ROW_BYTES_MAX);
	if (e->status < 0 || size == 0)
		return;
	memcpy(e->raw.at + e->raw.count, bytes, size);
	e->raw.count += size;
}

static void end_section(struct snap_encoder *e)
{
	if (e->rows > 0 && e->status == SNAP_OK)
		write_section(e);
}

static void encode_header(struct snap_encoder *e, uint32_t flags)
{
	uint8_t header[SNAP_HEADER_SIZE];
	memcpy(header, SNAP_MAGIC, SNAP_MAGIC_SIZE);
	put_u16(header + 8, SNAP_FORMAT_VERSION);
	put_u16(header + 10, SNAP_MIN_READER);
	put_u32(header + 12, flags);
	put_u32(header + 16, snap_crc32(header, 16));
	output(e, header, sizeof header);
}

/* The place of a key in `before`, counted from 1, or 0. Nearly always where it is now or one further. */
static size_t find_key(const struct snap_meta *before, const char *key, size_t guess)
{
	size_t count = before == NULL ? 0 : snap_meta_count(before);
	for (size_t i = 0; i < count; i++) {
		const char *value;
		size_t size, at = (guess + i) % count;
		if (strcmp(snap_meta_at(before, at, &value, &size), key) == 0)
			return at + 1;
	}
	return 0;
}

static void encode_meta(struct snap_encoder *e, const struct snap_meta *meta, const struct snap_meta *before)
{
	begin_section(e, SNAP_TAG_META, 0);
	if (!row(e))
		return;
	size_t count = snap_meta_count(meta), ref = 0;
	put_uint(e, count);
	for (size_t i = 0; i < count && e->status == SNAP_OK; i++) {
		const char *value, *old = NULL;
		size_t size, old_size = 0;
		const char *key = snap_meta_at(meta, i, &value, &size);
		ref = find_key(before, key, ref);
		if (ref > 0)
			snap_meta_at(before, ref - 1, &old, &old_size);
		reserve(e, ROW_BYTES_MAX);
		if (e->status < 0)
			return;
		put_uint(e, ref);
		if (ref == 0) {
			put_uint(e, strlen(key));
			put_bytes(e, key, strlen(key));
			if (e->status < 0)
				return;
		}
		if (old != NULL && old_size == size && memcmp(old, value, size) == 0) {
			put_uint(e, 0);
			continue;
		}
		put_uint(e, size + 1);
		put_bytes(e, value, size);
	}
	if (e->raw.count > SNAP_SECTION_RAW_MAX)
		e->status = snap_fail(e->err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET, "the metadata take more than 4 MiB");
	end_section(e);
}

static void encode_columns(struct snap_encoder *e, const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	begin_section(e, SNAP_TAG_COLS, 0);
	if (!row(e))
		return;
	put_uint(e, s->column_count);
	for (uint32_t c = 0; c < s->column_count && e->status == SNAP_OK; c++) {
		size_t length = strlen(s->columns[c].name);
		put_uint(e, length);
		put_bytes(e, s->columns[c].name, length);
		if (e->status < 0)
			return;
		put_uint(e, s->columns[c].unit);
		put_uint(e, s->columns[c].predictor);
		put_uint(e, s->columns[c].from);
	}
	end_section(e);
	begin_section(e, SNAP_TAG_STKR, 0);
	if (!row(e))
		return;
	put_uint(e, m->rule.limit);
	put_uint(e, m->rule.known);
	end_section(e);
}

/* How many bytes a string takes over from the one before it. */
static size_t shared_prefix(struct snap_text before, struct snap_text t)
{
	size_t most = before.size < t.size ? before.size : t.size, shared = 0;
	while (shared < most && before.bytes[shared] == t.bytes[shared])
		shared++;
	/* Readers accept only so much for each byte that is told. */
	if (shared > SNAP_STRING_SHARED_FACTOR * (t.size - shared + 2))
		shared = SNAP_STRING_SHARED_FACTOR * (t.size + 2) / (SNAP_STRING_SHARED_FACTOR + 1);
	return shared;
}

static void encode_strings(struct snap_encoder *e, const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	uint32_t count = (uint32_t)s->text_end.count;
	struct snap_text before = {"", 0};
	begin_section(e, SNAP_TAG_STRP, 0);
	for (uint32_t i = m->first_string; i < count && row(e); i++) {
		struct snap_text t = snap_snapshot_string(s, i);
		size_t shared = shared_prefix(before, t);
		put_uint(e, shared);
		put_uint(e, t.size - shared);
		before = t;
	}
	end_section(e);
	before = (struct snap_text){"", 0};
	begin_section(e, SNAP_TAG_STRB, 0);
	for (uint32_t i = m->first_string; i < count && e->status == SNAP_OK; i++) {
		struct snap_text t = snap_snapshot_string(s, i);
		size_t shared = shared_prefix(before, t);
		if (e->raw.count > SNAP_SECTION_RAW_MAX / 4)
			write_section(e);
		put_bytes(e, t.bytes + shared, t.size - shared);
		e->rows = e->raw.count > 0;
		before = t;
	}
	end_section(e);
}

static void encode_frames(struct snap_encoder *e, const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	const uint32_t *file = s->frame_file.at, *line = s->frame_line.at, *function = s->frame_function.at;
	size_t first = m->first_frame, count = s->frame_file.count;
	bool functions = false;
	begin_section(e, SNAP_TAG_FRMF, 0);
	for (size_t i = first; i < count; i++) {
		functions = functions || function[i] != SNAP_NONE;
		if (i > first && file[i] == file[i - 1])
			continue;
		if (!row(e))
			return;
		put_uint(e, i == first ? file[i] : file[i] - file[i - 1] - 1);
	}
	end_section(e);
	begin_section(e, SNAP_TAG_FRML, 0);
	for (size_t i = first; i < count && row(e); i++) {
		uint64_t before = i > first && file[i] == file[i - 1] ? line[i - 1] : 0;
		bool last = i + 1 == count || file[i + 1] != file[i];
		put_uint(e, (line[i] - before) << 1 | last);
	}
	end_section(e);
	if (!functions)
		return;
	begin_section(e, SNAP_TAG_FRMU, 0);
	int64_t before = 0;
	for (size_t i = first; i < count && row(e); i++) {
		int64_t code = function[i] == SNAP_NONE ? 0 : (int64_t)function[i] + 1;
		put_uint(e, zigzag(code - before));
		before = code;
	}
	end_section(e);
}

static void encode_pairs(struct snap_encoder *e, const struct snap_member *m)
{
	const uint64_t *pairs = m->pairs;
	size_t count = m->pair_count;
	uint64_t next = 0;
	begin_section(e, SNAP_TAG_PRSC, 0);
	for (size_t i = 0; i < count; i++) {
		uint64_t caller = pairs[i] >> 32;
		if (i > 0 && caller == pairs[i - 1] >> 32)
			continue;
		if (!row(e))
			return;
		put_uint(e, (caller - next) << 1 | (i + 1 < count && pairs[i + 1] >> 32 == caller));
		next = caller + 1;
	}
	end_section(e);
	begin_section(e, SNAP_TAG_PRSF, 0);
	int64_t before = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t callee = (uint32_t)pairs[i];
		if (i > 0 && pairs[i] >> 32 == pairs[i - 1] >> 32)
			continue;
		if (!row(e))
			return;
		put_uint(e, zigzag(callee - before));
		before = callee;
	}
	end_section(e);
	begin_section(e, SNAP_TAG_PRST, 0);
	for (size_t i = 1; i < count; i++) {
		if (pairs[i] >> 32 != pairs[i - 1] >> 32)
			continue;
		if (!row(e))
			return;
		bool last = i + 1 == count || pairs[i + 1] >> 32 != pairs[i] >> 32;
		put_uint(e, (pairs[i] - pairs[i - 1] - 1) << 1 | last);
	}
	end_section(e);
}

static uint8_t *node_flags(const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	size_t nodes = s->node_parent.count, first = m->first_node;
	uint8_t *flags = snap_array_new(nodes - first, 1);
	uint8_t *later = calloc(nodes + 1, 1); /* by parent code: a later sibling was seen */
	if (flags == NULL || later == NULL) {
		free(flags);
		free(later);
		return NULL;
	}
	memset(flags, 0, nodes - first);
	for (size_t i = nodes; i-- > first;) {
		uint32_t parent = s->node_parent.at[i];
		uint8_t *seen = &later[parent == SNAP_NONE ? 0 : (size_t)parent + 1];
		if (!*seen)
			flags[i - first] |= SNAP_NODE_LAST;
		*seen = 1;
		if (parent != SNAP_NONE && parent >= first)
			flags[parent - first] |= SNAP_NODE_CHILDREN;
	}
	free(later);
	for (uint32_t i = m->first_stack; i < s->stack_node.count; i++)
		if (s->stack_node.at[i] >= first && snap_stack_follows(s, i, m->rule))
			flags[s->stack_node.at[i] - first] |= SNAP_NODE_STACK;
	return flags;
}

static void encode_nodes(struct snap_encoder *e, const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	const uint32_t *parent = s->node_parent.at;
	size_t first = m->first_node, nodes = s->node_parent.count;
	if (first == nodes || e->status < 0)
		return;
	uint8_t *flags = node_flags(m);
	/* By parent: number after that of the last child written. */
	uint32_t *next = snap_array_new(nodes, sizeof *next);
	if (flags == NULL || next == NULL) {
		e->status = snap_fail(e->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		goto done;
	}
	memset(next, 0, nodes * sizeof *next);
	bool only_root = true, depths = false;
	for (size_t i = first; i < nodes; i++) {
		only_root = only_root && (parent[i] == SNAP_NONE || parent[i] >= first);
		depths = depths || (parent[i] == SNAP_NONE && s->node_depth.at[i] != 1);
	}
	begin_section(e, SNAP_TAG_ATCH, 0);
	uint64_t next_code = 0;
	for (size_t i = first; i < nodes && !only_root; i++) {
		uint64_t code = parent[i] == SNAP_NONE ? 0 : (uint64_t)parent[i] + 1;
		if (code > first || (next_code > 0 && code == next_code - 1))
			continue;
		if (!row(e))
			break;
		put_uint(e, code - next_code);
		next_code = code + 1;
	}
	end_section(e);

	begin_section(e, SNAP_TAG_NODE, 0);
	uint32_t root_frame = 0;
	for (size_t at = first; at < nodes; at += SNAP_SECTION_ROWS) {
		size_t end = nodes - at < SNAP_SECTION_ROWS ? nodes : at + SNAP_SECTION_ROWS;
		uint8_t *p = open_rows(e, end - at);
		if (p == NULL)
			break;
		for (size_t i = at; i < end; i++) {
			uint64_t difference;
			if (parent[i] == SNAP_NONE) {
				difference = s->node_frame.at[i] - root_frame;
				root_frame = s->node_frame.at[i];
			} else {
				difference = m->callee_number[i - first] - next[parent[i]];
				next[parent[i]] = m->callee_number[i - first] + 1;
			}
			p = write_uint(p, difference << SNAP_NODE_SHIFT | flags[i - first]);
		}
		put_rows(e, end - at, p);
	}

	begin_section(e, SNAP_TAG_RDEP, 0);
	size_t before = SNAP_NONE;
	for (size_t i = first; i < nodes && depths; i++) {
		if (parent[i] != SNAP_NONE)
			continue;
		if (!row(e))
			break;
		bool same = before != SNAP_NONE && s->node_frame.at[before] == s->node_frame.at[i];
		put_uint(e, s->node_depth.at[i] - (same ? s->node_depth.at[before] : 0u) - 1u);
		before = i;
	}
	end_section(e);
done:
	free(flags);
	free(next);
}

static void encode_stacks(struct snap_encoder *e, const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	uint32_t i = m->first_stack, count = (uint32_t)s->stack_node.count, next = 0;
	begin_section(e, SNAP_TAG_STKD, 0);
	for (; i < count && s->stack_node.at[i] < m->first_node && snap_stack_follows(s, i, m->rule) && row(e); i++) {
		put_uint(e, s->stack_node.at[i] - next);
		next = s->stack_node.at[i] + 1;
	}
	end_section(e);
	while (i < count && snap_stack_follows(s, i, m->rule))
		i++;
	begin_section(e, SNAP_TAG_STKX, 0);
	uint32_t before = 0;
	for (; i < count && row(e); i++) {
		put_uint(e, s->stack_node.at[i] - before);
		put_uint(e, s->stack_length.at[i]);
		put_uint(e, s->stack_total.at[i]);
		before = s->stack_node.at[i];
	}
	end_section(e);
}

static void encode_changes(struct snap_encoder *e, const struct snap_member *m)
{
	uint64_t next = 0;
	for (size_t at = 0; at < m->changed_count && e->status == SNAP_OK; at += SNAP_SECTION_ROWS) {
		size_t end = m->changed_count - at < SNAP_SECTION_ROWS ? m->changed_count : at + SNAP_SECTION_ROWS;
		begin_section(e, SNAP_TAG_CHGI, 0);
		for (size_t i = at; i < end && row(e); i++) {
			put_uint(e, m->changed[i] - next);
			next = (uint64_t)m->changed[i] + 1;
		}
		end_section(e);
		for (uint32_t c = 0; c < m->tables->column_count; c++) {
			bool any = false;
			for (size_t i = at; i < end && !any; i++)
				any = m->changes[c][i] != 0;
			begin_section(e, SNAP_TAG_CHGV, c);
			for (size_t i = at; i < end && any && row(e); i++)
				put_uint(e, zigzag(m->changes[c][i]));
			end_section(e);
		}
	}
}

/* The residuals of one column at `count` sites from `begin` on. */
static void read_residuals(const struct snap_snapshot *s, uint32_t column, size_t begin, size_t count,
                           int64_t *residuals)
{
	int64_t predicted[SNAP_VALUES_CHUNK];
	snap_snapshot_read_values(s, column, begin, count, residuals);
	if (s->columns[column].predictor == SNAP_PREDICT_NOTHING)
		return;
	snap_snapshot_read_predicted(s, column, begin, count, predicted);
	for (size_t i = 0; i < count; i++)
		residuals[i] = (int64_t)((uint64_t)residuals[i] - (uint64_t)predicted[i]);
}

/* Which of the sites [begin, end) are explicit, and which columns have to be told for them. */
static void find_explicit(struct snap_encoder *e, const struct snap_snapshot *s, size_t begin, size_t end)
{
	uint8_t *is_explicit = e->is_explicit.at;
	memset(is_explicit, 0, end - begin);
	memset(e->told, 0, sizeof e->told);
	for (uint32_t c = 0; c < s->column_count; c++) {
		int64_t implied = c == SNAP_COLUMN_BLOCKS;
		if (s->values[c].count == 0)
			continue;
		for (size_t at = begin; at < end; at += SNAP_VALUES_CHUNK) {
			size_t count = end - at < SNAP_VALUES_CHUNK ? end - at : SNAP_VALUES_CHUNK;
			int64_t residuals[SNAP_VALUES_CHUNK];
			read_residuals(s, c, at, count, residuals);
			for (size_t i = 0; i < count; i++) {
				is_explicit[at - begin + i] |= residuals[i] != implied;
				e->told[c] |= residuals[i] != 0;
			}
		}
	}
}

static void encode_values(struct snap_encoder *e, const struct snap_snapshot *s, uint32_t column, size_t begin,
                          size_t end)
{
	const uint8_t *is_explicit = e->is_explicit.at;
	size_t rows = 0;
	begin_section(e, SNAP_TAG_VALS, column);
	uint8_t *p = open_rows(e, end - begin);
	for (size_t at = begin; at < end && p != NULL; at += SNAP_VALUES_CHUNK) {
		size_t count = end - at < SNAP_VALUES_CHUNK ? end - at : SNAP_VALUES_CHUNK;
		int64_t residuals[SNAP_VALUES_CHUNK];
		read_residuals(s, column, at, count, residuals);
		for (size_t i = 0; i < count; i++)
			if (is_explicit[at - begin + i]) {
				p = write_uint(p, zigzag(residuals[i]));
				rows++;
			}
	}
	if (p != NULL)
		put_rows(e, rows, p);
}

static void encode_domains(struct snap_encoder *e, const struct snap_snapshot *s, size_t at, size_t end)
{
	const uint32_t *domain = s->site_domain.at;
	if (s->site_domain.count == 0)
		return;
	begin_section(e, SNAP_TAG_DOMS, 0);
	for (size_t i = at, run; i < end; i += run) {
		for (run = 1; i + run < end && domain[i + run] == domain[i]; run++)
			;
		if ((run == end - at && domain[i] == 0) || !row(e))
			break;
		put_uint(e, run);
		put_uint(e, domain[i]);
	}
	end_section(e);
}

/* The tokens of the sites [begin, end) of a member, into e->tokens. */
static void make_tokens(struct snap_encoder *e, const struct snap_member *m, size_t begin, size_t end)
{
	const struct snap_snapshot *s = m->tables;
	const uint32_t *stack = s->site_stack.at;
	size_t count = s->site_stack.count;
	find_explicit(e, s, begin, end);
	for (size_t i = begin; i < end; i++) {
		uint64_t size = (uint64_t)snap_numbers_get(&s->site_size, i);
		if (i > m->first_site && stack[i] == stack[i - 1] && snap_snapshot_domain(s, i) == snap_snapshot_domain(s, i - 1))
			size -= (uint64_t)snap_numbers_get(&s->site_size, i - 1);
		bool last = i + 1 == count || stack[i + 1] != stack[i];
		e->tokens.at[i - begin] = size << 2 | (uint64_t)e->is_explicit.at[i - begin] << 1 | last;
	}
}

static int compare_frequent(const void *a, const void *b)
{
	const struct frequent *x = a, *y = b;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->token > y->token) - (x->token < y->token);
}

/* Gives codes to the tokens that occur most often among all new sites. */
static void encode_frequent(struct snap_encoder *e, const struct snap_member *m)
{
	size_t count = m->tables->site_stack.count, found = 0;
	if (e->frequent_count > 0)
		memset(e->code_of, 0, sizeof e->code_of);
	e->frequent_count = 0;
	if (count - m->first_site < SNAP_FREQUENT_SITES || e->status < 0)
		return;
	struct frequent *all = calloc(SNAP_FREQUENT_BELOW, sizeof *all);
	if (all == NULL) {
		e->status = snap_fail(e->err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		return;
	}
	for (size_t at = m->first_site; at < count; at += SNAP_SECTION_ROWS) {
		size_t end = count - at < SNAP_SECTION_ROWS ? count : at + SNAP_SECTION_ROWS;
		make_tokens(e, m, at, end);
		for (size_t i = 0; i < end - at; i++)
			if (e->tokens.at[i] < SNAP_FREQUENT_BELOW)
				all[e->tokens.at[i]].count++;
	}
	for (uint32_t token = 0; token < SNAP_FREQUENT_BELOW; token++)
		if (all[token].count > 0)
			all[found++] = (struct frequent){all[token].count, token};
	qsort(all, found, sizeof *all, compare_frequent);
	e->frequent_count = found < SNAP_FREQUENT_WRITTEN ? (uint32_t)found : SNAP_FREQUENT_WRITTEN;
	begin_section(e, SNAP_TAG_SITD, 0);
	for (uint32_t i = 0; i < e->frequent_count && row(e); i++) {
		put_uint(e, all[i].token);
		e->code_of[all[i].token] = (uint8_t)(i + 1);
	}
	end_section(e);
	free(all);
}

static void encode_sites(struct snap_encoder *e, const struct snap_member *m)
{
	const struct snap_snapshot *s = m->tables;
	const uint32_t *stack = s->site_stack.at;
	size_t count = s->site_stack.count;
	begin_section(e, SNAP_TAG_SITO, 0);
	uint64_t next = 0;
	for (size_t i = m->first_site; i < count && stack[i] < m->first_stack; i++) {
		if (i > m->first_site && stack[i] == stack[i - 1])
			continue;
		if (!row(e))
			return;
		put_uint(e, stack[i] - next);
		next = (uint64_t)stack[i] + 1;
	}
	end_section(e);
	if (e->status == SNAP_OK)
		e->status = snap_vector_reserve(&e->is_explicit, SNAP_SECTION_ROWS, NULL, e->err);
	if (e->status == SNAP_OK)
		e->status = snap_vector_reserve(&e->tokens, SNAP_SECTION_ROWS, NULL, e->err);
	if (e->status == SNAP_OK && count - m->first_site >= SNAP_SECTION_ROWS)
		snap_vector_expect_writes(&e->tokens, 0, SNAP_SECTION_ROWS);
	encode_frequent(e, m);
	for (size_t at = m->first_site; at < count && e->status == SNAP_OK; at += SNAP_SECTION_ROWS) {
		size_t end = count - at < SNAP_SECTION_ROWS ? count : at + SNAP_SECTION_ROWS;
		make_tokens(e, m, at, end);
		bool any_explicit = memchr(e->is_explicit.at, 1, end - at) != NULL;
		begin_section(e, SNAP_TAG_SITT, 0);
		uint8_t *p = open_rows(e, end - at);
		if (p == NULL)
			break;
		for (size_t i = 0; i < end - at; i++) {
			uint64_t token = e->tokens.at[i];
			uint8_t code = token < SNAP_FREQUENT_BELOW ? e->code_of[token] : 0;
			p = write_uint(p, code > 0 ? code - 1u : token + e->frequent_count);
		}
		put_rows(e, end - at, p);
		encode_domains(e, s, at, end);
		for (uint32_t c = 0; c < s->column_count && e->status == SNAP_OK; c++)
			if (e->told[c] && any_explicit)
				encode_values(e, s, c, at, end);
	}
}

enum snap_status snap_encoder_new(struct snap_encoder **out, struct snap_output *output_, int level,
                                  struct snap_error *err)
{
	*out = NULL;
	struct snap_encoder *e = calloc(1, sizeof *e);
	if (e == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	e->output = output_;
	e->level = level;
	if (level > 0) {
		e->zstd = ZSTD_createCCtx();
		if (e->zstd == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, level))) {
			snap_encoder_free(e);
			return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
		}
	}
	*out = e;
	return SNAP_OK;
}

void snap_encoder_free(struct snap_encoder *e)
{
	if (e == NULL)
		return;
	ZSTD_freeCCtx(e->zstd);
	snap_vector_free(&e->raw, NULL);
	snap_vector_free(&e->packed, NULL);
	snap_vector_free(&e->is_explicit, NULL);
	snap_vector_free(&e->tokens, NULL);
	free(e);
}

enum snap_status snap_encode_member(struct snap_encoder *e, const struct snap_member *m, struct snap_error *err)
{
	e->err = err;
	e->status = SNAP_OK;
	encode_header(e, m->flags);
	encode_meta(e, m->meta, m->meta_before);
	if ((m->flags & SNAP_FLAG_CONTINUES) == 0)
		encode_columns(e, m);
	encode_strings(e, m);
	encode_frames(e, m);
	encode_pairs(e, m);
	encode_nodes(e, m);
	encode_stacks(e, m);
	encode_changes(e, m);
	encode_sites(e, m);
	put_u32(e->end + 4, 0);
	put_u64(e->end + 8, m->tables->text_end.count);
	put_u64(e->end + 16, m->tables->frame_file.count);
	put_u64(e->end + 24, m->tables->node_parent.count);
	put_u64(e->end + 32, m->tables->stack_node.count);
	put_u64(e->end + 40, m->live_sites);
	put_u64(e->end + 48, m->digest[0]);
	put_u64(e->end + 56, m->digest[1]);
	e->err = NULL;
	return e->status;
}

enum snap_status snap_encode_end(struct snap_encoder *e, bool more, struct snap_error *err)
{
	e->err = err;
	put_u32(e->end, more ? SNAP_END_MORE : 0);
	int level = e->level;
	e->level = 0;
	begin_section(e, SNAP_TAG_END, 0);
	put_bytes(e, e->end, sizeof e->end);
	if (e->status == SNAP_OK)
		write_section(e);
	e->level = level;
	e->err = NULL;
	return e->status;
}
