/* The tree of callers: every traceback as the chain of the application's own frames, newest first. Where it has
 * none, of libraries' frames, else of the standard library's. */
#include "ops/trend.h"

#include <snap/pattern.h>
#include <stdlib.h>
#include <string.h>

#include "ops/pattern.h"

/* An own line on more than this part of all tracebacks (what starts the server) says nothing about those that
 * have no other own line: there libraries' frames are asked. */
#define EVERYWHERE 0.5

/* Whatever tracer a frame belongs to, its allocations are the tracer's. Of what it calls, the application makes
 * use as well: this is the tracer's only at the newest frame. */
static const char tracer_inside[] = "@tracer\n!*pickle.py\n!*fnmatch.py\n!<frozen pickle>\n!<frozen fnmatch>\n";

enum { TRACER, TRACER_INSIDE, STDLIB, LIBRARY, MARKS };

static enum snap_status mark(const struct snap_trend_table *table, bool *marks[MARKS], struct snap_error *err)
{
	static const char *const names[MARKS] = {"@tracer", "@inside", "@stdlib", "@site-packages"};
	struct snap_presets *presets;
	enum snap_status status = snap_presets_new(&presets, err);
	if (status < 0)
		return status;
	status = snap_presets_add(presets, "inside", tracer_inside, sizeof tracer_inside - 1, err);
	for (size_t i = 0; i < MARKS && status == SNAP_OK; i++) {
		struct snap_pattern *pattern;
		marks[i] = calloc(table->names->frame_file.count + 1, sizeof *marks[i]);
		if (marks[i] == NULL) {
			status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
			break;
		}
		status = snap_pattern_glob(&pattern, names[i], presets, err);
		if (status == SNAP_OK)
			status = snap_pattern_mark(pattern, table->names, marks[i], err);
		snap_pattern_free(pattern);
	}
	snap_presets_free(presets);
	return status;
}

/* Child of `parent` (SNAP_NONE: none) for a frame. */
static enum snap_status find_node(struct snap_trend_tree *tree, uint32_t parent, uint32_t frame, uint32_t *node,
				  struct snap_error *err)
{
	uint64_t hash = snap_keyed(snap_index_seed(&tree->index), (uint64_t)parent << 32 | frame);
	size_t cursor = snap_index_start(&tree->index, hash);
	while ((*node = snap_index_next(&tree->index, hash, &cursor)) != SNAP_INDEX_NONE)
		if (tree->parent.at[*node] == parent && tree->frame.at[*node] == frame)
			return SNAP_OK;
	*node = (uint32_t)tree->parent.count;
	enum snap_status status = snap_index_reserve(&tree->index, &tree->budget, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&tree->parent, parent, NULL, err);
	if (status == SNAP_OK)
		status = snap_vector_push(&tree->frame, frame, NULL, err);
	if (status == SNAP_OK)
		snap_index_insert(&tree->index, hash, *node);
	return status;
}

/* Frames of a row that are wanted, newest first, each once; as many as fit. */
static size_t chain_of(const uint32_t *path, size_t length, const uint8_t *class, uint8_t wanted, uint32_t *chain)
{
	size_t count = 0;
	for (size_t i = 0; i < length && count < TREND_CHAIN_MAX; i++) {
		bool left_out = class[path[i]] < wanted;
		for (size_t k = 0; k < count && !left_out; k++)
			left_out = chain[k] == path[i];
		if (!left_out)
			chain[count++] = path[i];
	}
	return count;
}

/* What chains are made of: the highest class that a row has. */
enum { CLASS_STDLIB, CLASS_LIBRARY, CLASS_EVERYWHERE, CLASS_OWN };

static bool is_tracer(const uint32_t *path, size_t length, bool *const marks[MARKS])
{
	if (length > 0 && marks[TRACER][path[0]])
		return true;
	for (size_t i = 0; i < length; i++)
		if (marks[TRACER_INSIDE][path[i]])
			return true;
	return false;
}

/* Own frames that nearly all rows have are a class of their own. */
static bool classify(const struct snap_trend_table *table, bool *const marks[MARKS], uint8_t *class)
{
	size_t frames = table->names->frame_file.count, rows = table->row_end.count;
	uint32_t *seen_in = calloc(2 * frames + 1, sizeof *seen_in), *last = seen_in + frames;
	if (seen_in == NULL)
		return false;
	for (uint32_t row = 0; row < rows; row++)
		for (uint32_t i = snap_trend_row_begin(table, row); i < table->row_end.at[row]; i++) {
			uint32_t frame = table->path.at[i];
			seen_in[frame] += last[frame] != row + 1;
			last[frame] = row + 1;
		}
	for (size_t f = 0; f < frames; f++)
		class[f] = marks[STDLIB][f] || marks[TRACER][f]                  ? CLASS_STDLIB
			   : marks[LIBRARY][f]                                   ? CLASS_LIBRARY
			   : seen_in[f] > 2 && seen_in[f] > EVERYWHERE * (double)rows ? CLASS_EVERYWHERE
										 : CLASS_OWN;
	free(seen_in);
	return true;
}

static size_t choose_chain(const uint32_t *path, size_t length, const uint8_t *class, uint32_t *chain)
{
	bool has[CLASS_OWN + 1] = {false};
	for (size_t i = 0; i < length; i++)
		has[class[path[i]]] = true;
	uint8_t wanted = has[CLASS_OWN]          ? CLASS_EVERYWHERE
			 : has[CLASS_LIBRARY]    ? CLASS_LIBRARY
			 : has[CLASS_EVERYWHERE] ? CLASS_EVERYWHERE
						 : CLASS_STDLIB;
	return chain_of(path, length, class, wanted, chain);
}

static enum snap_status hang_rows(struct snap_trend_tree *tree, const struct snap_trend_table *table,
				  bool *const marks[MARKS], const uint8_t *class, struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t row = 0; row < table->row_end.count && status == SNAP_OK; row++) {
		uint32_t begin = snap_trend_row_begin(table, row), node = SNAP_NONE, chain[TREND_CHAIN_MAX];
		const uint32_t *path = &table->path.at[begin];
		size_t length = table->row_end.at[row] - begin;
		if (!is_tracer(path, length, marks)) {
			size_t count = choose_chain(path, length, class, chain);
			for (size_t i = 0; i < count && status == SNAP_OK; i++)
				status = find_node(tree, node, chain[i], &node, err);
		}
		if (status == SNAP_OK)
			status = snap_vector_push(&tree->row_node, node, NULL, err);
	}
	return status;
}

enum snap_status snap_trend_tree_grow(struct snap_trend_tree *tree, const struct snap_trend_table *table,
				      struct snap_error *err)
{
	bool *marks[MARKS] = {NULL};
	tree->budget = (struct snap_budget){.limit = UINT64_MAX};
	size_t frames = table->names->frame_file.count;
	uint8_t *class = malloc(frames + 1);
	tree->own = calloc(frames + 1, sizeof *tree->own);
	enum snap_status status = mark(table, marks, err);
	if (status == SNAP_OK && (class == NULL || tree->own == NULL || !classify(table, marks, class)))
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	if (status == SNAP_OK) {
		for (size_t f = 0; f < frames; f++)
			tree->own[f] = class[f] == CLASS_OWN;
		status = hang_rows(tree, table, marks, class, err);
	}
	for (size_t i = 0; i < MARKS; i++)
		free(marks[i]);
	free(class);
	return status;
}

void snap_trend_tree_free(struct snap_trend_tree *tree)
{
	snap_vector_free(&tree->parent, NULL);
	snap_vector_free(&tree->frame, NULL);
	snap_vector_free(&tree->row_node, NULL);
	snap_index_free(&tree->index, &tree->budget);
	free(tree->own);
}
