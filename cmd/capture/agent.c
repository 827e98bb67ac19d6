/* Triggers, and the one place of the agent's state; see agent.h.
 *
 * Locks. What the agent remembers is read and changed with the GIL, but for the series, which belongs to
 * whoever holds `busy`. Whoever starts or stops the capture lets go of the GIL in between, and holds
 * `change`. Both are taken only without the GIL, so nobody waits for them who could keep their holder
 * waiting, and `change` before `busy`. The child of a fork finds them as they were and resets them: the
 * thread that held one is not there, and what it was writing goes with the parent. */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bell.h"
#include "details.h"
#include "gate.h"
#include "listener.h"
#include "process.h"
#include "series.h"
#include "show.h"
#include "signals.h"
#include "snapshot.h"
#include "tell.h"
#include "watch.h"

enum {
	TURN_WAIT_MS = 2000,
	CHILD_WAIT_MS = 100, /* children that exec another program are gone by then */
};

static struct agent {
	struct agent_options options;
	bool runs, has_hooks, has_system_hooks;
	bool forked;       /* set by the system's hook at fork; Python's may not come */
	bool python_forks; /* … but will, for the one before it has come */
	atomic_uintptr_t execs; /* the thread that forks for a program to be run; 0 = none */
	unsigned generation;
	struct timespec start;
	char program[256];
	struct snapshot_roots roots;

	pthread_mutex_t change, busy;
	struct series series;
	unsigned dropped;
	bool told; /* that a snapshot was lost */
	char last_path[PATH_MAX]; /* of a file; empty = none yet */

	pthread_t thread;
	bool has_thread;
	atomic_int thread_id;       /* the system's; 0 = it has not begun */
	unsigned threads_begun;     /* numbers them */
	atomic_uint wanted;         /* the number of the one that is to run; 0 = none */
	atomic_bool thread_works;   /* it takes a snapshot, or waits for the GIL to do so */
	bool paused;                /* there is none while the process forks */
	bool in_child;              /* the threads begin in the child of a fork */
	int64_t due;                /* when the next interval ends */
	int64_t look;               /* when memory is looked at again */
	struct watch watch;
	atomic_bool signalled;
	struct bell bell; /* wakes the thread */
} agent;

/* --- a series and its lock --- */

/* Once in a process. */
static void lose(struct agent_result *result, const struct snap_error *err, const char *path)
{
	int size = snprintf(result->why, sizeof result->why, "%s%s%s", path, path[0] != '\0' ? ": " : "", err->message);
	if (size < 0)
		result->why[0] = '\0';
	agent.dropped++;
	if (!agent.told)
		tell(result->why);
	agent.told = true;
}

static void reset_locks(void)
{
	pthread_mutexattr_t kind;
	pthread_mutexattr_init(&kind);
	/* A thread that locks twice is told so. */
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&agent.change, &kind);
	pthread_mutex_init(&agent.busy, &kind);
	pthread_mutexattr_destroy(&kind);
}

static void begin_series(void)
{
	agent.series.stem[0] = '\0';
	agent.series.variant = agent.series.last = agent.series.oldest = agent.series.standing = 0;
	agent.series.file.fd = -1;
	agent.last_path[0] = '\0';
	agent.dropped = 0;
	agent.told = false;
	agent.start = process_start_time();
}

/* Children that Python knows nothing of are found out late. */
static void notice_fork(void)
{
	if (!agent.forked)
		return;
	agent.forked = false;
	agent.generation++;
	reset_locks();
	begin_series();
}

/* --- a snapshot --- */

/* Our thread has the GIL, or waits for it, behind a gate. */
static void *let_python_go(bool is_own)
{
	void *state = py.PyEval_SaveThread();
	if (is_own)
		gate_leave(GATE_PYTHON);
	return state;
}

static void take_python_back(bool is_own, void *state)
{
	if (is_own)
		gate_enter(GATE_PYTHON);
	py.PyEval_RestoreThread(state);
}

static bool lock(bool is_own, pthread_mutex_t *mutex)
{
	void *state = let_python_go(is_own);
	int result = pthread_mutex_lock(mutex);
	take_python_back(is_own, state);
	return result == 0;
}

/* "app" of /srv/app.py, "gunicorn" of …/gunicorn/__main__.py, "python" where there is no script. */
static void find_program(void)
{
	char script[PATH_MAX];
	if (!python_script(script, sizeof script) || script[0] == '\0' || script[0] == '-')
		strcpy(script, "python");
	char *slash = strrchr(script, '/'), *name = slash != NULL ? slash + 1 : script;
	if (slash != NULL && strcmp(name, "__main__.py") == 0) {
		*slash = '\0';
		slash = strrchr(script, '/');
		name = slash != NULL ? slash + 1 : script;
	}
	size_t size = strlen(name);
	if (size > 3 && strcmp(name + size - 3, ".py") == 0)
		size -= 3;
	snprintf(agent.program, sizeof agent.program, "%.*s", (int)size, name);
}

static void name_series(void)
{
	char stamp[PROCESS_STAMP_SIZE];
	find_program();
	process_stamp(stamp, &agent.start);
	series_name(&agent.series, agent.program, stamp, (long)getpid());
}

/* With the GIL and `busy`. */
static enum snap_status collect_traces(enum trigger trigger, const struct agent_note *note,
				       struct snap_builder **builder, struct tracer_copy **rest, struct snap_error *err)
{
	static const char *const names[] = {[TRIGGER_CODE] = "code",
					    [TRIGGER_EXIT] = "exit",
					    [TRIGGER_INTERVAL] = "interval",
					    [TRIGGER_LIMIT] = "limit",
					    [TRIGGER_REQUEST] = "request",
					    [TRIGGER_RSS_ABOVE] = "rss-above",
					    [TRIGGER_RSS_STEP] = "rss-step",
					    [TRIGGER_SIGNAL] = "signal"};
	const struct agent_options *options = &agent.options;
	/* Else it would bring about what it is to come before. */
	if (trigger == TRIGGER_LIMIT && recorder_need() > watch_free_memory(&agent.watch))
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET,
				 "a snapshot needs more memory than is left below the container's limit");
	if (agent.series.stem[0] == '\0')
		name_series();
	const struct occasion occasion = {.trigger = names[trigger],
					  .program = agent.program,
					  .roots = &agent.roots,
					  .label = note->label,
					  .iteration = note->iteration,
					  .start = agent.start,
					  .number = agent.series.last + 1,
					  .dropped = agent.dropped,
					  .generation = agent.generation,
					  .own_threads = (agent.has_thread ? 1U : 0) + (listener_runs() ? 1U : 0),
					  .collect = note->collect || options->collect,
					  .details = options->details};
	return snapshot_collect(builder, rest, &occasion, err);
}

/* With `busy` and without the GIL. Releases the builder, and what is to go into it yet. A fork waits until
 * nothing is allocated any more, but not for the disk. */
static enum snap_status write_file(struct snap_builder *builder, struct tracer_copy *rest, char path[PATH_MAX],
				   struct snap_error *err)
{
	struct snap_snapshot *snapshot = NULL;
	sigset_t before;
	signals_hold_file_size(&before);
	gate_enter(GATE_MEMORY);
	enum snap_status status = rest != NULL ? tracer_build(rest, builder, err) : SNAP_OK;
	tracer_free_copy(rest);
	if (status == SNAP_OK)
		status = snap_builder_finish(builder, &snapshot, err);
	if (status == SNAP_OK)
		status = series_write(&agent.series, snapshot, path, err);
	snap_snapshot_free(snapshot);
	snap_builder_free(builder);
	gate_leave(GATE_MEMORY);
	if (status == SNAP_OK)
		status = series_publish(&agent.series, path, err);
	signals_release_file_size(&before);
	return status;
}

static void take(bool is_own, enum trigger trigger, const struct agent_note *note, struct agent_result *result)
{
	struct snap_builder *builder = NULL;
	struct tracer_copy *rest = NULL;
	struct snap_error err = {.status = SNAP_OK};
	char path[PATH_MAX] = "";
	*result = (struct agent_result){.written = false};
	notice_fork();
	/* Collecting garbage runs the program's code, which may come back here. */
	if (!lock(is_own, &agent.busy)) {
		strcpy(result->why, "a snapshot is being taken already");
		return;
	}
	/* The thread may have waited for the lock while the end came: nothing is lost by that. */
	if (!agent.runs) {
		strcpy(result->why, "the capture has ended");
		pthread_mutex_unlock(&agent.busy);
		return;
	}
	if (agent.options.limit > 0 && agent.series.last >= agent.options.limit) {
		snprintf(result->why, sizeof result->why, "the limit of %u snapshots is reached", agent.options.limit);
		pthread_mutex_unlock(&agent.busy);
		return;
	}
	enum snap_status status = collect_traces(trigger, note, &builder, &rest, &err);
	void *state = let_python_go(is_own);
	if (status == SNAP_OK)
		status = write_file(builder, rest, path, &err);
	if (status == SNAP_OK) {
		result->written = true;
		memcpy(result->path, path, sizeof path);
		memcpy(agent.last_path, path, sizeof path);
		watch_snapshot(&agent.watch);
	} else {
		lose(result, &err, path);
	}
	pthread_mutex_unlock(&agent.busy);
	take_python_back(is_own, state);
}

void agent_take(enum trigger trigger, const struct agent_note *note, struct agent_result *result)
{
	take(false, trigger, note, result);
}

/* --- the thread --- */

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A tenth more or less, so that the workers of one service do not all stop at once. */
static int64_t next_time(void)
{
	uint32_t random = UINT32_MAX / 2;
	if (agent.options.every <= 0)
		return INT64_MAX;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		errno = 0;
	return now_ms() + (int64_t)(agent.options.every * 1000 * (0.9 + 0.2 * (double)random / UINT32_MAX));
}

/* What Python remembers of our thread. It is allocated and released without the GIL, where a program that begins
 * or ends tracemalloc at that moment crashes; so the thread has it from its first snapshot until it ends. */
struct own_thread {
	unsigned number;
	void *state; /* while it does not have the GIL; NULL = none yet */
	int before;  /* what releases it */
};

static bool is_wanted(const struct own_thread *own)
{
	return atomic_load(&agent.wanted) == own->number;
}

static void take_gil(struct own_thread *own)
{
	gate_enter(GATE_PYTHON);
	if (own->state != NULL) {
		py.PyEval_RestoreThread(own->state);
		return;
	}
	gate_enter(GATE_MEMORY);
	own->before = py.PyGILState_Ensure();
	gate_leave(GATE_MEMORY);
}

static void leave_python(struct own_thread *own)
{
	if (own->state == NULL || !py.Py_IsInitialized() || py.is_finalizing())
		return;
	gate_enter(GATE_PYTHON);
	gate_enter(GATE_MEMORY);
	py.PyEval_RestoreThread(own->state);
	py.PyGILState_Release(own->before);
	gate_leave(GATE_MEMORY);
	gate_leave(GATE_PYTHON);
}

static void take_from_thread(struct own_thread *own, enum trigger trigger, bool collect, struct agent_result *result)
{
	const struct agent_note note = {.iteration = -1, .collect = collect};
	*result = (struct agent_result){.why = "the program is about to end"};
	if (!is_wanted(own) || !py.Py_IsInitialized() || py.is_finalizing())
		return;
	atomic_store(&agent.thread_works, true);
	take_gil(own);
	if (is_wanted(own))
		take(true, trigger, &note, result);
	own->state = let_python_go(true);
	atomic_store(&agent.thread_works, false);
}

static void answer_request(struct own_thread *own, bool collect)
{
	struct agent_result result;
	take_from_thread(own, TRIGGER_REQUEST, collect, &result);
	/* Without an answer the connection ends, and who asks tries again behind the fork. */
	if (!result.written && !is_wanted(own))
		return;
	listener_answer(result.written, result.written ? result.path : result.why);
}

/* In the handler of a signal, or in the listener. */
static void wake_thread(void)
{
	bell_ring(&agent.bell);
}

/* In the handler of a signal. */
static void notice_signal(void)
{
	if (!atomic_exchange(&agent.signalled, true))
		wake_thread();
}

static void take_and_forget(struct own_thread *own, enum trigger trigger)
{
	struct agent_result result;
	if (is_wanted(own))
		take_from_thread(own, trigger, false, &result);
}

/* Processes of one container come close to its limit together, and a snapshot takes memory itself: so those that write
 * into one folder take turns. Who waits too long goes on without. */
static struct descriptor take_turn(const struct own_thread *own)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	const int64_t end = now_ms() + TURN_WAIT_MS;
	struct descriptor turn = descriptor_new(open(agent.series.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (descriptor_is_ours(&turn) && flock(turn.fd, LOCK_EX | LOCK_NB) < 0 && now_ms() < end && is_wanted(own))
		nanosleep(&pause, NULL);
	return turn;
}

/* The C library keeps what it is given back, and others are to have it. */
static void end_turn(struct descriptor *turn)
{
#ifdef __GLIBC__
	gate_enter(GATE_MEMORY);
	malloc_trim(0);
	gate_leave(GATE_MEMORY);
#endif
	descriptor_close(turn);
}

static void take_near_limit(struct own_thread *own)
{
	struct descriptor turn = take_turn(own);
	take_and_forget(own, TRIGGER_LIMIT);
	end_turn(&turn);
}

static void look_at_memory(struct own_thread *own)
{
	static const enum trigger triggers[] = {[WATCH_RSS_STEP] = TRIGGER_RSS_STEP,
						[WATCH_RSS_ABOVE] = TRIGGER_RSS_ABOVE};
	enum watch_event event = watch_look(&agent.watch);
	if (event == WATCH_LIMIT)
		take_near_limit(own);
	else if (event != WATCH_NOTHING)
		take_and_forget(own, triggers[event]);
	agent.look = now_ms() + watch_pause_ms(&agent.watch);
}

static void begin_to_watch(void)
{
	watch_begin(&agent.watch, &agent.options.watch);
	agent.look = watch_is_on(&agent.watch) ? now_ms() + watch_pause_ms(&agent.watch) : INT64_MAX;
	agent.due = next_time();
}

static void *run(void *argument)
{
	gate_leave(GATE_MEMORY);
	struct own_thread own = {.number = (unsigned)(uintptr_t)argument};
	atomic_store(&agent.thread_id, (int)syscall(SYS_gettid));
	while (is_wanted(&own)) {
		unsigned heard = bell_rings(&agent.bell);
		bool collect;
		if (atomic_exchange(&agent.signalled, false))
			take_and_forget(&own, TRIGGER_SIGNAL);
		if (listener_next(&collect))
			answer_request(&own, collect);
		if (now_ms() >= agent.look)
			look_at_memory(&own);
		if (now_ms() >= agent.due) {
			take_and_forget(&own, TRIGGER_INTERVAL);
			agent.due = next_time();
		}
		int64_t next = agent.due < agent.look ? agent.due : agent.look;
		if (is_wanted(&own))
			bell_wait(&agent.bell, heard, next == INT64_MAX ? next : next - now_ms());
	}
	leave_python(&own);
	return NULL;
}

/* The one that takes snapshots, and the one that hears requests for them. */
static bool start_threads(void)
{
	sigset_t all, before;
	unsigned number = ++agent.threads_begun;
	atomic_store(&agent.wanted, number);
	atomic_store(&agent.thread_works, false);
	atomic_store(&agent.thread_id, 0);
	/* Signals are the program's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	agent.has_thread = gate_start_thread(&agent.thread, run, (void *)(uintptr_t)number);
	if (agent.has_thread)
		(void)listener_start(wake_thread, agent.in_child ? CHILD_WAIT_MS : 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	agent.in_child = false;
	return agent.has_thread;
}

/* With the GIL, which is let go, for the thread may be about to take a snapshot. */
static void end_threads(void)
{
	atomic_store(&agent.wanted, 0);
	wake_thread();
	void *state = py.PyEval_SaveThread();
	pthread_join(agent.thread, NULL);
	process_wait_for_end(atomic_load(&agent.thread_id));
	listener_stop();
	py.PyEval_RestoreThread(state);
	agent.has_thread = false;
}

static void stop_threads(void)
{
	if (agent.has_thread)
		end_threads();
	listener_unlink();
}

/* --- fork --- */

static void go_on_in_child(void)
{
	notice_fork();
	begin_to_watch();
	agent.in_child = true;
	if (!agent.has_thread)
		(void)start_threads();
}

/* The child runs another program at once: of its threads and memory there is nothing to be seen, and it may
 * allocate nothing, for an allocator need not survive a fork. */
static bool forks_to_exec(void)
{
	return atomic_load(&agent.execs) == (uintptr_t)pthread_self();
}

/* With the GIL. These are what subprocess and multiprocessing have called. */
static void note_exec(void)
{
	if (python_in_function("_execute_child") || python_in_function("spawnv_passfds"))
		atomic_store(&agent.execs, (uintptr_t)pthread_self());
}

/* Of the system. Python's own way to fork frees the child of what our thread has or wants. Who forks in C may
 * have the GIL that our thread waits for, and lets go of it only then. */
static void before_system_fork(void)
{
	bool is_clear = gate_close(GATE_PYTHON);
	bool waits = !agent.python_forks && !py.is_finalizing();
	bool has_gil = waits && python_has_gil();
	if (has_gil)
		note_exec();
	waits = waits && !forks_to_exec();
	if (waits && !is_clear) {
		void *state = has_gil ? py.PyEval_SaveThread() : NULL;
		gate_wait_until_clear(GATE_PYTHON);
		if (state != NULL)
			py.PyEval_RestoreThread(state);
	}
	/* Only now: our thread may have had to pass this one to leave the other. */
	if (!gate_close(GATE_MEMORY) && waits)
		gate_wait_until_clear(GATE_MEMORY);
}

static void after_system_fork_in_parent(void)
{
	if (forks_to_exec())
		atomic_store(&agent.execs, 0);
	gate_open(GATE_MEMORY);
	gate_open(GATE_PYTHON);
}

/* Of the system: the child has only the thread that forked, and may exec at once. */
static void in_forked_child(void)
{
	gates_reset();
	series_forget(&agent.series);
	listener_forget();
	agent.has_thread = false;
	atomic_store(&agent.signalled, false);
	agent.forked = true;
	/* A server in C, such as uWSGI, forks workers that Python is not told of. */
	if (agent.runs && !agent.python_forks && !forks_to_exec())
		go_on_in_child();
}

/* A worker of multiprocessing ends without the hooks at exit, but with hooks of its own. */
static void follow_worker(py_object *module)
{
	py_object *util = python_loaded("multiprocessing.util");
	py_object *hook = util != NULL ? py.PyObject_GetAttrString(module, "at_worker_start") : NULL;
	if (hook != NULL)
		py.Py_DecRef(py.PyObject_CallMethod(util, "register_after_fork", "OO", module, hook));
	py.PyErr_Clear();
	py.Py_DecRef(hook);
	py.Py_DecRef(util);
}

/* Python 3.12 and later warn of forks in processes with threads, and the program has none of its own. Not
 * while one is at work, for a fork is not to wait for a disk. */
void agent_before_fork(void)
{
	note_exec();
	if (agent.runs && agent.has_thread && !atomic_load(&agent.thread_works) &&
	    pthread_mutex_trylock(&agent.change) == 0) {
		end_threads();
		agent.paused = true;
		pthread_mutex_unlock(&agent.change);
	}
	void *state = py.PyEval_SaveThread();
	if (!gate_close(GATE_MEMORY))
		gate_wait_until_clear(GATE_MEMORY);
	py.PyEval_RestoreThread(state);
	agent.python_forks = true;
}

static int go_on(void *nothing)
{
	(void)nothing;
	if (agent.paused && agent.runs)
		(void)start_threads();
	agent.paused = false;
	return 0;
}

/* Python 3.12 and 3.13 count threads after this, so it is put off to when the main thread goes on. From
 * another thread that could be never, and there they warn in any case. */
void agent_after_fork_in_parent(void)
{
	bool is_main = (pid_t)syscall(SYS_gettid) == getpid();
	agent.python_forks = false;
	void *state = py.PyEval_SaveThread();
	gate_open(GATE_MEMORY);
	py.PyEval_RestoreThread(state);
	if (agent.paused && (!is_main || py.Py_AddPendingCall(go_on, NULL) < 0))
		go_on(NULL);
}

void agent_after_fork_in_child(py_object *module)
{
	agent.paused = agent.python_forks = false;
	if (!agent.runs || forks_to_exec())
		return;
	follow_worker(module);
	go_on_in_child();
}

/* --- start and stop --- */

bool agent_runs(void)
{
	return agent.runs;
}

static bool register_hooks(py_object *module)
{
	py_object *os = py.PyImport_ImportModule("os"), *atexit = py.PyImport_ImportModule("atexit");
	py_object *at_exit = py.PyObject_GetAttrString(module, "at_exit");
	py_object *before = py.PyObject_GetAttrString(module, "before_fork");
	py_object *in_parent = py.PyObject_GetAttrString(module, "after_fork_in_parent");
	py_object *in_child = py.PyObject_GetAttrString(module, "after_fork_in_child");
	py_object *at_fork = os != NULL ? py.PyObject_GetAttrString(os, "register_at_fork") : NULL;
	bool registered = false;
	if (atexit != NULL && at_exit != NULL && before != NULL && in_parent != NULL && in_child != NULL &&
	    at_fork != NULL) {
		py_object *none = py.Py_BuildValue("()");
		py_object *keywords = py.Py_BuildValue("{sOsOsO}", "before", before, "after_in_parent", in_parent,
							 "after_in_child", in_child);
		py_object *first = py.PyObject_Call(at_fork, none, keywords);
		py_object *second = py.PyObject_CallMethod(atexit, "register", "O", at_exit);
		registered = first != NULL && second != NULL;
		py.Py_DecRef(first);
		py.Py_DecRef(second);
		py.Py_DecRef(keywords);
		py.Py_DecRef(none);
	}
	py.PyErr_Clear();
	py.Py_DecRef(at_fork);
	py.Py_DecRef(in_child);
	py.Py_DecRef(in_parent);
	py.Py_DecRef(before);
	py.Py_DecRef(at_exit);
	py.Py_DecRef(atexit);
	py.Py_DecRef(os);
	return registered;
}

/* The tracer's come first, for they are called last before a fork: a tracer that has locked itself lets nobody
 * allocate, nor our thread go on. */
static bool register_system_hooks(void)
{
	if (!agent.has_system_hooks)
		agent.has_system_hooks = tracer_follow_forks() &&
					 pthread_atfork(before_system_fork, after_system_fork_in_parent, in_forked_child) == 0;
	return agent.has_system_hooks;
}

static const char already_runs[] = "a capture is running already";

/* Once, by a program and those that it runs: it may begin a capture in each turn of its loop, and read what they say. */
static void warn(const char *warning)
{
	static const char variable[] = "SNAPRUN_FELL_BACK";
	const char *said = getenv(variable);
	if (said != NULL && strcmp(said, warning) == 0)
		return;
	tell(warning);
	python_set_environment(variable, warning);
}

/* With `change`. */
static void begin(py_object *module, const struct agent_options *options, const char **why)
{
	const char *warning = NULL;
	tell_begin();
	agent.in_child = false;
	atomic_store(&agent.signalled, false);
	begin_series();
	agent.options = *options;
	agent.options.folder = NULL;
	agent.series.keep = options->keep;
	begin_to_watch();
	struct stat st;
	if (realpath(options->folder, agent.series.folder) == NULL || stat(agent.series.folder, &st) < 0 ||
	    !S_ISDIR(st.st_mode)) {
		*why = "the folder for the snapshots is not there";
		return;
	}
	details_begin();
	if (!agent.has_hooks) {
		gates_reset();
		agent.has_hooks = register_hooks(module);
	}
	if (!agent.has_hooks)
		*why = "the hooks at exit and fork cannot be set";
	else if (options->signal != 0 && !signals_follow(options->signal, notice_signal))
		*why = "the signal cannot be listened to";
	else if (!register_system_hooks())
		*why = "the hooks at fork cannot be set";
	else if (recorder_start(&options->recorder, &warning, why) && !start_threads()) {
		recorder_stop();
		*why = "no thread can be started";
	}
	if (warning != NULL)
		warn(warning);
	snapshot_find_roots(&agent.roots);
	agent.runs = *why == NULL;
}

bool agent_start(py_object *module, const struct agent_options *options, const char **why)
{
	*why = NULL;
	if (agent.runs) {
		*why = already_runs;
		return false;
	}
	if (agent.forked || !agent.has_hooks)
		reset_locks();
	agent.forked = false;
	if (!lock(false, &agent.change)) {
		*why = "a capture begins or ends";
		return false;
	}
	/* Another thread may have been faster. */
	bool begins = !agent.runs;
	if (begins)
		begin(module, options, why);
	else
		*why = already_runs;
	pthread_mutex_unlock(&agent.change);
	return begins && agent.runs;
}

/* With `change`. Snapshots that others have begun end first; those that still wait find nothing that runs. */
static void end(enum trigger trigger)
{
	const struct agent_note note = {.iteration = -1};
	struct agent_result result;
	agent.paused = false;
	stop_threads();
	agent_take(trigger, &note, &result);
	bool locked = lock(false, &agent.busy);
	recorder_stop();
	agent.runs = false;
	if (locked)
		pthread_mutex_unlock(&agent.busy);
}

/* Workers would all print the same. */
static void show_last(enum trigger trigger)
{
	if (trigger != TRIGGER_EXIT || agent.options.top == 0 || agent.generation > 0 || agent.last_path[0] == '\0')
		return;
	void *state = py.PyEval_SaveThread();
	show_file(agent.last_path, agent.options.top);
	py.PyEval_RestoreThread(state);
}

void agent_stop(enum trigger trigger)
{
	if (!agent.runs)
		return;
	notice_fork();
	if (!lock(false, &agent.change))
		return;
	bool ends = agent.runs;
	if (ends)
		end(trigger);
	pthread_mutex_unlock(&agent.change);
	if (ends)
		show_last(trigger);
}
