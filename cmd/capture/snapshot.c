/* Traces and metadata; see snapshot.h. */
#define _GNU_SOURCE
#include "snapshot.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "details.h"
#include "gate.h"
#include "process.h"

static double milliseconds_since(const struct timespec *then)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) * 1e3 + (double)(now.tv_nsec - then->tv_nsec) / 1e6;
}

/* Metadata are worth having and not worth failing for. */
static void put_text(struct snap_meta *meta, const char *key, const char *value)
{
	(void)snap_meta_set_text(meta, key, value, NULL);
}

static void put_number(struct snap_meta *meta, const char *key, uint64_t number)
{
	(void)snap_meta_set_format(meta, key, NULL, "%" PRIu64, number);
}

static void put_process(struct snap_meta *meta, const struct occasion *o)
{
	struct timespec now;
	char text[PROCESS_TIME_SIZE], host[256] = "", version[PYTHON_VERSION_SIZE], arguments[4096];
	clock_gettime(CLOCK_REALTIME, &now);
	process_time_text(text, &now);
	put_text(meta, "time", text);
	if (gethostname(host, sizeof host - 1) == 0)
		put_text(meta, "host", host);
	put_number(meta, "pid", (uint64_t)getpid());
	put_number(meta, "ppid", (uint64_t)getppid());
	process_arguments(arguments, sizeof arguments);
	put_text(meta, "argv", arguments);
	put_text(meta, "program", o->program);
	python_version(version);
	(void)snap_meta_set_format(meta, "runtime", NULL, "cpython %s", version);
	process_time_text(text, &o->start);
	put_text(meta, "start_time", text);
	double age = (double)(now.tv_sec - o->start.tv_sec) + (double)(now.tv_nsec - o->start.tv_nsec) / 1e9;
	(void)snap_meta_set_format(meta, "uptime_s", NULL, "%.3f", age > 0 ? age : 0);
	put_number(meta, "seq", o->number);
}

/* Before the traces are there, which take much memory themselves. */
static void put_memory(struct snap_meta *meta, const struct occasion *o)
{
	struct process_memory memory = process_memory();
	struct memory_group group;
	process_find_group(&group);
	if (memory.rss > 0)
		put_number(meta, "rss_bytes", memory.rss);
	if (memory.rss_anonymous > 0)
		put_number(meta, "rss_anon_bytes", memory.rss_anonymous);
	if (memory.rss_peak > 0)
		put_number(meta, "rss_peak_bytes", memory.rss_peak);
	if (memory.rss > 0)
		put_number(meta, "swap_bytes", memory.swap);
	if (memory.vms > 0)
		put_number(meta, "vms_bytes", memory.vms);
	if (group.limit > 0)
		put_number(meta, "cgroup_limit_bytes", group.limit);
	if (memory.threads > o->own_threads)
		put_number(meta, "threads", memory.threads - o->own_threads);
}

static void put_collector(struct snap_meta *meta)
{
	unsigned long long counts[3];
	py_object *tuple = python_call_module("gc", "get_count");
	bool known = tuple != NULL && py.PyTuple_Size(tuple) == 3;
	for (int i = 0; known && i < 3; i++)
		known = python_number(py.PyTuple_GetItem(tuple, i), &counts[i]);
	if (known)
		(void)snap_meta_set_format(meta, "gc_counts", NULL, "%llu %llu %llu", counts[0], counts[1], counts[2]);
	py.Py_DecRef(tuple);
}

/* The first folder of site.getsitepackages() that is there. */
static void find_site_folder(char *folder, size_t room)
{
	py_object *site = python_loaded("site");
	py_object *list = site != NULL ? py.PyObject_CallMethod(site, "getsitepackages", NULL) : NULL;
	ssize_t count = list != NULL ? py.PyList_Size(list) : 0;
	bool found = false;
	for (ssize_t i = 0; i < count && !found; i++) {
		const char *text;
		size_t size;
		struct stat st;
		py_object *held = python_text(py.PyList_GetItem(list, i), &text, &size);
		found = held != NULL && size < room && stat(text, &st) == 0 && S_ISDIR(st.st_mode);
		if (found)
			memcpy(folder, text, size + 1);
		py.Py_DecRef(held);
	}
	if (!found)
		folder[0] = '\0';
	py.PyErr_Clear();
	py.Py_DecRef(list);
	py.Py_DecRef(site);
}

void snapshot_find_roots(struct snapshot_roots *roots)
{
	if (!python_sys_text("prefix", roots->prefix, sizeof roots->prefix))
		roots->prefix[0] = '\0';
	if (!python_loaded_text("os", "__file__", roots->stdlib, sizeof roots->stdlib))
		roots->stdlib[0] = '\0';
	char *slash = strrchr(roots->stdlib, '/');
	if (slash != NULL)
		*slash = '\0';
	find_site_folder(roots->site, sizeof roots->site);
}

static void put_roots(struct snap_meta *meta, const struct snapshot_roots *roots)
{
	char path[PATH_MAX];
	if (getcwd(path, sizeof path) != NULL)
		put_text(meta, "root.cwd", path);
	if (roots->prefix[0] != '\0')
		put_text(meta, "root.prefix", roots->prefix);
	if (roots->stdlib[0] != '\0')
		put_text(meta, "root.stdlib", roots->stdlib);
	if (roots->site[0] != '\0')
		put_text(meta, "root.site", roots->site);
}

/* The program goes on meanwhile. */
static void read_details(struct details *details)
{
	void *state = py.PyEval_SaveThread();
	gate_enter(GATE_MEMORY);
	details_read(details);
	gate_leave(GATE_MEMORY);
	py.PyEval_RestoreThread(state);
}

enum snap_status snapshot_collect(struct snap_builder **out, struct tracer_copy **rest, const struct occasion *o,
				  struct snap_error *err)
{
	unsigned long long collected;
	bool has_collected = o->collect && python_call_number("gc", "collect", &collected);
	struct details details;
	if (o->details)
		read_details(&details);
	struct timespec begun;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	enum snap_status status = snap_builder_new(out, NULL, err);
	if (status < 0)
		return status;
	struct snap_meta *meta = snap_builder_meta(*out);
	put_process(meta, o);
	put_memory(meta, o);
	details_put_arenas(meta);
	if (o->details)
		details_put(&details, meta);
	put_collector(meta);
	if (has_collected)
		put_number(meta, "gc_collected", collected);
	put_roots(meta, o->roots);
	put_text(meta, "capture.trigger", o->trigger);
	put_number(meta, "capture.fork_generation", o->generation);
	put_number(meta, "capture.dropped", o->dropped);
	(void)snap_meta_set_format(meta, "producer", NULL, "snapcapture %s", snap_version());
	if (o->label != NULL)
		put_text(meta, "label.name", o->label);
	if (o->iteration >= 0)
		put_number(meta, "iteration", (uint64_t)o->iteration);
	status = recorder_read(*out, rest, err);
	if (status < 0) {
		snap_builder_free(*out);
		*out = NULL;
		return status;
	}
	(void)snap_meta_set_format(meta, "capture.pause_ms", NULL, "%.1f", milliseconds_since(&begun));
	return SNAP_OK;
}
