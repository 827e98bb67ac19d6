/* Traces into a builder; see traces.h. Tracebacks and file names are told by many traces and are the same
 * objects each time, so that their addresses are looked up first. */
#include "traces.h"

#include <stdlib.h>
#include <string.h>

/* From addresses to numbers; the objects live as long as the list does. */
struct entry {
	const void *address; /* NULL = free */
	uint32_t total, number;
};

struct addresses {
	struct entry *at;
	size_t count, room; /* a power of two */
};

struct reading {
	struct snap_builder *builder;
	struct addresses names, tracebacks;
	uint32_t *frames; /* room for SNAP_DEPTH_MAX */
	struct snap_error *err;
};

static size_t place(const struct addresses *table, const void *address, uint32_t total)
{
	uint64_t hash = ((uint64_t)(uintptr_t)address + total) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(hash >> 32) & (table->room - 1);
	while (table->at[i].address != NULL && (table->at[i].address != address || table->at[i].total != total))
		i = (i + 1) & (table->room - 1);
	return i;
}

static bool find(const struct addresses *table, const void *address, uint32_t total, uint32_t *number)
{
	if (table->count == 0)
		return false;
	const struct entry *entry = &table->at[place(table, address, total)];
	*number = entry->number;
	return entry->address != NULL;
}

static enum snap_status no_memory(struct snap_error *err)
{
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

static enum snap_status insert(struct addresses *table, struct entry new, struct snap_error *err)
{
	if (2 * table->count >= table->room) {
		struct addresses grown = {.count = table->count, .room = table->room == 0 ? 1024 : 2 * table->room};
		grown.at = calloc(grown.room, sizeof *grown.at);
		if (grown.at == NULL)
			return no_memory(err);
		for (size_t i = 0; i < table->room; i++)
			if (table->at[i].address != NULL)
				grown.at[place(&grown, table->at[i].address, table->at[i].total)] = table->at[i];
		free(table->at);
		*table = grown;
	}
	table->at[place(table, new.address, new.total)] = new;
	table->count++;
	return SNAP_OK;
}

static enum snap_status unknown_shape(struct snap_error *err)
{
	py.PyErr_Clear();
	return snap_fail(err, SNAP_ERR_UNSUPPORTED, SNAP_NO_OFFSET, "this Python's traces have a shape of their own");
}

static enum snap_status read_name(struct reading *r, py_object *object, uint32_t *name)
{
	if (find(&r->names, object, 0, name))
		return SNAP_OK;
	const char *text;
	size_t size;
	py_object *held = python_text(object, &text, &size);
	if (held == NULL)
		return unknown_shape(r->err);
	/* Names that no snapshot can hold; no file can have them. */
	if (size > SNAP_STRING_MAX || memchr(text, 0, size) != NULL) {
		text = PYTHON_UNREADABLE;
		size = sizeof PYTHON_UNREADABLE - 1;
	}
	enum snap_status status = snap_builder_string(r->builder, text, size, name, r->err);
	py.Py_DecRef(held);
	if (status < 0)
		return status;
	return insert(&r->names, (struct entry){.address = object, .number = *name}, r->err);
}

static enum snap_status read_frame(struct reading *r, py_object *object, uint32_t *frame)
{
	py_object *file = py.PyTuple_GetItem(object, 0), *line_number = py.PyTuple_GetItem(object, 1);
	unsigned long long line;
	if (file == NULL || line_number == NULL || !python_number(line_number, &line) || line > UINT32_MAX)
		return unknown_shape(r->err);
	uint32_t name;
	enum snap_status status = read_name(r, file, &name);
	if (status == SNAP_OK)
		status = snap_builder_frame(r->builder, name, (uint32_t)line, SNAP_NO_FUNCTION, frame, r->err);
	return status;
}

static enum snap_status read_stack(struct reading *r, py_object *traceback, uint32_t total, uint32_t *stack)
{
	if (find(&r->tracebacks, traceback, total, stack))
		return SNAP_OK;
	ssize_t count = py.PyTuple_Size(traceback);
	if (count <= 0 || count > SNAP_DEPTH_MAX)
		return unknown_shape(r->err);
	enum snap_status status = SNAP_OK;
	for (ssize_t i = 0; i < count && status == SNAP_OK; i++) {
		py_object *frame = py.PyTuple_GetItem(traceback, i);
		status = frame != NULL ? read_frame(r, frame, &r->frames[i]) : unknown_shape(r->err);
	}
	if (status == SNAP_OK)
		status = snap_builder_stack(r->builder, r->frames, (size_t)count, total, stack, r->err);
	if (status < 0)
		return status;
	return insert(&r->tracebacks, (struct entry){.address = traceback, .total = total, .number = *stack}, r->err);
}

/* (domain, size, traceback), and since 3.9 total_nframe. */
static enum snap_status read_trace(struct reading *r, py_object *trace)
{
	ssize_t fields = trace != NULL ? py.PyTuple_Size(trace) : -1;
	if (fields != 3 && fields != 4)
		return unknown_shape(r->err);
	unsigned long long domain, size, total = 0;
	if (!python_number(py.PyTuple_GetItem(trace, 0), &domain) || domain > UINT32_MAX ||
	    !python_number(py.PyTuple_GetItem(trace, 1), &size) ||
	    (fields == 4 && (!python_number(py.PyTuple_GetItem(trace, 3), &total) || total > UINT32_MAX)))
		return unknown_shape(r->err);
	/* A hole in the address space that something tracked, not memory. */
	if (size > SNAP_BLOCK_SIZE_MAX)
		size = SNAP_BLOCK_SIZE_MAX;
	uint32_t stack;
	enum snap_status status = read_stack(r, py.PyTuple_GetItem(trace, 2), (uint32_t)total, &stack);
	if (status == SNAP_OK)
		status = snap_builder_add(r->builder, stack, (uint32_t)domain, size, 1, r->err);
	return status;
}

enum snap_status traces_read(py_object *list, struct snap_builder *builder, struct snap_error *err)
{
	struct reading r = {.builder = builder, .err = err, .frames = malloc(SNAP_DEPTH_MAX * sizeof *r.frames)};
	enum snap_status status = r.frames != NULL ? SNAP_OK : no_memory(err);
	ssize_t count = py.PyList_Size(list);
	if (status == SNAP_OK && count < 0)
		status = unknown_shape(err);
	for (ssize_t i = 0; i < count && status == SNAP_OK; i++)
		status = read_trace(&r, py.PyList_GetItem(list, i));
	free(r.frames);
	free(r.names.at);
	free(r.tracebacks.at);
	return status;
}
