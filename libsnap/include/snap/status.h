/* What a call can come to: one status for the program, one sentence for the person. */
#ifndef SNAP_STATUS_H
#define SNAP_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
#define SNAP_C extern "C"
#else
#define SNAP_C
#endif

#if defined(__GNUC__)
#define SNAP_API SNAP_C __attribute__((visibility("default")))
#define SNAP_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SNAP_API SNAP_C
#define SNAP_PRINTF(fmt, args)
#endif

/* Below zero: the call failed. Zero: done. Above zero: done, and there is no more. */
enum snap_status {
	SNAP_END = 1,              /* an iteration is over */
	SNAP_OK = 0,
	SNAP_ERR_NOMEM = -1,       /* the system has no memory left */
	SNAP_ERR_IO = -2,          /* the system refused a read, write, rename …; os_errno says why */
	SNAP_ERR_TRUNCATED = -3,   /* the input ends too early, at offset */
	SNAP_ERR_DAMAGED = -4,     /* the input breaks the rules of its format, at offset */
	SNAP_ERR_UNSUPPORTED = -5, /* a format, version or feature this library does not read */
	SNAP_ERR_LIMIT = -6,       /* a limit of snap_limits is met */
	SNAP_ERR_INVALID = -7,     /* the caller asked for what is not possible: a wrong argument or mix */
};

#define SNAP_NO_OFFSET UINT64_MAX

/* Owned by the caller, filled by a call that fails and untouched by one that does not.
 * May be NULL everywhere. */
struct snap_error {
	enum snap_status status;
	int os_errno;      /* errno for SNAP_ERR_IO, else 0 */
	uint64_t offset;   /* byte offset in the input, or SNAP_NO_OFFSET */
	char message[400]; /* one sentence, without file name and offset; may hold bytes of the input,
	                      but never control characters */
};

/* Fills *err (if not NULL) and returns `status`, so that a failing path is one statement. Control
 * characters in the formatted text are replaced by '?'. */
SNAP_API enum snap_status snap_fail(struct snap_error *err, enum snap_status status, uint64_t offset,
                                    const char *format, ...) SNAP_PRINTF(4, 5);

/* The version of the library, "MAJOR.MINOR.PATCH"; a constant. */
SNAP_API const char *snap_version(void);

#endif
