/* What stands in the folder Lib of CPython; see redact.h. */
#include <stdlib.h>

#include "ops/redact.h"

static int compare(const void *name, const void *entry)
{
	const struct snap_text *text = name;
	const char *other = *(const char *const *)entry;
	size_t size = strlen(other), shorter = text->size < size ? text->size : size;
	int order = memcmp(text->bytes, other, shorter);
	return order != 0 ? order : (text->size > size) - (text->size < size);
}

bool snap_redact_is_stdlib_name(struct snap_text name)
{
	/* Modules and packages written in Python of CPython 3.4 to 3.14, ascending by bytes; without `test`, which
	 * programs have as well. */
	static const char *const names[] = {
		"__future__", "__hello__", "__phello__", "_aix_support", "_android_support", "_apple_support",
		"_ast_unparse", "_bootlocale", "_bootsubprocess", "_collections_abc", "_colorize",
		"_compat_pickle", "_compression", "_dummy_thread", "_ios_support", "_markupbase",
		"_opcode_metadata", "_osx_support", "_py_abc", "_py_warnings", "_pydatetime", "_pydecimal",
		"_pyio", "_pylong", "_pyrepl", "_sitebuiltins", "_strptime", "_sysconfigdata",
		"_threading_local", "_weakrefset", "abc", "aifc", "annotationlib", "antigravity", "argparse",
		"ast", "asynchat", "asyncio", "asyncore", "base64", "bdb", "binhex", "bisect", "bz2",
		"cProfile", "calendar", "cgi", "cgitb", "chunk", "cmd", "code", "codecs", "codeop",
		"collections", "colorsys", "compileall", "compression", "concurrent", "configparser",
		"contextlib", "contextvars", "copy", "copyreg", "crypt", "csv", "ctypes", "curses",
		"dataclasses", "datetime", "dbm", "decimal", "difflib", "dis", "distutils", "doctest",
		"dummy_threading", "email", "encodings", "ensurepip", "enum", "filecmp", "fileinput",
		"fnmatch", "formatter", "fractions", "ftplib", "functools", "genericpath", "getopt", "getpass",
		"gettext", "glob", "graphlib", "gzip", "hashlib", "heapq", "hmac", "html", "http", "idlelib",
		"imaplib", "imghdr", "imp", "importlib", "inspect", "io", "ipaddress", "json", "keyword",
		"lib2to3", "linecache", "locale", "logging", "lzma", "macpath", "macurl2path", "mailbox",
		"mailcap", "mimetypes", "modulefinder", "msilib", "multiprocessing", "netrc", "nntplib",
		"ntpath", "nturl2path", "numbers", "opcode", "operator", "optparse", "os", "pathlib", "pdb",
		"pickle", "pickletools", "pipes", "pkgutil", "platform", "plistlib", "poplib", "posixpath",
		"pprint", "profile", "pstats", "pty", "py_compile", "pyclbr", "pydoc", "pydoc_data", "queue",
		"quopri", "random", "re", "reprlib", "rlcompleter", "runpy", "sched", "secrets", "selectors",
		"shelve", "shlex", "shutil", "signal", "site", "smtpd", "smtplib", "sndhdr", "socket",
		"socketserver", "sqlite3", "sre_compile", "sre_constants", "sre_parse", "ssl", "stat",
		"statistics", "string", "stringprep", "struct", "subprocess", "sunau", "symbol", "symtable",
		"sysconfig", "tabnanny", "tarfile", "telnetlib", "tempfile", "textwrap", "this", "threading",
		"timeit", "tkinter", "token", "tokenize", "tomllib", "trace", "traceback", "tracemalloc",
		"tty", "turtle", "turtledemo", "types", "typing", "unittest", "urllib", "uu", "uuid", "venv",
		"warnings", "wave", "weakref", "webbrowser", "wsgiref", "xdrlib", "xml", "xmlrpc", "zipapp",
		"zipfile", "zipimport", "zoneinfo",
	};
	return name.size > 0 && bsearch(&name, names, sizeof names / sizeof *names, sizeof *names, compare) != NULL;
}
