/* What a reader does with bytes that are not as they were written: cut off, changed, put elsewhere. */
#define _GNU_SOURCE
#include "packed.h"
#include "random_snapshot.h"
#include "test.h"

enum { MEMBERS_MAX = 4 };

/* A stream, what each of its members says, and where each ends. */
struct sample {
	struct packed p;
	size_t members;
	struct bag bags[MEMBERS_MAX];
	uint64_t digests[MEMBERS_MAX][2];
	size_t ends[MEMBERS_MAX];
};

static struct sample new_sample(const struct shape *shape, size_t members, int level)
{
	struct told t = told_random(shape, 7);
	struct snap_snapshot *s[MEMBERS_MAX] = {NULL};
	struct sample sample = {.members = members};
	for (size_t i = 0; i < members; i++) {
		/* The second has fewer, changed and new ones. */
		uint32_t begin = i == 1 ? t.site_count / 4 : 0,
			 count = t.site_count * (uint32_t)(i + 2) / (uint32_t)(members + 1);
		for (uint32_t k = 0; k < t.site_count; k += 3) {
			t.sites[k].values[0]++;
			t.sites[k].values[1] += (int64_t)t.sites[k].size;
		}
		s[i] = told_snapshot(&t, t.sites + begin, count - begin, NULL);
		sample.bags[i] = bag_of_snapshot(s[i]);
		CHECK_INT(snap_snapshot_digest(s[i], sample.digests[i], NULL), SNAP_OK);
	}
	sample.p = packed_new(s, members, level, true);
	for (size_t i = 0; i < members; i++)
		sample.ends[i] = packed_find(sample.p.bytes, sample.p.size, "END ", i) + PACKED_SECTION + PACKED_END;
	packed_free_all(s, members);
	told_free(&t);
	return sample;
}

/* Small enough for every byte of it to be tried. */
static struct shape tiny(const struct shape *of)
{
	struct shape shape = *of;
	shape.files = shape.files > 4 ? 4 : shape.files;
	shape.functions = shape.functions > 3 ? 3 : shape.functions;
	shape.frames = shape.frames > 12 ? 12 : shape.frames;
	shape.stacks = shape.stacks > 10 ? 10 : shape.stacks;
	shape.sites = shape.sites > 14 ? 14 : shape.sites;
	shape.odd_names = false;
	return shape;
}

static void free_sample(struct sample *s)
{
	for (size_t i = 0; i < s->members; i++)
		bag_free(&s->bags[i]);
	free(s->p.bytes);
}

static const struct snap_reader_options plain = {{UINT64_C(1) << 30}, false, false};
static const struct snap_reader_options check = {{UINT64_C(1) << 30}, true, false};
static const struct snap_reader_options salvage = {{UINT64_C(1) << 30}, false, true};

static void check_whole_members(const struct sample *sample, size_t size)
{
	struct snap_snapshot *back[MEMBERS_MAX + 1];
	struct snap_error err = {.status = SNAP_OK, .message = ""};
	size_t count, whole = 0;
	while (whole < sample->members && sample->ends[whole] <= size)
		whole++;
	/* A copy as long as the prefix, so that a sanitizer sees what is read behind it. */
	uint8_t *bytes = malloc(size + 1);
	memcpy(bytes, sample->p.bytes, size);
	bytes = realloc(bytes, size > 0 ? size : 1);
	CHECK_INT(packed_open(bytes, size, &plain, back, MEMBERS_MAX + 1, &count, &err), SNAP_ERR_TRUNCATED);
	CHECK_INT(err.status, SNAP_ERR_TRUNCATED);
	CHECK_INT(err.offset, size);
	CHECK_INT(err.os_errno, 0);
	CHECK(err.message[0] != '\0');
	if (!CHECK_INT(count, whole))
		printf("the first %zu of %zu bytes\n", size, sample->p.size);
	for (size_t i = 0; i < count && i < sample->members; i++) {
		uint64_t digest[2];
		CHECK_INT(snap_snapshot_digest(back[i], digest, NULL), SNAP_OK);
		CHECK_MEM(digest, sizeof digest, sample->digests[i], sizeof digest);
	}
	packed_free_all(back, count);
	free(bytes);
}

TEST(every_prefix_of_a_single_file)
{
	for (size_t i = 0; i < SMALL_SHAPES; i += 4)
		for (int level = 0; level <= 3; level += 3) {
			const struct shape shape = tiny(&small_shapes[i]);
			struct sample s = new_sample(&shape, 1, level);
			for (size_t size = 0; size < s.p.size; size++)
				check_whole_members(&s, size);
			free_sample(&s);
			s = new_sample(&small_shapes[i], 1, level);
			for (size_t size = 0; size < s.p.size; size += s.p.size / 31)
				check_whole_members(&s, size);
			free_sample(&s);
		}
}

TEST(every_prefix_of_a_series)
{
	for (size_t i = 4; i < SMALL_SHAPES; i += 6)
		for (int level = 0; level <= 3; level += 3) {
			const struct shape shape = tiny(&small_shapes[i]);
			struct sample s = new_sample(&shape, MEMBERS_MAX, level);
			for (size_t size = 0; size < s.p.size; size++)
				check_whole_members(&s, size);
			free_sample(&s);
			s = new_sample(&small_shapes[i], MEMBERS_MAX, level);
			for (size_t size = 0; size < s.p.size; size += s.p.size / 31)
				check_whole_members(&s, size);
			for (size_t m = 0; m + 1 < s.members; m++)
				check_whole_members(&s, s.ends[m]);
			free_sample(&s);
		}
}

TEST(a_prefix_in_small_pieces)
{
	struct sample s = new_sample(&small_shapes[4], 2, 3);
	for (size_t size = 0; size < s.p.size; size += 11) {
		struct packed_drip drip = {s.p.bytes, s.p.bytes + size, 0, 0, 0};
		struct snap_input *in;
		struct snap_snapshot *back[3];
		struct snap_error err = {.status = SNAP_OK};
		size_t count;
		CHECK_INT(snap_input_from_function(&in, packed_drip_read, packed_drip_close, &drip, NULL), SNAP_OK);
		CHECK_INT(packed_read(in, NULL, back, 3, &count, &err), SNAP_ERR_TRUNCATED);
		CHECK_INT(err.offset, size);
		CHECK_INT(drip.closed, 1);
		packed_free_all(back, count);
	}
	free_sample(&s);
}

TEST(every_flipped_bit)
{
	for (size_t i = 0; i < SMALL_SHAPES; i += 2)
		for (int level = 0; level <= 3; level += 3) {
			/* One of them whole, of the others some bytes. */
			const struct shape shape = tiny(&small_shapes[i]);
			struct sample s = new_sample(&shape, i % 4 == 0 ? 1 : 2, level);
			size_t step = i == 8 ? 1 : s.p.size / 31;
			for (size_t at = 0; at < s.p.size; at += step)
				for (unsigned bit = 0; bit < 8; bit++) {
					struct snap_snapshot *back[4];
					struct snap_error err = {.status = SNAP_OK};
					size_t count;
					s.p.bytes[at] ^= (uint8_t)(1u << bit);
					enum snap_status status =
						packed_open(s.p.bytes, s.p.size, &plain, back, 4, &count, &err);
					s.p.bytes[at] ^= (uint8_t)(1u << bit);
					bool refused = status == SNAP_ERR_DAMAGED ||
					               (at < 8 && status == SNAP_ERR_UNSUPPORTED);
					if (!CHECK(refused))
						printf("shape %s, level %d, bit %u of byte %zu: status %d\n",
						       small_shapes[i].name, level, bit, at, (int)status);
					CHECK_INT(err.status, status);
					/* The place is that of the header or section which has the bit. */
					CHECK(err.offset <= at);
					CHECK_INT(count, s.members == 2 && at >= s.ends[0]);
					packed_free_all(back, count);
				}
			free_sample(&s);
		}
}

/* Once it has failed, and once it is at its end, a reader stays so. */
TEST(a_failure_stays)
{
	struct sample s = new_sample(&small_shapes[4], 3, 3);
	for (int what = 0; what < 4; what++) {
		size_t size = what == 3 ? s.p.size : s.ends[0] + 30;
		if (what == 1)
			s.p.bytes[s.ends[0] + 40] ^= 1;
		struct snap_input *in;
		struct snap_reader *r;
		CHECK_INT(snap_input_from_memory(&in, s.p.bytes, what == 1 ? s.p.size : size, NULL), SNAP_OK);
		CHECK_INT(snap_reader_open(&r, in, what == 2 ? &check : NULL, NULL), SNAP_OK);
		struct snap_snapshot *back;
		struct snap_error first = {.status = SNAP_OK, .message = ""}, again;
		enum snap_status status;
		while ((status = snap_reader_next(r, &back, &first)) == SNAP_OK)
			snap_snapshot_free(back);
		CHECK_INT(status, what == 3 ? SNAP_END : what == 1 ? SNAP_ERR_DAMAGED : SNAP_ERR_TRUNCATED);
		for (int k = 0; k < 6; k++) {
			again = (struct snap_error){.status = SNAP_OK, .message = ""};
			back = (struct snap_snapshot *)&again;
			CHECK_INT(k % 2 == 0 ? snap_reader_next(r, &back, &again)
					     : snap_reader_skip(r, &again),
				  status);
			CHECK_INT(again.status, first.status);
			CHECK_INT(again.offset, first.offset);
			CHECK_STR(again.message, first.message);
			if (k % 2 == 0)
				CHECK(back == NULL);
		}
		snap_reader_close(r);
		if (what == 1)
			s.p.bytes[s.ends[0] + 40] ^= 1;
	}
	free_sample(&s);
}

/* Reads with `salvage`, checks that each snapshot is what was put or, the last, a part of it; returns the
 * sites of the partial one, or SIZE_MAX where there is none. */
static size_t check_salvage(const struct sample *sample, const uint8_t *bytes, size_t size, size_t whole)
{
	struct snap_input *in;
	struct snap_reader *r;
	struct snap_error err = {.status = SNAP_OK}, why = {.status = SNAP_OK};
	struct snap_snapshot *back;
	size_t members = 0, sites = SIZE_MAX;
	enum snap_status status, plainly;
	struct snap_snapshot *ignored[MEMBERS_MAX + 1];
	size_t count;
	plainly = packed_open(bytes, size, &plain, ignored, MEMBERS_MAX + 1, &count, &why);
	packed_free_all(ignored, count);
	CHECK_INT(snap_input_from_memory(&in, bytes, size, NULL), SNAP_OK);
	status = snap_reader_open(&r, in, &salvage, &err);
	if (status < 0) {
		CHECK_INT(status, plainly);
		return SIZE_MAX;
	}
	for (; (status = snap_reader_next(r, &back, &err)) == SNAP_OK; members++) {
		const struct snap_error *damage = snap_reader_damage(r);
		struct bag bag = bag_of_snapshot(back);
		const char *partial = snap_meta_get(snap_snapshot_meta(back), "partial");
		if (!CHECK(members <= whole && members < sample->members)) {
			printf("%zu whole members, and yet %zu snapshots in the first %zu bytes\n", whole,
			       members + 1, size);
		} else if (members < whole) {
			CHECK(bag_equal(&bag, &sample->bags[members]));
			CHECK(partial == NULL);
			CHECK_INT(damage->status, SNAP_OK);
		} else {
			if (!CHECK(bag_within(&bag, &sample->bags[members])))
				printf("of the first %zu bytes\n", size);
			CHECK(partial != NULL && partial[0] != '\0');
			CHECK_INT(damage->status, plainly);
			CHECK_INT(damage->offset, why.offset);
			CHECK_STR(damage->message, why.message);
			CHECK_INT(bag.merged, 0);
			sites = bag.count;
		}
		bag_free(&bag);
		snap_snapshot_free(back);
	}
	/* A partial snapshot ends the reading; where nothing could be saved, the damage does. */
	CHECK_INT(status, sites != SIZE_MAX ? SNAP_END : plainly);
	CHECK(members >= whole);
	snap_reader_close(r);
	return sites;
}

TEST(salvage_of_every_prefix)
{
	for (size_t i = 0; i < SMALL_SHAPES; i += 2)
		for (int level = 0; level <= 3; level += 3) {
			const struct shape shape = tiny(&small_shapes[i]);
			struct sample s = new_sample(&shape, MEMBERS_MAX, level);
			size_t step = i == 8 ? 1 : 23;
			size_t whole = 0;
			for (size_t size = 0; size < s.p.size; size += step) {
				while (s.ends[whole] <= size)
					whole++;
				size_t end = whole == 0 ? 0 : s.ends[whole - 1];
				size_t sites = check_salvage(&s, s.p.bytes, size, whole);
				/* Without the metadata there is nothing. */
				if (size <= end + PACKED_HEADER)
					CHECK_INT(sites, SIZE_MAX);
			}
			for (size_t m = 0; m < s.members; m++)
				if (s.ends[m] < s.p.size)
					CHECK_INT(check_salvage(&s, s.p.bytes, s.ends[m], m + 1), SIZE_MAX);
			free_sample(&s);
		}
}

TEST(salvage_of_changed_bytes)
{
	struct sample s = new_sample(&small_shapes[5], 3, 0);
	for (size_t at = 0; at < s.p.size; at += 3) {
		size_t whole = 0;
		while (s.ends[whole] <= at)
			whole++;
		s.p.bytes[at] ^= 0x10;
		check_salvage(&s, s.p.bytes, s.p.size, whole);
		s.p.bytes[at] ^= 0x10;
	}
	free_sample(&s);
}

/* With several groups of sites what is whole of them is saved. */
TEST(salvage_of_many_sites)
{
	static const struct shape many = {"many", 300, 0, 900, 20000, 40000, 150000,     6,    30,
					  {0, 4}, 5,   5, 3,   16,    8,     TOLD_PLAIN, false};
	struct sample s = new_sample(&many, 1, 3);
	size_t before = 0;
	for (size_t group = 0; group < 2; group++) {
		size_t at = packed_find(s.p.bytes, s.p.size, "SITT", group);
		if (!CHECK(at != SIZE_MAX))
			break;
		/* This group is open; those before it are whole. */
		size_t sites = check_salvage(&s, s.p.bytes, at + packed_section_size(s.p.bytes + at), 0);
		CHECK_INT(sites, group * 65536);
		CHECK(group == 0 || sites > before);
		before = sites;
		/* Where it is known to have begun, that before it is whole. */
		CHECK_INT(check_salvage(&s, s.p.bytes, at + PACKED_SECTION, 0), group * 65536);
		CHECK_INT(check_salvage(&s, s.p.bytes, at + PACKED_SECTION - 1, 0), group == 0 ? 0 : (group - 1) * 65536);
		/* With values that are wrong it is not whole itself. */
		s.p.bytes[at + PACKED_SECTION] ^= 1;
		CHECK_INT(check_salvage(&s, s.p.bytes, s.p.size, 0), group * 65536);
		s.p.bytes[at + PACKED_SECTION] ^= 1;
	}
	/* All is there but END, or but some of it. */
	size_t end = packed_find(s.p.bytes, s.p.size, "END ", 0);
	CHECK(check_salvage(&s, s.p.bytes, end, 0) < s.bags[0].count);
	CHECK_INT(check_salvage(&s, s.p.bytes, end + PACKED_SECTION, 0), s.bags[0].count);
	CHECK_INT(check_salvage(&s, s.p.bytes, s.p.size - 1, 0), s.bags[0].count);
	/* END is there and wrong. */
	s.p.bytes[end + PACKED_SECTION + 8] ^= 1;
	packed_repair(s.p.bytes, s.p.size);
	CHECK_INT(check_salvage(&s, s.p.bytes, s.p.size, 0), s.bags[0].count);
	free_sample(&s);
}

TEST(what_follows_must_be_a_member)
{
	struct sample s = new_sample(&small_shapes[4], 1, 3);
	uint8_t *longer = malloc(2 * s.p.size + 40);
	memcpy(longer, s.p.bytes, s.p.size);
	struct snap_snapshot *back[3];
	struct snap_error err;
	size_t count;
	for (size_t more = 1; more < 40; more++) {
		memset(longer + s.p.size, 0, more);
		CHECK_INT(packed_open(longer, s.p.size + more, NULL, back, 3, &count, &err), SNAP_ERR_DAMAGED);
		CHECK_INT(err.offset, s.p.size);
		CHECK_INT(count, 1);
		packed_free_all(back, count);
		/* The beginning of another one. */
		memcpy(longer + s.p.size, s.p.bytes, more);
		CHECK_INT(packed_open(longer, s.p.size + more, NULL, back, 3, &count, &err), SNAP_ERR_TRUNCATED);
		CHECK_INT(err.offset, s.p.size + more);
		CHECK_INT(count, 1);
		packed_free_all(back, count);
	}
	free(longer);
	free_sample(&s);
}

/* Changes bytes of a good file, makes checksums right, and reads it. */
static enum snap_status read_changed(const struct sample *s, size_t at, uint8_t xor,
				     const struct snap_reader_options *options, struct snap_error *err)
{
	struct snap_snapshot *back[MEMBERS_MAX + 1];
	size_t count;
	uint8_t *bytes = malloc(s->p.size);
	memcpy(bytes, s->p.bytes, s->p.size);
	bytes[at] ^= xor;
	packed_repair(bytes, s->p.size);
	enum snap_status status = packed_open(bytes, s->p.size, options, back, MEMBERS_MAX + 1, &count, err);
	if (status == SNAP_END && !options->salvage)
		CHECK_INT(count, s->members);
	packed_free_all(back, count);
	free(bytes);
	return status;
}

TEST(unused_bits_are_ignored_and_reserved_ones_refused)
{
	struct sample s = new_sample(&small_shapes[4], 2, 3);
	struct snap_error err;
	for (unsigned bit = 1; bit < 32; bit++) {
		/* Bit 1 is CANONICAL, a hint. */
		enum snap_status wanted = bit == 1 || bit >= 16 ? SNAP_END : SNAP_ERR_UNSUPPORTED;
		CHECK_INT(read_changed(&s, 12 + bit / 8, (uint8_t)(1u << bit % 8), &plain, &err), wanted);
		if (wanted < 0)
			CHECK_INT(err.offset, 0);
		size_t end = packed_find(s.p.bytes, s.p.size, "END ", 1);
		wanted = bit >= 16 ? SNAP_END : SNAP_ERR_UNSUPPORTED;
		CHECK_INT(read_changed(&s, end + PACKED_SECTION + bit / 8, (uint8_t)(1u << bit % 8), &plain,
				       &err),
			  wanted);
		if (wanted < 0)
			CHECK_INT(err.offset, end);
		CHECK_INT(read_changed(&s, end + PACKED_SECTION + 4 + bit / 8, (uint8_t)(1u << bit % 8),
				       &plain, &err),
			  SNAP_ERR_DAMAGED);
	}
	/* The CONTINUES of a first member, and MORE in the last. */
	CHECK_INT(read_changed(&s, 12, 1, &plain, &err), SNAP_ERR_DAMAGED);
	CHECK_INT(err.offset, 0);
	size_t end = packed_find(s.p.bytes, s.p.size, "END ", 1);
	CHECK_INT(read_changed(&s, end + PACKED_SECTION, 1, &plain, &err), SNAP_ERR_TRUNCATED);
	CHECK_INT(err.offset, s.p.size);
	/* An END without MORE before another member is what appending leaves. */
	end = packed_find(s.p.bytes, s.p.size, "END ", 0);
	CHECK_INT(read_changed(&s, end + PACKED_SECTION, 1, &plain, &err), SNAP_END);

	for (const char *tags = "META\0COLS\0STKR\0STRP\0STRB\0FRMF\0FRML\0PRSC\0PRST\0NODE\0SITT\0END \0";
	     *tags != '\0'; tags += 5) {
		size_t at = packed_find(s.p.bytes, s.p.size, tags, 0);
		if (!CHECK(at != SIZE_MAX))
			continue;
		for (unsigned bit = 0; bit < 8; bit++) {
			enum snap_status wanted = bit >= 1 && bit <= 3 ? SNAP_ERR_UNSUPPORTED : SNAP_END;
			CHECK_INT(read_changed(&s, at + 5, (uint8_t)(1u << bit), &plain, &err), wanted);
			if (wanted < 0)
				CHECK_INT(err.offset, at);
			/* The index of a section that has none. */
			CHECK_INT(read_changed(&s, at + 6 + bit / 4, (uint8_t)(1u << bit), &plain, &err),
				  SNAP_ERR_DAMAGED);
			CHECK_INT(err.offset, at);
		}
		CHECK_INT(read_changed(&s, at + 4, 2, &plain, &err), SNAP_ERR_UNSUPPORTED);
		CHECK_INT(err.offset, at);
	}
	free_sample(&s);
}

TEST(versions)
{
	static const struct {
		uint16_t version, least;
		enum snap_status wanted;
	} cases[] = {{1, 1, SNAP_END},         {2, 1, SNAP_END},          {65535, 1, SNAP_END},
	             {2, 2, SNAP_ERR_UNSUPPORTED}, {65535, 65535, SNAP_ERR_UNSUPPORTED},
	             {1, 2, SNAP_ERR_DAMAGED}, {0, 0, SNAP_ERR_DAMAGED},  {1, 0, SNAP_ERR_DAMAGED}};
	struct sample s = new_sample(&small_shapes[4], 1, 3);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		s.p.bytes[8] = (uint8_t)cases[i].version;
		s.p.bytes[9] = (uint8_t)(cases[i].version >> 8);
		s.p.bytes[10] = (uint8_t)cases[i].least;
		s.p.bytes[11] = (uint8_t)(cases[i].least >> 8);
		struct snap_error err;
		CHECK_INT(read_changed(&s, 0, 0, &plain, &err), cases[i].wanted);
		if (cases[i].wanted < 0)
			CHECK_INT(err.offset, 0);
	}
	free_sample(&s);
}

/* Between any two sections. */
TEST(unknown_sections)
{
	struct sample s = new_sample(&small_shapes[4], 2, 3);
	for (int must = 0; must < 2; must++)
		for (size_t at = PACKED_HEADER; at < s.p.size; at += packed_section_size(s.p.bytes + at)) {
			if (memcmp(s.p.bytes + at, s.p.bytes, 8) == 0)
				at += PACKED_HEADER;
			static const char content[] = "what a later version has to say";
			size_t more = PACKED_SECTION + sizeof content;
			uint8_t *bytes = calloc(s.p.size + more, 1);
			memcpy(bytes, s.p.bytes, at);
			memcpy(bytes + at, "XTRA", 4);
			bytes[at + 5] = (uint8_t)(0xF0 | must);
			bytes[at + 6] = 7;
			packed_put(bytes + at + 8, sizeof content);
			packed_put(bytes + at + 12, sizeof content);
			memcpy(bytes + at + PACKED_SECTION, content, sizeof content);
			memcpy(bytes + at + more, s.p.bytes + at, s.p.size - at);
			packed_repair(bytes, s.p.size + more);
			struct snap_snapshot *back[3];
			struct snap_error err = {.message = ""};
			size_t count;
			enum snap_status status = packed_open(bytes, s.p.size + more, &check, back, 3, &count, &err);
			CHECK_INT(status, must ? SNAP_ERR_UNSUPPORTED : SNAP_END);
			if (must) {
				CHECK_INT(err.offset, at);
				CHECK(strstr(err.message, "XTRA") != NULL);
			} else {
				CHECK_INT(count, 2);
			}
			packed_free_all(back, count);
			free(bytes);
		}
	free_sample(&s);
}

static bool has_bag(const struct snap_snapshot *s, const struct bag *wanted)
{
	struct bag bag = bag_of_snapshot(s);
	bool same = bag_equal(&bag, wanted);
	bag_free(&bag);
	return same;
}

/* Any section lost, twice there, or before the one before it: damage, but for those without which the
 * rest happens to say the same. */
TEST(sections_out_of_place)
{
	for (size_t i = 1; i < SMALL_SHAPES; i += 3) {
		struct sample s = new_sample(&small_shapes[i], 2, 0);
		for (int what = 0; what < 3; what++)
			for (size_t at = PACKED_HEADER, size; at < s.p.size; at += size) {
				if (memcmp(s.p.bytes + at, s.p.bytes, 8) == 0)
					at += PACKED_HEADER;
				size = packed_section_size(s.p.bytes + at);
				uint8_t *bytes = malloc(s.p.size + size);
				size_t all = s.p.size, next = at + size;
				memcpy(bytes, s.p.bytes, all);
				if (what == 0) {
					memmove(bytes + at, bytes + next, all - next);
					all -= size;
				} else if (what == 1) {
					memmove(bytes + next, s.p.bytes + at, all - at);
					all += size;
				} else if (packed_is(bytes + at, "END ")) {
					free(bytes);
					continue;
				} else {
					size_t other = packed_section_size(bytes + next);
					memcpy(bytes + at, s.p.bytes + next, other);
					memcpy(bytes + at + other, s.p.bytes + at, size);
				}
				struct snap_snapshot *back[4];
				struct snap_error err = {.status = SNAP_OK};
				size_t count;
				enum snap_status status = packed_open(bytes, all, &check, back, 4, &count, &err);
				bool fine = status == SNAP_ERR_DAMAGED || (status == SNAP_ERR_TRUNCATED && what == 0);
				if (status == SNAP_END && count == s.members)
					fine = has_bag(back[0], &s.bags[0]) && has_bag(back[1], &s.bags[1]);
				if (!CHECK(fine))
					printf("shape %s, what %d, section %.4s: status %d\n",
					       small_shapes[i].name, what, (const char *)s.p.bytes + at,
					       (int)status);
				packed_free_all(back, count);
				free(bytes);
			}
		free_sample(&s);
	}
}

/* Every byte of every section with every small change and right checksums: an answer, never a crash,
 * and with `check` never another content. */
TEST(every_changed_byte_with_right_checksums)
{
	for (size_t i = 0; i < SMALL_SHAPES; i += 3) {
		struct sample s = new_sample(&small_shapes[i], 2, 0);
		size_t step = s.p.size / 199 + 1;
		for (size_t at = 0; at < s.p.size; at += step)
			for (unsigned k = 0; k < 3; k++) {
				static const uint8_t changes[] = {0x01, 0x80, 0xFF};
				struct snap_error err = {.status = SNAP_OK, .message = ""};
				enum snap_status status =
					read_changed(&s, at, changes[k], k == 0 ? &salvage : &plain, &err);
				CHECK(status == SNAP_END ||
				      (status <= SNAP_ERR_TRUNCATED && status >= SNAP_ERR_LIMIT));
				CHECK(status >= 0 || (err.status == status && err.message[0] != '\0'));
			}
		free_sample(&s);
	}
}

/* CANONICAL in a file that is not so: what is made from it has the one form of its content all the same. */
TEST(the_canonical_flag_is_only_a_hint)
{
	struct snap_error err;
	size_t others = 0;
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		struct told t = told_random(&small_shapes[i], 70 + i);
		struct snap_snapshot *s[2] = {told_snapshot(&t, t.sites, t.site_count / 2, NULL),
		                              told_snapshot(&t, t.sites, t.site_count, NULL)};
		struct packed wanted = packed_new(&s[1], 1, 3, false), series = packed_new(s, 2, 0, true);
		struct snap_snapshot *back[2], *again[2];
		size_t count;
		CHECK_OK(packed_open(series.bytes, series.size, NULL, back, 2, &count, &err), &err);
		CHECK_INT(count, 2);
		/* Stored, the tree of the series stays; no flag says that it is another. */
		struct packed stored = packed_new(&back[1], 1, 0, false);
		others += (stored.bytes[12] & 2) == 0;
		stored.bytes[12] |= 2;
		packed_repair(stored.bytes, stored.size);
		CHECK_OK(packed_open(stored.bytes, stored.size, NULL, again, 2, &count, &err), &err);
		if (CHECK_INT(count, 1)) {
			struct packed p = packed_new(again, 1, 3, false);
			if (!CHECK_MEM(p.bytes, p.size, wanted.bytes, wanted.size))
				printf("shape %s\n", small_shapes[i].name);
			free(p.bytes);
		}
		packed_free_all(again, count);
		packed_free_all(back, 2);
		packed_free_all(s, 2);
		free(stored.bytes);
		free(series.bytes);
		free(wanted.bytes);
		told_free(&t);
	}
	CHECK(others > 0);
}

/* Values that cancel out: their sum fits in 63 bits, that of their absolute values does not. */
TEST(absolute_values_that_do_not_fit)
{
	enum { SITES = 1 << 18 };
	static const struct snap_column columns[] = {
		{"blocks", SNAP_UNIT_BLOCKS}, {"bytes", SNAP_UNIT_BYTES}, {"x", SNAP_UNIT_OTHER}};
	struct snap_builder *b;
	struct snap_snapshot *s, *back[2];
	uint32_t name, frame, stack;
	CHECK_INT(snap_builder_new_columns(&b, columns, 3, NULL, NULL), SNAP_OK);
	CHECK_INT(snap_builder_string(b, "a", 1, &name, NULL), SNAP_OK);
	CHECK_INT(snap_builder_frame(b, name, 1, SNAP_NO_FUNCTION, &frame, NULL), SNAP_OK);
	CHECK_INT(snap_builder_stack(b, &frame, 1, 1, &stack, NULL), SNAP_OK);
	for (int64_t i = 0; i < SITES; i++) {
		const int64_t values[] = {1, i, (INT64_C(1) << 44) * (i % 2 == 0 ? 1 : -1)};
		CHECK_INT(snap_builder_add_values(b, stack, 0, (uint64_t)i, values, NULL), SNAP_OK);
	}
	CHECK_INT(snap_builder_finish(b, &s, NULL), SNAP_OK);
	snap_builder_free(b);
	struct packed p = packed_new(&s, 1, 0, false);
	/* Only column x has more than 5 bytes a number: make each 2^46 - 1, with its sign, in as many bytes. */
	for (size_t n = 0, at; (at = packed_find(p.bytes, p.size, "VALS", n)) != SIZE_MAX; n++) {
		if (p.bytes[at + 6] != 2)
			continue;
		CHECK_INT(packed_get(p.bytes + at + 8) % 7, 0);
		for (size_t k = 0; k < packed_get(p.bytes + at + 8); k += 7) {
			uint64_t v = (UINT64_C(1) << 47) - 2 - (k / 7 % 2);
			for (size_t i = 0; i < 7; i++)
				p.bytes[at + PACKED_SECTION + k + i] =
					(uint8_t)((v >> (7 * i) & 0x7F) | (i < 6 ? 0x80 : 0));
		}
	}
	packed_repair(p.bytes, p.size);
	struct snap_error err = {.status = SNAP_OK};
	size_t count;
	CHECK_INT(packed_open(p.bytes, p.size, &plain, back, 2, &count, &err), SNAP_ERR_DAMAGED);
	CHECK_INT(err.offset, packed_find(p.bytes, p.size, "END ", 0));
	packed_free_all(back, count);
	free(p.bytes);
	snap_snapshot_free(s);
}

/* No section of a stream may have no body, whichever it is; UBSan once saw a pointer into nothing. */
TEST(sections_without_a_body)
{
	struct sample s = new_sample(&small_shapes[4], 1, 0);
	for (size_t at = PACKED_HEADER, size; at < s.p.size; at += size) {
		size = packed_section_size(s.p.bytes + at);
		uint8_t *bytes = malloc(s.p.size);
		size_t all = s.p.size - size + PACKED_SECTION, count;
		memcpy(bytes, s.p.bytes, at + PACKED_SECTION);
		memcpy(bytes + at + PACKED_SECTION, s.p.bytes + at + size, s.p.size - at - size);
		packed_put(bytes + at + 8, 0);
		packed_put(bytes + at + 12, 0);
		for (uint8_t codec = 0; codec < 2; codec++) {
			bytes[at + 4] = codec;
			packed_repair(bytes, all);
			struct snap_snapshot *back[2];
			struct snap_error err = {.status = SNAP_OK};
			CHECK_INT(packed_open(bytes, all, &plain, back, 2, &count, &err), SNAP_ERR_DAMAGED);
			CHECK_INT(err.offset, at);
			packed_free_all(back, count);
		}
		free(bytes);
	}
	free_sample(&s);
}
