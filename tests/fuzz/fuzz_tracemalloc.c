/* Any bytes as a pickle: reading them ends with a status of the list, in bounded memory and in the same
 * way whatever the steps of the input; what is read can be written as .snap and says the same then. */
#include <snap/output.h>
#include <snap/reader.h>
#include <snap/tracemalloc.h>
#include <snap/writer.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static const struct snap_limits limits = {.memory = UINT64_C(64) << 20};

struct feeder {
	const uint8_t *at;
	size_t size, step;
};

static ptrdiff_t feed(void *context, void *buffer, size_t size)
{
	struct feeder *f = context;
	size_t n = f->size < f->step ? f->size : f->step;
	if (n > size)
		n = size;
	if (n > 0) {
		memcpy(buffer, f->at, n);
		f->at += n;
		f->size -= n;
	}
	return (ptrdiff_t)n;
}

static enum snap_status read_pickle(struct snap_input *in, struct snap_snapshot **s, struct snap_error *err)
{
	*s = NULL;
	*err = (struct snap_error){.status = SNAP_OK};
	enum snap_status status = snap_tracemalloc_read(s, in, &limits, err);
	snap_input_close(in);
	REQUIRE(err->status == status);
	if (status == SNAP_OK) {
		REQUIRE(*s != NULL);
		return status;
	}
	REQUIRE(*s == NULL);
	REQUIRE(status == SNAP_ERR_TRUNCATED || status == SNAP_ERR_DAMAGED || status == SNAP_ERR_UNSUPPORTED ||
	        status == SNAP_ERR_LIMIT);
	REQUIRE(err->message[0] != '\0' && memchr(err->message, '\0', sizeof err->message) != NULL);
	for (const char *c = err->message; *c != '\0'; c++)
		REQUIRE(*c >= 0x20 && *c < 0x7f);
	return status;
}

static void check_round_trip(const struct snap_snapshot *s, const uint64_t digest[2], int level)
{
	struct snap_output *out;
	struct snap_writer *writer;
	struct snap_input *in;
	struct snap_reader *reader;
	struct snap_snapshot *back, *more;
	struct snap_writer_options options = {.level = level};
	struct snap_reader_options all = {.limits = limits, .check = true};
	uint64_t again[2];
	size_t size;
	REQUIRE(snap_output_to_memory(&out, NULL) == SNAP_OK);
	REQUIRE(snap_writer_new(&writer, out, &options, NULL) == SNAP_OK);
	REQUIRE(snap_writer_put(writer, s, NULL) == SNAP_OK);
	REQUIRE(snap_writer_finish(writer, NULL) == SNAP_OK);
	snap_writer_free(writer);
	REQUIRE(snap_output_finish(out, NULL) == SNAP_OK);
	const void *bytes = snap_output_memory(out, &size);
	REQUIRE(snap_input_from_memory(&in, bytes, size, NULL) == SNAP_OK);
	REQUIRE(snap_reader_open(&reader, in, &all, NULL) == SNAP_OK);
	REQUIRE(snap_reader_next(reader, &back, NULL) == SNAP_OK);
	REQUIRE(snap_snapshot_digest(back, again, NULL) == SNAP_OK);
	REQUIRE(memcmp(digest, again, sizeof again) == 0);
	REQUIRE(snap_reader_next(reader, &more, NULL) == SNAP_END);
	snap_snapshot_free(back);
	snap_reader_close(reader);
	snap_output_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct feeder f = {bytes, size, 1 + size % 7};
	struct snap_input *in;
	struct snap_snapshot *whole, *stepped;
	struct snap_error err, stepped_err;
	REQUIRE(snap_input_from_memory(&in, bytes, size, NULL) == SNAP_OK);
	enum snap_status status = read_pickle(in, &whole, &err);
	REQUIRE(snap_input_from_function(&in, feed, NULL, &f, NULL) == SNAP_OK);
	REQUIRE(read_pickle(in, &stepped, &stepped_err) == status);
	REQUIRE(stepped_err.offset == err.offset);
	if (status == SNAP_OK) {
		uint64_t digest[2], again[2];
		REQUIRE(snap_snapshot_digest(whole, digest, NULL) == SNAP_OK);
		REQUIRE(snap_snapshot_digest(stepped, again, NULL) == SNAP_OK);
		REQUIRE(memcmp(digest, again, sizeof digest) == 0);
		check_round_trip(whole, digest, SNAP_LEVEL_STORED);
		check_round_trip(whole, digest, 1);
	} else if (size > 0 && status != SNAP_ERR_UNSUPPORTED) {
		REQUIRE(snap_tracemalloc_sniff(bytes, size));
	}
	snap_snapshot_free(whole);
	snap_snapshot_free(stepped);
	return 0;
}
