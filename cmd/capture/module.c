/* The Python module snapcapture: what a program may call, and what Python calls back. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "signals.h"

#define HELP                                                                                                           \
	"Heap snapshots of this process, as files that snaptop(1) and the other snaptools read.\n\n"                   \
	"Under snaprun(1) a capture runs already and snapshot() adds to it; else start() begins one."

static py_object *fail(const char *why)
{
	py.PyErr_SetString(py.runtime_error, why);
	return NULL;
}

static py_object *return_none(void)
{
	py.Py_IncRef(py.none);
	return py.none;
}

static bool is_asked(const char *variable)
{
	const char *text = getenv(variable);
	return text != NULL && text[0] != '\0';
}

static py_object *snapshot(py_object *self, py_object *arguments, py_object *keywords)
{
	static char word_label[] = "label", word_gc[] = "gc", word_iteration[] = "iteration";
	static char *words[] = {word_label, word_gc, word_iteration, NULL};
	struct agent_note note = {.label = NULL, .iteration = -1};
	int collect = 0;
	(void)self;
	if (!py.PyArg_ParseTupleAndKeywords(arguments, keywords, "|zpL:snapshot", words, &note.label, &collect,
					    &note.iteration))
		return NULL;
	/* What takes snapshots need not be left out where none are wanted. */
	if (!agent_runs())
		return return_none();
	if (!python_in_main_interpreter())
		return fail("only the main interpreter is captured");
	note.collect = collect != 0;
	struct agent_result result;
	agent_take(TRIGGER_CODE, &note, &result);
	return result.written ? py.PyUnicode_DecodeFSDefault(result.path) : return_none();
}

static py_object *enter(py_object *self, py_object *nothing)
{
	(void)nothing;
	py.Py_IncRef(self);
	return self;
}

static py_object *leave(py_object *self, py_object *arguments)
{
	(void)self;
	(void)arguments;
	if (python_in_main_interpreter())
		agent_stop(TRIGGER_CODE);
	return return_none();
}

/* What start() returns. */
static struct python_method capture_methods[] = {
	{"__enter__", enter, PYTHON_NO_ARGUMENTS, NULL},
	{"__exit__", leave, PYTHON_VARIABLE, "Ends the capture, with a last snapshot."},
	{NULL, NULL, 0, NULL},
};

/* As they are asked for, and not looked at yet; times in seconds. */
struct wishes {
	int frames, limit, keep, collect, ignore_limit, signal, details, top;
	long long keep_bytes, rss_above, rss_step, period;
	double every, keep_for;
	const char *mode;
};
static const struct wishes defaults = {.frames = 25, .mode = "sampled", .period = (long long)RECORDER_PERIOD};

/* NULL, or why it did not begin. */
static const char *begin(py_object *module, const char *folder, const struct wishes *wishes)
{
	struct agent_options options = {.folder = folder,
					.recorder = {.frames = (unsigned)wishes->frames, .period = (uint64_t)wishes->period},
					.every = wishes->every,
					.limit = (unsigned)wishes->limit,
					.keep = {.files = (unsigned)wishes->keep, .bytes = (uint64_t)wishes->keep_bytes},
					.watch = {.rss_above = (uint64_t)wishes->rss_above,
						  .rss_step = (uint64_t)wishes->rss_step,
						  .no_limit = wishes->ignore_limit != 0},
					.signal = wishes->signal,
					.collect = wishes->collect != 0,
					.details = wishes->details != 0,
					.top = (unsigned)wishes->top};
	if (!python_in_main_interpreter())
		return "only the main interpreter is captured";
	if (wishes->frames < 1 || wishes->frames > 65535)
		return "frames is a number from 1 to 65535";
	if (!isfinite(wishes->every) || wishes->every < 0 || wishes->every > 1e9)
		return "every is a number of seconds";
	if (wishes->limit < 0 || wishes->keep < 0 || wishes->keep == 1)
		return "limit is a number of snapshots, and keep a number from 2";
	if (wishes->keep_bytes < 0 || wishes->rss_above < 0 || wishes->rss_step < 0)
		return "keep_bytes, rss_above and rss_step are numbers of bytes";
	if (!isfinite(wishes->keep_for) || wishes->keep_for < 0 || wishes->keep_for > 1e10)
		return "keep_for is a number of seconds";
	options.keep.seconds = (uint64_t)(wishes->keep_for + 0.999);
	if (wishes->top < 0)
		return "top is a number of groups";
	if (wishes->signal != 0 && !signals_may_be(wishes->signal))
		return "signal is SIGUSR1, SIGUSR2 or a real-time signal";
	if (!recorder_find_mode(wishes->mode, &options.recorder.mode))
		return "mode is sampled, exact or tracemalloc";
	if (wishes->period < 1 || (unsigned long long)wishes->period > RECORDER_PERIOD_MAX)
		return "period is a number of bytes, from 1 to 1 TiB";
	const char *why;
	return agent_start(module, &options, &why) ? NULL : why;
}

static py_object *start(py_object *self, py_object *arguments, py_object *keywords)
{
	static char word_folder[] = "folder", word_frames[] = "frames", word_every[] = "every",
		    word_limit[] = "limit", word_keep[] = "keep", word_gc[] = "gc",
		    word_keep_bytes[] = "keep_bytes", word_keep_for[] = "keep_for", word_above[] = "rss_above",
		    word_step[] = "rss_step", word_ignore[] = "ignore_limit", word_signal[] = "signal",
		    word_details[] = "details", word_top[] = "top", word_mode[] = "mode", word_period[] = "period";
	static char *words[] = {word_folder, word_frames,     word_every,    word_limit, word_keep, word_gc,
				word_keep_bytes, word_keep_for, word_above, word_step, word_ignore, word_signal,
				word_details, word_top, word_mode, word_period, NULL};
	py_object *folder = NULL;
	struct wishes wishes = defaults;
	char *path;
	ssize_t size;
	if (!py.PyArg_ParseTupleAndKeywords(arguments, keywords, "O&|$idiipLdLLpipisL:start", words,
					    py.PyUnicode_FSConverter, &folder, &wishes.frames, &wishes.every,
					    &wishes.limit, &wishes.keep, &wishes.collect, &wishes.keep_bytes,
					    &wishes.keep_for, &wishes.rss_above, &wishes.rss_step, &wishes.ignore_limit,
					    &wishes.signal, &wishes.details, &wishes.top, &wishes.mode, &wishes.period))
		return NULL;
	const char *why = NULL;
	if (py.PyBytes_AsStringAndSize(folder, &path, &size) == 0)
		why = begin(self, path, &wishes);
	py.Py_DecRef(folder);
	if (why != NULL)
		return fail(why);
	return py.PyErr_Occurred() != NULL ? NULL : python_new_object("snapcapture.Capture", capture_methods);
}

static long long asked(const char *variable)
{
	const char *text = getenv(variable);
	return text != NULL ? strtoll(text, NULL, 10) : 0;
}

/* Numbers beyond the range of an int were refused by snaprun. */
static py_object *start_for_snaprun(py_object *self, py_object *nothing)
{
	(void)nothing;
	const char *folder = getenv("SNAPRUN_FOLDER");
	struct wishes wishes = {.frames = (int)asked("SNAPRUN_FRAMES"),
				.every = (double)asked("SNAPRUN_EVERY") / 1000,
				.limit = (int)asked("SNAPRUN_LIMIT"),
				.keep = (int)asked("SNAPRUN_KEEP"),
				.keep_bytes = asked("SNAPRUN_KEEP_BYTES"),
				.keep_for = (double)asked("SNAPRUN_KEEP_FOR") / 1000,
				.rss_above = asked("SNAPRUN_RSS_ABOVE"),
				.rss_step = asked("SNAPRUN_RSS_STEP"),
				.ignore_limit = is_asked("SNAPRUN_IGNORE_LIMIT"),
				.signal = (int)asked("SNAPRUN_SIGNAL"),
				.details = is_asked("SNAPRUN_DETAILS"),
				.top = asked("SNAPRUN_TOP_IN") == (long long)getpid() ? (int)asked("SNAPRUN_TOP") : 0,
				.collect = is_asked("SNAPRUN_GC"),
				.mode = is_asked("SNAPRUN_MODE") ? getenv("SNAPRUN_MODE") : defaults.mode,
				.period = asked("SNAPRUN_PERIOD")};
	if (wishes.frames == 0)
		wishes.frames = defaults.frames;
	if (wishes.period == 0)
		wishes.period = defaults.period;
	if (!python_in_main_interpreter())
		return return_none();
	const char *why = begin(self, folder != NULL ? folder : ".", &wishes);
	return why != NULL ? fail(why) : return_none();
}

static py_object *stop(py_object *self, py_object *nothing)
{
	(void)self;
	(void)nothing;
	if (python_in_main_interpreter())
		agent_stop(TRIGGER_CODE);
	return return_none();
}

static py_object *is_capturable(py_object *self, py_object *nothing)
{
	(void)self;
	(void)nothing;
	return py.Py_BuildValue("i", python_in_main_interpreter() ? 1 : 0);
}

static py_object *at_exit(py_object *self, py_object *nothing)
{
	(void)self;
	(void)nothing;
	if (python_in_main_interpreter())
		agent_stop(TRIGGER_EXIT);
	return return_none();
}

static py_object *before_fork(py_object *self, py_object *nothing)
{
	(void)self;
	(void)nothing;
	if (python_in_main_interpreter())
		agent_before_fork();
	return return_none();
}

static py_object *after_fork_in_parent(py_object *self, py_object *nothing)
{
	(void)self;
	(void)nothing;
	if (python_in_main_interpreter())
		agent_after_fork_in_parent();
	return return_none();
}

static py_object *after_fork_in_child(py_object *self, py_object *nothing)
{
	(void)nothing;
	if (python_in_main_interpreter())
		agent_after_fork_in_child(self);
	return return_none();
}

/* In a worker of multiprocessing, which has forgotten the hooks at exit. */
static py_object *at_worker_start(py_object *self, py_object *nothing)
{
	(void)nothing;
	py_object *util = python_loaded("multiprocessing.util");
	py_object *class = util != NULL ? py.PyObject_GetAttrString(util, "Finalize") : NULL;
	py_object *hook = py.PyObject_GetAttrString(self, "at_exit");
	if (class != NULL && hook != NULL) {
		py_object *arguments = py.Py_BuildValue("(OO()Oi)", py.none, hook, py.none, -1000);
		py.Py_DecRef(arguments != NULL ? py.PyObject_CallObject(class, arguments) : NULL);
		py.Py_DecRef(arguments);
	}
	py.PyErr_Clear();
	py.Py_DecRef(hook);
	py.Py_DecRef(class);
	py.Py_DecRef(util);
	return return_none();
}

static struct python_method methods[] = {
	{"snapshot", PYTHON_WITH_KEYWORDS(snapshot), PYTHON_VARIABLE | PYTHON_KEYWORDS,
	 "snapshot(label=None, gc=False, iteration=-1)\n--\n\nTakes a snapshot and returns the path of its file, or None "
	 "if there is none, as where no capture runs.\nThe label goes into the metadata as label.name, and a number of requests or "
	 "rounds as iteration;\ngc=True collects garbage first."},
	{"start", PYTHON_WITH_KEYWORDS(start), PYTHON_VARIABLE | PYTHON_KEYWORDS,
	 "start(folder, *, frames=25, every=0.0, limit=0, keep=0, gc=False, keep_bytes=0, keep_for=0.0, rss_above=0,\n"
	 "      rss_step=0, ignore_limit=False, signal=0, details=False, top=0, mode='sampled',\n"
	 "      period=65536)\n--\n\nBegins a capture into a folder that is there, as the "
	 "options of snaprun(1) do, and returns an\nobject that ends it where it is used in a with statement."},
	{"start_for_snaprun", start_for_snaprun, PYTHON_NO_ARGUMENTS, "Begins the capture that snaprun(1) asks for."},
	{"stop", stop, PYTHON_NO_ARGUMENTS, "stop()\n--\n\nEnds the capture, with a last snapshot."},
	{"is_capturable", is_capturable, PYTHON_NO_ARGUMENTS, "Whether this is the main interpreter."},
	{"at_exit", at_exit, PYTHON_NO_ARGUMENTS, "Called by Python at exit."},
	{"before_fork", before_fork, PYTHON_NO_ARGUMENTS, "Called by Python before a fork."},
	{"after_fork_in_parent", after_fork_in_parent, PYTHON_NO_ARGUMENTS, "Called by Python after a fork."},
	{"after_fork_in_child", after_fork_in_child, PYTHON_NO_ARGUMENTS, "Called by Python in the child of a fork."},
	{"at_worker_start", at_worker_start, PYTHON_VARIABLE, "Called by multiprocessing in a worker."},
	{NULL, NULL, 0, NULL},
};

__attribute__((visibility("default"))) py_object *PyInit_snapcapture(void);

py_object *PyInit_snapcapture(void)
{
	const char *why;
	if (python_load(&why))
		return python_new_module("snapcapture", HELP, methods);
	if (py.PyErr_SetString != NULL && py.import_error != NULL)
		py.PyErr_SetString(py.import_error, why);
	return NULL;
}
