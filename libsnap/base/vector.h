/* Growing arrays whose memory is counted against a budget, so that no input can ask for more. */
#ifndef SNAP_BASE_VECTOR_H
#define SNAP_BASE_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <snap/status.h>

struct snap_budget {
	uint64_t limit; /* bytes */
	uint64_t used;
};

#define SNAP_VECTOR(name, type)      \
	struct name {                \
		type *at;            \
		size_t count;        \
		size_t capacity;     \
	}

SNAP_VECTOR(snap_u8s, uint8_t);
SNAP_VECTOR(snap_u16s, uint16_t);
SNAP_VECTOR(snap_u32s, uint32_t);
SNAP_VECTOR(snap_u64s, uint64_t);
SNAP_VECTOR(snap_i64s, int64_t);

/* Makes room for `need` elements in all. What was there stays; what is new is not initialised. */
enum snap_status snap_vector_reserve_(void **at, size_t *capacity, size_t element, size_t need,
                                      struct snap_budget *budget, struct snap_error *err);
void snap_vector_free_(void **at, size_t *count, size_t *capacity, size_t element, struct snap_budget *budget);

#define snap_vector_reserve(v, need, budget, err)                                                   \
	((need) <= (v)->capacity ? SNAP_OK                                                          \
	                         : snap_vector_reserve_((void **)&(v)->at, &(v)->capacity, sizeof *(v)->at, \
	                                                (need), (budget), (err)))

/* Says that elements [begin, end), for which there is room, are all about to be written: their memory is
 * then asked for at once, which costs half of what a page fault for each 4 KiB does. Where there are none
 * there may be no memory to point into. */
#define snap_vector_expect_writes(v, begin, end)                                                            \
	((begin) < (end) ? snap_expect_writes((v)->at + (begin), ((end) - (begin)) * sizeof *(v)->at) : (void)0)
void snap_expect_writes(void *at, size_t size);

/* An array all of which is about to be written: yours; free with free. NULL without memory. */
void *snap_array_new(size_t count, size_t element);

/* Appends one element; evaluates to a status. */
#define snap_vector_push(v, value, budget, err)                                                             \
	__extension__({                                                                                     \
		enum snap_status push_status_ = snap_vector_reserve((v), (v)->count + 1, (budget), (err));  \
		if (push_status_ == SNAP_OK)                                                                \
			(v)->at[(v)->count++] = (value);                                                    \
		push_status_;                                                                               \
	})

/* Frees, gives the bytes back to the budget (may be NULL), leaves an empty vector. */
#define snap_vector_free(v, budget) \
	snap_vector_free_((void **)&(v)->at, &(v)->count, &(v)->capacity, sizeof *(v)->at, (budget))

#endif
