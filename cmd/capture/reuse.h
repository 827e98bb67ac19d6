/* Before 3.13 Python does not tell when it makes an object in the memory of one that has gone: it keeps some
 * tuples, lists, dicts and floats for that, in its free lists. While this is in force it gives their memory
 * back to the allocator instead, so that each such object is seen when it is made.
 *
 * Python keeps an object only if its type is the very one that Python defines. So the type of one that is to
 * go is set to a copy of that type first: the object is not reachable any more, and in all that its release
 * looks for, the copy says the same. Objects of derived classes are never kept, and are left alone. */
#ifndef CMD_CAPTURE_REUSE_H
#define CMD_CAPTURE_REUSE_H

#include <stdbool.h>

#include "frames.h"

/* False if a type is not as expected, such as when another has its slot, or if `is_freed`, which releases an
 * object, says that its memory was not freed: then nothing has changed. `reborn`: as rebirth.h has it, as soon as
 * that is on. With the GIL, after frames_learn. */
bool reuse_prevent(bool (*is_freed)(py_object *object), bool reborn);
bool reuse_is_prevented(void);
/* Where another has taken the slot since and comes by here, its objects are still released as above: with
 * Python's own type they would not be released one by one, without which deep structures overflow the stack.
 * With the GIL. */
void reuse_allow(void);

#endif
