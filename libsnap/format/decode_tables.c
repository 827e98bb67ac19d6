/* Decodes metadata, columns, strings and frames: sections 5.1 to 5.5 of the format. */
#include "format/decoder.h"

#include <string.h>

void snap_decode_meta(struct snap_decoder *d, struct cursor *c)
{
	struct snap_error why = {SNAP_OK, 0, SNAP_NO_OFFSET, ""};
	uint64_t count = get_uint(c);
	if (count > SNAP_META_ENTRIES_MAX)
		snap_damaged(c, "too many entries");
	for (uint64_t i = 0; i < count && c->status == SNAP_OK; i++) {
		char key[SNAP_META_KEY_MAX + 1];
		const char *value = NULL;
		size_t size = 0;
		uint64_t ref = get_uint(c);
		if (ref > 0) {
			if (!d->continues || ref > snap_meta_count(d->meta_before)) {
				snap_damaged(c, "an entry refers to one that is not there");
				return;
			}
			const char *k = snap_meta_at(d->meta_before, (size_t)ref - 1, &value, &size);
			memcpy(key, k, strlen(k) + 1);
		} else {
			uint64_t length = get_uint(c);
			if (length == 0 || length > SNAP_META_KEY_MAX || length > (size_t)(c->end - c->at) ||
			    memchr(c->at, 0, (size_t)length) != NULL) {
				snap_damaged(c, "a key of a bad length");
				return;
			}
			memcpy(key, c->at, (size_t)length);
			key[length] = '\0';
			c->at += length;
		}
		uint64_t length = get_uint(c);
		if (length > 0) {
			size = (size_t)length - 1;
			value = (const char *)c->at;
			if (size > (size_t)(c->end - c->at)) {
				snap_damaged(c, "a value is cut off");
				return;
			}
			c->at += size;
		} else if (ref == 0) {
			snap_damaged(c, "a new key without a value");
			return;
		}
		if (snap_meta_get(d->t->meta, key) != NULL) {
			snap_damaged(c, "a key stands twice");
			return;
		}
		enum snap_status status = snap_meta_set(d->t->meta, key, value, size, &why);
		if (status == SNAP_ERR_NOMEM)
			c->status = snap_fail(c->err, status, SNAP_NO_OFFSET, "out of memory");
		else if (status < 0)
			snap_damaged(c, why.message);
	}
}

void snap_decode_columns(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	uint64_t count = get_uint(c);
	if (count < 2 || count > SNAP_COLUMNS_MAX) {
		snap_damaged(c, "a bad number of columns");
		return;
	}
	memset(t->columns, 0, sizeof t->columns);
	t->column_count = (uint32_t)count;
	for (uint32_t i = 0; i < count && c->status == SNAP_OK; i++) {
		struct snap_column_info *info = &t->columns[i];
		uint64_t length = get_uint(c);
		if (length == 0 || length > SNAP_COLUMN_NAME_MAX || length > (size_t)(c->end - c->at)) {
			snap_damaged(c, "a column name of a bad length");
			return;
		}
		memcpy(info->name, c->at, (size_t)length);
		c->at += length;
		bool bad = strspn(info->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != length;
		for (uint32_t j = 0; j < i; j++)
			bad = bad || strcmp(info->name, t->columns[j].name) == 0;
		uint64_t unit = get_uint(c), predictor = get_uint(c), from = get_uint(c);
		bad = bad || unit > SNAP_UNIT_OTHER || predictor > SNAP_PREDICT_SIZE_TIMES ||
		      (predictor == SNAP_PREDICT_NOTHING ? from != 0 : from >= i);
		if (bad) {
			snap_damaged(c, "a column has a bad name, unit or predictor");
			return;
		}
		info->unit = (enum snap_unit)unit;
		info->predictor = (enum snap_predictor)predictor;
		info->from = (uint32_t)from;
	}
	const struct snap_column_info *blocks = &t->columns[SNAP_COLUMN_BLOCKS], *bytes = &t->columns[SNAP_COLUMN_BYTES];
	if (strcmp(blocks->name, "blocks") != 0 || blocks->unit != SNAP_UNIT_BLOCKS ||
	    blocks->predictor != SNAP_PREDICT_NOTHING || strcmp(bytes->name, "bytes") != 0 ||
	    bytes->unit != SNAP_UNIT_BYTES || bytes->predictor != SNAP_PREDICT_SIZE_TIMES)
		snap_damaged(c, "the first columns are not blocks and bytes");
}

void snap_decode_rule(struct snap_decoder *d, struct cursor *c)
{
	uint64_t limit = get_uint(c), known = get_uint(c);
	if (limit > SNAP_DEPTH_MAX || known > 1)
		snap_damaged(c, "a bad rule for stacks");
	d->rule = (struct snap_stack_rule){(uint32_t)limit, known == 1};
}

void snap_decode_string_lengths(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t shared = get_uint(c), suffix = get_uint(c);
		bool first = d->lengths.count == 0;
		uint64_t before = first ? 0 : (uint64_t)d->lengths.at[d->lengths.count - 2] +
		                                      d->lengths.at[d->lengths.count - 1];
		if (suffix > SNAP_STRING_MAX || shared > before || shared + suffix > SNAP_STRING_MAX ||
		    shared > SNAP_STRING_SHARED_FACTOR * (suffix + 2) || (suffix == 0 && !first))
			snap_damaged(c, "bad lengths of a string");
		d->suffix_bytes += suffix;
		PUSH(c, d, &d->lengths, (uint32_t)shared);
		PUSH(c, d, &d->lengths, (uint32_t)suffix);
	}
}

void snap_decode_string_bytes(struct snap_decoder *d, struct cursor *c)
{
	size_t size = (size_t)(c->end - c->at);
	if (size > d->suffix_bytes - d->suffixes.count) {
		snap_damaged(c, "more bytes of strings than their lengths say");
		return;
	}
	if (memchr(c->at, 0, size) != NULL) {
		snap_damaged(c, "a NUL in a string");
		return;
	}
	c->status = snap_vector_reserve(&d->suffixes, d->suffixes.count + size, &d->t->budget, c->err);
	if (c->status < 0)
		return;
	memcpy(d->suffixes.at + d->suffixes.count, c->at, size);
	d->suffixes.count += size;
	c->at = c->end;
}

void snap_finish_strings(struct snap_decoder *d, struct cursor *c)
{
	if (d->suffixes.count != d->suffix_bytes) {
		snap_damaged(c, "bytes of strings are missing");
		return;
	}
	const uint8_t *suffix = d->suffixes.at;
	uint8_t bytes[SNAP_STRING_MAX];
	size_t size = 0;
	for (size_t i = 0; i < d->lengths.count && c->status == SNAP_OK; i += 2) {
		uint32_t shared = d->lengths.at[i], more = d->lengths.at[i + 1];
		if (i > 0) {
			size_t common = size - shared < more ? size - shared : more;
			int order = memcmp(bytes + shared, suffix, common);
			if (order > 0 || (order == 0 && more <= size - shared)) {
				snap_damaged(c, "strings do not ascend");
				return;
			}
		}
		/* There may be none at all: then `suffix` is NULL. */
		if (more > 0) {
			memcpy(bytes + shared, suffix, more);
			suffix += more;
		}
		size = shared + more;
		c->status = snap_snapshot_push_string(d->t, bytes, size, c->err);
	}
}

void snap_decode_frame_files(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		uint64_t least = d->files.count == 0 ? 0 : (uint64_t)d->files.at[d->files.count - 1] + 1;
		uint32_t file = next_number(c, least, d->t->text_end.count, "a file that is not there");
		PUSH(c, d, &d->files, file);
	}
}

void snap_decode_frame_lines(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t frame = t->frame_file.count, file = d->file_at;
	uint64_t line = d->line;
	c->status = snap_snapshot_reserve_frames(t, frame + rows_at_most(c), c->err);
	if (c->status < 0)
		return;
	const uint32_t *files = d->files.at;
	uint32_t *frame_file = t->frame_file.at, *frame_line = t->frame_line.at, *function = t->frame_function.at;
	const uint8_t *at = c->at, *end = c->end;
	size_t file_count = d->files.count, frames_end = frame + rows_at_most(c);
	for (; at < end && frame < frames_end; frame++) {
		struct uint_at token = uint_at(at, end);
		if (token.at == NULL) {
			snap_bad_number(c);
			return;
		}
		at = token.at;
		line += token.value >> 1;
		if (file == file_count || line > UINT32_MAX) {
			snap_damaged(c, "a line out of range or without a file");
			return;
		}
		frame_file[frame] = files[file];
		frame_line[frame] = (uint32_t)line;
		function[frame] = SNAP_NONE;
		/* The lines of the next file begin at 0. */
		file += token.value & 1;
		line &= (token.value & 1) - 1;
	}
	if (at < end)
		snap_damaged(c, "too many rows");
	c->at = at;
	t->frame_file.count = t->frame_line.count = t->frame_function.count = frame;
	d->file_at = file;
	d->line = (uint32_t)line;
}

void snap_decode_frame_functions(struct snap_decoder *d, struct cursor *c)
{
	for (size_t row = 0; more_rows(c, row); row++) {
		int64_t before = d->functions.count == 0 ? 0 : d->functions.at[d->functions.count - 1];
		int64_t change = get_int(c), most = (int64_t)d->t->text_end.count;
		if (change < -before || change > most - before) {
			snap_damaged(c, "a function that is not there");
			return;
		}
		PUSH(c, d, &d->functions, (uint32_t)(before + change));
	}
}

void snap_finish_frames(struct snap_decoder *d, struct cursor *c)
{
	struct snap_snapshot *t = d->t;
	size_t count = t->frame_file.count - d->first_frame;
	if (d->file_at != d->files.count || d->line != 0 ||
	    (d->functions.count != 0 && d->functions.count != count)) {
		snap_damaged(c, "the columns of frames do not fit together");
		return;
	}
	for (size_t i = 0; i < d->functions.count; i++)
		if (d->functions.at[i] > 0)
			t->frame_function.at[d->first_frame + i] = d->functions.at[i] - 1;
	const uint32_t *file = t->frame_file.at, *line = t->frame_line.at, *function = t->frame_function.at;
	uint32_t not_above = 0;
	/* SNAP_NONE + 1 is 0: no function comes first. */
	for (size_t i = (size_t)d->first_frame + 1; i < t->frame_file.count; i++)
		not_above |= (uint32_t)(file[i] == file[i - 1]) & (uint32_t)(line[i] == line[i - 1]) &
		             (uint32_t)(function[i] + 1 <= function[i - 1] + 1);
	if (not_above != 0)
		snap_damaged(c, "frames do not ascend");
}
