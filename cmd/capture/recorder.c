/* The choice between the own tracer and tracemalloc; see recorder.h. */
#define _GNU_SOURCE
#include "recorder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "extensions.h"
#include "python_api.h"
#include "traces.h"

static const char *const modes[] = {
	[RECORDER_SAMPLED] = "sampled", [RECORDER_EXACT] = "exact", [RECORDER_TRACEMALLOC] = "tracemalloc"};

static struct recorder_options recording;

bool recorder_find_mode(const char *name, enum recorder_mode *mode)
{
	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
		if (strcmp(name, modes[i]) != 0)
			continue;
		*mode = (enum recorder_mode)i;
		return true;
	}
	return false;
}

static void put_number(struct snap_meta *meta, const char *key, uint64_t number)
{
	(void)snap_meta_set_format(meta, key, NULL, "%" PRIu64, number);
}

/* What Python makes in memory of earlier ones without telling anybody, in all versions: the tables in which
 * dictionaries have their keys. */
#define ALWAYS_MISSED "dict-tables"
/* And objects, where nobody is told of them. */
#define ALL_MISSED "lists tuples dicts floats " ALWAYS_MISSED

/* --- tracemalloc --- */

static bool is_tracing(void)
{
	py_object *answer = python_call_module("_tracemalloc", "is_tracing");
	bool tracing = answer != NULL && py.PyObject_IsTrue(answer) == 1;
	py.Py_DecRef(answer);
	return tracing;
}

static bool start_tracemalloc(unsigned frames)
{
	py_object *module = py.PyImport_ImportModule("_tracemalloc");
	py_object *answer = module != NULL ? py.PyObject_CallMethod(module, "is_tracing", NULL) : NULL;
	bool tracing = answer != NULL && py.PyObject_IsTrue(answer) == 1;
	if (module != NULL && !tracing) {
		py_object *started = py.PyObject_CallMethod(module, "start", "I", frames);
		tracing = started != NULL;
		py.Py_DecRef(started);
	}
	py.PyErr_Clear();
	py.Py_DecRef(answer);
	py.Py_DecRef(module);
	return tracing;
}

static void put_call(struct snap_meta *meta, const char *key, const char *module, const char *function)
{
	unsigned long long number;
	if (python_call_number(module, function, &number))
		put_number(meta, key, number);
}

static void put_traced(struct snap_meta *meta)
{
	unsigned long long bytes;
	py_object *pair = python_call_module("_tracemalloc", "get_traced_memory");
	if (pair != NULL && py.PyTuple_Size(pair) == 2) {
		if (python_number(py.PyTuple_GetItem(pair, 0), &bytes))
			put_number(meta, "traced_bytes", bytes);
		if (python_number(py.PyTuple_GetItem(pair, 1), &bytes))
			put_number(meta, "traced_peak_bytes", bytes);
	}
	py.Py_DecRef(pair);
	put_call(meta, "tracer_bytes", "_tracemalloc", "get_tracemalloc_memory");
	put_call(meta, "traceback_limit", "_tracemalloc", "get_traceback_limit");
}

/* Up to 3.11 a collection could begin at each of the millions of tuples, each time in vain. */
static bool switch_collector_off(void)
{
	py_object *answer = python_call_module("gc", "isenabled");
	bool enabled = answer != NULL && py.PyObject_IsTrue(answer) == 1;
	py.Py_DecRef(answer);
	if (enabled)
		py.Py_DecRef(python_call_module("gc", "disable"));
	return enabled;
}

static enum snap_status read_tracemalloc(struct snap_builder *builder, struct snap_error *err)
{
	if (!is_tracing())
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the program has ended tracemalloc's tracing");
	put_traced(snap_builder_meta(builder));
	(void)snap_meta_set_text(snap_builder_meta(builder), "capture.freelists_missed",
				 python_tells_of_reuse() ? ALWAYS_MISSED : ALL_MISSED, NULL);
	bool enabled = switch_collector_off();
	enum snap_status status;
	py_object *list = python_call_module("_tracemalloc", "_get_traces");
	if (list != NULL)
		status = traces_read(list, builder, err);
	else
		status = snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "no memory for the traces");
	py.Py_DecRef(list);
	if (enabled)
		py.Py_DecRef(python_call_module("gc", "enable"));
	return status;
}

/* A list with tuples of all traces, which are traced in turn: measured, 2.8 to 4.3 times what tracemalloc has. */
static uint64_t need_of_tracemalloc(void)
{
	unsigned long long bytes;
	return python_call_number("_tracemalloc", "get_tracemalloc_memory", &bytes) ? bytes * 5 : 0;
}

/* --- the own tracer --- */

/* So that a run can be repeated, the seed of the samples may be given. */
static uint64_t wanted_seed(void)
{
	const char *text = getenv("SNAPRUN_SEED");
	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static bool start_tracer(const struct recorder_options *options, const char **why)
{
	const struct tracer_options tracer = {.frames = options->frames,
					      .period = options->mode == RECORDER_SAMPLED ? options->period : 0,
					      .seed = wanted_seed()};
	if (!tracer_start(&tracer, why))
		return false;
	extensions_divert();
	return true;
}

static enum snap_status read_tracer(struct snap_builder *builder, struct tracer_copy **rest, struct snap_error *err)
{
	struct tracer_totals totals;
	struct snap_meta *meta = snap_builder_meta(builder);
	static const char *const lists[] = {[TRACER_REUSE_UNSEEN] = "none",
					    [TRACER_REUSE_TOLD] = "reftracer",
					    [TRACER_REUSE_PREVENTED] = "bypassed",
					    [TRACER_REUSE_DRAWN] = "drawn"};
	enum tracer_reuse reuse = tracer_reuse();
	if (!tracer_is_intact())
		return snap_fail(err, SNAP_ERR_INVALID, SNAP_NO_OFFSET, "the program has put away the tracer's hooks");
	extensions_divert();
	enum snap_status status = tracer_take_copy(rest, &totals, err);
	if (status < 0)
		return status;
	if (recording.mode == RECORDER_SAMPLED) {
		put_number(meta, "sample_period_bytes", recording.period);
	} else {
		put_number(meta, "traced_bytes", totals.bytes);
		put_number(meta, "traced_peak_bytes", totals.peak_bytes);
	}
	put_number(meta, "tracer_bytes", totals.own_bytes);
	put_number(meta, "traceback_limit", recording.frames);
	(void)snap_meta_set_text(meta, "capture.freelists", lists[reuse], NULL);
	(void)snap_meta_set_text(meta, "capture.freelists_missed",
				 reuse == TRACER_REUSE_UNSEEN ? ALL_MISSED
				 : tracer_misses_floats()     ? "floats " ALWAYS_MISSED
							      : ALWAYS_MISSED, NULL);
	put_number(meta, "capture.lost_blocks", totals.lost);
	(void)snap_meta_set_text(meta, "capture.self_check", totals.consistent ? "ok" : "failed", NULL);
	return SNAP_OK;
}

/* --- either --- */

uint64_t recorder_need(void)
{
	return recording.mode == RECORDER_TRACEMALLOC ? need_of_tracemalloc() : tracer_need();
}

bool recorder_start(const struct recorder_options *options, const char **warning, const char **why)
{
	*warning = NULL;
	recording = *options;
	if (recording.mode != RECORDER_TRACEMALLOC && start_tracer(options, warning)) {
		*warning = NULL;
		return true;
	}
	recording.mode = RECORDER_TRACEMALLOC;
	bool started = start_tracemalloc(options->frames);
	*why = started ? NULL : "this interpreter has no tracemalloc that can be started";
	return started;
}

void recorder_stop(void)
{
	if (recording.mode != RECORDER_TRACEMALLOC)
		tracer_stop();
}

enum snap_status recorder_read(struct snap_builder *builder, struct tracer_copy **rest, struct snap_error *err)
{
	*rest = NULL;
	(void)snap_meta_set_text(snap_builder_meta(builder), "capture.mode", modes[recording.mode], NULL);
	return recording.mode == RECORDER_TRACEMALLOC ? read_tracemalloc(builder, err)
						      : read_tracer(builder, rest, err);
}
