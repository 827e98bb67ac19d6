/* CPython's functions, looked up; see python_api.h. */
#define _GNU_SOURCE
#include "python_api.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snap/snapshot.h>

struct python py;

/* What a module and a class are described by, as 3.7 and later lay it out in every build with a GIL. */
struct module_definition {
	ssize_t references;
	void *type;
	py_object *(*init)(void);
	ssize_t index;
	py_object *copy;
	const char *name, *help;
	ssize_t state_size;
	struct python_method *methods;
	void *slots, *traverse, *clear, *release;
};

struct class_slot {
	int slot;
	void *value;
};

struct class_definition {
	const char *name;
	int size, item_size;
	unsigned flags;
	struct class_slot *slots;
};

enum { API_VERSION = 1013, SLOT_METHODS = 64 };

static bool look_up(void *function, const char *name)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);
	memcpy(function, &symbol, sizeof symbol);
	return symbol != NULL;
}

static py_object *exception(const char *name)
{
	py_object **object = dlsym(RTLD_DEFAULT, name);
	return object != NULL ? *object : NULL;
}

/* In 3.7, which does not tell, it is the third word of a thread's state. */
static void *interpreter_of_current_thread(void)
{
	void **state = py.current_thread();
	return state != NULL ? state[2] : NULL;
}

bool python_load(const char **why)
{
	static const struct {
		const char *name;
		size_t at;
	} functions[] = {
#define PYTHON_ROW(result, name, arguments) {#name, offsetof(struct python, name)},
		PYTHON_FUNCTIONS(PYTHON_ROW)
#undef PYTHON_ROW
	};
	py.runtime_error = exception("PyExc_RuntimeError");
	py.import_error = exception("PyExc_ImportError");
	py.none = dlsym(RTLD_DEFAULT, "_Py_NoneStruct");
	*why = NULL;
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (!look_up((char *)&py + functions[i].at, functions[i].name))
			*why = "this interpreter lacks functions that CPython 3.7 and later have";
	if (*why == NULL && !look_up(&py.current_interpreter, "PyInterpreterState_Get") &&
	    !look_up(&py.current_interpreter, "_PyInterpreterState_Get")) {
		py.current_interpreter = interpreter_of_current_thread;
		if (python_minor() != 7)
			*why = "this interpreter does not tell which interpreter runs";
	}
	if (*why == NULL && !look_up(&py.is_finalizing, "Py_IsFinalizing") &&
	    !look_up(&py.is_finalizing, "_Py_IsFinalizing"))
		*why = "this interpreter does not tell whether it is about to end";
	if (*why == NULL && !look_up(&py.current_thread, "PyThreadState_GetUnchecked") &&
	    !look_up(&py.current_thread, "_PyThreadState_UncheckedGet"))
		*why = "this interpreter does not tell which thread runs";
	look_up(&py.allocator_name, "_PyMem_GetCurrentAllocatorName");
	look_up(&py.set_reference_tracer, "PyRefTracer_SetTracer");
	look_up(&py.get_reference_tracer, "PyRefTracer_GetTracer");
	if (*why == NULL && (py.none == NULL || py.runtime_error == NULL || py.import_error == NULL))
		*why = "this interpreter is not CPython as we know it";
	/* There objects are laid out in another way. */
	if (*why == NULL && strstr(py.Py_GetVersion(), "free-threading") != NULL)
		*why = "a free-threaded interpreter cannot be captured";
	return *why == NULL;
}

void python_version(char text[PYTHON_VERSION_SIZE])
{
	const char *version = py.Py_GetVersion();
	snprintf(text, PYTHON_VERSION_SIZE, "%.*s", (int)strcspn(version, " "), version);
}

int python_minor(void)
{
	int minor;
	return sscanf(py.Py_GetVersion(), "3.%d", &minor) == 1 ? minor : INT_MAX;
}

/* Before 3.12 the state is that of the thread that has the GIL, since then that of this thread if it has it. */
bool python_has_gil(void)
{
	void *state = py.PyGILState_GetThisThreadState();
	return state != NULL && state == py.current_thread();
}

bool python_in_function(const char *name)
{
	py_object *frame = py.PyEval_GetFrame();
	py_object *code = frame != NULL ? py.PyObject_GetAttrString(frame, "f_code") : NULL;
	py_object *own_name = code != NULL ? py.PyObject_GetAttrString(code, "co_name") : NULL;
	const char *text;
	size_t size;
	py_object *held = own_name != NULL ? python_text(own_name, &text, &size) : NULL;
	bool is_it = held != NULL && strcmp(text, name) == 0;
	py.Py_DecRef(held);
	py.Py_DecRef(own_name);
	py.Py_DecRef(code);
	return is_it;
}

bool python_has_pymalloc(void)
{
	const char *name = py.allocator_name != NULL ? py.allocator_name() : NULL;
	return name != NULL && strcmp(name, "pymalloc") == 0;
}

bool python_tells_of_reuse(void)
{
	return python_minor() >= 8;
}

bool python_in_main_interpreter(void)
{
	return py.current_interpreter() == py.PyInterpreterState_Main();
}

py_object *python_new_module(const char *name, const char *help, struct python_method *methods)
{
	/* Python keeps it, and finds the module's state by it. */
	static struct module_definition definition;
	definition = (struct module_definition){
		.references = 1, .name = name, .help = help, .state_size = -1, .methods = methods};
	return py.PyModule_Create2(&definition, API_VERSION);
}

py_object *python_new_object(const char *class_name, struct python_method *methods)
{
	struct class_slot slots[] = {{SLOT_METHODS, methods}, {0, NULL}};
	/* Without a size of its own it is as large as its base, object. */
	struct class_definition definition = {.name = class_name, .slots = slots};
	py_object *class = py.PyType_FromSpec(&definition);
	py_object *object = class != NULL ? py.PyObject_CallObject(class, NULL) : NULL;
	py.Py_DecRef(class);
	return object;
}

py_object *python_loaded(const char *module)
{
	py_object *name = py.PyUnicode_DecodeFSDefault(module);
	py_object *loaded = name != NULL ? py.PyImport_GetModule(name) : NULL;
	if (loaded == NULL)
		py.PyErr_Clear();
	py.Py_DecRef(name);
	return loaded;
}

void python_set_environment(const char *name, const char *value)
{
	py_object *os = py.PyImport_ImportModule("os");
	py_object *environment = os != NULL ? py.PyObject_GetAttrString(os, "environ") : NULL;
	if (environment != NULL)
		py.Py_DecRef(py.PyObject_CallMethod(environment, "__setitem__", "ss", name, value));
	py.PyErr_Clear();
	py.Py_DecRef(environment);
	py.Py_DecRef(os);
}

/* Functions once found are kept: looking for them by name, each time anew, would drive other names out of
 * Python's caches, and a snapshot is to leave no trace in the next one. */
static py_object *function_of(const char *module, const char *function)
{
	static struct known {
		const char *module, *function;
		py_object *object;
	} known[16];
	struct known *free = NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known && free == NULL; i++) {
		if (known[i].object == NULL)
			free = &known[i];
		else if (strcmp(known[i].module, module) == 0 && strcmp(known[i].function, function) == 0)
			return known[i].object;
	}
	py_object *imported = free != NULL ? py.PyImport_ImportModule(module) : NULL;
	py_object *object = imported != NULL ? py.PyObject_GetAttrString(imported, function) : NULL;
	py.Py_DecRef(imported);
	if (object != NULL)
		*free = (struct known){module, function, object};
	return object;
}

py_object *python_call_module(const char *module, const char *function)
{
	py_object *callable = function_of(module, function);
	py_object *result = callable != NULL ? py.PyObject_CallObject(callable, NULL) : NULL;
	if (result == NULL)
		py.PyErr_Clear();
	return result;
}

bool python_number(py_object *object, unsigned long long *number)
{
	*number = py.PyLong_AsUnsignedLongLong(object);
	if (*number != (unsigned long long)-1 || py.PyErr_Occurred() == NULL)
		return true;
	py.PyErr_Clear();
	return false;
}

bool python_call_number(const char *module, const char *function, unsigned long long *number)
{
	py_object *result = python_call_module(module, function);
	bool is_number = result != NULL && python_number(result, number);
	py.Py_DecRef(result);
	return is_number;
}

py_object *python_text(py_object *object, const char **text, size_t *size)
{
	char *bytes;
	ssize_t count;
	py_object *encoded = py.PyUnicode_AsEncodedString(object, "utf-8", "surrogatepass");
	if (encoded != NULL && py.PyBytes_AsStringAndSize(encoded, &bytes, &count) == 0) {
		*text = bytes;
		*size = (size_t)count;
		return encoded;
	}
	py.Py_DecRef(encoded);
	py.PyErr_Clear();
	return NULL;
}

static size_t put_character(uint32_t c, char bytes[4])
{
	size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = size; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(first[size] | c);
	return size;
}

size_t python_copy_text(py_object *object, char *to)
{
	ssize_t length = py.PyUnicode_GetLength(object);
	size_t size = 0;
	bool readable = true;
	for (ssize_t i = 0; i < length && readable; i++) {
		uint32_t c = py.PyUnicode_ReadChar(object, i);
		char bytes[4];
		size += put_character(c, bytes);
		readable = c != 0 && size <= SNAP_STRING_MAX;
	}
	if (!readable) {
		if (to != NULL)
			memcpy(to, PYTHON_UNREADABLE, sizeof PYTHON_UNREADABLE - 1);
		return sizeof PYTHON_UNREADABLE - 1;
	}
	for (ssize_t i = 0; to != NULL && i < length; i++) {
		char bytes[4];
		size_t n = put_character(py.PyUnicode_ReadChar(object, i), bytes);
		memcpy(to, bytes, n);
		to += n;
	}
	return size;
}

static bool copy_text(py_object *object, char *room_for_text, size_t room)
{
	const char *text;
	size_t size;
	py_object *held = python_text(object, &text, &size);
	bool fits = held != NULL && size < room;
	if (fits)
		memcpy(room_for_text, text, size + 1);
	py.Py_DecRef(held);
	return fits;
}

bool python_sys_text(const char *name, char *text, size_t room)
{
	py_object *object = py.PySys_GetObject(name);
	return object != NULL && copy_text(object, text, room);
}

bool python_script(char *text, size_t room)
{
	py_object *arguments = py.PySys_GetObject("argv");
	py_object *first = arguments != NULL ? py.PyList_GetItem(arguments, 0) : NULL;
	bool found = first != NULL && copy_text(first, text, room);
	py.PyErr_Clear();
	return found;
}

bool python_loaded_text(const char *module, const char *attribute, char *text, size_t room)
{
	py_object *loaded = python_loaded(module);
	py_object *object = loaded != NULL ? py.PyObject_GetAttrString(loaded, attribute) : NULL;
	bool found = object != NULL && copy_text(object, text, room);
	if (object == NULL)
		py.PyErr_Clear();
	py.Py_DecRef(object);
	py.Py_DecRef(loaded);
	return found;
}
