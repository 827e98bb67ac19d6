/* Random snapshots of many shapes, each with the list of what was told, from which the builder can be
 * fed in any order and the result be checked. */
#ifndef RANDOM_SNAPSHOT_H
#define RANDOM_SNAPSHOT_H

#include <snap/builder.h>

#include "bag.h"

/* A generator that gives the same numbers everywhere. */
struct dice {
	uint64_t state;
};

static inline uint64_t dice_word(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Below n > 0. */
static inline uint32_t dice_below(struct dice *d, uint32_t n)
{
	return (uint32_t)((dice_word(d) >> 32) * n >> 32);
}

static inline bool dice_percent(struct dice *d, uint32_t percent)
{
	return dice_below(d, 100) < percent;
}

/* A number of up to `bits` bits, small ones as likely as large ones. */
static inline uint64_t dice_bits(struct dice *d, unsigned bits)
{
	unsigned some = dice_below(d, bits + 1);
	return some == 0 ? 0 : dice_word(d) >> (64 - some);
}

enum told_columns { TOLD_PLAIN, TOLD_DIFF, TOLD_EXTRA, TOLD_MOST };

struct shape {
	const char *name;
	uint32_t files, functions; /* functions == 0: frames have none */
	uint32_t lines, frames;
	uint32_t stacks, sites;
	uint32_t depth, fan;  /* of real stacks: the deepest, and how many callees a frame has */
	uint32_t limits[2];   /* how many frames the recorder keeps: the one or the other; 0 = all */
	uint32_t unknown;     /* of 100 stacks: how many have no total */
	uint32_t recursion;   /* of 100 calls: how many are to the same frame */
	uint32_t domains;
	unsigned size_bits, count_bits;
	enum told_columns columns;
	bool odd_names; /* any bytes, empty and very long ones */
};

struct told_name {
	char *bytes;
	size_t size;
};

struct told_frame {
	uint32_t file, line, function; /* function may be SNAP_NO_FUNCTION */
};

struct told_stack {
	uint32_t *frames; /* newest first */
	uint32_t count, total;
};

struct told_site {
	uint32_t stack, domain;
	uint64_t size;
	int64_t values[SNAP_COLUMNS_MAX];
};

struct told {
	const struct snap_column *columns;
	size_t column_count;
	struct told_name *names;
	struct told_frame *frames;
	struct told_stack *stacks;
	struct told_site *sites;
	uint32_t name_count, frame_count, stack_count, site_count;
};

static inline void told_free(struct told *t)
{
	for (uint32_t i = 0; i < t->name_count; i++)
		free(t->names[i].bytes);
	for (uint32_t i = 0; i < t->stack_count; i++)
		free(t->stacks[i].frames);
	free(t->names);
	free(t->frames);
	free(t->stacks);
	free(t->sites);
	memset(t, 0, sizeof *t);
}

static inline void told_set_columns(struct told *t, enum told_columns which)
{
	static const struct snap_column diff[] = {{"blocks", SNAP_UNIT_BLOCKS},
	                                          {"bytes", SNAP_UNIT_BYTES},
	                                          {"old_blocks", SNAP_UNIT_BLOCKS},
	                                          {"old_bytes", SNAP_UNIT_BYTES}};
	static const struct snap_column most[SNAP_COLUMNS_MAX] = {
		{"blocks", SNAP_UNIT_BLOCKS},
		{"bytes", SNAP_UNIT_BYTES},
		{"x", SNAP_UNIT_OTHER},
		{"peak_bytes", SNAP_UNIT_BYTES},
		{"a", SNAP_UNIT_BLOCKS},
		{"b", SNAP_UNIT_OTHER},
		{"c", SNAP_UNIT_OTHER},
		{"d", SNAP_UNIT_OTHER},
		{"e", SNAP_UNIT_OTHER},
		{"f", SNAP_UNIT_OTHER},
		{"g", SNAP_UNIT_OTHER},
		{"h", SNAP_UNIT_OTHER},
		{"i", SNAP_UNIT_OTHER},
		{"j", SNAP_UNIT_OTHER},
		{"k_1", SNAP_UNIT_OTHER},
		{"abcdefghijklmnopqrstuvwxyz_0123456789_abcdefghijklmnopqrstuvwxy", SNAP_UNIT_OTHER}};
	t->columns = which == TOLD_DIFF ? diff : most;
	t->column_count = which == TOLD_PLAIN ? 2 : which == TOLD_MOST ? SNAP_COLUMNS_MAX : 4;
}

static inline struct told_name told_random_name(struct dice *d, const struct shape *s, uint32_t number)
{
	struct told_name name = {NULL, 0};
	uint32_t kind = s->odd_names ? dice_below(d, 8) : 8;
	if (kind == 0 || kind == 1) {
		/* Long ones that have nearly all in common. */
		name.size = kind == 0 && dice_percent(d, 20) ? SNAP_STRING_MAX : 300 + dice_below(d, 2000);
		name.bytes = bag_memory(NULL, name.size, 1);
		memset(name.bytes, 'x', name.size);
		name.bytes[name.size - 1 - dice_below(d, (uint32_t)name.size)] = (char)('a' + dice_below(d, 26));
	} else if (kind < 6) {
		name.size = dice_below(d, kind == 2 ? 2 : 40);
		name.bytes = bag_memory(NULL, name.size, 1);
		for (size_t i = 0; i < name.size; i++)
			name.bytes[i] = (char)(1 + dice_below(d, 255));
	} else {
		name.bytes = bag_memory(NULL, 64, 1);
		name.size =
			(size_t)snprintf(name.bytes, 64, "/usr/lib/python3/package_%u/module_%u_and_so_on.py",
					 number % 7, number);
	}
	return name;
}

static inline struct told_stack told_random_stack(struct dice *d, const struct shape *s, uint32_t frames)
{
	uint32_t depth = 1 + dice_below(d, s->depth), frame = dice_below(d, s->fan) % frames;
	uint32_t limit = s->limits[dice_below(d, 2)];
	uint32_t count = limit != 0 && depth > limit ? limit : depth;
	struct told_stack stack = {bag_memory(NULL, count, sizeof *stack.frames), count, depth};
	for (uint32_t i = 0; i < depth; i++) {
		/* The oldest call comes first here and last in the list. */
		if (depth - 1 - i < count)
			stack.frames[depth - 1 - i] = frame;
		if (!dice_percent(d, s->recursion))
			frame = (frame * 2654435761u + 1 + dice_below(d, s->fan) * 40503u) % frames;
	}
	if (dice_percent(d, s->unknown))
		stack.total = 0;
	return stack;
}

static inline struct told_site told_random_site(struct dice *d, const struct shape *s, uint32_t stacks)
{
	struct told_site site = {.stack = dice_below(d, stacks)};
	site.domain = dice_percent(d, 70) ? 0 : dice_below(d, s->domains);
	if (s->domains > 1 && dice_percent(d, 5))
		site.domain = UINT32_MAX - site.domain;
	site.size = dice_percent(d, 60) ? 16u * dice_below(d, 40) : dice_bits(d, s->size_bits);
	int64_t blocks = dice_percent(d, 50) ? 1 : (int64_t)dice_bits(d, s->count_bits);
	site.values[0] = blocks;
	site.values[1] = (int64_t)site.size * blocks;
	if (s->columns == TOLD_PLAIN)
		return site;
	for (size_t c = 0; c < SNAP_COLUMNS_MAX; c++) {
		if (c < 2 && dice_percent(d, 70))
			continue;
		site.values[c] = (int64_t)dice_bits(d, s->count_bits) * (dice_percent(d, 30) ? -1 : 1);
		if (c > 1 && dice_percent(d, 40))
			site.values[c] = c == 3 && s->columns == TOLD_DIFF ? (int64_t)site.size * site.values[2] : 0;
	}
	if (s->columns != TOLD_MOST)
		for (size_t c = 4; c < SNAP_COLUMNS_MAX; c++)
			site.values[c] = 0;
	return site;
}

static inline struct told told_random(const struct shape *s, uint64_t seed)
{
	struct dice d = {seed};
	struct told t = {.name_count = s->files + s->functions, .frame_count = s->frames, .stack_count = s->stacks,
	                 .site_count = s->sites};
	told_set_columns(&t, s->columns);
	t.names = bag_memory(NULL, t.name_count, sizeof *t.names);
	t.frames = bag_memory(NULL, t.frame_count, sizeof *t.frames);
	t.stacks = bag_memory(NULL, t.stack_count, sizeof *t.stacks);
	t.sites = bag_memory(NULL, t.site_count, sizeof *t.sites);
	for (uint32_t i = 0; i < t.name_count; i++) {
		t.names[i] = told_random_name(&d, s, i);
		if (strcmp(s->name, "the empty name") == 0)
			t.names[i].size = 0;
	}
	for (uint32_t i = 0; i < t.frame_count; i++) {
		uint32_t function = s->functions > 0 ? s->files + dice_below(&d, s->functions) : SNAP_NO_FUNCTION;
		if (function != SNAP_NO_FUNCTION && dice_percent(&d, 20))
			function = dice_percent(&d, 50) ? SNAP_NO_FUNCTION : dice_below(&d, t.name_count);
		t.frames[i] = (struct told_frame){dice_below(&d, s->files), dice_below(&d, s->lines), function};
		if (s->odd_names && dice_percent(&d, 5))
			t.frames[i].line = UINT32_MAX - dice_below(&d, 2);
	}
	for (uint32_t i = 0; i < t.stack_count; i++)
		t.stacks[i] = told_random_stack(&d, s, t.frame_count);
	for (uint32_t i = 0; i < t.site_count; i++)
		t.sites[i] = told_random_site(&d, s, t.stack_count);
	return t;
}

static inline struct snap_frame told_frame_text(const struct told *t, uint32_t frame)
{
	const struct told_frame *f = &t->frames[frame];
	struct snap_frame text = {{t->names[f->file].bytes, t->names[f->file].size}, {NULL, 0}, f->line};
	if (f->function != SNAP_NO_FUNCTION)
		text.function = (struct snap_text){t->names[f->function].bytes, t->names[f->function].size};
	return text;
}

/* Hashes of the frames of all stacks; free with free. */
static inline uint64_t (*told_stack_hashes(const struct told *t))[2]
{
	uint64_t(*hashes)[2] = bag_memory(NULL, t->stack_count, sizeof *hashes);
	struct bag_frames *known = bag_frames_new();
	for (uint32_t i = 0; i < t->stack_count; i++) {
		hashes[i][0] = hashes[i][1] = 1;
		for (uint32_t f = 0; f < t->stacks[i].count; f++)
			bag_hash_frame(hashes[i], told_frame_text(t, t->stacks[i].frames[f]), known);
	}
	free(known);
	return hashes;
}

/* What a snapshot of these sites must say; `hashes` are those of its stacks. */
static inline struct bag told_bag_of(const struct told *t, uint64_t (*hashes)[2], const struct told_site *sites,
                                     size_t count)
{
	struct bag b = {.items = NULL};
	for (size_t i = 0; i < count; i++) {
		const struct told_stack *stack = &t->stacks[sites[i].stack];
		bag_add(&b, hashes[sites[i].stack], stack->count, stack->total, sites[i].domain, sites[i].size,
		        sites[i].values, t->column_count);
	}
	bag_settle(&b);
	return b;
}

static inline struct bag told_bag(const struct told *t, const struct told_site *sites, size_t count)
{
	uint64_t(*hashes)[2] = told_stack_hashes(t);
	struct bag b = told_bag_of(t, hashes, sites, count);
	free(hashes);
	return b;
}

static inline void told_must(enum snap_status status, const struct snap_error *err)
{
	if (status == SNAP_OK)
		return;
	fprintf(stderr, "a call that must work failed: %d, %s\n", (int)status, err->message);
	abort();
}

struct told_numbers {
	uint32_t *names, *frames, *stacks; /* UINT32_MAX while not known to the builder */
};

static inline uint32_t told_tell_name(const struct told *t, struct told_numbers *n, struct snap_builder *b,
				      uint32_t i)
{
	struct snap_error err;
	if (n->names[i] == UINT32_MAX)
		told_must(snap_builder_string(b, t->names[i].bytes, t->names[i].size, &n->names[i], &err), &err);
	return n->names[i];
}

static inline uint32_t told_tell_frame(const struct told *t, struct told_numbers *n, struct snap_builder *b,
                                       uint32_t i)
{
	struct snap_error err;
	const struct told_frame *f = &t->frames[i];
	if (n->frames[i] != UINT32_MAX)
		return n->frames[i];
	uint32_t function = f->function == SNAP_NO_FUNCTION ? SNAP_NO_FUNCTION : told_tell_name(t, n, b, f->function);
	uint32_t file = told_tell_name(t, n, b, f->file);
	told_must(snap_builder_frame(b, file, f->line, function, &n->frames[i], &err), &err);
	return n->frames[i];
}

static inline uint32_t told_tell_stack(const struct told *t, struct told_numbers *n, struct snap_builder *b,
                                       uint32_t i)
{
	struct snap_error err;
	const struct told_stack *s = &t->stacks[i];
	if (n->stacks[i] != UINT32_MAX)
		return n->stacks[i];
	uint32_t *frames = bag_memory(NULL, s->count, sizeof *frames);
	for (uint32_t f = 0; f < s->count; f++)
		frames[f] = told_tell_frame(t, n, b, s->frames[f]);
	told_must(snap_builder_stack(b, frames, s->count, s->total, &n->stacks[i], &err), &err);
	free(frames);
	return n->stacks[i];
}

/* Tells the builder the sites, as they stand or, with `order`, in any order and in several parts. */
static inline void told_tell(const struct told *t, struct snap_builder *b, const struct told_site *sites,
                             size_t count, struct dice *order)
{
	struct snap_error err;
	struct told_numbers n = {bag_memory(NULL, t->name_count, sizeof *n.names),
	                         bag_memory(NULL, t->frame_count, sizeof *n.frames),
	                         bag_memory(NULL, t->stack_count, sizeof *n.stacks)};
	memset(n.names, 0xff, t->name_count * sizeof *n.names);
	memset(n.frames, 0xff, t->frame_count * sizeof *n.frames);
	memset(n.stacks, 0xff, t->stack_count * sizeof *n.stacks);
	uint32_t *place = bag_memory(NULL, count, sizeof *place);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = order != NULL ? dice_below(order, i + 1) : i;
		place[i] = place[j];
		place[j] = i;
	}
	for (size_t i = 0; i < count; i++) {
		const struct told_site *s = &sites[place[i]];
		uint32_t stack = told_tell_stack(t, &n, b, s->stack);
		int64_t bytes;
		bool plain = t->column_count == 2 && !__builtin_mul_overflow((int64_t)s->size, s->values[0], &bytes);
		if (plain && s->values[1] == bytes && (order == NULL || dice_percent(order, 50))) {
			told_must(snap_builder_add(b, stack, s->domain, s->size, s->values[0], &err), &err);
			continue;
		}
		if (order != NULL && dice_percent(order, 30)) {
			int64_t one[SNAP_COLUMNS_MAX] = {0}, rest[SNAP_COLUMNS_MAX];
			memcpy(rest, s->values, sizeof rest);
			size_t c = dice_below(order, (uint32_t)t->column_count);
			one[c] = rest[c];
			rest[c] = 0;
			told_must(snap_builder_add_values(b, stack, s->domain, s->size, one, &err), &err);
			told_must(snap_builder_add_values(b, stack, s->domain, s->size, rest, &err), &err);
			continue;
		}
		told_must(snap_builder_add_values(b, stack, s->domain, s->size, s->values, &err), &err);
	}
	free(place);
	free(n.names);
	free(n.frames);
	free(n.stacks);
}

/* The snapshot of some sites, with one entry of metadata. */
static inline struct snap_snapshot *told_snapshot(const struct told *t, const struct told_site *sites, size_t count,
                                                  struct dice *order)
{
	struct snap_error err;
	struct snap_builder *b;
	struct snap_snapshot *s;
	told_must(snap_builder_new_columns(&b, t->columns, t->column_count, NULL, &err), &err);
	told_must(snap_meta_set_text(snap_builder_meta(b), "source_format", "random", &err), &err);
	told_tell(t, b, sites, count, order);
	told_must(snap_builder_finish(b, &s, &err), &err);
	snap_builder_free(b);
	return s;
}

/* Shapes that between them have all a snapshot can have, small enough for hundreds of each. */
static const struct shape small_shapes[] = {
	{"one site", 1, 0, 2, 1, 1, 1, 1, 1, {0, 0}, 0, 0, 1, 8, 1, TOLD_PLAIN, false},
	{"flat", 9, 0, 500, 60, 60, 200, 1, 60, {1, 1}, 0, 0, 1, 20, 8, TOLD_PLAIN, false},
	{"flat, cut off", 9, 0, 500, 60, 60, 200, 9, 3, {1, 1}, 0, 0, 1, 20, 8, TOLD_PLAIN, false},
	{"whole", 9, 9, 500, 90, 120, 300, 12, 3, {0, 0}, 0, 0, 3, 20, 8, TOLD_PLAIN, false},
	{"cut off", 9, 0, 500, 90, 120, 300, 30, 2, {7, 7}, 0, 0, 3, 20, 8, TOLD_PLAIN, false},
	{"several limits", 9, 5, 500, 40, 200, 300, 20, 2, {3, 10}, 0, 20, 3, 20, 8, TOLD_PLAIN, false},
	{"a limit and none", 9, 5, 500, 40, 200, 300, 20, 2, {0, 5}, 0, 20, 3, 20, 8, TOLD_PLAIN, false},
	{"no totals", 9, 0, 500, 40, 200, 300, 12, 2, {5, 5}, 100, 10, 1, 20, 8, TOLD_PLAIN, false},
	{"some totals", 9, 0, 500, 40, 200, 300, 12, 2, {5, 9}, 40, 10, 3, 20, 8, TOLD_PLAIN, false},
	{"recursion", 3, 3, 10, 4, 200, 300, 40, 2, {6, 8}, 10, 60, 1, 20, 8, TOLD_PLAIN, false},
	{"one frame only", 1, 1, 1, 1, 100, 200, 60, 1, {0, 25}, 20, 50, 2, 20, 8, TOLD_PLAIN, false},
	{"names", 60, 40, 9, 150, 100, 200, 9, 4, {0, 4}, 20, 10, 9, 20, 8, TOLD_PLAIN, true},
	{"large sizes", 9, 0, 500, 90, 120, 200, 8, 3, {0, 0}, 0, 0, 400, 45, 9, TOLD_PLAIN, false},
	{"large counts", 9, 0, 500, 90, 120, 200, 8, 3, {5, 5}, 0, 0, 2, 9, 45, TOLD_PLAIN, false},
	{"domains", 9, 0, 500, 20, 15, 300, 8, 3, {5, 5}, 0, 0, 4000, 9, 9, TOLD_PLAIN, false},
	{"a diff", 9, 5, 500, 40, 100, 300, 8, 3, {0, 5}, 10, 10, 3, 18, 20, TOLD_DIFF, false},
	{"further columns", 9, 5, 500, 40, 100, 300, 8, 3, {0, 5}, 10, 10, 3, 18, 36, TOLD_EXTRA, false},
	{"most columns", 9, 5, 500, 40, 100, 200, 8, 3, {0, 5}, 10, 10, 3, 18, 36, TOLD_MOST, true},
	{"the empty name", 1, 0, 2, 1, 1, 1, 1, 1, {0, 0}, 0, 0, 1, 8, 1, TOLD_PLAIN, false},
	{"nothing", 1, 0, 2, 1, 1, 0, 1, 1, {0, 0}, 0, 0, 1, 8, 1, TOLD_PLAIN, false},
};
enum { SMALL_SHAPES = sizeof small_shapes / sizeof *small_shapes };

#endif
