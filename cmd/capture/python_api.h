/* The part of CPython's C API that the agent uses, declared here and looked up in the running program, so
 * that one shared object serves every version and no Python.h is needed. Nothing else in this project
 * knows how CPython is called or laid out. */
#ifndef CMD_CAPTURE_PYTHON_API_H
#define CMD_CAPTURE_PYTHON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct py_object py_object; /* never looked into */

/* What an allocator of CPython consists of, since 3.5. */
struct python_allocator {
	void *context;
	void *(*malloc)(void *context, size_t size);
	void *(*calloc)(void *context, size_t count, size_t size);
	void *(*realloc)(void *context, void *block, size_t size);
	void (*free)(void *context, void *block);
};
enum { PYTHON_RAW, PYTHON_MEM, PYTHON_OBJ, PYTHON_ALLOCATORS };

/* Functions of the stable ABI or with a signature that is the same in 3.7 and later. */
#define PYTHON_FUNCTIONS(X)                                                                                            \
	X(void, Py_IncRef, (py_object *))                                                                              \
	X(void, Py_DecRef, (py_object *)) /* takes NULL */                                                             \
	X(const char *, Py_GetVersion, (void))                                                                         \
	X(int, Py_IsInitialized, (void))                                                                               \
	X(void, PyErr_Clear, (void))                                                                                   \
	X(void, PyErr_SetString, (py_object *, const char *))                                                          \
	X(py_object *, PyErr_Occurred, (void))                                                                         \
	X(ssize_t, PyList_Size, (py_object *))                                                                         \
	X(py_object *, PyList_GetItem, (py_object *, ssize_t)) /* borrowed */                                          \
	X(ssize_t, PyTuple_Size, (py_object *))                                                                        \
	X(py_object *, PyTuple_GetItem, (py_object *, ssize_t)) /* borrowed */                                         \
	X(unsigned long long, PyLong_AsUnsignedLongLong, (py_object *))                                                \
	X(int, PyObject_IsTrue, (py_object *))                                                                         \
	X(py_object *, PyUnicode_AsEncodedString, (py_object *, const char *, const char *))                           \
	X(py_object *, PyUnicode_DecodeFSDefault, (const char *))                                                      \
	X(int, PyUnicode_FSConverter, (py_object *, void *))                                                           \
	X(int, PyBytes_AsStringAndSize, (py_object *, char **, ssize_t *))                                             \
	X(py_object *, PyImport_ImportModule, (const char *))                                                          \
	X(py_object *, PyImport_GetModule, (py_object *))                                                              \
	X(py_object *, PySys_GetObject, (const char *)) /* borrowed */                                                 \
	X(py_object *, PyObject_GetAttrString, (py_object *, const char *))                                            \
	X(py_object *, PyObject_CallMethod, (py_object *, const char *, const char *, ...))                            \
	X(py_object *, PyObject_CallObject, (py_object *, py_object *))                                                \
	X(py_object *, PyObject_Call, (py_object *, py_object *, py_object *))                                         \
	X(py_object *, Py_BuildValue, (const char *, ...))                                                             \
	X(int, PyArg_ParseTupleAndKeywords, (py_object *, py_object *, const char *, char **, ...))                    \
	X(py_object *, PyModule_Create2, (void *, int))                                                                \
	X(py_object *, PyType_FromSpec, (void *))                                                                      \
	X(int, Py_AddPendingCall, (int (*)(void *), void *))                                                           \
	X(void *, PyInterpreterState_Main, (void))                                                                     \
	X(void *, PyInterpreterState_Head, (void)) /* the newest */                                                    \
	X(int, PyGILState_Ensure, (void))                                                                              \
	X(void, PyGILState_Release, (int))                                                                             \
	X(void *, PyEval_SaveThread, (void))                                                                           \
	X(void, PyEval_RestoreThread, (void *))                                                                        \
	X(void *, PyGILState_GetThisThreadState, (void)) /* that of this thread, with or without the GIL */            \
	X(py_object *, PyEval_GetFrame, (void)) /* borrowed */                                                         \
	X(int, PyCode_Addr2Line, (py_object *, int))                                                                   \
	X(ssize_t, PyUnicode_GetLength, (py_object *))                                                                 \
	X(uint32_t, PyUnicode_ReadChar, (py_object *, ssize_t))                                                        \
	X(void, PyMem_GetAllocator, (int, struct python_allocator *))                                                  \
	X(void, PyMem_SetAllocator, (int, struct python_allocator *))

struct python {
#define PYTHON_MEMBER(result, name, arguments) result(*name) arguments;
	PYTHON_FUNCTIONS(PYTHON_MEMBER)
#undef PYTHON_MEMBER
	void *(*current_interpreter)(void); /* PyInterpreterState_Get, which 3.8 spells with a '_' and 3.7 lacks */
	void *(*current_thread)(void);      /* PyThreadState_GetUnchecked, before 3.13 _PyThreadState_UncheckedGet */
	int (*is_finalizing)(void);         /* Py_IsFinalizing, before 3.13 with a '_' */
	/* Of 3.13 and later, else NULL: who is told of objects that are made (event 0), also of those whose memory
	 * Python uses again. */
	int (*set_reference_tracer)(int (*tracer)(py_object *, int event, void *data), void *data);
	int (*(*get_reference_tracer)(void **data))(py_object *, int event, void *data);
	const char *(*allocator_name)(void); /* _PyMem_GetCurrentAllocatorName; NULL = this version has none */
	py_object *none;
	py_object *runtime_error; /* exceptions */
	py_object *import_error;
};
extern struct python py; /* filled by python_load, never changed after */

/* Looks everything up. On failure says in *why what is missing; then only py.PyErr_SetString and
 * py.import_error may be used, and only if they are not NULL. */
bool python_load(const char **why);

/* "3.11.2" */
enum { PYTHON_VERSION_SIZE = 32 };
void python_version(char text[PYTHON_VERSION_SIZE]);
/* 11 of that; INT_MAX when it is not 3. */
int python_minor(void);

/* Whether this thread has the GIL. */
bool python_has_gil(void);

/* Whether the Python function that runs has this name. With the GIL. */
bool python_in_function(const char *name);

/* Whether small blocks of the domains MEM and OBJ come from pymalloc, Python's own allocator, and nothing is above it,
 * nor anything above the C library's in the domain RAW. */
bool python_has_pymalloc(void);

/* Whether tracemalloc is told of objects that are made in the memory of earlier ones. */
bool python_tells_of_reuse(void);

/* Whether the caller runs in the main interpreter, the only one the agent works in. */
bool python_in_main_interpreter(void);

/* --- the module that the agent is --- */

typedef py_object *(*python_call)(py_object *self, py_object *arguments);
typedef py_object *(*python_call_keywords)(py_object *self, py_object *arguments, py_object *keywords);

struct python_method {
	const char *name;
	python_call call;
	int flags;
	const char *help;
};
enum { PYTHON_VARIABLE = 1, PYTHON_KEYWORDS = 2, PYTHON_NO_ARGUMENTS = 4 };

/* A function that takes keywords, as a table of methods has it. */
#define PYTHON_WITH_KEYWORDS(function) ((python_call)(void (*)(void))(function))

/* Methods end with an empty one and live for ever. NULL with an exception. */
py_object *python_new_module(const char *name, const char *help, struct python_method *methods);
/* An object of a new class with these methods, NULL with an exception. */
py_object *python_new_object(const char *class_name, struct python_method *methods);

/* --- calls that never leave an exception behind --- */

/* module.function(), NULL on failure: a new reference. The names have to live for ever; there may be 16
 * functions. */
py_object *python_call_module(const char *module, const char *function);
/* The same for a result that is a number; false on failure. */
bool python_call_number(const char *module, const char *function, unsigned long long *number);
bool python_number(py_object *object, unsigned long long *number);
/* A str as UTF-8, with lone surrogates as Python's "surrogatepass" has them: a bytes object, to be
 * released, whose text is in *text; NULL on failure or if it is no str. */
py_object *python_text(py_object *object, const char **text, size_t *size);
/* The same bytes without the GIL, and without making an object: copies them to `to`, unless that is NULL, and
 * returns how many there are. A name that no snapshot can hold is PYTHON_UNREADABLE. */
size_t python_copy_text(py_object *object, char *to);
#define PYTHON_UNREADABLE "<unreadable>"
/* sys.NAME, if it is a str; else false. */
bool python_sys_text(const char *name, char *text, size_t room);
/* sys.argv[0]; false if there is none yet. */
bool python_script(char *text, size_t room);
/* os.environ[name] = value. */
void python_set_environment(const char *name, const char *value);
/* A module that is loaded already, or NULL. A new reference. */
py_object *python_loaded(const char *module);
/* module.ATTRIBUTE, of a module that is loaded already, if it is a str; else false. */
bool python_loaded_text(const char *module, const char *attribute, char *text, size_t room);

#endif
