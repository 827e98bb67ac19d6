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

/* Floats of 3.11 and 3.12 mostly go without their type's slot being asked. Python keeps 100 of them, by a count: where the
 * count says that there are as many, it frees the next, and if there is none after all it has to ask the allocator. */
extern size_t reuse_float_size;      /* of a float's block; 0 = nothing is to be done with floats */
extern struct frames_keep reuse_floats;
/* Before a block of the domain OBJ of that size is made: Python may have emptied its store, and counts anew. Another
 * interpreter's thread may come by here as well, which does no harm, for the floats themselves are not touched. */
static inline void reuse_refuse_floats(void)
{
	*reuse_floats.count = reuse_floats.most;
}

/* False if a type is not as expected, such as when another has its slot, or if `is_freed`, which releases an
 * object, says that its memory was not freed: then nothing has changed. `reborn`: as rebirth.h has it, as soon as
 * that is on. With the GIL, after frames_learn. */
bool reuse_prevent(bool (*is_freed)(py_object *object), bool reborn);
/* Keeps Python from using floats again where they have no slot; false if that is not known to work. With the GIL, while
 * reuse_prevent is in force and nothing is reborn. */
bool reuse_prevent_floats(bool (*is_freed)(py_object *object));
/* Whether some floats still get the memory of others, unseen. */
bool reuse_misses_floats(void);
bool reuse_is_prevented(void);
/* Where another has taken the slot since and comes by here, its objects are still released as above: with
 * Python's own type they would not be released one by one, without which deep structures overflow the stack.
 * With the GIL. */
void reuse_allow(void);

#endif
