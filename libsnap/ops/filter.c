/* Keeps what matches; see filter.h. What rules say of frames is asked once for each name, then carried
 * from frames to nodes to stacks; sites only look it up. */
#include <snap/filter.h>
#include <stdlib.h>
#include <string.h>

#include "ops/estimate.h"
#include "ops/pattern.h"
#include "ops/stacks.h"

/* Rules that differ in nothing but their patterns: a stack matches them all or none. */
struct rule_class {
	struct snap_filter_rule rule; /* the first of them */
	bool *stacks;                 /* those that match; NULL = all do */
};

struct filtering {
	const struct snap_filter *filter;
	const struct snap_snapshot *s;
	const struct snap_snapshot *judged; /* where totals are taken from: s, or estimates of it, site by site */
	struct rule_class *classes;
	size_t class_count;
	bool *frames;       /* that match the patterns of a class */
	uint16_t *deepest;  /* by node: depth of the nearest such frame at or above it, 0 = none */
	bool *stacks;       /* that `only` leaves; NULL = all */
};

static enum snap_status out_of_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static bool same_class(const struct snap_filter_rule *a, const struct snap_filter_rule *b)
{
	return a->exclude == b->exclude && (a->pattern == NULL) == (b->pattern == NULL) &&
	       a->all_frames == b->all_frames && a->in_domain == b->in_domain &&
	       (!a->in_domain || a->domain == b->domain);
}

/* Which stacks have a marked frame. */
static void match_stacks(const struct filtering *f, struct rule_class *class)
{
	const struct snap_snapshot *s = f->s;
	const uint32_t *node = s->stack_node.at, *frame = s->node_frame.at, *parent = s->node_parent.at;
	if (!class->rule.all_frames) {
		for (size_t i = 0; i < s->stack_node.count; i++)
			class->stacks[i] = f->frames[frame[node[i]]];
		return;
	}
	for (size_t n = 0; n < s->node_parent.count; n++)
		f->deepest[n] = f->frames[frame[n]]       ? s->node_depth.at[n]
				: parent[n] == SNAP_NONE ? 0
							 : f->deepest[parent[n]];
	for (uint32_t i = 0; i < s->stack_node.count; i++)
		class->stacks[i] = f->deepest[node[i]] >= snap_stack_oldest(s, i);
}

static enum snap_status match_class(struct filtering *f, struct rule_class *class, struct snap_error *err)
{
	const struct snap_snapshot *s = f->s;
	if (class->rule.pattern == NULL)
		return SNAP_OK;
	class->stacks = malloc(s->stack_node.count + 1);
	if (class->stacks == NULL)
		return out_of_memory(err);
	memset(f->frames, 0, s->frame_file.count * sizeof *f->frames);
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < f->filter->count && status == SNAP_OK; i++)
		if (same_class(&f->filter->rules[i], &class->rule))
			status = snap_pattern_mark(f->filter->rules[i].pattern, s, f->frames, err);
	if (status == SNAP_OK)
		match_stacks(f, class);
	return status;
}

static enum snap_status match_rules(struct filtering *f, struct snap_error *err)
{
	const struct snap_snapshot *s = f->s;
	f->classes = calloc(f->filter->count + 1, sizeof *f->classes);
	f->frames = malloc((s->frame_file.count + 1) * sizeof *f->frames);
	f->deepest = malloc((s->node_parent.count + 1) * sizeof *f->deepest);
	if (f->classes == NULL || f->frames == NULL || f->deepest == NULL)
		return out_of_memory(err);
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < f->filter->count && status == SNAP_OK; i++) {
		const struct snap_filter_rule *rule = &f->filter->rules[i];
		size_t c = 0;
		while (c < f->class_count && !same_class(rule, &f->classes[c].rule))
			c++;
		if (c < f->class_count)
			continue;
		f->classes[f->class_count++].rule = *rule;
		status = match_class(f, &f->classes[c], err);
	}
	return status;
}

/* `sums` are blocks, bytes and, in a diff, old blocks and old bytes. */
static unsigned change(const int64_t *sums)
{
	int64_t blocks = sums[SNAP_COLUMN_BLOCKS], old_blocks = sums[SNAP_COLUMN_OLD_BLOCKS];
	if (blocks == 0 || old_blocks == 0)
		return blocks != 0 ? SNAP_FILTER_NEW : old_blocks != 0 ? SNAP_FILTER_GONE : 0;
	int64_t bytes = sums[SNAP_COLUMN_BYTES], old_bytes = sums[SNAP_COLUMN_OLD_BYTES];
	return bytes > old_bytes ? SNAP_FILTER_GROWN : bytes < old_bytes ? SNAP_FILTER_SHRUNK : 0;
}

/* Judges tracebacks by what all their blocks come to. */
static enum snap_status judge_stacks(struct filtering *f, struct snap_error *err)
{
	enum { COLUMNS = 4 }; /* of a diff */
	if (f->filter->only == 0)
		return SNAP_OK;
	const struct snap_snapshot *s = f->judged;
	size_t stacks = s->stack_node.count, joined;
	uint32_t *same = malloc((stacks + 1) * sizeof *same);
	int64_t *sums = calloc(stacks * COLUMNS + 1, sizeof *sums);
	f->stacks = malloc(stacks + 1);
	enum snap_status status = same == NULL || sums == NULL || f->stacks == NULL
					  ? out_of_memory(err)
					  : snap_stacks_join(s, NULL, false, same, &joined, err);
	if (status == SNAP_OK) {
		snap_sum_sites(s, same, COLUMNS, sums);
		for (size_t i = 0; i < stacks; i++)
			f->stacks[i] = (f->filter->only & change(&sums[(size_t)same[i] * COLUMNS])) != 0;
	}
	free(same);
	free(sums);
	return status;
}

static bool site_matches(const struct rule_class *class, uint32_t stack, uint32_t domain)
{
	return (class->stacks == NULL || class->stacks[stack]) &&
	       (!class->rule.in_domain || class->rule.domain == domain);
}

static bool rules_keep(const struct filtering *f, uint32_t stack, uint32_t domain)
{
	bool asked[2] = {false, false}, matched[2] = {false, false}; /* without a pattern, with one */
	for (size_t c = 0; c < f->class_count; c++) {
		const struct rule_class *class = &f->classes[c];
		bool matches = site_matches(class, stack, domain), with_pattern = class->rule.pattern != NULL;
		if (class->rule.exclude && matches)
			return false;
		if (!class->rule.exclude) {
			asked[with_pattern] = true;
			matched[with_pattern] |= matches;
		}
	}
	if (f->filter->intersect)
		return (!asked[0] || matched[0]) && (!asked[1] || matched[1]);
	return (!asked[0] && !asked[1]) || matched[0] || matched[1];
}

/* Its bytes, in a diff on the larger side. */
static bool is_large(const struct snap_snapshot *s, size_t site, int64_t min_total)
{
	return snap_snapshot_value(s, SNAP_COLUMN_BYTES, site) >= min_total ||
	       (snap_snapshot_is_diff(s) && snap_snapshot_value(s, SNAP_COLUMN_OLD_BYTES, site) >= min_total);
}

static bool site_stays(const struct filtering *f, size_t site)
{
	const struct snap_snapshot *s = f->s;
	uint32_t stack = s->site_stack.at[site];
	uint64_t size = (uint64_t)snap_numbers_get(&s->site_size, site);
	return size >= f->filter->min_size && (!f->filter->has_max_size || size <= f->filter->max_size) &&
	       (f->filter->min_total <= 0 || is_large(f->judged, site, f->filter->min_total)) &&
	       (f->stacks == NULL || f->stacks[stack]) && rules_keep(f, stack, snap_snapshot_domain(s, site));
}

static void move_number(struct snap_numbers *n, size_t from, size_t to)
{
	if (n->count == 0)
		return;
	if (n->is_wide)
		n->wide[to] = n->wide[from];
	else
		n->narrow[to] = n->narrow[from];
}

static void set_count(struct snap_numbers *n, size_t count)
{
	n->count = n->count == 0 ? 0 : count;
}

/* Leaves those sites in `copy`, which is one of f->s. */
static void drop_sites(const struct filtering *f, struct snap_snapshot *copy)
{
	size_t kept = 0;
	bool domains = copy->site_domain.count > 0;
	for (size_t i = 0; i < f->s->site_stack.count; i++) {
		if (!site_stays(f, i))
			continue;
		copy->site_stack.at[kept] = copy->site_stack.at[i];
		if (domains)
			copy->site_domain.at[kept] = copy->site_domain.at[i];
		move_number(&copy->site_size, i, kept);
		for (uint32_t c = 0; c < copy->column_count; c++)
			move_number(&copy->values[c], i, kept);
		kept++;
	}
	copy->site_stack.count = kept;
	copy->site_domain.count = domains ? kept : 0;
	set_count(&copy->site_size, kept);
	for (uint32_t c = 0; c < copy->column_count; c++)
		set_count(&copy->values[c], kept);
}

enum snap_status snap_filter_apply(struct snap_snapshot **out, const struct snap_snapshot *s,
				   const struct snap_filter *filter, struct snap_error *err)
{
	*out = NULL;
	if (filter->only != 0 && !snap_snapshot_is_diff(s))
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET,
				 "what has grown, shrunk, come or gone can be told of a diff, and this is one snapshot");
	struct filtering f = {.filter = filter, .s = s, .judged = s};
	struct snap_snapshot *copy = NULL, *estimated = NULL;
	enum snap_status status = match_rules(&f, err);
	if (status == SNAP_OK && (filter->min_total > 0 || filter->only != 0))
		status = snap_estimate_copy(&estimated, s, err); /* totals of samples say little of a place */
	if (status == SNAP_OK) {
		f.judged = estimated != NULL ? estimated : s;
		status = judge_stacks(&f, err);
	}
	if (status == SNAP_OK)
		status = snap_snapshot_copy(&copy, s, err);
	if (status == SNAP_OK) {
		drop_sites(&f, copy);
		if (copy->site_stack.count == s->site_stack.count) {
			*out = copy;
			copy = NULL;
		} else {
			/* Stacks that were cut off may have hung on others that are gone. */
			copy->canonical = copy->said_canonical = false;
			status = snap_snapshot_order(out, copy, err);
		}
	}
	snap_snapshot_free(copy);
	snap_snapshot_free(estimated);
	for (size_t c = 0; c < f.class_count; c++)
		free(f.classes[c].stacks);
	free(f.classes);
	free(f.frames);
	free(f.deepest);
	free(f.stacks);
	return status;
}
