/* Any bytes as a .snap stream: an answer, never a crash, and what is read can be written, read again,
 * grouped and compared.
 *
 * A changed byte is found by a checksum before anything is decoded, so the mutator here knows sections:
 * it changes what is in them, or moves them about, and then makes lengths, checksums, and the counts and
 * digest of END right. What it leaves are files like any other, that every reader can be tried on. */
#define _GNU_SOURCE
#include <snap/diff.h>
#include <snap/group.h>
#include <zstd.h>

#include "../unit/packed.h"
#include "../unit/random_snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t max, unsigned seed);
/* Of libFuzzer; not there when inputs are only replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t max);

/* A few megabytes are freed for each input; keeping hundreds of them costs more than all else. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:quarantine_size_mb=4:max_malloc_fill_size=0:malloc_context_size=8";
}

enum { SNAPSHOTS_MAX = 64, SECTIONS_MAX = 512, RAW_MAX = 1 << 16 };

#define MUST(condition)                                                                    \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                           \
		}                                                                          \
	} while (0)

/* --- properties ------------------------------------------------------------------------------------- */

/* Section 10 of the format: less than 4,900 bytes of tables for a byte of a file. */
static struct snap_limits limits_for(size_t size)
{
	return (struct snap_limits){UINT64_C(4900) * size + 65536};
}

static void must_make_sense(enum snap_status status, const struct snap_error *err, size_t size)
{
	if (status >= 0) {
		MUST(status <= SNAP_END);
		return;
	}
	MUST(status >= SNAP_ERR_INVALID && err->status == status);
	MUST(status == SNAP_ERR_TRUNCATED || status == SNAP_ERR_DAMAGED || status == SNAP_ERR_UNSUPPORTED);
	MUST(err->os_errno == 0);
	MUST(status == SNAP_ERR_TRUNCATED ? err->offset == size : err->offset <= size);
	size_t length = strlen(err->message);
	MUST(length > 0 && length < sizeof err->message);
	for (size_t i = 0; i < length; i++)
		MUST((unsigned char)err->message[i] >= 0x20 && err->message[i] != 0x7f);
}

struct reading {
	struct snap_snapshot *snapshots[SNAPSHOTS_MAX];
	size_t count;
	enum snap_status status;
	struct snap_error err;
};

static struct reading *read_all(const uint8_t *bytes, size_t size, bool check, bool salvage, unsigned drip)
{
	struct reading *r = bag_memory(NULL, 1, sizeof *r);
	const struct snap_reader_options options = {limits_for(size), check, salvage};
	struct packed_drip d = {bytes, bytes + size, drip, 0, 0};
	struct snap_input *in;
	r->err = (struct snap_error){.status = SNAP_OK, .message = ""};
	if (drip == 0)
		MUST(snap_input_from_memory(&in, bytes, size, NULL) == SNAP_OK);
	else
		MUST(snap_input_from_function(&in, packed_drip_read, packed_drip_close, &d, NULL) == SNAP_OK);
	r->status = packed_read(in, &options, r->snapshots, SNAPSHOTS_MAX, &r->count, &r->err);
	must_make_sense(r->status, &r->err, size);
	return r;
}

static void free_reading(struct reading *r)
{
	packed_free_all(r->snapshots, r->count);
	free(r);
}

static bool same_digest(const struct snap_snapshot *a, const struct snap_snapshot *b)
{
	uint64_t x[2], y[2];
	MUST(snap_snapshot_digest(a, x, NULL) == SNAP_OK && snap_snapshot_digest(b, y, NULL) == SNAP_OK);
	return memcmp(x, y, sizeof x) == 0;
}

/* Without salvage all ways of reading agree. */
static void must_agree(const uint8_t *bytes, size_t size, const struct reading *plain)
{
	struct reading *again = read_all(bytes, size, false, false, 1 + (unsigned)size % 7);
	MUST(again->status == plain->status && again->count == plain->count);
	MUST(again->err.offset == plain->err.offset && strcmp(again->err.message, plain->err.message) == 0);
	for (size_t i = 0; i < plain->count; i++)
		MUST(same_digest(plain->snapshots[i], again->snapshots[i]));
	free_reading(again);

	struct snap_input *in;
	struct snap_reader *r;
	struct snap_error err;
	const struct snap_reader_options options = {limits_for(size), false, false};
	MUST(snap_input_from_memory(&in, bytes, size, NULL) == SNAP_OK);
	enum snap_status status = snap_reader_open(&r, in, &options, &err);
	uint64_t all = 0;
	for (size_t i = 0; status == SNAP_OK && i < SNAPSHOTS_MAX; i++) {
		status = snap_reader_skip(r, &err);
		if (status != SNAP_OK)
			break;
		struct snap_member_info info = snap_reader_member(r);
		uint64_t stored = PACKED_HEADER;
		for (size_t k = 0; k < info.section_count; k++)
			stored += info.sections[k].stored;
		MUST(i < plain->count && info.offset == all && info.stored == stored);
		all += stored;
	}
	MUST(status == plain->status);
	MUST(status != SNAP_END || all == size);
	snap_reader_close(r);
}

/* With `check`, what is handed out has the digest that its END says. */
static void must_check(const uint8_t *bytes, size_t size, const struct reading *plain)
{
	struct reading *checked = read_all(bytes, size, true, false, 0);
	MUST(checked->count <= plain->count);
	MUST(checked->status == plain->status || checked->status == SNAP_ERR_DAMAGED);
	for (size_t i = 0; i < checked->count; i++)
		MUST(same_digest(plain->snapshots[i], checked->snapshots[i]));
	free_reading(checked);
}

static void must_salvage(const uint8_t *bytes, size_t size, const struct reading *plain, int checks)
{
	for (int check = 0; check <= checks; check++) {
		struct reading *saved = read_all(bytes, size, check, true, 0);
		MUST(check || (saved->count >= plain->count && saved->count <= plain->count + 1));
		if (!check && plain->status >= 0)
			MUST(saved->count == plain->count && saved->status == plain->status);
		for (size_t i = 0; i < saved->count && i < plain->count; i++)
			MUST(same_digest(plain->snapshots[i], saved->snapshots[i]));
		if (saved->count > plain->count) {
			MUST(saved->status == SNAP_END);
			MUST(snap_meta_get(snap_snapshot_meta(saved->snapshots[plain->count]), "partial") != NULL);
			bag_free(&(struct bag){.items = bag_of_snapshot(saved->snapshots[plain->count]).items});
		}
		free_reading(saved);
	}
}

/* Frames of all stacks; the work of writing a snapshot out in full, which can be far more than its file. */
static uint64_t frames_of_all_stacks(const struct snap_snapshot *s)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < snap_snapshot_stacks(s); i++)
		sum += snap_snapshot_stack(s, i).length;
	return sum;
}

/* Written and read again nothing is lost; what stood there twice may have been added up. */
static void must_round_trip(struct snap_snapshot *const *snapshots, size_t count, int level, bool series)
{
	struct packed p;
	struct snap_error err = {.message = ""};
	struct snap_snapshot *back[SNAPSHOTS_MAX + 1];
	size_t got;
	enum snap_status status = packed_try(&p, snapshots, count, level, series, &err);
	/* A snapshot keeps the limit it was read with, and being made takes more than being read. */
	if (status == SNAP_ERR_LIMIT || (status == SNAP_ERR_NOMEM && err.status == SNAP_ERR_LIMIT))
		return;
	MUST(status == SNAP_OK);
	const struct snap_reader_options check = {snap_limits_default(), true, false};
	status = packed_open(p.bytes, p.size, &check, back, SNAPSHOTS_MAX + 1, &got, &err);
	if (status != SNAP_END)
		fprintf(stderr, "level %d, series %d: %s at %ju\n", level, series, err.message,
			(uintmax_t)err.offset);
	MUST(status == SNAP_END && got == count);
	for (size_t i = 0; i < count; i++) {
		struct bag before = bag_of_snapshot(snapshots[i]), after = bag_of_snapshot(back[i]);
		MUST(bag_equal(&before, &after));
		MUST(before.merged > 0 || same_digest(snapshots[i], back[i]));
		bag_free(&before);
		bag_free(&after);
	}
	packed_free_all(back, got);
	free(p.bytes);
}

static void must_group(const struct snap_snapshot *s)
{
	for (int by = SNAP_BY_LINENO; by <= SNAP_BY_SIZE; by++)
		for (int cumulative = SNAP_SELF; cumulative <= SNAP_CUMULATIVE_TRACEMALLOC; cumulative++)
			for (int sort = SNAP_SORT_DEFAULT; sort <= SNAP_SORT_COUNT_DIFF; sort += 1 + cumulative) {
				const struct snap_group_options options = {(enum snap_group_by)by,
				                                           (enum snap_group_cumulative)cumulative,
				                                           (enum snap_group_sort)sort};
				struct snap_groups *g = NULL;
				struct snap_error err;
				enum snap_status status =
					snap_groups_new(&g, s, &options, (size_t)sort % 3 * 7, &err);
				MUST(status == SNAP_OK || status == SNAP_ERR_INVALID || status == SNAP_ERR_LIMIT);
				if (status < 0)
					continue;
				struct snap_group_row sum = {.size = 0};
				for (size_t i = 0; i < snap_groups_ranked(g); i++) {
					struct snap_frame frames[4];
					struct snap_group_row row = snap_groups_row(g, i);
					size_t n = snap_groups_frames(g, i, frames, 4);
					MUST(n == row.frames);
					sum.size += row.size;
					sum.count += row.count;
				}
				struct snap_group_row total = snap_groups_total(g);
				MUST(total.size == snap_snapshot_total(s, 1) &&
				     total.count == snap_snapshot_total(s, 0));
				if (cumulative == SNAP_SELF && snap_groups_ranked(g) == snap_groups_count(g))
					MUST(sum.size == total.size && sum.count == total.count);
				snap_groups_free(g);
			}
}

static void must_not_differ_from_itself(const struct snap_snapshot *s)
{
	struct snap_snapshot *diff = NULL;
	struct snap_error err;
	enum snap_status status = snap_diff_new(&diff, s, s, &err);
	if (status == SNAP_ERR_LIMIT || (status == SNAP_ERR_NOMEM && err.status == SNAP_ERR_LIMIT))
		return;
	if (snap_snapshot_is_diff(s)) {
		MUST(status == SNAP_ERR_INVALID);
		return;
	}
	/* Metadata may not fit twice. */
	if (status == SNAP_ERR_INVALID)
		return;
	MUST(status == SNAP_OK);
	for (size_t i = 0; i < snap_snapshot_sites(diff); i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		snap_snapshot_site(diff, i, values);
		MUST(values[0] == values[2] && values[1] == values[3]);
	}
	MUST(snap_snapshot_total(diff, 0) == snap_snapshot_total(s, 0));
	MUST(snap_snapshot_total(diff, 1) == snap_snapshot_total(s, 1));
	if (snap_snapshot_sites(diff) < 500)
		must_group(diff);
	snap_snapshot_free(diff);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* What costs most is done for some inputs only, the same ones always. */
	const uint32_t draw = packed_crc(bytes, size);
	struct reading *plain = read_all(bytes, size, false, false, 0);
	if (draw % 4 == 0)
		must_agree(bytes, size, plain);
	if (draw % 4 == 1)
		must_check(bytes, size, plain);
	if (draw % 2 == 0 || plain->status < 0)
		must_salvage(bytes, size, plain, draw % 8 == 0);
	uint64_t work = 0;
	for (size_t i = 0; i < plain->count; i++)
		work += frames_of_all_stacks(plain->snapshots[i]);
	if (work < 100000 && plain->count > 0) {
		struct snap_snapshot *one = plain->snapshots[draw / 16 % plain->count];
		if (draw % 16 < 4)
			must_round_trip(plain->snapshots, plain->count, 0, true);
		else if (draw % 16 == 4)
			must_round_trip(plain->snapshots, plain->count, 3, true);
		else if (draw % 16 < 7)
			must_round_trip(&one, 1, 0, false);
		else if (draw % 16 < 9)
			must_round_trip(&one, 1, 1, false);
		else if (draw % 16 < 12)
			must_group(one);
		else
			must_not_differ_from_itself(one);
	}
	free_reading(plain);
	return 0;
}

/* --- the mutator ------------------------------------------------------------------------------------ */

struct part {
	bool is_header; /* of a member: 20 bytes in `body` */
	uint8_t head[PACKED_SECTION];
	uint8_t *body; /* unpacked */
	size_t size;
};

struct parts {
	struct part at[SECTIONS_MAX];
	size_t count;
};

static void set_body(struct part *p, const uint8_t *bytes, size_t size)
{
	p->body = bag_memory(NULL, size, 1);
	if (size > 0)
		memcpy(p->body, bytes, size);
	p->size = size;
}

/* Made once: a processor that is asked what it can do, as zstd does for each new one, takes its time in a
 * virtual machine. */
static struct {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
} zstd;

static void make_zstd(void)
{
	if (zstd.pack == NULL)
		zstd.pack = ZSTD_createCCtx();
	if (zstd.unpack == NULL)
		zstd.unpack = ZSTD_createDCtx();
	MUST(zstd.pack != NULL && zstd.unpack != NULL);
}

/* Takes a stream apart as far as it has the form of one. */
static void take_apart(struct parts *parts, const uint8_t *bytes, size_t size)
{
	size_t at = 0;
	bool in_member = false;
	make_zstd();
	parts->count = 0;
	while (parts->count < SECTIONS_MAX) {
		struct part *p = &parts->at[parts->count];
		if (!in_member) {
			if (size - at < PACKED_HEADER)
				return;
			p->is_header = true;
			set_body(p, bytes + at, PACKED_HEADER);
			at += PACKED_HEADER;
			in_member = true;
		} else {
			if (size - at < PACKED_SECTION)
				return;
			p->is_header = false;
			memcpy(p->head, bytes + at, PACKED_SECTION);
			size_t stored = packed_get(p->head + 8), raw = packed_get(p->head + 12);
			at += PACKED_SECTION;
			if (stored > size - at)
				stored = size - at;
			uint8_t *unpacked = NULL;
			size_t got = SIZE_MAX;
			if (p->head[4] == 1 && raw <= RAW_MAX) {
				unpacked = bag_memory(NULL, raw, 1);
				got = ZSTD_decompressDCtx(zstd.unpack, unpacked, raw, bytes + at, stored);
			}
			if (got == raw && unpacked != NULL && !ZSTD_isError(got)) {
				set_body(p, unpacked, raw);
				p->head[4] = 0;
			} else {
				set_body(p, bytes + at, stored);
			}
			free(unpacked);
			at += stored;
			in_member = !packed_is(p->head, "END ");
		}
		parts->count++;
	}
}

static void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		free(parts->at[i].body);
	parts->count = 0;
}

/* Numbers in a body; those of one byte mostly. */
static uint64_t varints(const struct part *p)
{
	uint64_t n = 0;
	for (size_t i = 0; i < p->size; i++)
		n += p->body[i] < 0x80;
	return n;
}

/* Nodes that have the stack of the rule. */
static uint64_t listed_stacks(const struct part *p)
{
	uint64_t n = 0;
	for (size_t i = 0; i < p->size; i++)
		n += (i == 0 || p->body[i - 1] < 0x80) && (p->body[i] & 4) != 0;
	return n;
}

static void put_u64(uint8_t *p, uint64_t v)
{
	packed_put(p, (uint32_t)v);
	packed_put(p + 4, (uint32_t)(v >> 32));
}

static uint64_t get_u64(const uint8_t *p)
{
	return packed_get(p) | (uint64_t)packed_get(p + 4) << 32;
}

struct bytes {
	uint8_t *at;
	size_t size, max;
	bool full;
};

static void emit(struct bytes *out, const uint8_t *bytes, size_t size)
{
	out->full = out->full || size > out->max - out->size;
	if (out->full)
		return;
	if (size > 0)
		memcpy(out->at + out->size, bytes, size);
	out->size += size;
}

static void emit_section(struct bytes *out, struct part *p, const uint8_t *body, size_t size, uint8_t codec)
{
	p->head[4] = codec;
	packed_put(p->head + 8, (uint32_t)size);
	packed_put(p->head + 12, (uint32_t)p->size);
	packed_put(p->head + 16, packed_crc(body, size));
	packed_put(p->head + 20, packed_crc(p->head, 20));
	emit(out, p->head, PACKED_SECTION);
	emit(out, body, size);
}

/* Sites and digest of the member that ends in the last part emitted, as far as the reader can tell. */
static void ask_reader(const struct bytes *out, size_t member, bool with_digest, uint64_t *sites,
                       uint64_t digest[2])
{
	struct reading *r = read_all(out->at, out->size, false, true, 0);
	if (r->count == member + 1) {
		struct snap_snapshot *s = r->snapshots[member];
		snap_meta_remove(snap_snapshot_meta(s), "partial");
		*sites = snap_snapshot_sites(s);
		if (with_digest)
			snap_snapshot_digest(s, digest, NULL);
	}
	free_reading(r);
}

/* Puts the parts together, with right lengths and checksums and, with `counts`, a right END. */
static size_t put_together(struct parts *parts, uint8_t *bytes, size_t max, bool counts, bool pack)
{
	struct bytes out = {bytes, 0, max, false};
	uint64_t strings = 0, frames = 0, nodes = 0, stacks = 0;
	size_t member = 0;
	for (size_t i = 0; i < parts->count && !out.full; i++) {
		struct part *p = &parts->at[i];
		if (p->is_header) {
			if (counts) {
				memcpy(p->body, "\x89SNP\r\n\x1a\n", 8);
				if (i == 0)
					p->body[12] &= 0xFE;
			}
			if (p->size < PACKED_HEADER || (p->body[12] & 1) == 0)
				strings = frames = nodes = stacks = 0;
			if (p->size == PACKED_HEADER)
				packed_put(p->body + 16, packed_crc(p->body, 16));
			emit(&out, p->body, p->size);
			continue;
		}
		strings += packed_is(p->head, "STRP") ? varints(p) / 2 : 0;
		frames += packed_is(p->head, "FRML") ? varints(p) : 0;
		nodes += packed_is(p->head, "NODE") ? varints(p) : 0;
		stacks += packed_is(p->head, "NODE") ? listed_stacks(p) : packed_is(p->head, "STKD") ? varints(p)
		        : packed_is(p->head, "STKX")                                                 ? varints(p) / 3
		                                                                                      : 0;
		bool is_end = packed_is(p->head, "END ") && p->size == PACKED_END;
		if (is_end && counts) {
			size_t before = out.size;
			packed_put(p->body, i + 1 < parts->count);
			packed_put(p->body + 4, 0);
			put_u64(p->body + 8, strings);
			put_u64(p->body + 16, frames);
			put_u64(p->body + 24, nodes);
			put_u64(p->body + 32, stacks);
			put_u64(p->body + 40, UINT64_MAX);
			emit_section(&out, p, p->body, p->size, 0);
			if (out.full)
				break;
			uint64_t sites = get_u64(p->body + 40), digest[2] = {0, 0};
			ask_reader(&out, member, (packed_crc(out.at, out.size) & 3) == 0, &sites, digest);
			put_u64(p->body + 40, sites);
			put_u64(p->body + 48, digest[0]);
			put_u64(p->body + 56, digest[1]);
			out.size = before;
		}
		member += is_end;
		size_t bound = ZSTD_compressBound(p->size), packed = SIZE_MAX;
		uint8_t *body = NULL;
		if (pack && !is_end && p->head[4] == 0) {
			body = bag_memory(NULL, bound, 1);
			packed = ZSTD_compressCCtx(zstd.pack, body, bound, p->body, p->size, 1);
		}
		if (body != NULL && !ZSTD_isError(packed) && packed < p->size && packed * 32 >= p->size)
			emit_section(&out, p, body, packed, 1);
		else
			emit_section(&out, p, p->body, p->size, p->head[4]);
		free(body);
	}
	return out.full ? 0 : out.size;
}

/* Replaces one number of a body by another. */
static void mutate_number(struct part *p, struct dice *d)
{
	uint64_t numbers = varints(p), which = numbers > 0 ? dice_below(d, (uint32_t)numbers) : 0, value = 0;
	size_t begin = 0, end;
	for (; which > 0; begin++)
		which -= p->body[begin] < 0x80;
	for (end = begin; end < p->size; end++) {
		if (end - begin < 9)
			value |= (uint64_t)(p->body[end] & 0x7F) << (7 * (end - begin));
		if (p->body[end] < 0x80) {
			end++;
			break;
		}
	}
	switch (dice_below(d, 6)) {
	case 0:
		value = dice_below(d, 8);
		break;
	case 1:
		value = dice_bits(d, 64);
		break;
	case 2:
		value = (UINT64_C(1) << dice_below(d, 64)) - dice_below(d, 3);
		break;
	case 3:
		value ^= UINT64_C(1) << dice_below(d, 8);
		break;
	default:
		value += dice_below(d, 9) - UINT64_C(4);
		break;
	}
	uint8_t text[10];
	size_t size = 0;
	do {
		text[size++] = (uint8_t)(value | 0x80);
		value >>= 7;
	} while (value > 0);
	text[size - 1] &= 0x7F;
	size_t behind = p->size - end;
	uint8_t *body = bag_memory(NULL, begin + size + behind, 1);
	if (begin > 0)
		memcpy(body, p->body, begin);
	memcpy(body + begin, text, size);
	if (behind > 0)
		memcpy(body + begin + size, p->body + end, behind);
	free(p->body);
	p->body = body;
	p->size = begin + size + behind;
}

static void mutate_bytes(struct part *p, struct dice *d)
{
	size_t room = p->size + 1 + dice_below(d, 64);
	if (p->is_header)
		room = p->size;
	p->body = bag_memory(p->body, room, 1);
	if (LLVMFuzzerMutate != NULL)
		p->size = LLVMFuzzerMutate(p->body, p->size, room);
}

static struct part copy_part(const struct part *p)
{
	struct part copy = *p;
	set_body(&copy, p->body, p->size);
	return copy;
}

static void insert_part(struct parts *parts, size_t at, struct part p)
{
	if (parts->count == SECTIONS_MAX) {
		free(p.body);
		return;
	}
	memmove(&parts->at[at + 1], &parts->at[at], (parts->count - at) * sizeof *parts->at);
	parts->at[at] = p;
	parts->count++;
}

static void remove_part(struct parts *parts, size_t at)
{
	free(parts->at[at].body);
	parts->count--;
	memmove(&parts->at[at], &parts->at[at + 1], (parts->count - at) * sizeof *parts->at);
}

static void mutate_parts(struct parts *parts, struct dice *d)
{
	static const char tags[] =
		"METACOLSSTKRSTRPSTRBFRMFFRMLFRMUPRSCPRSFPRSTATCHNODERDEPSTKDSTKXCHGICHGVSITOSITDSITT"
		"DOMSVALSEND XTRA";
	size_t at = dice_below(d, (uint32_t)parts->count), other = dice_below(d, (uint32_t)parts->count);
	struct part *p = &parts->at[at], swapped;
	switch (dice_below(d, 16)) {
	case 0:
		remove_part(parts, at);
		break;
	case 1:
		insert_part(parts, at, copy_part(&parts->at[other]));
		break;
	case 2:
		swapped = *p;
		*p = parts->at[other];
		parts->at[other] = swapped;
		break;
	case 3:
		if (!p->is_header)
			memcpy(p->head, tags + 4 * dice_below(d, sizeof tags / 4), 4);
		break;
	case 4:
		p->head[4 + dice_below(d, 4)] ^= (uint8_t)(1u << dice_below(d, 8));
		break;
	case 5:
		if (p->is_header)
			p->body[8 + dice_below(d, 8)] ^= (uint8_t)(1u << dice_below(d, 8));
		break;
	case 6: /* one section becomes two */
		if (!p->is_header && p->size > 1) {
			size_t cut = 1 + dice_below(d, (uint32_t)p->size - 1);
			struct part rest = *p;
			set_body(&rest, p->body + cut, p->size - cut);
			p->size = cut;
			insert_part(parts, at + 1, rest);
		}
		break;
	case 7:
	case 8:
	case 9:
		if (!p->is_header)
			mutate_bytes(p, d);
		break;
	default:
		if (!p->is_header && p->size > 0)
			mutate_number(p, d);
		break;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t max, unsigned seed)
{
	struct dice d = {seed};
	if (dice_percent(&d, 4) && LLVMFuzzerMutate != NULL)
		return LLVMFuzzerMutate(bytes, size, max);
	struct parts *parts = bag_memory(NULL, 1, sizeof *parts);
	take_apart(parts, bytes, size);
	for (uint32_t i = 1 + dice_below(&d, 4); i > 0 && parts->count > 0; i--)
		mutate_parts(parts, &d);
	size_t made = put_together(parts, bytes, max, dice_percent(&d, 85), dice_percent(&d, 10));
	free_parts(parts);
	free(parts);
	if (made > 0)
		return made;
	return LLVMFuzzerMutate != NULL ? LLVMFuzzerMutate(bytes, size, max) : size;
}

/* Sections of one in place of those of the other, or one stream behind the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t max, unsigned seed)
{
	struct dice d = {seed};
	struct parts *a = bag_memory(NULL, 1, sizeof *a), *b = bag_memory(NULL, 1, sizeof *b);
	take_apart(a, one, one_size);
	take_apart(b, other, other_size);
	bool behind = dice_percent(&d, 30);
	for (size_t i = 0; i < b->count; i++) {
		if (behind) {
			insert_part(a, a->count, copy_part(&b->at[i]));
			continue;
		}
		for (size_t k = 0; k < a->count; k++)
			if (a->at[k].is_header == b->at[i].is_header && dice_percent(&d, 15) &&
			    (a->at[k].is_header || packed_is(a->at[k].head, (const char *)b->at[i].head))) {
				free(a->at[k].body);
				a->at[k] = copy_part(&b->at[i]);
				break;
			}
	}
	size_t made = put_together(a, out, max, true, false);
	free_parts(a);
	free_parts(b);
	free(a);
	free(b);
	return made;
}
