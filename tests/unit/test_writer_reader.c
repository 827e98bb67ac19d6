/* snap/writer.h and snap/reader.h: single snapshots to bytes and back. */
#define _GNU_SOURCE
#include <errno.h>
#include <snap/diff.h>

#include "packed.h"
#include "random_snapshot.h"
#include "test.h"

static const int levels[] = {0, 1, 3, 19};
enum { LEVELS = sizeof levels / sizeof *levels };

/* Reads a stream of one snapshot. */
static struct snap_snapshot *read_one(const void *bytes, size_t size, const struct snap_reader_options *options)
{
	struct snap_snapshot *s[2] = {NULL, NULL};
	struct snap_error err = {.message = ""};
	size_t count;
	enum snap_status status = packed_open(bytes, size, options, s, 2, &count, &err);
	CHECK_OK(status, &err);
	CHECK_INT(count, 1);
	CHECK_INT(status, SNAP_END);
	return s[0];
}

static void check_same(const struct snap_snapshot *a, const struct snap_snapshot *b)
{
	struct bag in = bag_of_snapshot(a), out = bag_of_snapshot(b);
	uint64_t x[2], y[2];
	CHECK(bag_equal(&in, &out));
	CHECK_INT(snap_snapshot_digest(a, x, NULL), SNAP_OK);
	CHECK_INT(snap_snapshot_digest(b, y, NULL), SNAP_OK);
	CHECK_MEM(x, sizeof x, y, sizeof y);
	bag_free(&in);
	bag_free(&out);
}

/* Whether nothing was lost; prints which snapshot it was. */
static void check_lossless(const struct shape *shape, uint64_t seed, const struct snap_reader_options *options)
{
	struct told t = told_random(shape, seed);
	struct bag in = told_bag(&t, t.sites, t.site_count);
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
	for (size_t l = 0; l < LEVELS; l++) {
		struct packed p = packed_new(&s, 1, levels[l], false);
		struct snap_snapshot *back = read_one(p.bytes, p.size, options);
		if (back != NULL) {
			struct bag out = bag_of_snapshot(back);
			if (!CHECK(bag_equal(&in, &out)))
				printf("shape %s, seed %ju, level %d\n", shape->name, (uintmax_t)seed, levels[l]);
			CHECK_INT(out.merged, 0);
			CHECK_INT(snap_snapshot_sites(back), snap_snapshot_sites(s));
			CHECK_INT(snap_snapshot_stacks(back), snap_snapshot_stacks(s));
			CHECK_INT(snap_snapshot_nodes(back), snap_snapshot_nodes(s));
			CHECK_INT(snap_snapshot_frames(back), snap_snapshot_frames(s));
			CHECK_INT(snap_snapshot_strings(back), snap_snapshot_strings(s));
			CHECK_INT(snap_snapshot_is_diff(back), snap_snapshot_is_diff(s));
			CHECK_INT(snap_snapshot_truncated_bytes(back), snap_snapshot_truncated_bytes(s));
			CHECK_INT(snap_snapshot_columns(back), t.column_count);
			for (size_t c = 0; c < t.column_count; c++) {
				CHECK_STR(snap_snapshot_column(back, c).name, t.columns[c].name);
				CHECK_INT(snap_snapshot_column(back, c).unit, t.columns[c].unit);
				CHECK_INT(snap_snapshot_total(back, c), snap_snapshot_total(s, c));
			}
			CHECK_STR(snap_meta_get(snap_snapshot_meta(back), "source_format"), "random");
			bag_free(&out);
			/* What was read is written as what it was read from. */
			struct packed again = packed_new(&back, 1, levels[l], false);
			CHECK_MEM(again.bytes, again.size, p.bytes, p.size);
			free(again.bytes);
		}
		snap_snapshot_free(back);
		free(p.bytes);
	}
	bag_free(&in);
	snap_snapshot_free(s);
	told_free(&t);
}

TEST(nothing_is_lost)
{
	const struct snap_reader_options check = {snap_limits_default(), .check = true};
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 0; seed < 8; seed++)
			check_lossless(&small_shapes[i], seed * 100 + i, seed % 2 == 0 ? NULL : &check);
}

/* Several sections of every kind that repeats: 65,536 rows each, 1 MiB of names. */
TEST(nothing_is_lost_of_many_sites)
{
	static const struct shape many = {"200k sites", 150000, 300, 90000, 200000, 120000, 240000,    9, 40,
	                                  {0, 6},       90,     5,   6,     20,     12,    TOLD_PLAIN, false};
	struct told t = told_random(&many, 1);
	struct bag in = told_bag(&t, t.sites, t.site_count);
	CHECK(in.count > 3 * 65536);
	struct dice order = {2};
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, &order);
	CHECK(snap_snapshot_stacks(s) > 65536);
	CHECK(snap_snapshot_frames(s) > 65536);
	CHECK(snap_snapshot_strings(s) > 65536);
	for (int level = 0; level <= 3; level += 3) {
		struct packed p = packed_new(&s, 1, level, false);
		static const char *const repeated[] = {"STRP", "STRB", "FRMF", "FRML", "FRMU", "PRSC", "PRSF",
						       "PRST", "NODE", "STKX", "SITT", "DOMS", "VALS"};
		for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++)
			if (!CHECK(packed_find(p.bytes, p.size, repeated[i], 1) != SIZE_MAX))
				printf("one section %s only\n", repeated[i]);
		struct snap_snapshot *back = read_one(p.bytes, p.size, NULL);
		struct bag out = bag_of_snapshot(back);
		CHECK(bag_equal(&in, &out));
		bag_free(&out);
		snap_snapshot_free(back);
		free(p.bytes);
	}
	bag_free(&in);
	snap_snapshot_free(s);
	told_free(&t);
}

/* A stack whose sites need two sections, with a domain that begins in the first and ends in the second. Sizes
 * are told as differences within a domain, so those before it must not count: they are the largest there are. */
TEST(sizes_begin_anew_with_each_domain)
{
	enum { SITES = 70000, DOMAINS = 3 };
	struct snap_builder *b;
	struct snap_snapshot *s = NULL;
	struct snap_error err = {.message = ""};
	uint32_t file, frame, stack;
	CHECK_OK(snap_builder_new(&b, NULL, &err), &err);
	CHECK_OK(snap_builder_string(b, "a.py", 4, &file, &err), &err);
	CHECK_OK(snap_builder_frame(b, file, 1, SNAP_NO_FUNCTION, &frame, &err), &err);
	CHECK_OK(snap_builder_stack(b, &frame, 1, 0, &stack, &err), &err);
	for (uint32_t i = 0; i < SITES; i++) {
		uint32_t domain = i / (SITES / DOMAINS + 1);
		CHECK_OK(snap_builder_add(b, stack, domain, 10 + i, i % 3 + 1, &err), &err);
	}
	for (uint32_t domain = 0; domain < DOMAINS; domain++)
		CHECK_OK(snap_builder_add(b, stack, domain, SNAP_BLOCK_SIZE_MAX, 1, &err), &err);
	CHECK_OK(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	CHECK(snap_snapshot_sites(s) > 65536);
	for (int level = 0; level <= 3; level += 3) {
		struct packed p = packed_new(&s, 1, level, false);
		struct snap_snapshot *back = read_one(p.bytes, p.size, NULL);
		if (CHECK(back != NULL))
			check_same(s, back);
		snap_snapshot_free(back);
		free(p.bytes);
	}
	snap_snapshot_free(s);
}

TEST(nothing_is_lost_of_deep_stacks)
{
	static const struct shape deep[] = {
		{"deep recursion", 2, 2, 5, 3, 12, 30, 65535, 2, {0, 0}, 0, 90, 2, 20, 8, TOLD_PLAIN, false},
		{"deep and cut off", 2, 2, 5, 3, 40, 60, 65535, 2, {25, 700}, 0, 95, 2, 20, 8, TOLD_PLAIN, false},
		{"deep, some unknown", 2, 2, 5, 2, 20, 60, 20000, 1, {0, 9000}, 50, 50, 2, 20, 8, TOLD_PLAIN, false},
	};
	for (size_t i = 0; i < sizeof deep / sizeof *deep; i++)
		check_lossless(&deep[i], i, NULL);
}

TEST(order_of_telling_does_not_matter)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 0; seed < 4; seed++) {
			struct told t = told_random(&small_shapes[i], seed * 777 + i);
			struct snap_snapshot *first = told_snapshot(&t, t.sites, t.site_count, NULL);
			struct packed wanted = packed_new(&first, 1, 3, false);
			uint64_t digest[2];
			CHECK_INT(snap_snapshot_digest(first, digest, NULL), SNAP_OK);
			for (uint64_t k = 0; k < 4; k++) {
				struct dice order = {seed * 10 + k};
				struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, &order);
				struct packed p = packed_new(&s, 1, 3, false);
				if (!CHECK_MEM(p.bytes, p.size, wanted.bytes, wanted.size))
					printf("shape %s, seed %ju\n", small_shapes[i].name, (uintmax_t)seed);
				struct packed stored = packed_new(&s, 1, 0, false);
				struct snap_snapshot *back = read_one(stored.bytes, stored.size, NULL);
				uint64_t other[2];
				CHECK_INT(snap_snapshot_digest(back, other, NULL), SNAP_OK);
				CHECK_MEM(other, sizeof other, digest, sizeof digest);
				snap_snapshot_free(back);
				snap_snapshot_free(s);
				free(stored.bytes);
				free(p.bytes);
			}
			snap_snapshot_free(first);
			free(wanted.bytes);
			told_free(&t);
		}
}

/* What was told and came to nothing leaves no trace, not even in how the trees are joined. */
TEST(what_came_to_nothing_does_not_matter)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 0; seed < 4; seed++) {
			struct told t = told_random(&small_shapes[i], seed * 99 + i);
			uint32_t count = t.site_count / 3;
			struct snap_snapshot *first = told_snapshot(&t, t.sites, count, NULL);
			for (uint32_t k = count; k < t.site_count; k++)
				memset(t.sites[k].values, 0, sizeof t.sites[k].values);
			struct dice order = {seed};
			struct snap_snapshot *second = told_snapshot(&t, t.sites, t.site_count, &order);
			struct packed a = packed_new(&first, 1, 3, false), b = packed_new(&second, 1, 3, false);
			check_same(first, second);
			if (!CHECK_MEM(b.bytes, b.size, a.bytes, a.size))
				printf("shape %s, seed %ju\n", small_shapes[i].name, (uintmax_t)seed);
			free(a.bytes);
			free(b.bytes);
			snap_snapshot_free(first);
			snap_snapshot_free(second);
			told_free(&t);
		}
}

/* Level 3 has one form, whichever way the content came there. */
TEST(detours_end_in_the_same_bytes)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		struct told t = told_random(&small_shapes[i], 40 + i);
		struct snap_snapshot *s[2];
		s[0] = told_snapshot(&t, t.sites, t.site_count / 2, NULL);
		s[1] = told_snapshot(&t, t.sites, t.site_count, NULL);
		struct packed wanted = packed_new(&s[1], 1, 3, false);
		for (size_t l = 0; l < LEVELS; l++) {
			struct packed series = packed_new(s, 2, levels[l], true);
			struct snap_snapshot *back[2];
			size_t count;
			struct snap_error err;
			CHECK_OK(packed_open(series.bytes, series.size, NULL, back, 2, &count, &err), &err);
			if (CHECK_INT(count, 2)) {
				struct packed p = packed_new(&back[1], 1, 3, false);
				CHECK_MEM(p.bytes, p.size, wanted.bytes, wanted.size);
				free(p.bytes);
				struct packed stored = packed_new(&back[1], 1, 0, false);
				struct snap_snapshot *again = read_one(stored.bytes, stored.size, NULL);
				p = packed_new(&again, 1, 3, false);
				CHECK_MEM(p.bytes, p.size, wanted.bytes, wanted.size);
				snap_snapshot_free(again);
				free(stored.bytes);
				free(p.bytes);
			}
			packed_free_all(back, count);
			free(series.bytes);
		}
		free(wanted.bytes);
		packed_free_all(s, 2);
		told_free(&t);
	}
}

/* A diff comes from another room and is in no canonical order. */
TEST(diffs_are_written)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		if (small_shapes[i].columns == TOLD_DIFF)
			continue;
		struct told t = told_random(&small_shapes[i], 60 + i);
		struct snap_snapshot *a = told_snapshot(&t, t.sites, t.site_count / 2, NULL);
		struct snap_snapshot *b =
			told_snapshot(&t, t.sites + t.site_count / 3, t.site_count - t.site_count / 3, NULL);
		struct snap_snapshot *diff = NULL;
		struct snap_error err;
		CHECK_OK(snap_diff_new(&diff, a, b, &err), &err);
		for (size_t l = 0; l < LEVELS && diff != NULL; l++) {
			struct packed p = packed_new(&diff, 1, levels[l], false);
			struct snap_snapshot *back = read_one(p.bytes, p.size, NULL);
			check_same(diff, back);
			CHECK(snap_snapshot_is_diff(back));
			snap_snapshot_free(back);
			free(p.bytes);
		}
		snap_snapshot_free(a);
		snap_snapshot_free(b);
		snap_snapshot_free(diff);
		told_free(&t);
	}
}

TEST(pieces_of_any_size_read_the_same)
{
	struct told t = told_random(&small_shapes[5], 3);
	struct snap_snapshot *s[3];
	for (uint32_t i = 0; i < 3; i++)
		s[i] = told_snapshot(&t, t.sites, t.site_count * (i + 1) / 3, NULL);
	for (unsigned step = 0; step <= 7; step++) {
		struct packed p = packed_new(s, 3, step % 2 == 0 ? 0 : 3, true);
		struct packed_drip drip = {p.bytes, p.bytes + p.size, step, 0, 0};
		struct snap_input *in;
		struct snap_error err;
		struct snap_snapshot *back[4];
		size_t count;
		CHECK_INT(snap_input_from_function(&in, packed_drip_read, packed_drip_close, &drip, &err), SNAP_OK);
		CHECK_INT(packed_read(in, NULL, back, 4, &count, &err), SNAP_END);
		CHECK_INT(drip.closed, 1);
		CHECK(drip.next == drip.end);
		if (CHECK_INT(count, 3))
			for (size_t i = 0; i < 3; i++)
				check_same(s[i], back[i]);
		packed_free_all(back, count);
		free(p.bytes);
	}
	packed_free_all(s, 3);
	told_free(&t);
}

struct failing {
	struct packed_drip drip;
	size_t left; /* bytes until the failure */
};

static ptrdiff_t failing_read(void *context, void *buffer, size_t size)
{
	struct failing *f = context;
	if (f->left == 0) {
		errno = EIO;
		return -1;
	}
	ptrdiff_t got = packed_drip_read(&f->drip, buffer, size < f->left ? size : f->left);
	f->left -= (size_t)got;
	return got;
}

static void failing_close(void *context)
{
	((struct failing *)context)->drip.closed++;
}

TEST(an_input_that_fails)
{
	struct told t = told_random(&small_shapes[3], 3);
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL), *back[2];
	struct packed p = packed_new(&s, 1, 3, false);
	const struct snap_reader_options salvage = {snap_limits_default(), .salvage = true};
	for (size_t left = 0; left < p.size; left += left < 200 ? 1 : 37) {
		struct failing f = {{p.bytes, p.bytes + p.size, 7, 0, 0}, left};
		struct snap_input *in;
		struct snap_error err = {.status = SNAP_OK};
		size_t count;
		CHECK_INT(snap_input_from_function(&in, failing_read, failing_close, &f, &err), SNAP_OK);
		CHECK_INT(packed_read(in, left % 2 == 0 ? NULL : &salvage, back, 2, &count, &err), SNAP_ERR_IO);
		CHECK_INT(err.status, SNAP_ERR_IO);
		CHECK_INT(err.os_errno, EIO);
		CHECK_INT(count, 0);
		CHECK_INT(f.drip.closed, 1);
	}
	free(p.bytes);
	snap_snapshot_free(s);
	told_free(&t);
}

TEST(files_can_be_concatenated)
{
	struct told t = told_random(&small_shapes[4], 3), u = told_random(&small_shapes[16], 4);
	struct snap_snapshot *s[4], *back[5];
	for (uint32_t i = 0; i < 3; i++)
		s[i] = told_snapshot(&t, t.sites, t.site_count * (i + 1) / 3, NULL);
	s[3] = told_snapshot(&u, u.sites, u.site_count, NULL);
	struct packed first = packed_new(s, 3, 3, true), second = packed_new(&s[3], 1, 0, false);
	uint8_t *both = malloc(first.size + second.size);
	memcpy(both, first.bytes, first.size);
	memcpy(both + first.size, second.bytes, second.size);
	size_t count;
	struct snap_error err;
	CHECK_INT(packed_open(both, first.size + second.size, NULL, back, 5, &count, &err), SNAP_END);
	if (CHECK_INT(count, 4))
		for (size_t i = 0; i < 4; i++)
			check_same(s[i], back[i]);
	packed_free_all(back, count);
	/* The other way round as well. */
	memcpy(both, second.bytes, second.size);
	memcpy(both + second.size, first.bytes, first.size);
	CHECK_INT(packed_open(both, first.size + second.size, NULL, back, 5, &count, &err), SNAP_END);
	if (CHECK_INT(count, 4))
		for (size_t i = 0; i < 4; i++)
			check_same(s[(i + 3) % 4], back[i]);
	packed_free_all(back, count);
	free(both);
	free(first.bytes);
	free(second.bytes);
	packed_free_all(s, 4);
	told_free(&t);
	told_free(&u);
}

TEST(skip_reads_over_what_next_reads)
{
	struct told t = told_random(&small_shapes[5], 3);
	struct snap_snapshot *s[5];
	for (uint32_t i = 0; i < 5; i++)
		s[i] = told_snapshot(&t, t.sites + i * 20, t.site_count - 100, NULL);
	for (int series = 0; series < 2; series++) {
		struct packed p = packed_new(s, 5, 3, series);
		/* Bit i of `which`: snapshot i is skipped. */
		for (unsigned which = 0; which < 32; which++) {
			struct snap_input *in;
			struct snap_reader *r;
			struct snap_error err;
			CHECK_INT(snap_input_from_memory(&in, p.bytes, p.size, &err), SNAP_OK);
			CHECK_INT(snap_reader_open(&r, in, NULL, &err), SNAP_OK);
			for (size_t i = 0; i < 5; i++) {
				struct snap_snapshot *back = NULL;
				if (which >> i & 1)
					CHECK_OK(snap_reader_skip(r, &err), &err);
				else if (CHECK_OK(snap_reader_next(r, &back, &err), &err))
					check_same(s[i], back);
				snap_snapshot_free(back);
				uint64_t digest[2];
				CHECK_INT(snap_snapshot_digest(s[i], digest, NULL), SNAP_OK);
				struct snap_member_info info = snap_reader_member(r);
				CHECK_MEM(info.digest, sizeof info.digest, digest, sizeof digest);
				CHECK_INT(info.continues, series == 1 && i > 0);
			}
			struct snap_snapshot *none = s[0];
			if (which % 2 == 0)
				CHECK_INT(snap_reader_skip(r, &err), SNAP_END);
			CHECK_INT(snap_reader_next(r, &none, &err), SNAP_END);
			CHECK(none == NULL);
			CHECK_INT(snap_reader_skip(r, &err), SNAP_END);
			snap_reader_close(r);
		}
		free(p.bytes);
	}
	packed_free_all(s, 5);
	told_free(&t);
}

TEST(member_numbers_add_up)
{
	struct told t = told_random(&small_shapes[5], 3);
	struct snap_snapshot *s[4];
	for (uint32_t i = 0; i < 4; i++)
		s[i] = told_snapshot(&t, t.sites, t.site_count * (i + 1) / 4, NULL);
	for (size_t l = 0; l < LEVELS; l++) {
		struct packed p = packed_new(s, 4, levels[l], l % 2 == 0);
		struct snap_input *in;
		struct snap_reader *r;
		struct snap_error err;
		CHECK_INT(snap_input_from_memory(&in, p.bytes, p.size, &err), SNAP_OK);
		CHECK_INT(snap_reader_open(&r, in, NULL, &err), SNAP_OK);
		uint64_t offset = 0;
		while (snap_reader_skip(r, &err) == SNAP_OK) {
			struct snap_member_info m = snap_reader_member(r);
			uint64_t stored = 0, raw = 0, sections = 0;
			CHECK_INT(m.offset, offset);
			CHECK_INT(m.version, 1);
			CHECK_INT(m.min_reader, 1);
			CHECK_INT(m.continues, l % 2 == 0 && offset > 0);
			CHECK_INT(m.canonical, !m.continues);
			for (size_t i = 0; i < m.section_count; i++) {
				stored += m.sections[i].stored;
				raw += m.sections[i].raw;
				sections += m.sections[i].sections;
				for (size_t j = 0; j < i; j++)
					CHECK(strcmp(m.sections[i].tag, m.sections[j].tag) != 0);
				if (levels[l] == 0)
					CHECK_INT(m.sections[i].stored,
						  m.sections[i].raw +
							  PACKED_SECTION * (uint64_t)m.sections[i].sections);
			}
			CHECK_STR(m.sections[0].tag, "META");
			CHECK_STR(m.sections[m.section_count - 1].tag, "END ");
			CHECK_INT(m.sections[m.section_count - 1].raw, PACKED_END);
			CHECK_INT(stored + PACKED_HEADER, m.stored);
			CHECK(sections >= m.section_count);
			CHECK(raw > 0);
			offset += m.stored;
		}
		CHECK_INT(offset, p.size);
		snap_reader_close(r);
		free(p.bytes);
	}
	packed_free_all(s, 4);
	told_free(&t);
}

TEST(sniffing)
{
	static const uint8_t magic[] = {0x89, 'S', 'N', 'P', '\r', '\n', 0x1a, '\n', 1, 0};
	for (size_t size = 1; size <= sizeof magic; size++)
		CHECK(snap_reader_sniff(magic, size));
	CHECK(!snap_reader_sniff(magic, 0));
	for (size_t at = 0; at < 8; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			uint8_t other[sizeof magic];
			memcpy(other, magic, sizeof magic);
			other[at] ^= (uint8_t)(1u << bit);
			CHECK(!snap_reader_sniff(other, sizeof other));
			CHECK(!snap_reader_sniff(other, at + 1));
			struct snap_input *in;
			struct snap_reader *r = (struct snap_reader *)&in;
			struct snap_error err = {.status = SNAP_OK};
			CHECK_INT(snap_input_from_memory(&in, other, sizeof other, NULL), SNAP_OK);
			CHECK_INT(snap_reader_open(&r, in, NULL, &err), SNAP_ERR_UNSUPPORTED);
			CHECK_INT(err.offset, 0);
			CHECK(r == NULL);
		}
}

TEST(levels_have_bounds_and_something_must_be_put)
{
	static const int bad[] = {-1, 20, INT32_MIN, INT32_MAX};
	struct snap_output *out;
	struct snap_writer *w = NULL;
	CHECK_INT(snap_output_to_memory(&out, NULL), SNAP_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct snap_writer_options options = {.level = bad[i]};
		struct snap_error err = {.status = SNAP_OK};
		CHECK_INT(snap_writer_new(&w, out, &options, &err), SNAP_ERR_INVALID);
		CHECK_INT(err.status, SNAP_ERR_INVALID);
		CHECK(w == NULL);
	}
	const struct snap_writer_options options = {.level = SNAP_LEVEL_MAX};
	CHECK_INT(snap_writer_new(&w, out, &options, NULL), SNAP_OK);
	CHECK_INT(snap_writer_finish(w, NULL), SNAP_ERR_INVALID);
	snap_writer_free(w);
	snap_writer_free(NULL);
	snap_output_free(out);
	snap_reader_close(NULL);
}

/* Without finish the stream has no end. */
TEST(a_writer_that_is_not_finished)
{
	struct told t = told_random(&small_shapes[3], 3);
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
	for (int puts = 1; puts <= 3; puts++) {
		struct snap_output *out;
		struct snap_writer *w;
		const struct snap_writer_options options = {.level = 3, .series = true};
		CHECK_INT(snap_output_to_memory(&out, NULL), SNAP_OK);
		CHECK_INT(snap_writer_new(&w, out, &options, NULL), SNAP_OK);
		for (int i = 0; i < puts; i++)
			CHECK_INT(snap_writer_put(w, s, NULL), SNAP_OK);
		snap_writer_free(w);
		CHECK_INT(snap_output_finish(out, NULL), SNAP_OK);
		size_t size, count;
		const void *bytes = snap_output_memory(out, &size);
		struct snap_snapshot *back[4];
		struct snap_error err;
		CHECK_INT(packed_open(bytes, size, NULL, back, 4, &count, &err), SNAP_ERR_TRUNCATED);
		CHECK_INT(err.offset, size);
		CHECK_INT(count, puts - 1);
		packed_free_all(back, count);
		snap_output_free(out);
	}
	snap_snapshot_free(s);
	told_free(&t);
}

TEST(metadata_come_back_as_they_were)
{
	struct told t = told_random(&small_shapes[0], 3);
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
	struct snap_meta *meta = snap_snapshot_meta(s);
	char *large = malloc(SNAP_META_VALUE_MAX);
	for (size_t i = 0; i < SNAP_META_VALUE_MAX; i++)
		large[i] = (char)(1 + i * 7 % 255);
	char key[SNAP_META_KEY_MAX + 1];
	memset(key, 'k', SNAP_META_KEY_MAX);
	key[SNAP_META_KEY_MAX] = '\0';
	CHECK_INT(snap_meta_set_text(meta, "empty", "", NULL), SNAP_OK);
	CHECK_INT(snap_meta_set(meta, key, large, SNAP_META_VALUE_MAX, NULL), SNAP_OK);
	CHECK_INT(snap_meta_set(meta, "\xc3\xa4\xff", "\x01\xff", 2, NULL), SNAP_OK);
	CHECK_INT(snap_meta_set_text(meta, "history.1", "made", NULL), SNAP_OK);
	for (int i = 0; i < 4000; i++) {
		snprintf(key, sizeof key, "n%d", i);
		CHECK_INT(snap_meta_set_text(meta, key, key + 1, NULL), SNAP_OK);
	}
	for (size_t l = 0; l < LEVELS; l++) {
		struct packed p = packed_new(&s, 1, levels[l], false);
		struct snap_snapshot *back = read_one(p.bytes, p.size, NULL);
		const struct snap_meta *other = snap_snapshot_meta(back);
		CHECK_INT(snap_meta_count(other), snap_meta_count(meta));
		for (size_t i = 0; i < snap_meta_count(meta); i++) {
			const char *a, *b;
			size_t a_size, b_size;
			CHECK_STR(snap_meta_at(other, i, &b, &b_size), snap_meta_at(meta, i, &a, &a_size));
			CHECK_MEM(b, b_size, a, a_size);
		}
		snap_snapshot_free(back);
		free(p.bytes);
	}
	free(large);
	snap_snapshot_free(s);
	told_free(&t);
}

TEST(a_reader_keeps_to_its_limit)
{
	static const struct shape shape = {"big", 900, 300, 9000, 9000, 9000, 9000,       12, 9,
	                                   {0, 6}, 3,   5,   6,    20,   12,   TOLD_PLAIN, false};
	struct told t = told_random(&shape, 1);
	struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL), *back[3];
	struct snap_snapshot *two[] = {s, s};
	for (int level = 0; level <= 3; level += 3) {
		struct packed p = packed_new(two, 2, level, true);
		enum snap_status before = SNAP_ERR_LIMIT;
		for (uint64_t memory = 1; memory < UINT64_C(1) << 28; memory += memory / 3 + 1) {
			const struct snap_reader_options options = {.limits = {.memory = memory}};
			struct snap_error err = {.status = SNAP_OK};
			size_t count;
			enum snap_status status = packed_open(p.bytes, p.size, &options, back, 3, &count, &err);
			if (!CHECK(status == SNAP_ERR_LIMIT || status == SNAP_END))
				printf("status %d with %ju bytes: %s\n", (int)status, (uintmax_t)memory, err.message);
			if (status < 0)
				CHECK_INT(err.status, status);
			CHECK(status == SNAP_END || before != SNAP_END);
			CHECK(status < 0 || count == 2);
			packed_free_all(back, count);
			before = status;
		}
		CHECK_INT(before, SNAP_END);
		free(p.bytes);
	}
	snap_snapshot_free(s);
	told_free(&t);
}
