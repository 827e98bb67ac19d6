/* Numbers of a growing forest, whatever way it grows: intervals nest, siblings do not touch, and what was
 * there keeps its numbers unless all are new. */
#define _GNU_SOURCE
#include "store/intervals.h"

#include "model/snapshot.h"
#include "random_snapshot.h"
#include "test.h"

enum { NODES = 20000 };

struct grown {
	struct snap_intervals t;
	struct snap_budget budget;
	uint32_t parent[NODES];
	uint32_t count;
	unsigned renumbered;
};

static void grow(struct grown *g, uint32_t more)
{
	struct snap_error err;
	uint64_t last = g->t.pre.count > 0 ? g->t.pre.at[g->t.pre.count - 1] : 0;
	uint32_t old = g->count;
	bool renumbered;
	g->count += more;
	CHECK_OK(snap_intervals_add(&g->t, g->parent, g->count, &renumbered, &g->budget, &err), &err);
	g->renumbered += renumbered;
	CHECK_INT(g->t.pre.count, g->count);
	if (!renumbered && old > 0)
		CHECK(g->t.pre.at[old - 1] == last);
}

static void check(const struct grown *g)
{
	/* A reader takes them, which checks that each is in its parent and behind the sibling before it. */
	struct snap_intervals read = {.roots_end = 0};
	struct snap_budget budget = {UINT64_MAX, 0};
	struct snap_error err;
	for (uint32_t n = 0; n < g->count; n++)
		if (!CHECK_OK(snap_intervals_push(&read, g->parent[n], g->t.pre.at[n], g->t.post.at[n], &budget, &err),
		              &err))
			break;
	for (uint32_t n = 0; n < read.pre.count; n++)
		CHECK(read.end.at[n] == g->t.end.at[n]);
	CHECK(read.roots_end == g->t.roots_end);
	snap_intervals_free(&read, &budget);
	CHECK_INT(budget.used, 0);
}

static struct grown *grown_new(void)
{
	struct grown *g = bag_memory(NULL, 1, sizeof *g);
	memset(g, 0, sizeof *g);
	g->budget.limit = UINT64_MAX;
	return g;
}

static void grown_free(struct grown *g)
{
	snap_intervals_free(&g->t, &g->budget);
	CHECK_INT(g->budget.used, 0);
	free(g);
}

TEST(random_growth)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct grown *g = grown_new();
		struct dice d = {seed};
		uint32_t roots = dice_below(&d, 30), batch = 1 + dice_below(&d, 400);
		while (g->count + batch < NODES / 4) {
			uint32_t more = 1 + dice_below(&d, batch);
			for (uint32_t n = g->count; n < g->count + more; n++)
				g->parent[n] = n == 0 || dice_percent(&d, roots)  ? SNAP_NONE
				               : dice_percent(&d, 30) ? n - 1
				                                                : dice_below(&d, n);
			grow(g, more);
		}
		check(g);
		grown_free(g);
	}
}

/* One by one at the same place, which uses its room up fastest. */
TEST(a_chain_and_a_fan)
{
	for (int fan = 0; fan < 3; fan++) {
		struct grown *g = grown_new();
		for (uint32_t n = 0; n < 2000; n++) {
			g->parent[n] = n == 0 || fan == 2 ? SNAP_NONE : fan == 1 ? 0 : n - 1;
			grow(g, 1);
		}
		check(g);
		CHECK(g->renumbered > 0);
		/* Rarely enough: a chain that deepens by one each time is the worst. */
		CHECK(g->renumbered < (fan == 0 ? 500 : 50));
		grown_free(g);
	}
}

TEST(at_once)
{
	struct grown *g = grown_new();
	for (uint32_t n = 0; n < NODES; n++)
		g->parent[n] = n == 0 ? SNAP_NONE : n - 1;
	grow(g, NODES);
	check(g);
	CHECK_INT(g->renumbered, 0);
	grow(g, 0);
	grown_free(g);
}

TEST(what_does_not_nest_is_refused)
{
	static const uint64_t wrong[][2] = {{0, 5}, {10, 10}, {10, 9}, {4, 60}, {100, 120}, {60, 100}, {30, 45}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct snap_intervals t = {.roots_end = 0};
		struct snap_budget budget = {UINT64_MAX, 0};
		struct snap_error err;
		CHECK_OK(snap_intervals_push(&t, SNAP_NONE, 5, 100, &budget, &err), &err);
		CHECK_OK(snap_intervals_push(&t, 0, 20, 40, &budget, &err), &err);
		CHECK_INT(snap_intervals_push(&t, 0, wrong[i][0], wrong[i][1], &budget, &err), SNAP_ERR_DAMAGED);
		snap_intervals_free(&t, &budget);
	}
}

TEST(too_many)
{
	struct snap_intervals t = {.roots_end = 0};
	struct snap_budget budget = {UINT64_MAX, 0}, small = {1000, 0};
	struct snap_error err;
	uint32_t parent[100];
	bool renumbered;
	memset(parent, 0xff, sizeof parent);
	CHECK_INT(snap_intervals_add(&t, parent, UINT32_MAX, &renumbered, &budget, &err), SNAP_ERR_LIMIT);
	CHECK_INT(snap_intervals_add(&t, parent, 100, &renumbered, &small, &err), SNAP_ERR_LIMIT);
	snap_intervals_free(&t, &small);
}
