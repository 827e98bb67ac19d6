/* When memory is worth a snapshot, by the files of a made-up control group. */
#define _GNU_SOURCE
#include "capture/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

enum { MIB = 1 << 20 };

static char folder[] = "/tmp/snap-watch-XXXXXX";

static void put(const char *file, uint64_t number)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	FILE *out = fopen(path, "w");
	CHECK(out != NULL && fprintf(out, "%llu\n", (unsigned long long)number) > 0 && fclose(out) == 0);
}

static void take(const char *file)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, file);
	CHECK(unlink(path) == 0);
}

/* The root of a hierarchy is looked at for every process. */
static void begin(struct watch *watch, bool no_limit)
{
	CHECK(setenv("SNAP_CGROUP_ROOT", folder, 1) == 0);
	const struct watch_options options = {.no_limit = no_limit};
	watch_begin(watch, &options);
}

TEST(a_limit_that_is_near)
{
	struct watch watch;
	CHECK(mkdtemp(folder) != NULL);
	put("memory.max", 200 * MIB);
	put("memory.current", 100 * MIB);
	begin(&watch, false);
	CHECK(watch_is_on(&watch) && watch.group.limit == 200 * MIB);
	CHECK(watch_look(&watch) == WATCH_NOTHING && watch_free_memory(&watch) == 100 * MIB);
	put("memory.current", 181 * MIB);
	CHECK(watch_look(&watch) == WATCH_LIMIT);
	CHECK(watch_look(&watch) == WATCH_NOTHING);
	put("memory.current", 160 * MIB);
	CHECK(watch_look(&watch) == WATCH_NOTHING);
	put("memory.current", 190 * MIB);
	CHECK(watch_look(&watch) == WATCH_LIMIT);
	take("memory.max");
	take("memory.current");
}

TEST(where_the_system_holds_the_program_back_is_a_limit_as_well)
{
	struct watch watch;
	put("memory.max", 200 * MIB);
	put("memory.high", 100 * MIB);
	put("memory.current", 50 * MIB);
	begin(&watch, false);
	CHECK(watch.group.limit == 100 * MIB);
	put("memory.current", 95 * MIB);
	CHECK(watch_look(&watch) == WATCH_LIMIT);
	take("memory.max");
	begin(&watch, false);
	CHECK(watch.group.limit == 100 * MIB);
	take("memory.high");
	take("memory.current");
}

TEST(a_limit_that_is_set_later_is_found)
{
	struct watch watch;
	begin(&watch, false);
	CHECK(watch.group.limit == 0 && watch_is_on(&watch) && watch_pause_ms(&watch) == WATCH_SEARCH_MS);
	CHECK(watch_look(&watch) == WATCH_NOTHING && watch_free_memory(&watch) == UINT64_MAX);
	put("memory.max", 200 * MIB);
	put("memory.current", 100 * MIB);
	CHECK(watch_look(&watch) == WATCH_NOTHING);
	CHECK(watch.group.limit == 200 * MIB && watch_pause_ms(&watch) <= WATCH_PERIOD_MS);
	put("memory.current", 185 * MIB);
	CHECK(watch_look(&watch) == WATCH_LIMIT);
	begin(&watch, true);
	CHECK(!watch_is_on(&watch));
	take("memory.max");
	take("memory.current");
	CHECK(rmdir(folder) == 0);
}
