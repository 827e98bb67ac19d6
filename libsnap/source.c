/* The one place that knows all formats: looks at the first bytes and picks the reader. */
#include <snap/source.h>

#include <stdlib.h>

#include <snap/reader.h>
#include <snap/tracemalloc.h>

struct snap_source {
	struct snap_reader *reader; /* or, for formats of one snapshot, the input */
	struct snap_input *in;
	struct snap_limits limits;
	bool over;
	struct snap_snapshot *lent; /* by snap_source_borrow, where there is no reader */
};

enum snap_status snap_source_open(struct snap_source **out, struct snap_input *in, const struct snap_limits *limits,
                                  struct snap_error *err)
{
	*out = NULL;
	const uint8_t *bytes;
	size_t got;
	enum snap_status status = snap_input_peek(in, 64, &bytes, &got, err);
	struct snap_source *source = status == SNAP_OK ? calloc(1, sizeof *source) : NULL;
	if (status == SNAP_OK && source == NULL)
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	if (status < 0) {
		snap_input_close(in);
		return status;
	}
	source->limits = limits != NULL ? *limits : snap_limits_default();
	if (got == 0) {
		status = snap_fail(err, SNAP_ERR_TRUNCATED, 0, "the input is empty");
	} else if (snap_reader_sniff(bytes, got)) {
		struct snap_reader_options options = {.limits = source->limits};
		status = snap_reader_open(&source->reader, in, &options, err);
		in = NULL;
	} else if (snap_tracemalloc_sniff(bytes, got)) {
		source->in = in;
	} else {
		status = snap_fail(err, SNAP_ERR_UNSUPPORTED, 0,
		                   "neither a .snap file nor a tracemalloc dump (a pickle, plain or compressed by gzip or zstd)");
	}
	if (status < 0) {
		snap_input_close(in);
		free(source);
		return status;
	}
	*out = source;
	return SNAP_OK;
}

const char *snap_source_format(const struct snap_source *source)
{
	return source->reader != NULL ? "snap" : "tracemalloc";
}

enum snap_status snap_source_next(struct snap_source *source, struct snap_snapshot **out, struct snap_error *err)
{
	*out = NULL;
	if (source->reader != NULL)
		return snap_reader_next(source->reader, out, err);
	if (source->over)
		return SNAP_END;
	source->over = true;
	return snap_tracemalloc_read(out, source->in, &source->limits, err);
}

enum snap_status snap_source_borrow(struct snap_source *source, struct snap_snapshot **out,
                                    struct snap_error *err)
{
	if (source->reader != NULL)
		return snap_reader_borrow(source->reader, out, err);
	snap_snapshot_free(source->lent);
	enum snap_status status = snap_source_next(source, &source->lent, err);
	*out = source->lent;
	return status;
}

enum snap_status snap_source_skip(struct snap_source *source, struct snap_error *err)
{
	if (source->reader != NULL)
		return snap_reader_skip(source->reader, err);
	struct snap_snapshot *s;
	enum snap_status status = snap_source_next(source, &s, err);
	snap_snapshot_free(s);
	return status;
}

void snap_source_close(struct snap_source *source)
{
	if (source == NULL)
		return;
	snap_reader_close(source->reader);
	snap_input_close(source->in);
	snap_snapshot_free(source->lent);
	free(source);
}
