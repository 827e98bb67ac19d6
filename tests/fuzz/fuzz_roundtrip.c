/* Bytes as a program that tells builders what to make and writers how to write it: what is read back must
 * be what was told. */
#define _GNU_SOURCE
#include "../unit/packed.h"
#include "../unit/random_snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Some megabytes are freed for each input; keeping hundreds of them costs more than all else. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:quarantine_size_mb=4:max_malloc_fill_size=0:malloc_context_size=8";
}

enum { NAMES = 24, FRAMES = 48, STACKS = 64, SITES = 96, SNAPSHOTS = 6 };

#define MUST(condition)                                                                    \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                           \
		}                                                                          \
	} while (0)

struct program {
	const uint8_t *next, *end;
};

static uint32_t take(struct program *p)
{
	return p->next < p->end ? *p->next++ : 0;
}

/* A number of as many bytes as the first says, so that small ones are cheap. */
static uint64_t take_number(struct program *p)
{
	uint32_t first = take(p);
	if (first < 0xF0)
		return first;
	uint64_t v = 0;
	for (uint32_t i = 0; i <= (first & 7); i++)
		v = v << 8 | take(p);
	return v;
}

static struct told_name take_name(struct program *p, bool may_be_longest)
{
	uint32_t kind = take(p);
	struct told_name name = {NULL, kind & 15};
	if (kind == 0xFF && may_be_longest)
		name.size = SNAP_STRING_MAX;
	else if (kind >= 0xF0)
		name.size = 16 + take(p);
	name.bytes = bag_memory(NULL, name.size, 1);
	/* Many beginnings are the same. */
	memset(name.bytes, 'a' + (int)(kind >> 4 & 1), name.size);
	for (size_t i = name.size > 4 ? name.size - 4 : 0; i < name.size; i++) {
		uint32_t byte = take(p);
		name.bytes[i] = (char)(byte == 0 ? 'z' : byte);
	}
	return name;
}

static struct told_stack take_stack(struct program *p, uint32_t frames)
{
	uint32_t count = 1 + take(p) % 20, above = take(p);
	struct told_stack s = {bag_memory(NULL, count, sizeof *s.frames), count, 0};
	for (uint32_t i = 0; i < count; i++) {
		/* The same one again, the next one, or any. */
		uint32_t what = take(p), before = i > 0 ? s.frames[i - 1] : 0;
		s.frames[i] = (what < 64 ? before : what < 128 ? before + 1 : what) % frames;
	}
	if (above != 0xFF)
		s.total = count + (above < 0x80 ? 0 : above == 0x80 ? SNAP_DEPTH_MAX - count : above & 15);
	return s;
}

static void take_values(struct program *p, const struct told *t, struct told_site *s)
{
	/* Far enough from 63 bits that no sum of a snapshot leaves them. */
	const uint64_t most = (UINT64_C(1) << 48) - 1;
	memset(s->values, 0, sizeof s->values);
	uint32_t how = take(p);
	for (size_t c = 0; c < t->column_count; c++)
		if (how >> (c % 8) & 1) {
			uint64_t v = take_number(p);
			s->values[c] = v & 1 ? -(int64_t)(v >> 1 & most) : (int64_t)(v >> 1 & most);
		}
	if (how & 0x80) {
		s->values[0] = how & 0x7F;
		s->values[1] = (int64_t)(s->size & most) * (s->size <= most ? s->values[0] % 8 : 0);
	}
}

static struct told_site take_site(struct program *p, const struct told *t)
{
	struct told_site s = {.stack = take(p) % t->stack_count};
	uint32_t domain = take(p);
	s.domain = domain < 0xC0 ? 0 : domain < 0xF0 ? domain : UINT32_MAX - (domain & 3);
	s.size = take_number(p) & SNAP_BLOCK_SIZE_MAX;
	take_values(p, t, &s);
	return s;
}

static void take_meta(struct program *p, struct snap_meta *meta)
{
	for (uint32_t n = take(p) % 6; n > 0; n--) {
		static const char *const keys[] = {"a", "host", "old.host", "history.1", "time", "\xff"};
		const char *key = keys[take(p) % 6];
		uint8_t value[4];
		uint32_t size = take(p) % 5;
		for (uint32_t i = 0; i < size; i++)
			value[i] = (uint8_t)(take(p) | 1);
		MUST(snap_meta_set(meta, key, value, size, NULL) == SNAP_OK);
	}
}

static bool same_meta(const struct snap_meta *a, const struct snap_meta *b)
{
	bool same = snap_meta_count(a) == snap_meta_count(b);
	for (size_t i = 0; same && i < snap_meta_count(a); i++) {
		const char *x, *y;
		size_t x_size, y_size;
		same = strcmp(snap_meta_at(a, i, &x, &x_size), snap_meta_at(b, i, &y, &y_size)) == 0;
		same = same && x_size == y_size && memcmp(x, y, x_size) == 0;
	}
	return same;
}

/* `said` is what the wanted one says. */
static void must_be(struct snap_snapshot *got, struct snap_snapshot *wanted, const struct bag *said)
{
	struct bag bag = bag_of_snapshot(got);
	uint64_t x[2], y[2];
	MUST(bag_equal(&bag, said) && bag.merged == 0);
	MUST(snap_snapshot_digest(got, x, NULL) == SNAP_OK && snap_snapshot_digest(wanted, y, NULL) == SNAP_OK);
	MUST(memcmp(x, y, sizeof x) == 0);
	MUST(same_meta(snap_snapshot_meta(got), snap_snapshot_meta(wanted)));
	MUST(snap_snapshot_columns(got) == snap_snapshot_columns(wanted));
	for (size_t c = 0; c < snap_snapshot_columns(got); c++)
		MUST(snap_snapshot_total(got, c) == snap_snapshot_total(wanted, c));
	MUST(snap_snapshot_truncated_bytes(got) == snap_snapshot_truncated_bytes(wanted));
	bag_free(&bag);
}

/* Writes and reads. A level above 0 has one form: it must come out again from what was read. */
static void round_trip(struct snap_snapshot *const *s, const struct bag *said, size_t count, int level, bool series,
                       unsigned drip, bool again)
{
	struct packed p = packed_new(s, count, level, series);
	struct packed_drip d = {p.bytes, p.bytes + p.size, drip, 0, 0};
	struct snap_snapshot *back[SNAPSHOTS + 1];
	const struct snap_reader_options check = {snap_limits_default(), true, false};
	struct snap_error err = {.message = ""};
	struct snap_input *in;
	size_t got;
	if (drip == 0)
		MUST(snap_input_from_memory(&in, p.bytes, p.size, NULL) == SNAP_OK);
	else
		MUST(snap_input_from_function(&in, packed_drip_read, packed_drip_close, &d, NULL) == SNAP_OK);
	enum snap_status status = packed_read(in, &check, back, SNAPSHOTS + 1, &got, &err);
	if (status != SNAP_END)
		fprintf(stderr, "%s at %ju\n", err.message, (uintmax_t)err.offset);
	MUST(status == SNAP_END && got == count);
	for (size_t i = 0; i < count; i++)
		must_be(back[i], s[i], &said[i]);
	for (size_t i = count - 1; again && i < count; i -= 3) {
		struct packed one = packed_new(&s[i], 1, 1, false), other = packed_new(&back[i], 1, 1, false);
		MUST(one.size == other.size && memcmp(one.bytes, other.bytes, one.size) == 0);
		free(one.bytes);
		free(other.bytes);
	}
	packed_free_all(back, got);
	free(p.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct program p = {bytes, bytes + size};
	uint32_t how = take(&p);
	struct told t = {.name_count = 1 + take(&p) % NAMES, .frame_count = 1 + take(&p) % FRAMES,
	                 .stack_count = 1 + take(&p) % STACKS, .site_count = take(&p) % SITES};
	told_set_columns(&t, (enum told_columns)(how & 3));
	t.names = bag_memory(NULL, t.name_count, sizeof *t.names);
	t.frames = bag_memory(NULL, t.frame_count, sizeof *t.frames);
	t.stacks = bag_memory(NULL, t.stack_count, sizeof *t.stacks);
	t.sites = bag_memory(NULL, t.site_count, sizeof *t.sites);
	for (uint32_t i = 0; i < t.name_count; i++)
		t.names[i] = take_name(&p, i < 2); /* two of them share as much as two names can */
	for (uint32_t i = 0; i < t.frame_count; i++) {
		uint32_t file = take(&p) % t.name_count, function = take(&p);
		t.frames[i] = (struct told_frame){file, (uint32_t)take_number(&p),
		                                  function < 128 ? SNAP_NO_FUNCTION : function % t.name_count};
	}
	for (uint32_t i = 0; i < t.stack_count; i++)
		t.stacks[i] = take_stack(&p, t.frame_count);
	for (uint32_t i = 0; i < t.site_count; i++)
		t.sites[i] = take_site(&p, &t);

	/* Each snapshot has some of the sites, and some change before the next. */
	struct snap_snapshot *s[SNAPSHOTS];
	struct bag said[SNAPSHOTS];
	uint64_t(*hashes)[2] = told_stack_hashes(&t);
	size_t count = 1 + (how >> 2) % SNAPSHOTS;
	for (size_t k = 0; k < count; k++) {
		uint32_t begin = take(&p) % (t.site_count + 1), some = take(&p) % (t.site_count + 1 - begin);
		for (uint32_t n = t.site_count > 0 ? take(&p) % 16 : 0; n > 0; n--) {
			uint32_t which = take(&p) % t.site_count;
			take_values(&p, &t, &t.sites[which]);
		}
		struct dice order = {take(&p)};
		s[k] = told_snapshot(&t, t.sites + begin, some, order.state != 0 ? &order : NULL);
		take_meta(&p, snap_snapshot_meta(s[k]));
		struct bag made = bag_of_snapshot(s[k]);
		said[k] = told_bag_of(&t, hashes, t.sites + begin, some);
		MUST(bag_equal(&said[k], &made) && made.merged == 0);
		bag_free(&made);
	}
	/* What costs most is done for some inputs only, the same ones always. */
	const uint32_t draw = packed_crc(bytes, size);
	if (draw % 4 != 0)
		round_trip(s, said, count, 0, true, draw / 4 % 8, draw % 8 == 1);
	else if (draw % 64 != 0)
		round_trip(s, said, count, draw % 8 == 0 ? 3 : 1, true, 0, draw % 16 == 4);
	else
		round_trip(s, said, count < 3 ? count : 3, 1 + (int)(draw / 64 % SNAP_LEVEL_MAX), false, 0, true);
	for (size_t k = 0; k < count; k++)
		bag_free(&said[k]);
	free(hashes);
	packed_free_all(s, count);
	told_free(&t);
	return 0;
}
