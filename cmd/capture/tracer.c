/* Hooks, blocks and sites; see tracer.h.
 *
 * One lock guards all that is known. Most callers hold the GIL, so they wait for it only when others work
 * without; it is held for a few instructions, or for the growth of a part of a table. In sampled mode an
 * array of counters, by address, tells without the lock that a block is not known. */
#define _GNU_SOURCE
#include "tracer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "lock.h"
#include "memory.h"
#include "rebirth.h"
#include "reuse.h"
#include "sampler.h"
#include "shadow.h"
#include "stacks.h"
#include "table.h"

struct site {
	uint64_t key, size, live;
	uint32_t stack, domain; /* the second is a place in tracer.domains */
};

enum {
	DOMAINS_MAX = 64,
	ADDRESS_BITS = 48, /* above these a block's key tells its domain */
	OBJECT_MADE = 0,
	GUESSES = 512,
};

static struct {
	atomic_bool on;
	bool samples;
	bool follows_forks;
	unsigned frames;
	struct lock lock;
	uint32_t era; /* tells captures apart */
	struct shadow shadow; /* sites by block, when each block is recorded: */
	struct table blocks;  /* those that the shadow does not cover, and all that are sampled */
	struct table sites;
	struct records site_of; /* struct site, by number */
	uint32_t guesses[GUESSES]; /* sites, by line and size, as they came last; 0 = none */
	uint64_t bytes, peak_bytes, lost;
	uint64_t in_hand; /* blocks that are between two addresses */
	bool keeps;       /* a copy is in use: nothing is forgotten */
	bool counts;      /* some counter was not 0 since all were */
	unsigned domains[DOMAINS_MAX], domain_count;
	int (*other_reference_tracer)(py_object *, int, void *);
	void *other_reference_data;
} tracer;

static __thread __attribute__((tls_model("initial-exec"))) struct {
	uintptr_t fresh; /* a recorded block that an object may be about to be made in, or was to be */
	uint32_t raw_reallocs; /* how often a block of the domain RAW was to change its size */
	bool inside;     /* an allocator that may call another domain's */
	uint8_t passed;  /* hooks while inside: PASSED_…, two bits a domain */
} thread;
enum { PASSED_HOOK = 1, PASSED_APART = 2, PASSED_BITS = 2 };

static struct python_allocator next[PYTHON_ALLOCATORS], pymalloc[PYTHON_ALLOCATORS];

static inline void take_lock(void)
{
	lock_take(&tracer.lock, (uintptr_t)&thread);
}

/* --- sites --- */

/* Keys of stacks are mixed well; the table does the rest. */
static inline uint64_t site_key(uint64_t stack_key, uint64_t size, uint32_t domain)
{
	return stack_key ^ (size + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)domain << 56;
}

/* As records_at has it, by a size that the compiler knows. */
static inline struct site *site_at(uint32_t number)
{
	return (struct site *)(void *)tracer.site_of.at + number;
}

static bool forget_dead_site(uint32_t number)
{
	struct site *site = site_at(number);
	if (site->live > 0)
		return false;
	stacks_release(site->stack);
	records_return(&tracer.site_of, number);
	return true;
}

/* Sites that are dead stay until their room is needed, for most come to life again. */
static __attribute__((noinline)) uint32_t new_site(uint64_t key, uint64_t stack_key, uint64_t size, uint32_t domain)
{
	table_make_room(&tracer.sites, key, tracer.keeps ? NULL : forget_dead_site);
	uint32_t stack = stacks_use(stack_key);
	if (stack == 0)
		return 0;
	uint32_t before, number = records_take(&tracer.site_of);
	if (number != 0 && table_set(&tracer.sites, key, number, &before)) {
		*site_at(number) = (struct site){.key = key, .size = size, .stack = stack, .domain = domain};
		return number;
	}
	if (number != 0)
		records_return(&tracer.site_of, number);
	stacks_release(stack);
	return 0;
}

static __attribute__((noinline)) uint32_t look_for_site(uint64_t key, uint64_t stack_key, uint64_t size, uint32_t domain)
{
	uint32_t *known = table_find(&tracer.sites, key);
	return known != NULL ? *known : new_site(key, stack_key, size, domain);
}

/* Mostly it is the site that the same line had last: then the processor goes on with that before the key is there. A site
 * that is gone has another key. */
static inline uint32_t find_site(const struct frames_key *stack, uint64_t size, uint32_t domain)
{
	uint64_t key = site_key(stack->key, size, domain);
	uint32_t *guess = &tracer.guesses[(stack->newest >> 1 ^ size >> 4) % GUESSES];
	if (__builtin_expect(*guess != 0 && site_at(*guess)->key == key, true))
		return *guess;
	return *guess = look_for_site(key, stack->key, size, domain);
}

static inline void add_block(struct site *site)
{
	site->live++;
	tracer.bytes += site->size;
	if (tracer.bytes > tracer.peak_bytes)
		tracer.peak_bytes = tracer.bytes;
}

static inline void remove_block(uint32_t number)
{
	struct site *site = site_at(number);
	site->live--;
	tracer.bytes -= site->size;
}

/* --- blocks --- */

static void count_at(uint64_t address, int change)
{
	atomic_uint_least16_t *counter = sampler_counter(address);
	uint_least16_t before = atomic_load_explicit(counter, memory_order_relaxed);
	/* One that is full stays so: then too much is looked for, and nothing is missed. */
	if (before != UINT16_MAX)
		atomic_store_explicit(counter, (uint_least16_t)(before + change), memory_order_relaxed);
}

/* With the lock; in exact mode all are 1. What is known of a block is also found where an object begins in it. */
static inline void count(uint64_t block, int change)
{
	uint64_t last = block + FRAMES_BEFORE_OBJECT_MOST;
	if (!tracer.samples)
		return;
	count_at(block, change);
	if (sampler_counter(last) != sampler_counter(block))
		count_at(last, change);
	tracer.counts = true;
}

/* Exact mode is spared the look at a counter. */
static bool may_be_known(uint64_t block)
{
	return !tracer.samples || sampler_may_have(block);
}

/* A block that is between two addresses: its site counts it still. */
struct held_block {
	uint32_t site, era; /* site 0 = it was not known */
};

/* Samples lie far apart: each would take a page of its own. */
static bool has_shadow(uint64_t block)
{
	return !tracer.samples && shadow_covers(block);
}

/* NULL if it is not known. */
static uint32_t *site_of_block(uint64_t block)
{
	if (!has_shadow(block))
		return table_find(&tracer.blocks, block);
	uint32_t *site = shadow_find(&tracer.shadow, block);
	return site != NULL && *site != 0 ? site : NULL;
}

/* The site that there was for a block, or 0; -1 when there is no memory. */
static int64_t set_site(uint64_t block, uint32_t site)
{
	uint32_t before;
	bool set = has_shadow(block) ? shadow_set(&tracer.shadow, block, site, &before)
				     : table_set(&tracer.blocks, block, site, &before);
	return set ? (int64_t)before : -1;
}

static __attribute__((noinline)) void enter_anywhere(uint64_t block, uint32_t site)
{
	int64_t before = set_site(block, site);
	if (before == 0) {
		count(block, 1);
	} else if (before < 0) {
		tracer.lost++;
		remove_block(site);
	} else {
		/* The end of what was there was not seen: it came from below the hooks. */
		remove_block((uint32_t)before);
	}
}

/* Its site has counted it already. */
static inline void enter_block(uint64_t block, uint32_t site)
{
	if (__builtin_expect(!has_shadow(block) || !shadow_add(&tracer.shadow, block, site), false))
		enter_anywhere(block, site);
}

static __attribute__((noinline)) uint32_t leave_table(uint64_t block)
{
	uint32_t site = table_remove(&tracer.blocks, block);
	if (site != 0)
		count(block, -1);
	return site;
}

static inline uint32_t leave_block(uint64_t block)
{
	return __builtin_expect(has_shadow(block), true) ? shadow_remove(&tracer.shadow, block) : leave_table(block);
}

static struct held_block hold_block(uint64_t block)
{
	struct held_block held = {.site = 0};
	if (block == 0 || !may_be_known(block))
		return held;
	take_lock();
	held.site = atomic_load(&tracer.on) ? leave_block(block) : 0;
	held.era = tracer.era;
	tracer.in_hand += held.site != 0;
	lock_release(&tracer.lock);
	return held;
}

/* With the lock. */
static bool let_go(const struct held_block *held)
{
	bool is_ours = held->site != 0 && held->era == tracer.era && atomic_load(&tracer.on);
	tracer.in_hand -= is_ours;
	return is_ours;
}

static void put_back(uint64_t block, const struct held_block *held)
{
	if (held->site == 0)
		return;
	take_lock();
	if (let_go(held))
		enter_block(block, held->site);
	lock_release(&tracer.lock);
}

/* A block that was made, in place of another one or of none. */
static inline __attribute__((always_inline)) void enter(uint64_t block, size_t size, uint32_t domain,
							 const struct held_block *before)
{
	struct frames_key stack = frames_key(tracer.frames);
	take_lock();
	if (before != NULL && let_go(before))
		remove_block(before->site);
	if (atomic_load(&tracer.on)) {
		uint32_t site = find_site(&stack, size, domain);
		if (__builtin_expect(site == 0, false)) {
			tracer.lost++;
		} else {
			add_block(site_at(site));
			enter_block(block, site);
		}
	}
	lock_release(&tracer.lock);
}

static void release(const struct held_block *held)
{
	if (held->site == 0)
		return;
	take_lock();
	if (let_go(held))
		remove_block(held->site);
	lock_release(&tracer.lock);
}

static void leave(uint64_t block)
{
	if (block == 0 || !may_be_known(block))
		return;
	take_lock();
	uint32_t site = atomic_load(&tracer.on) ? leave_block(block) : 0;
	if (site != 0)
		remove_block(site);
	lock_release(&tracer.lock);
}

/* A block that counts no more, and is not freed. */
static void forget(uintptr_t block)
{
	leave(block);
}

/* --- hooks --- */

static inline bool is_recorded(size_t size)
{
	return !tracer.samples || sampler_hits(&sampler_own, size);
}

/* Whether to forward and no more. */
static inline bool passes_by(int domain, unsigned kind)
{
	if (!thread.inside && atomic_load_explicit(&tracer.on, memory_order_relaxed))
		return false;
	thread.passed = (uint8_t)(thread.passed | kind << PASSED_BITS * domain);
	return true;
}

/* From before what is below is called until after: what was the thread's stream is to be kept meanwhile, and nothing is
 * missed at a glance. */
static inline struct sampler_stream go_inside(void)
{
	struct sampler_stream outside = sampler_own;
	sampler_own.left = 0;
	thread.inside = true;
	return outside;
}

static inline void come_out(struct sampler_stream outside)
{
	thread.inside = false;
	sampler_own = outside;
}

static inline void record(int domain, void *block, size_t size)
{
	if (domain == PYTHON_OBJ)
		thread.fresh = (uintptr_t)block;
	enter((uintptr_t)block, size, 0, NULL);
}

static inline void made(int domain, void *block, size_t size)
{
	if (block != NULL && is_recorded(size))
		record(domain, block, size);
}

/* What follows is what a hook does when more is to be done than to forward. */

static inline __attribute__((always_inline)) void *record_malloc(int domain, size_t size)
{
	const struct python_allocator *below = &next[domain];
	if (passes_by(domain, PASSED_HOOK))
		return below->malloc(below->context, size);
	if (domain == PYTHON_OBJ && size != 0 && size == reuse_float_size)
		reuse_refuse_floats();
	struct sampler_stream outside = go_inside();
	void *block = below->malloc(below->context, size);
	come_out(outside);
	made(domain, block, size);
	return block;
}

static inline __attribute__((always_inline)) void *record_calloc(int domain, size_t n, size_t size)
{
	const struct python_allocator *below = &next[domain];
	if (domain == PYTHON_RAW && n == 1)
		rebirth_doubt(size);
	if (passes_by(domain, PASSED_HOOK))
		return below->calloc(below->context, n, size);
	struct sampler_stream outside = go_inside();
	void *block = below->calloc(below->context, n, size);
	come_out(outside);
	made(domain, block, n * size);
	return block;
}

/* The old address is forgotten before another thread may get it. */
static inline __attribute__((always_inline)) void *record_realloc(int domain, void *old, size_t size)
{
	const struct python_allocator *below = &next[domain];
	if (passes_by(domain, PASSED_HOOK))
		return below->realloc(below->context, old, size);
	rebirth_forget((uintptr_t)old);
	struct held_block held = hold_block((uintptr_t)old);
	struct sampler_stream outside = go_inside();
	void *block = below->realloc(below->context, old, size);
	come_out(outside);
	thread.raw_reallocs += domain == PYTHON_RAW;
	if (block == NULL)
		put_back((uintptr_t)old, &held);
	else if (is_recorded(size))
		enter((uintptr_t)block, size, 0, &held);
	else
		release(&held);
	return block;
}

static inline __attribute__((always_inline)) void record_free(int domain, void *block)
{
	const struct python_allocator *below = &next[domain];
	rebirth_forget((uintptr_t)block);
	if (!passes_by(domain, PASSED_HOOK))
		leave((uintptr_t)block);
	below->free(below->context, block);
}

/* An allocator of objects that is asked for no more does not ask that of another domain, but where it has no memory at
 * all. That of RAW asks none in any case. */
enum { LITTLE = 256, LITTLE_MEM = LITTLE, LITTLE_OBJ = LITTLE, LITTLE_RAW = INT32_MAX };

/* Whether a block of 1 to `most` bytes that is to be made is not sampled, which most are not. */
static inline bool is_missed(size_t size, size_t most)
{
	return size - 1 < most && sampler_misses(&sampler_own, size);
}

/* The hooks of sampled mode look at each block with few steps, and pass it on if it is not sampled. Both sets are right
 * in both modes: another's hooks may keep ours when a capture ends and one of the other mode begins.
 *
 * The context is that of the allocator below: while another thread allocates without the GIL, it may find
 * functions of the one and the context of the other. */
#define HOOKS(domain)                                                                                                  \
	static __attribute__((noinline)) void *malloc_##domain(void *context, size_t size)                             \
	{                                                                                                              \
		(void)context;                                                                                         \
		return record_malloc(PYTHON_##domain, size);                                                           \
	}                                                                                                              \
	static __attribute__((noinline)) void *calloc_##domain(void *context, size_t n, size_t size)                   \
	{                                                                                                              \
		(void)context;                                                                                         \
		return record_calloc(PYTHON_##domain, n, size);                                                        \
	}                                                                                                              \
	static __attribute__((noinline)) void *realloc_##domain(void *context, void *block, size_t size)               \
	{                                                                                                              \
		(void)context;                                                                                         \
		return record_realloc(PYTHON_##domain, block, size);                                                   \
	}                                                                                                              \
	static __attribute__((noinline)) void free_##domain(void *context, void *block)                                \
	{                                                                                                              \
		(void)context;                                                                                         \
		record_free(PYTHON_##domain, block);                                                                   \
	}                                                                                                              \
	static void *sampled_malloc_##domain(void *context, size_t size)                                               \
	{                                                                                                              \
		const struct python_allocator *below = &next[PYTHON_##domain];                                         \
		(void)context;                                                                                         \
		if (__builtin_expect(is_missed(size, LITTLE_##domain), true))                                          \
			return below->malloc(below->context, size);                                                    \
		return malloc_##domain(context, size);                                                                 \
	}                                                                                                              \
	static void *sampled_calloc_##domain(void *context, size_t n, size_t size)                                     \
	{                                                                                                              \
		const struct python_allocator *below = &next[PYTHON_##domain];                                         \
		(void)context;                                                                                         \
		if (__builtin_expect(n <= LITTLE && size <= LITTLE && is_missed(n * size, LITTLE), true))              \
			return below->calloc(below->context, n, size);                                                 \
		return calloc_##domain(context, n, size);                                                              \
	}                                                                                                              \
	static void *sampled_realloc_##domain(void *context, void *old, size_t size)                                   \
	{                                                                                                              \
		const struct python_allocator *below = &next[PYTHON_##domain];                                         \
		(void)context;                                                                                         \
		if (__builtin_expect(sampler_may_have((uintptr_t)old) || !is_missed(size, INT32_MAX), false))          \
			return realloc_##domain(context, old, size);                                                   \
		struct sampler_stream outside = go_inside();                                                           \
		void *block = below->realloc(below->context, old, size);                                               \
		come_out(outside);                                                                                     \
		thread.raw_reallocs += PYTHON_##domain == PYTHON_RAW;                                                  \
		return block;                                                                                          \
	}                                                                                                              \
	static void sampled_free_##domain(void *context, void *block)                                                  \
	{                                                                                                              \
		const struct python_allocator *below = &next[PYTHON_##domain];                                         \
		(void)context;                                                                                         \
		if (__builtin_expect(sampler_may_have((uintptr_t)block), false))                                       \
			free_##domain(context, block);                                                                 \
		else                                                                                                   \
			below->free(below->context, block);                                                            \
	}
HOOKS(RAW)
HOOKS(MEM)
HOOKS(OBJ)
#undef HOOKS

/* --- sampled blocks apart from the others ---
 *
 * Python's own allocator of small blocks, pymalloc, hands on to the domain RAW what is larger than it has in its pools,
 * and a block that is freed if it lies in none of them. So where it is what is below, a small block that is sampled gets
 * memory of RAW, whose hooks see the end of it, and of all the others, which are nearly all there are, nothing has to be
 * looked at when they go: Python frees them as if there were no hooks. */

enum { POOLED_MOST = 512 }; /* bytes of a block in a pool, in all versions */

/* Asked for as a large one, so that pymalloc counts it as what it will find it to be when it is freed. */
static void *take_apart(const struct python_allocator *below, size_t size, bool zeroed)
{
	const struct python_allocator *raw = &next[PYTHON_RAW];
	struct sampler_stream outside = go_inside();
	void *large = zeroed ? below->calloc(below->context, 1, POOLED_MOST + 1)
			     : below->malloc(below->context, POOLED_MOST + 1);
	void *block = large != NULL ? raw->realloc(raw->context, large, size) : NULL;
	come_out(outside);
	return block != NULL ? block : large;
}

static void lose_block(void)
{
	take_lock();
	tracer.lost++;
	lock_release(&tracer.lock);
}

/* A block that was not seen at a glance to be missed. */
static __attribute__((noinline)) void *make_apart(int domain, size_t size, bool zeroed)
{
	const struct python_allocator *below = &pymalloc[domain];
	void *block = NULL;
	bool passes = passes_by(domain, PASSED_APART), is_awaited = !passes && domain == PYTHON_OBJ && rebirth_awaits(size),
	     is_drawn = !passes && sampler_hits(&sampler_own, size);
	if (is_awaited || is_drawn) {
		block = take_apart(below, size, zeroed);
		if (block != NULL)
			record(domain, block, size);
		else
			lose_block();
	}
	if (block != NULL && is_awaited)
		rebirth_try((uintptr_t)block, size, is_drawn);
	if (block != NULL)
		return block;
	return zeroed ? below->calloc(below->context, 1, size) : below->malloc(below->context, size);
}

static __attribute__((noinline)) void *move_apart(int domain, void *block, size_t size)
{
	const struct python_allocator *below = &pymalloc[domain];
	if (passes_by(domain, PASSED_APART) || !sampler_hits(&sampler_own, size))
		return block;
	void *apart = take_apart(below, size, false);
	if (apart == NULL) {
		lose_block();
		return block;
	}
	memcpy(apart, block, size);
	below->free(below->context, block);
	record(domain, apart, size);
	return apart;
}

/* A block that was in memory of RAW before stays there, and has come by the hooks of RAW. */
#define APART_HOOKS(domain)                                                                                            \
	static void *apart_malloc_##domain(void *context, size_t size)                                                 \
	{                                                                                                              \
		if (__builtin_expect(size - 1 >= POOLED_MOST, false))                                                  \
			return pymalloc[PYTHON_##domain].malloc(context, size);                                        \
		if (__builtin_expect((PYTHON_##domain == PYTHON_OBJ && rebirth_may_await(size)) ||                     \
					     !sampler_misses(&sampler_own, size),                                      \
				     false))                                                                           \
			return make_apart(PYTHON_##domain, size, false);                                               \
		return pymalloc[PYTHON_##domain].malloc(context, size);                                                \
	}                                                                                                              \
	static void *apart_calloc_##domain(void *context, size_t n, size_t size)                                       \
	{                                                                                                              \
		if (__builtin_expect(n > POOLED_MOST || size > POOLED_MOST || n * size - 1 >= POOLED_MOST ||           \
					     sampler_misses(&sampler_own, n * size),                                   \
				     true))                                                                            \
			return pymalloc[PYTHON_##domain].calloc(context, n, size);                                     \
		return make_apart(PYTHON_##domain, n * size, true);                                                    \
	}                                                                                                              \
	static void *apart_realloc_##domain(void *context, void *old, size_t size)                                     \
	{                                                                                                              \
		if (old == NULL)                                                                                       \
			return apart_malloc_##domain(context, size);                                                   \
		uint32_t before = thread.raw_reallocs;                                                                 \
		void *block = pymalloc[PYTHON_##domain].realloc(context, old, size);                                   \
		if (__builtin_expect(size - 1 >= POOLED_MOST || block == NULL || thread.raw_reallocs != before ||      \
					     sampler_misses(&sampler_own, size),                                       \
				     true))                                                                            \
			return block;                                                                                  \
		return move_apart(PYTHON_##domain, block, size);                                                       \
	}
APART_HOOKS(MEM)
APART_HOOKS(OBJ)
#undef APART_HOOKS

static const struct python_allocator hooks[PYTHON_ALLOCATORS] = {
	[PYTHON_RAW] = {NULL, malloc_RAW, calloc_RAW, realloc_RAW, free_RAW},
	[PYTHON_MEM] = {NULL, malloc_MEM, calloc_MEM, realloc_MEM, free_MEM},
	[PYTHON_OBJ] = {NULL, malloc_OBJ, calloc_OBJ, realloc_OBJ, free_OBJ},
};
/* What frees is that below. */
static const struct python_allocator apart_hooks[PYTHON_ALLOCATORS] = {
	[PYTHON_MEM] = {NULL, apart_malloc_MEM, apart_calloc_MEM, apart_realloc_MEM, NULL},
	[PYTHON_OBJ] = {NULL, apart_malloc_OBJ, apart_calloc_OBJ, apart_realloc_OBJ, NULL},
};
static const struct python_allocator sampled_hooks[PYTHON_ALLOCATORS] = {
	[PYTHON_RAW] = {NULL, sampled_malloc_RAW, sampled_calloc_RAW, sampled_realloc_RAW, sampled_free_RAW},
	[PYTHON_MEM] = {NULL, sampled_malloc_MEM, sampled_calloc_MEM, sampled_realloc_MEM, sampled_free_MEM},
	[PYTHON_OBJ] = {NULL, sampled_malloc_OBJ, sampled_calloc_OBJ, sampled_realloc_OBJ, sampled_free_OBJ},
};

/* --- memory of extensions --- */

/* 0 is CPython's own. DOMAINS_MAX when there are too many. */
static uint32_t number_of_domain(unsigned domain)
{
	uint32_t i = 0;
	while (i < tracer.domain_count && tracer.domains[i] != domain)
		i++;
	if (i == tracer.domain_count && i < DOMAINS_MAX)
		tracer.domains[tracer.domain_count++] = domain;
	return i;
}

/* The key of an address, and its domain's number; false if there can be none. */
static bool foreign_key(unsigned domain, uintptr_t address, uint64_t *key, uint32_t *number)
{
	take_lock();
	*number = number_of_domain(domain);
	bool fits = *number < DOMAINS_MAX && address >> ADDRESS_BITS == 0;
	tracer.lost += !fits;
	lock_release(&tracer.lock);
	*key = address | (uint64_t)*number << ADDRESS_BITS;
	return fits;
}

void tracer_track(unsigned domain, uintptr_t address, size_t size)
{
	uint64_t key;
	uint32_t number;
	if (address == 0 || !atomic_load_explicit(&tracer.on, memory_order_relaxed) ||
	    !foreign_key(domain, address, &key, &number))
		return;
	/* What it was before counts no more, also where the new size is not sampled. */
	leave(key);
	if (is_recorded(size))
		enter(key, size, number, NULL);
}

void tracer_untrack(unsigned domain, uintptr_t address)
{
	uint64_t key;
	uint32_t number;
	if (atomic_load_explicit(&tracer.on, memory_order_relaxed) && foreign_key(domain, address, &key, &number))
		leave(key);
}

/* --- objects in memory that Python uses again --- */

/* A sampled block stays sampled, as probable as its size makes it: whose it is does not matter for that. */
static void made_again(uint64_t block)
{
	bool is_fresh = block == thread.fresh;
	thread.fresh = 0;
	if (is_fresh)
		return;
	struct frames_key stack = frames_key(tracer.frames);
	take_lock();
	uint32_t *known = atomic_load(&tracer.on) ? site_of_block(block) : NULL;
	if (known != NULL) {
		const struct site *old = site_at(*known);
		uint32_t site = find_site(&stack, old->size, old->domain);
		if (site != 0) {
			remove_block(*known);
			add_block(site_at(site));
			*known = site;
		}
	}
	lock_release(&tracer.lock);
}

static int tell_other(py_object *object, int event)
{
	return tracer.other_reference_tracer != NULL
		       ? tracer.other_reference_tracer(object, event, tracer.other_reference_data)
		       : 0;
}

static __attribute__((noinline)) int on_known_object(py_object *object, int event)
{
	uint64_t block = frames_block_of(object);
	if (may_be_known(block))
		made_again(block);
	return tell_other(object, event);
}

static int on_object(py_object *object, int event, void *data)
{
	(void)data;
	if (__builtin_expect(event == OBJECT_MADE && sampler_may_have((uintptr_t)object), false))
		return on_known_object(object, event);
	return tell_other(object, event);
}

static bool is_told_of_objects(void)
{
	void *data;
	return py.get_reference_tracer != NULL && py.get_reference_tracer(&data) == on_object;
}

enum tracer_reuse tracer_reuse(void)
{
	if (is_told_of_objects())
		return TRACER_REUSE_TOLD;
	if (!reuse_is_prevented())
		return TRACER_REUSE_UNSEEN;
	return rebirth_interpreter != NULL ? TRACER_REUSE_DRAWN : TRACER_REUSE_PREVENTED;
}

bool tracer_misses_floats(void)
{
	return !is_told_of_objects() && (!reuse_is_prevented() || reuse_misses_floats());
}

static void watch_objects(void)
{
	if (py.set_reference_tracer == NULL || py.get_reference_tracer == NULL || is_told_of_objects())
		return;
	tracer.other_reference_tracer = py.get_reference_tracer(&tracer.other_reference_data);
	if (py.set_reference_tracer(on_object, NULL) < 0)
		py.PyErr_Clear();
}

static void unwatch_objects(void)
{
	if (is_told_of_objects() && py.set_reference_tracer(tracer.other_reference_tracer, tracer.other_reference_data) < 0)
		py.PyErr_Clear();
}

/* --- start and stop --- */

/* Which hooks of ours are there, maybe below another's. */
static unsigned hooks_of(int domain)
{
	struct python_allocator top;
	py.PyMem_GetAllocator(domain, &top);
	struct sampler_stream outside = go_inside();
	thread.passed = 0;
	void *block = top.malloc(top.context, 1);
	unsigned passed = thread.passed;
	top.free(top.context, block);
	come_out(outside);
	return passed >> PASSED_BITS * domain & (PASSED_HOOK | PASSED_APART);
}

/* Those of blocks apart see none go that others take for theirs. */
static bool is_hooked(int domain)
{
	return (hooks_of(domain) & (tracer.samples ? PASSED_HOOK | PASSED_APART : PASSED_HOOK)) != 0;
}

bool tracer_is_intact(void)
{
	for (int domain = 0; domain < PYTHON_ALLOCATORS; domain++)
		if (!is_hooked(domain))
			return false;
	watch_objects();
	return true;
}

static void expect(uint64_t block, int change)
{
	take_lock();
	count(block, change);
	lock_release(&tracer.lock);
}

/* Nothing else may go with it. */
static bool is_freed(py_object *object)
{
	uint64_t block = frames_block_of(object);
	expect(block, 1);
	struct sampler_stream outside = go_inside();
	thread.passed = 0;
	py.Py_DecRef(object);
	come_out(outside);
	expect(block, -1);
	return thread.passed != 0;
}

/* Takes ours away that have nobody above them. */
static void unhook(int domain)
{
	for (;;) {
		struct python_allocator top;
		py.PyMem_GetAllocator(domain, &top);
		bool is_apart = domain != PYTHON_RAW && top.malloc == apart_hooks[domain].malloc;
		const struct python_allocator *ours = top.malloc == hooks[domain].malloc ? hooks : sampled_hooks;
		if (is_apart && top.free == pymalloc[domain].free)
			py.PyMem_SetAllocator(domain, &pymalloc[domain]);
		else if (top.malloc == ours[domain].malloc && top.free == ours[domain].free)
			py.PyMem_SetAllocator(domain, &next[domain]);
		else
			return;
	}
}

static void unhook_all(void)
{
	for (int domain = 0; domain < PYTHON_ALLOCATORS; domain++)
		unhook(domain);
}

static void hook(void)
{
	for (int domain = 0; domain < PYTHON_ALLOCATORS; domain++) {
		if (is_hooked(domain))
			continue;
		py.PyMem_GetAllocator(domain, &next[domain]);
		struct python_allocator ours = (tracer.samples ? sampled_hooks : hooks)[domain];
		ours.context = next[domain].context;
		py.PyMem_SetAllocator(domain, &ours);
	}
}

/* Has blocks that are sampled from now on lie apart, where it is Python's own allocator that our hooks are above. Whether
 * objects do. */
static bool part(void)
{
	bool objects = false;
	for (int domain = PYTHON_MEM; domain < PYTHON_ALLOCATORS; domain++) {
		struct python_allocator top;
		py.PyMem_GetAllocator(domain, &top);
		if (top.malloc != sampled_hooks[domain].malloc || top.free != sampled_hooks[domain].free)
			continue;
		pymalloc[domain] = next[domain];
		struct python_allocator ours = apart_hooks[domain];
		ours.context = next[domain].context;
		ours.free = next[domain].free;
		py.PyMem_SetAllocator(domain, &ours);
		objects = objects || domain == PYTHON_OBJ;
	}
	return objects;
}

static void before_fork(void)
{
	take_lock();
}

static void after_fork_in_parent(void)
{
	lock_release(&tracer.lock);
}

static void after_fork_in_child(void)
{
	/* Who used the copy is not there. */
	tracer.keeps = false;
	sampler_reseed();
	sampler_own.left = 0; /* to begin anew, so that children of one parent are not hit alike */
	lock_after_fork(&tracer.lock);
	lock_release(&tracer.lock);
}

bool tracer_follow_forks(void)
{
	if (!tracer.follows_forks)
		tracer.follows_forks = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
	return tracer.follows_forks;
}

/* Zeroed ones of which none was counted with need no pages. */
static void set_counters(uint_least16_t value)
{
	if (value != 0 || tracer.counts)
		for (size_t i = 0; i < SAMPLER_COUNTERS; i++)
			atomic_store_explicit(&sampler_counters[i], value, memory_order_relaxed);
	tracer.counts = value != 0;
}

static void forget_all(void)
{
	atomic_store(&tracer.on, false);
	shadow_clear(&tracer.shadow);
	table_clear(&tracer.blocks);
	table_clear(&tracer.sites);
	records_clear(&tracer.site_of);
	memset(tracer.guesses, 0, sizeof tracer.guesses);
	stacks_clear();
	set_counters(0);
	tracer.bytes = tracer.peak_bytes = tracer.lost = tracer.in_hand = 0;
	tracer.keeps = false;
	tracer.era++;
}

bool tracer_start(const struct tracer_options *options, const char **why)
{
	if (!frames_learn(why))
		return false;
	bool samples = options->period > 0;
	take_lock();
	forget_all();
	tracer.site_of.size = sizeof(struct site);
	bool begun = stacks_begin(options->frames) && table_begin(&tracer.blocks, 4) &&
		     table_begin(&tracer.sites, samples ? 2 : 6);
	tracer.samples = samples;
	if (!samples)
		set_counters(1);
	tracer.frames = options->frames;
	(void)number_of_domain(0);
	if (!begun)
		forget_all();
	lock_release(&tracer.lock);
	if (!begun) {
		*why = "out of memory";
		return false;
	}
	if (samples)
		sampler_start(options->period, options->seed);
	unhook_all();
	bool parts = samples && python_has_pymalloc(), reborn = parts && rebirth_learn();
	hook();
	watch_objects();
	if (!is_told_of_objects())
		reborn = reuse_prevent(is_freed, reborn) && reborn;
	if (!samples && !is_told_of_objects())
		(void)reuse_prevent_floats(is_freed);
	if (parts && part() && reborn)
		rebirth_begin(forget);
	atomic_store(&tracer.on, true);
	return true;
}

void tracer_stop(void)
{
	unwatch_objects();
	rebirth_end();
	reuse_allow();
	unhook_all();
	sampler_stop();
	take_lock();
	forget_all();
	lock_release(&tracer.lock);
}

/* --- snapshots --- */

/* Copies of sites and stacks, and the tables of the snapshot that is written: measured, 140 bytes a site. */
uint64_t tracer_need(void)
{
	enum { BYTES_A_SITE = 150 };
	take_lock();
	uint64_t sites = tracer.site_of.used;
	lock_release(&tracer.lock);
	return sites * BYTES_A_SITE;
}

struct tracer_copy {
	struct site *sites; /* that live */
	size_t count;
	struct stacks_copy stacks;
	unsigned domains[DOMAINS_MAX];
};

static void copy_sites(struct tracer_copy *copy, struct tracer_totals *totals)
{
	uint64_t blocks = 0, bytes = 0;
	/* Numbers that are free have no live blocks: they are zeroed but for the next one's number. */
	for (uint32_t i = 1; i <= tracer.site_of.used; i++) {
		const struct site *site = site_at(i);
		if (site->live == 0)
			continue;
		copy->sites[copy->count++] = *site;
		blocks += site->live;
		bytes += site->live * site->size;
	}
	uint64_t known = tracer.shadow.count + table_count(&tracer.blocks) + tracer.in_hand;
	*totals = (struct tracer_totals){.blocks = known,
					 .bytes = tracer.bytes,
					 .peak_bytes = tracer.peak_bytes,
					 .lost = tracer.lost,
					 .own_bytes = memory_mapped(),
					 .consistent = blocks == known && bytes == tracer.bytes};
}

enum snap_status tracer_take_copy(struct tracer_copy **out, struct tracer_totals *totals, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	struct tracer_copy *copy = calloc(1, sizeof *copy);
	rebirth_settle();
	take_lock();
	if (copy != NULL)
		copy->sites = malloc(((size_t)tracer.site_of.used + 1) * sizeof *copy->sites);
	if (copy == NULL || copy->sites == NULL)
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	else
		status = stacks_copy(&copy->stacks, err);
	if (status == SNAP_OK) {
		copy_sites(copy, totals);
		memcpy(copy->domains, tracer.domains, sizeof copy->domains);
		tracer.keeps = true;
	}
	lock_release(&tracer.lock);
	if (status < 0) {
		tracer_free_copy(copy);
		copy = NULL;
	}
	*out = copy;
	return status;
}

void tracer_free_copy(struct tracer_copy *copy)
{
	if (copy == NULL)
		return;
	take_lock();
	tracer.keeps = false;
	lock_release(&tracer.lock);
	stacks_copy_free(&copy->stacks);
	free(copy->sites);
	free(copy);
}

enum snap_status tracer_build(struct tracer_copy *copy, struct snap_builder *builder, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < copy->count && status == SNAP_OK; i++) {
		const struct site *site = &copy->sites[i];
		uint32_t stack;
		uint64_t size = site->size < SNAP_BLOCK_SIZE_MAX ? site->size : SNAP_BLOCK_SIZE_MAX;
		status = stacks_build(&copy->stacks, site->stack, builder, &stack, err);
		if (status == SNAP_OK)
			status = snap_builder_add(builder, stack, copy->domains[site->domain], size,
						  (int64_t)site->live, err);
	}
	return status;
}
