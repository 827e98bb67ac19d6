/* The digest of section 6 of the format, written again from the document, and what it must not depend
 * on. */
#define _GNU_SOURCE
#include "packed.h"
#include "random_snapshot.h"
#include "test.h"

static uint64_t mix(uint64_t h)
{
	h ^= h >> 30;
	h *= 0xBF58476D1CE4E5B9u;
	h ^= h >> 27;
	h *= 0x94D049BB133111EBu;
	h ^= h >> 31;
	return h;
}

static uint64_t K(uint64_t j)
{
	return mix(j * 0x9E3779B97F4A7C15u) | 1;
}

static uint64_t str(const char *s, size_t length)
{
	uint64_t h = mix(length + K(1));
	for (size_t i = 0; i < length; i += 8) {
		uint64_t w = 0;
		for (size_t k = 0; k < 8 && i + k < length; k++)
			w |= (uint64_t)(unsigned char)s[i + k] << (8 * k);
		h = mix(h ^ w);
	}
	return h;
}

/* Frame by frame and site by site: neither clever nor quick. */
static void digest_again(struct snap_snapshot *s, uint64_t digest[2])
{
	const uint64_t B = 0xD6E8FEB86659FD93u;
	uint64_t m = K(8);
	const struct snap_meta *meta = snap_snapshot_meta(s);
	for (size_t i = 0; i < snap_meta_count(meta); i++) {
		const char *value;
		size_t size;
		const char *key = snap_meta_at(meta, i, &value, &size);
		if (strncmp(key, "history.", 8) == 0 || strncmp(key, "old.history.", 12) == 0)
			continue;
		m = mix(m ^ str(key, strlen(key)));
		m = mix(m + str(value, size));
	}
	digest[0] = mix(m);
	digest[1] = mix(m + 1);

	uint64_t *stacks = malloc((snap_snapshot_stacks(s) + 1) * sizeof *stacks);
	for (uint32_t i = 0; i < snap_snapshot_stacks(s); i++) {
		struct snap_stack about = snap_snapshot_stack(s, i);
		struct snap_frame *frames = malloc(about.length * sizeof *frames);
		snap_snapshot_traceback(s, i, frames, about.length);
		uint64_t w = 0;
		for (size_t k = about.length; k-- > 0;) {
			uint64_t function = frames[k].function.bytes == NULL
			                            ? 0
			                            : str(frames[k].function.bytes, frames[k].function.size);
			uint64_t f = mix(str(frames[k].file.bytes, frames[k].file.size) + frames[k].line * K(2) +
			                 function * K(3));
			w = w * B + f;
		}
		stacks[i] = mix(w + about.length * K(4) + about.total * K(5));
		free(frames);
	}
	for (size_t i = 0; i < snap_snapshot_sites(s); i++) {
		int64_t values[SNAP_COLUMNS_MAX];
		struct snap_site site = snap_snapshot_site(s, i, values);
		uint64_t e = stacks[site.stack] + site.domain * K(6) + site.size * K(7);
		for (size_t c = 0; c < snap_snapshot_columns(s); c++) {
			const char *name = snap_snapshot_column(s, c).name;
			e += (uint64_t)values[c] * str(name, strlen(name));
		}
		digest[0] += mix(e);
		digest[1] += mix(e ^ 0x6A09E667F3BCC909u);
	}
	free(stacks);
}

static void check_digest(struct snap_snapshot *s, uint64_t digest[2])
{
	uint64_t again[2];
	struct snap_error err;
	CHECK_OK(snap_snapshot_digest(s, digest, &err), &err);
	digest_again(s, again);
	CHECK_MEM(digest, sizeof again, again, sizeof again);
}

TEST(equal_to_the_document)
{
	for (size_t i = 0; i < SMALL_SHAPES; i++)
		for (uint64_t seed = 0; seed < 10; seed++) {
			struct told t = told_random(&small_shapes[i], seed * 50 + i);
			struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
			uint64_t digest[2];
			check_digest(s, digest);
			CHECK_INT(snap_meta_set_text(snap_snapshot_meta(s), "time", "12", NULL), SNAP_OK);
			check_digest(s, digest);
			snap_snapshot_free(s);
			told_free(&t);
		}
}

/* So that the document, the library and this file cannot all change at once. */
TEST(known_digests)
{
	struct snap_builder *b;
	struct snap_snapshot *s;
	uint64_t digest[2];
	CHECK_INT(snap_builder_new(&b, NULL, NULL), SNAP_OK);
	CHECK_INT(snap_builder_finish(b, &s, NULL), SNAP_OK);
	snap_builder_free(b);
	check_digest(s, digest);
	CHECK_INT(digest[0], UINT64_C(0x9E0C11B3B7EBC64E));
	CHECK_INT(digest[1], UINT64_C(0xDF930A30857F1758));
	snap_snapshot_free(s);

	CHECK_INT(snap_builder_new(&b, NULL, NULL), SNAP_OK);
	CHECK_INT(snap_meta_set_text(snap_builder_meta(b), "host", "web1", NULL), SNAP_OK);
	uint32_t file, function, frames[2], stack;
	CHECK_INT(snap_builder_string(b, "/srv/app.py", 11, &file, NULL), SNAP_OK);
	CHECK_INT(snap_builder_string(b, "main", 4, &function, NULL), SNAP_OK);
	CHECK_INT(snap_builder_frame(b, file, 7, function, &frames[1], NULL), SNAP_OK);
	CHECK_INT(snap_builder_frame(b, file, 42, SNAP_NO_FUNCTION, &frames[0], NULL), SNAP_OK);
	CHECK_INT(snap_builder_stack(b, frames, 2, 5, &stack, NULL), SNAP_OK);
	CHECK_INT(snap_builder_add(b, stack, 389047, 64, 3, NULL), SNAP_OK);
	CHECK_INT(snap_builder_finish(b, &s, NULL), SNAP_OK);
	snap_builder_free(b);
	check_digest(s, digest);
	CHECK_INT(digest[0], UINT64_C(0x16CD43BA6100FD4B));
	CHECK_INT(digest[1], UINT64_C(0x2D96EFC126EF017B));
	snap_snapshot_free(s);
}

/* A site of a snapshot that differs in one thing from that of `change` 0. */
static struct snap_snapshot *changed(int change)
{
	static const struct snap_column columns[] = {{"blocks", SNAP_UNIT_BLOCKS},
						     {"bytes", SNAP_UNIT_BYTES},
						     {"a", SNAP_UNIT_OTHER},
						     {"b", SNAP_UNIT_OTHER}};
	struct snap_builder *b;
	struct snap_snapshot *s;
	CHECK_INT(snap_builder_new_columns(&b, columns, 4, NULL, NULL), SNAP_OK);
	uint32_t names[3], frames[3], stack;
	CHECK_INT(snap_builder_string(b, change == 1 ? "b" : "a", 1, &names[0], NULL), SNAP_OK);
	CHECK_INT(snap_builder_string(b, "12345678", 8 - (change == 2), &names[1], NULL), SNAP_OK);
	CHECK_INT(snap_builder_string(b, "", 0, &names[2], NULL), SNAP_OK);
	uint32_t none = change == 3 ? names[2] : SNAP_NO_FUNCTION;
	CHECK_INT(snap_builder_frame(b, names[0], 1 + (change == 4), none, &frames[0], NULL), SNAP_OK);
	CHECK_INT(snap_builder_frame(b, names[0], 9, names[change == 5], &frames[1], NULL), SNAP_OK);
	CHECK_INT(snap_builder_frame(b, names[1], 2, names[1], &frames[2], NULL), SNAP_OK);
	if (change == 6) {
		uint32_t f = frames[0];
		frames[0] = frames[1];
		frames[1] = f;
	}
	uint32_t total = change == 7 ? 0 : change == 8 ? 4 : 3;
	CHECK_INT(snap_builder_stack(b, frames, change == 9 ? 2 : 3, total, &stack, NULL), SNAP_OK);
	const int64_t values[] = {change == 12 ? 2 : 1, change == 13 ? 11 : 10, change == 14 ? 0 : 5,
	                          change == 14 ? 5 : change == 15 ? 1 : 0};
	CHECK_INT(snap_builder_add_values(b, stack, change == 10, change == 11 ? 9 : 10, values, NULL), SNAP_OK);
	if (change == 16)
		CHECK_INT(snap_builder_add_values(b, stack, 2, 10, values, NULL), SNAP_OK);
	if (change == 17)
		CHECK_INT(snap_meta_set_text(snap_builder_meta(b), "k", "", NULL), SNAP_OK);
	if (change == 18)
		CHECK_INT(snap_meta_set_text(snap_builder_meta(b), "k", "v", NULL), SNAP_OK);
	if (change == 19)
		CHECK_INT(snap_meta_set_text(snap_builder_meta(b), "kv", "", NULL), SNAP_OK);
	CHECK_INT(snap_builder_finish(b, &s, NULL), SNAP_OK);
	snap_builder_free(b);
	return s;
}

TEST(whatever_differs_shows)
{
	enum { CHANGES = 20 };
	uint64_t digests[CHANGES][2];
	for (int i = 0; i < CHANGES; i++) {
		struct snap_snapshot *s = changed(i);
		check_digest(s, digests[i]);
		for (int j = 0; j < i; j++)
			CHECK(digests[i][0] != digests[j][0] && digests[i][1] != digests[j][1]);
		snap_snapshot_free(s);
	}
}

TEST(metadata_count_in_order_and_without_history)
{
	struct snap_snapshot *s = changed(0);
	struct snap_meta *meta = snap_snapshot_meta(s);
	uint64_t before[2], now[2];
	check_digest(s, before);
	snap_meta_set_text(meta, "history.1", "x", NULL);
	snap_meta_set_text(meta, "history.", "x", NULL);
	snap_meta_set_text(meta, "old.history.12", "x", NULL);
	check_digest(s, now);
	CHECK_MEM(now, sizeof now, before, sizeof before);
	snap_meta_set_text(meta, "historian", "x", NULL);
	check_digest(s, now);
	CHECK(now[0] != before[0]);
	snap_meta_remove(meta, "historian");
	snap_meta_set_text(meta, "a", "1", NULL);
	snap_meta_set_text(meta, "b", "2", NULL);
	check_digest(s, before);
	snap_meta_remove(meta, "a");
	snap_meta_set_text(meta, "a", "1", NULL);
	check_digest(s, now);
	CHECK(now[0] != before[0] && now[1] != before[1]);
	snap_snapshot_free(s);
}

TEST(a_column_of_zeros_does_not_count)
{
	static const struct snap_column columns[] = {{"blocks", SNAP_UNIT_BLOCKS},
						     {"bytes", SNAP_UNIT_BYTES},
						     {"x", SNAP_UNIT_OTHER},
						     {"y", SNAP_UNIT_BYTES}};
	struct told t = told_random(&small_shapes[4], 1);
	uint64_t wanted[2];
	for (size_t count = 2; count <= 4; count++) {
		t.columns = columns;
		t.column_count = count;
		struct snap_snapshot *s = told_snapshot(&t, t.sites, t.site_count, NULL);
		uint64_t digest[2];
		check_digest(s, digest);
		if (count == 2)
			memcpy(wanted, digest, sizeof wanted);
		CHECK_MEM(digest, sizeof digest, wanted, sizeof wanted);
		snap_snapshot_free(s);
	}
	told_free(&t);
}

/* Alone, in a series, at any level, read and written again, with other trees around it. */
TEST(packaging_does_not_matter)
{
	static const int levels[] = {0, 1, 3, 19};
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		struct told t = told_random(&small_shapes[i], 9 + i);
		uint32_t n = t.site_count;
		struct snap_snapshot *s[3] = {told_snapshot(&t, t.sites, n / 2, NULL),
		                              told_snapshot(&t, t.sites + n / 3, n - n / 3, NULL),
		                              told_snapshot(&t, t.sites, n, NULL)};
		uint64_t wanted[3][2];
		for (size_t k = 0; k < 3; k++)
			check_digest(s[k], wanted[k]);
		for (size_t l = 0; l < 8; l++) {
			struct packed p = packed_new(s, 3, levels[l % 4], l < 4);
			struct snap_input *in;
			struct snap_reader *r;
			const struct snap_reader_options check = {snap_limits_default(), .check = true};
			struct snap_error err;
			CHECK_INT(snap_input_from_memory(&in, p.bytes, p.size, NULL), SNAP_OK);
			CHECK_INT(snap_reader_open(&r, in, &check, NULL), SNAP_OK);
			for (size_t k = 0; k < 3; k++) {
				struct snap_snapshot *back;
				uint64_t digest[2];
				if (!CHECK_OK(snap_reader_next(r, &back, &err), &err))
					break;
				check_digest(back, digest);
				CHECK_MEM(digest, sizeof digest, wanted[k], sizeof digest);
				struct snap_member_info info = snap_reader_member(r);
				CHECK_MEM(info.digest, sizeof digest, wanted[k], sizeof digest);
				snap_snapshot_free(back);
			}
			snap_reader_close(r);
			free(p.bytes);
		}
		packed_free_all(s, 3);
		told_free(&t);
	}
}

/* A digest in the file that is not that of the content is found when asked for, and only then. */
TEST(a_wrong_digest)
{
	struct snap_snapshot *s = changed(0), *back[2];
	struct packed p = packed_new(&s, 1, 0, false);
	size_t end = packed_find(p.bytes, p.size, "END ", 0), count;
	const struct snap_reader_options check = {snap_limits_default(), .check = true};
	for (size_t at = 48; at < 64; at++) {
		uint8_t *byte = &p.bytes[end + PACKED_SECTION + at];
		*byte ^= 1;
		packed_repair(p.bytes, p.size);
		struct snap_error err = {.status = SNAP_OK};
		CHECK_INT(packed_open(p.bytes, p.size, &check, back, 2, &count, &err), SNAP_ERR_DAMAGED);
		CHECK_INT(err.offset, end);
		CHECK_INT(count, 0);
		packed_free_all(back, count);
		CHECK_INT(packed_open(p.bytes, p.size, NULL, back, 2, &count, &err), SNAP_END);
		CHECK_INT(count, 1);
		packed_free_all(back, count);
		*byte ^= 1;
	}
	free(p.bytes);
	snap_snapshot_free(s);
}
