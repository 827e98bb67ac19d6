/* Sorting rows by integer keys: stable, linear, the same on every system. */
#ifndef SNAP_BASE_SORT_H
#define SNAP_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

struct snap_keyed {
	uint64_t key;
	uint32_t row;
};

/* Sorts by key, ascending; equal keys keep their order. `scratch` has room for `count` as well; returns
 * which of the two holds the result. LSD radix sort that passes over digits which are the same in all
 * keys (Knuth, The Art of Computer Programming 3, 5.2.5). */
struct snap_keyed *snap_sort(struct snap_keyed *rows, struct snap_keyed *scratch, size_t count);

#endif
