/* A glob becomes a row of items, each for one code point but for stars; see glob.h. */
#include "ops/glob.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind { LITERAL, ANY, STAR, SET };

struct item {
	enum kind kind;
	bool negated;      /* SET */
	uint32_t code;     /* LITERAL */
	size_t begin, end; /* SET: of its ranges */
};

struct range {
	uint32_t low, high;
};

struct snap_glob {
	struct item *items;
	size_t count;
	struct range *ranges;
	size_t range_count;
	char *ending; /* the ASCII literals at the end: most names are told by them alone */
	size_t ending_size;
};

/* Code points. */

static inline bool continues(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* The length of the sequence that begins at p, 1 for a byte that does not begin a valid one; such a byte
 * is the lone surrogate U+DC00 + byte, and so is that surrogate where it is spelled out, as pickles of
 * tracemalloc do. Overlong forms and what is above U+10FFFF are ruled out by the second byte already. */
static inline size_t decode(const uint8_t *p, size_t size, uint32_t *code)
{
	uint8_t first = p[0];
	*code = first;
	if (first < 0x80)
		return 1;
	*code = 0xdc00u + first;
	size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first < 0xc2 || first > 0xf4 || size < length || !continues(p[1]))
		return 1;
	if ((first == 0xe0 && p[1] < 0xa0) ||
	    (first == 0xf0 && p[1] < 0x90) || (first == 0xf4 && p[1] > 0x8f))
		return 1;
	uint32_t sum = first & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (!continues(p[i]))
			return 1;
		sum = sum << 6 | (p[i] & 0x3fu);
	}
	*code = sum;
	return length;
}

/* Compiling. */

struct compiling {
	struct snap_glob *g;
	const uint32_t *text; /* code points */
	size_t size;
	size_t last_bracket; /* where the last ']' is, or 0 */
};

static void add_item(struct snap_glob *g, struct item item)
{
	g->items[g->count++] = item;
}

/* CPython takes away reversed ranges before it looks for the '!', so one behind them negates as well when
 * it comes first then. */
static bool negates(const struct snap_glob *g, const struct item *set, uint32_t code)
{
	return code == '!' && !set->negated && g->range_count == set->begin;
}

static void add_range(struct snap_glob *g, uint32_t low, uint32_t high)
{
	g->ranges[g->range_count++] = (struct range){low, high};
}

static void add_characters(struct snap_glob *g, struct item *set, const uint32_t *begin, const uint32_t *end)
{
	for (; begin < end; begin++)
		if (negates(g, set, *begin))
			set->negated = true;
		else
			add_range(g, *begin, *begin);
}

/* The characters and ranges of [begin, end). A '-' makes a range of its neighbours unless it is first,
 * last, or right behind the end of another range; a reversed range is nothing. */
static void add_ranges(struct snap_glob *g, struct item *set, const uint32_t *begin, const uint32_t *end)
{
	const uint32_t *next = begin, *dash = begin + 1;
	while (dash + 1 < end) {
		if (*dash != '-') {
			dash++;
			continue;
		}
		uint32_t low = dash[-1], high = dash[1];
		add_characters(g, set, next, dash - 1);
		if (low <= high && negates(g, set, low)) {
			/* What would begin the range is no part of the set, so the '-' is a character. */
			set->negated = true;
			add_range(g, '-', '-');
			add_range(g, high, high);
		} else if (low <= high) {
			add_range(g, low, high);
		}
		next = dash + 2;
		dash += 3;
	}
	add_characters(g, set, next, end);
}

/* A '[' at `at` - 1; returns where to go on. */
static size_t add_set(struct compiling *c, size_t at)
{
	const uint32_t *text = c->text;
	struct snap_glob *g = c->g;
	bool negated = at < c->size && text[at] == '!';
	size_t begin = at + negated, end = begin;
	if (end < c->size && text[end] == ']')
		end++;
	if (end > c->last_bracket) {
		add_item(g, (struct item){.kind = LITERAL, .code = '['});
		return at;
	}
	while (text[end] != ']')
		end++;
	struct item set = {.kind = SET, .negated = negated, .begin = g->range_count};
	add_ranges(g, &set, text + begin, text + end);
	set.end = g->range_count;
	add_item(g, set);
	return end + 1;
}

static void add_items(struct compiling *c)
{
	struct snap_glob *g = c->g;
	for (size_t at = 0; at < c->size;) {
		uint32_t code = c->text[at++];
		if (code == '[')
			at = add_set(c, at);
		else if (code == '?')
			add_item(g, (struct item){.kind = ANY});
		else if (code != '*')
			add_item(g, (struct item){.kind = LITERAL, .code = code});
		else if (g->count == 0 || g->items[g->count - 1].kind != STAR)
			add_item(g, (struct item){.kind = STAR});
	}
}

static void find_ending(struct snap_glob *g)
{
	size_t first = g->count;
	while (first > 0 && g->items[first - 1].kind == LITERAL && g->items[first - 1].code < 0x80)
		first--;
	for (size_t i = first; i < g->count; i++)
		g->ending[g->ending_size++] = (char)g->items[i].code;
}

enum snap_status snap_glob_new(struct snap_glob **out, const char *text, size_t size, struct snap_error *err)
{
	struct snap_glob *g = calloc(1, sizeof *g);
	uint32_t *codes = malloc((size + 1) * sizeof *codes);
	if (g != NULL) {
		/* A byte makes at most one item and one range. */
		g->items = malloc((size + 1) * sizeof *g->items);
		g->ranges = malloc((size + 1) * sizeof *g->ranges);
		g->ending = malloc(size + 1);
	}
	if (g == NULL || codes == NULL || g->items == NULL || g->ranges == NULL || g->ending == NULL) {
		snap_glob_free(g);
		free(codes);
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	}
	struct compiling c = {.g = g, .text = codes};
	for (size_t at = 0; at < size; c.size++) {
		at += decode((const uint8_t *)text + at, size - at, &codes[c.size]);
		if (codes[c.size] == ']')
			c.last_bracket = c.size;
	}
	add_items(&c);
	find_ending(g);
	free(codes);
	*out = g;
	return SNAP_OK;
}

void snap_glob_free(struct snap_glob *g)
{
	if (g == NULL)
		return;
	free(g->items);
	free(g->ranges);
	free(g->ending);
	free(g);
}

/* Matching. */

static bool item_matches(const struct snap_glob *g, const struct item *item, uint32_t code)
{
	if (item->kind == LITERAL)
		return item->code == code;
	if (item->kind == ANY)
		return true;
	for (size_t i = item->begin; i < item->end; i++)
		if (g->ranges[i].low <= code && code <= g->ranges[i].high)
			return !item->negated;
	return item->negated;
}

/* The first place from `at` on where what stands behind a star may begin. */
static size_t first_place(const struct item *item, const uint8_t *p, size_t size, size_t at)
{
	if (item->kind != LITERAL || item->code >= 0x80)
		return at;
	const uint8_t *found = memchr(p + at, (int)item->code, size - at);
	return found == NULL ? size : (size_t)(found - p);
}

/* Only the last star needs to be tried again: what the ones before it took is as good as anything. */
bool snap_glob_matches(const struct snap_glob *g, const char *name, size_t size)
{
	const uint8_t *p = (const uint8_t *)name;
	if (size < g->ending_size ||
	    (g->ending_size > 0 && memcmp(p + size - g->ending_size, g->ending, g->ending_size) != 0))
		return false;
	size_t at = 0, i = 0, behind_star = SIZE_MAX, star_at = 0;
	uint32_t code;
	while (at < size) {
		if (i < g->count && g->items[i].kind == STAR) {
			behind_star = ++i;
			if (i == g->count)
				return true;
			star_at = at = first_place(&g->items[i], p, size, at);
			continue;
		}
		size_t length = decode(p + at, size - at, &code);
		if (i < g->count && item_matches(g, &g->items[i], code)) {
			at += length;
			i++;
			continue;
		}
		if (behind_star == SIZE_MAX)
			return false;
		star_at += decode(p + star_at, size - star_at, &code);
		star_at = at = first_place(&g->items[behind_star], p, size, star_at);
		i = behind_star;
	}
	if (i < g->count && g->items[i].kind == STAR)
		i++;
	return i == g->count;
}
