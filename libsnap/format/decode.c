/* Decodes the sections of members into append-only tables: their order, and what a whole member gives. */
#include "format/decoder.h"

#include <stdlib.h>
#include <string.h>

void snap_damaged(struct cursor *c, const char *what)
{
	if (c->status == SNAP_OK)
		c->status = snap_fail(c->err, SNAP_ERR_DAMAGED, c->section->offset, "section %c%c%c%c: %s",
		                      (int)(c->section->tag & 0xFF), (int)(c->section->tag >> 8 & 0xFF),
		                      (int)(c->section->tag >> 16 & 0xFF), (int)(c->section->tag >> 24), what);
}

struct uint_at snap_long_uint(const uint8_t *at, const uint8_t *end)
{
	uint64_t v = 0;
	for (unsigned shift = 0; at < end && shift < 70; shift += 7) {
		uint8_t byte = *at++;
		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7F) << shift;
		if (byte >= 0x80)
			continue;
		if (byte == 0 && shift > 0)
			break;
		return (struct uint_at){v, at};
	}
	return (struct uint_at){0, NULL};
}

void snap_bad_number(struct cursor *c)
{
	snap_damaged(c, "a number is cut off or too long");
	c->at = c->end;
}

static uint64_t get_fixed(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void decode_end(struct snap_decoder *d, struct cursor *c)
{
	const struct snap_snapshot *t = d->t;
	if (c->section->size != SNAP_END_SIZE || c->section->codec != SNAP_CODEC_STORED) {
		snap_damaged(c, "a bad length or codec");
		return;
	}
	const uint8_t *p = c->at;
	uint64_t flags = get_fixed(p, 4);
	if (flags & SNAP_END_RESERVED) {
		c->status = snap_fail(c->err, SNAP_ERR_UNSUPPORTED, c->section->offset,
		                      "section END has flags that are not known; use newer snaptools");
		return;
	}
	if (get_fixed(p + 4, 4) != 0 || get_fixed(p + 8, 8) != t->text_end.count ||
	    get_fixed(p + 16, 8) != t->frame_file.count || get_fixed(p + 24, 8) != t->node_parent.count ||
	    get_fixed(p + 32, 8) != t->stack_node.count || get_fixed(p + 40, 8) != d->live) {
		snap_damaged(c, "the counts are not those of the sections before");
		return;
	}
	struct snap_error why = {SNAP_OK, 0, SNAP_NO_OFFSET, ""};
	if ((d->continues || d->careful) && snap_snapshot_sum(d->t, &why) < 0)
		snap_damaged(c, why.message);
	d->end.more = flags & SNAP_END_MORE;
	d->end.digest[0] = get_fixed(p + 48, 8);
	d->end.digest[1] = get_fixed(p + 56, 8);
	c->at = c->end;
}

struct rule {
	uint32_t tag;
	enum group group;
	bool continuing_only, alone_only, once;
	void (*decode)(struct snap_decoder *, struct cursor *);
};

static const struct rule rules[] = {
	{SNAP_TAG_META, META, false, false, true, snap_decode_meta},
	{SNAP_TAG_COLS, COLUMNS, false, true, true, snap_decode_columns},
	{SNAP_TAG_STKR, RULE, false, true, true, snap_decode_rule},
	{SNAP_TAG_STRP, STRINGS, false, false, false, snap_decode_string_lengths},
	{SNAP_TAG_STRB, STRINGS, false, false, false, snap_decode_string_bytes},
	{SNAP_TAG_FRMF, FRAMES, false, false, false, snap_decode_frame_files},
	{SNAP_TAG_FRML, FRAMES, false, false, false, snap_decode_frame_lines},
	{SNAP_TAG_FRMU, FRAMES, false, false, false, snap_decode_frame_functions},
	{SNAP_TAG_PRSC, PAIRS, false, false, false, snap_decode_callers},
	{SNAP_TAG_PRSF, PAIRS, false, false, false, snap_decode_first_callees},
	{SNAP_TAG_PRST, PAIRS, false, false, false, snap_decode_further_callees},
	{SNAP_TAG_ATCH, NODES, false, false, false, snap_decode_attachments},
	{SNAP_TAG_NODE, NODES, false, false, false, snap_decode_nodes},
	{SNAP_TAG_RDEP, NODES, false, false, false, snap_decode_root_depths},
	{SNAP_TAG_STKD, STACKS, true, false, false, snap_decode_promoted},
	{SNAP_TAG_STKX, STACKS, false, false, false, snap_decode_extra_stacks},
	{SNAP_TAG_CHGI, CHANGES, true, false, false, snap_decode_changed},
	{SNAP_TAG_CHGV, CHANGES, true, false, false, snap_decode_changes},
	{SNAP_TAG_SITO, OLD_STACKS, true, false, false, snap_decode_old_stacks},
	{SNAP_TAG_SITD, FREQUENT, false, false, true, snap_decode_frequent},
	{SNAP_TAG_SITT, SITES, false, false, false, snap_decode_sites},
	{SNAP_TAG_DOMS, SITES, false, false, false, snap_decode_domains},
	{SNAP_TAG_VALS, SITES, false, false, false, snap_decode_values},
	{SNAP_TAG_END, END, false, false, true, decode_end},
};

static const struct rule *find_rule(uint32_t tag)
{
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].tag == tag)
			return &rules[i];
	return NULL;
}

bool snap_decoder_knows(uint32_t tag)
{
	return find_rule(tag) != NULL;
}

/* Whether a section may stand here. */
static bool fits(const struct snap_decoder *d, const struct rule *rule, const struct snap_section *section)
{
	uint32_t before = d->previous_tag;
	const struct rule *rule_before = before == 0 ? NULL : find_rule(before);
	if (rule->group < d->group || (rule->continuing_only && !d->continues) || (rule->alone_only && d->continues) ||
	    (rule->once && rule->group == d->group))
		return false;
	if (rule->group > META && d->group < META)
		return false;
	if (rule->group > RULE && d->group < RULE && !d->continues)
		return false;
	if (rule->group > COLUMNS && d->group < COLUMNS && !d->continues)
		return false;
	bool again = before == rule->tag && section->index > d->previous_index;
	switch (rule->tag) {
	case SNAP_TAG_CHGV:
		return section->index < d->t->column_count && (before == SNAP_TAG_CHGI || again);
	case SNAP_TAG_DOMS:
		return section->index == 0 && before == SNAP_TAG_SITT;
	case SNAP_TAG_VALS:
		return section->index < d->t->column_count &&
		       (before == SNAP_TAG_SITT || before == SNAP_TAG_DOMS || again);
	case SNAP_TAG_CHGI:
	case SNAP_TAG_SITT:
		return section->index == 0;
	default:
		/* The table has the tags of a group in their order. */
		return section->index == 0 && (rule_before == NULL || rule_before <= rule);
	}
}

static void finish_group(struct snap_decoder *d, enum group group, struct cursor *c)
{
	switch (group) {
	case STRINGS:
		snap_finish_strings(d, c);
		break;
	case FRAMES:
		snap_finish_frames(d, c);
		break;
	case PAIRS:
		snap_finish_pairs(d, c);
		break;
	case NODES:
		snap_finish_nodes(d, c);
		break;
	case STACKS:
		snap_finish_stacks(d, c);
		break;
	case CHANGES:
		snap_finish_changes(d, c);
		break;
	case SITES:
		snap_finish_sites(d, c);
		break;
	default:
		break;
	}
}

/* What stands before a section is whole when that begins. */
static void finish_before(struct snap_decoder *d, const struct rule *rule, struct cursor *c)
{
	if (rule->tag == SNAP_TAG_CHGI)
		snap_finish_changes(d, c);
	else if (rule->tag == SNAP_TAG_SITT)
		snap_finish_rows(d, c);
	for (; d->group < rule->group && c->status == SNAP_OK; d->group++)
		finish_group(d, d->group, c);
}

void snap_decoder_cut(struct snap_decoder *d, const struct snap_section *section)
{
	const struct rule *rule = find_rule(section->tag);
	struct snap_error ignored;
	struct cursor c = {.section = section, .err = &ignored, .status = SNAP_OK};
	/* Without sites the rest is of no use. */
	if (rule != NULL && rule->group >= SITES && fits(d, rule, section))
		finish_before(d, rule, &c);
}

enum snap_status snap_decoder_section(struct snap_decoder *d, const struct snap_section *section,
                                      struct snap_error *err)
{
	const struct rule *rule = find_rule(section->tag);
	struct cursor c = {section->body, section->body + section->size, section, err, SNAP_OK};
	if (rule == NULL) {
		if (section->must)
			return snap_fail(err, SNAP_ERR_UNSUPPORTED, section->offset,
			                 "section %c%c%c%c must be understood and is not known; use newer snaptools",
			                 (int)(section->tag & 0xFF), (int)(section->tag >> 8 & 0xFF),
			                 (int)(section->tag >> 16 & 0xFF), (int)(section->tag >> 24));
		return SNAP_OK;
	}
	if (!fits(d, rule, section))
		snap_damaged(&c, "it may not stand here");
	else if (section->size == 0)
		snap_damaged(&c, "it is empty");
	if (c.status == SNAP_OK)
		finish_before(d, rule, &c);
	if (c.status == SNAP_OK)
		rule->decode(d, &c);
	if (c.status == SNAP_OK && c.at != c.end)
		snap_damaged(&c, "bytes are left over");
	if (c.status < 0)
		return c.status;
	d->previous_tag = section->tag;
	d->previous_index = section->index;
	d->member_is_whole = rule->tag == SNAP_TAG_END;
	return d->member_is_whole ? SNAP_END : SNAP_OK;
}

static void free_tables(struct snap_decoder *d)
{
	if (d->t == NULL)
		return;
	snap_vector_free(&d->room, NULL);
	snap_vector_free(&d->callee_begin, NULL);
	snap_vector_free(&d->callee, NULL);
	snap_snapshot_free(d->t);
	d->t = NULL;
}

static void free_columns(struct snap_decoder *d)
{
	snap_vector_free(&d->lengths, NULL);
	snap_vector_free(&d->suffixes, NULL);
	snap_vector_free(&d->files, NULL);
	snap_vector_free(&d->functions, NULL);
	snap_vector_free(&d->callers, NULL);
	snap_vector_free(&d->list_callers, NULL);
	snap_vector_free(&d->list_ends, NULL);
	snap_vector_free(&d->first_callees, NULL);
	snap_vector_free(&d->further_callees, NULL);
	snap_vector_free(&d->attach, NULL);
	snap_vector_free(&d->levels, NULL);
	snap_vector_free(&d->roots, NULL);
	snap_vector_free(&d->uses, NULL);
	snap_vector_free(&d->root_depths, NULL);
	snap_vector_free(&d->promoted, NULL);
	snap_vector_free(&d->extra, NULL);
	snap_vector_free(&d->changed, NULL);
	snap_vector_free(&d->changes, NULL);
	snap_vector_free(&d->site_stacks, NULL);
	snap_vector_free(&d->explicit_rows, NULL);
	for (size_t k = 0; k < SNAP_COLUMNS_MAX; k++)
		snap_vector_free(&d->residuals[k], NULL);
}

static struct snap_limits limits_of(const struct snap_decoder *d)
{
	return (struct snap_limits){d->t->budget.limit};
}

enum snap_status snap_decoder_new(struct snap_decoder **out, const struct snap_limits *limits, struct snap_error *err)
{
	*out = NULL;
	struct snap_decoder *d = calloc(1, sizeof *d);
	if (d == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	enum snap_status status = snap_snapshot_new(&d->t, limits, err);
	if (status < 0) {
		free(d);
		return status;
	}
	*out = d;
	return SNAP_OK;
}

void snap_decoder_free(struct snap_decoder *d)
{
	if (d == NULL)
		return;
	free_tables(d);
	free_columns(d);
	snap_meta_free(d->meta_before);
	free(d);
}

enum snap_status snap_decoder_begin(struct snap_decoder *d, const struct snap_member_header *header,
                                    struct snap_error *err)
{
	bool continues = header->flags & SNAP_FLAG_CONTINUES;
	if (continues && !d->started)
		return snap_fail(err, SNAP_ERR_DAMAGED, header->offset,
		                 "the snapshot continues another that is not in this file");
	snap_meta_free(d->meta_before);
	d->meta_before = NULL;
	struct snap_limits limits = limits_of(d);
	enum snap_status status;
	if (continues) {
		d->meta_before = d->t->meta;
		d->t->meta = NULL;
		status = snap_meta_new(&d->t->meta, err);
	} else {
		free_tables(d);
		status = snap_snapshot_new(&d->t, &limits, err);
	}
	if (status < 0)
		return status;
	d->continues = continues;
	d->t->said_canonical = !continues && (header->flags & SNAP_FLAG_CANONICAL);
	d->started = true;
	d->first_string = (uint32_t)d->t->text_end.count;
	d->first_frame = (uint32_t)d->t->frame_file.count;
	d->first_node = (uint32_t)d->t->node_parent.count;
	d->first_stack = (uint32_t)d->t->stack_node.count;
	d->first_site = (uint32_t)d->t->site_stack.count;
	d->whole_sites = d->first_site;
	if (!continues) {
		d->live = 0;
		d->deep_roots = false;
	}
	d->careful = false;
	memset(d->largest_sum, 0, sizeof d->largest_sum);
	d->loose_leaf = false;
	d->group = START;
	d->previous_tag = d->previous_index = 0;
	d->member_is_whole = false;
	d->lengths.count = d->suffixes.count = d->files.count = d->functions.count = d->callers.count = 0;
	d->list_callers.count = d->list_ends.count = 0;
	d->first_callees.count = d->further_callees.count = d->attach.count = d->levels.count = 0;
	d->roots.count = d->uses.count = 0;
	d->too_deep = false;
	d->root_depths.count = d->promoted.count = d->extra.count = 0;
	d->changed.count = d->changes.count = d->site_stacks.count = 0;
	d->suffix_bytes = 0;
	d->file_at = d->attach_at = d->site_stack_at = 0;
	d->line = d->next_changed = d->callee_before = d->frequent_count = 0;
	d->list_begun = d->site_stacks_known = d->rows_open = false;
	return SNAP_OK;
}

struct snap_end snap_decoder_end(const struct snap_decoder *d)
{
	return d->end;
}

/* Whether the tables of a member that stands alone hold nothing that no site uses; all else that makes a
 * snapshot ordered follows from the order of its sections. */
static enum snap_status is_ordered(const struct snap_decoder *d, bool *ordered, struct snap_error *err)
{
	const struct snap_snapshot *t = d->t;
	size_t frames = t->frame_file.count, strings = t->text_end.count;
	*ordered = false;
	if (d->live != t->site_stack.count || d->loose_leaf)
		return SNAP_OK;
	uint8_t *string = calloc(strings + 1, 1);
	if (string == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	bool unused = frames > d->uses.count;
	for (size_t i = 0; i < frames && !unused; i++) {
		unused = d->uses.at[i] < USE_NODE;
		string[t->frame_file.at[i]] = 1;
		if (t->frame_function.at[i] != SNAP_NONE)
			string[t->frame_function.at[i]] = 1;
	}
	*ordered = !unused && memchr(string, 0, strings) == NULL;
	free(string);
	return SNAP_OK;
}

enum snap_status snap_decoder_take(struct snap_decoder *d, bool keep, struct snap_snapshot **out,
                                   struct snap_error *err)
{
	bool ordered = false;
	enum snap_status status = SNAP_OK;
	*out = NULL;
	if (!keep && !d->continues)
		status = is_ordered(d, &ordered, err);
	if (status < 0)
		return status;
	/* The flag of the header is a hint, which nothing may rely on. */
	d->t->canonical = false;
	if (!ordered)
		return snap_snapshot_order(out, d->t, err);
	struct snap_limits limits = limits_of(d);
	struct snap_snapshot *empty;
	status = snap_snapshot_new(&empty, &limits, err);
	if (status < 0)
		return status;
	*out = d->t;
	snap_lineage_drop(d->t->lineage);
	d->t->lineage = NULL;
	snap_vector_free(&d->room, NULL);
	snap_vector_free(&d->callee_begin, NULL);
	snap_vector_free(&d->callee, NULL);
	d->t = empty;
	d->started = false;
	return SNAP_OK;
}

enum snap_status snap_decoder_lend(struct snap_decoder *d, struct snap_snapshot **out, struct snap_error *err)
{
	d->t->canonical = false;
	*out = d->t;
	return d->t->lineage == NULL ? snap_lineage_new(&d->t->lineage, err) : SNAP_OK;
}

enum snap_status snap_decoder_salvage(struct snap_decoder *d, struct snap_snapshot **out, struct snap_error *err)
{
	*out = NULL;
	struct snap_snapshot *t = d->t;
	if (!d->started || d->previous_tag == 0)
		return snap_fail(err, SNAP_ERR_TRUNCATED, SNAP_NO_OFFSET, "nothing of the snapshot can be saved");
	if (d->group < SITES) {
		/* Tables may be half made. What the members before made is whole, but not of this member. */
		snap_vector_free(&t->site_stack, &t->budget);
		snap_vector_free(&t->site_domain, &t->budget);
		snap_numbers_free(&t->site_size, &t->budget);
		for (uint32_t k = 0; k < SNAP_COLUMNS_MAX; k++)
			snap_numbers_free(&t->values[k], &t->budget);
	} else {
		t->site_stack.count = t->site_size.count = d->whole_sites;
		if (t->site_domain.count > 0)
			t->site_domain.count = d->whole_sites;
		for (uint32_t k = 0; k < t->column_count; k++)
			if (t->values[k].count > 0)
				t->values[k].count = d->whole_sites;
	}
	if (d->group <= COLUMNS && !d->continues)
		snap_snapshot_set_columns(t, false);
	t->canonical = false;
	return snap_snapshot_order(out, t, err);
}
