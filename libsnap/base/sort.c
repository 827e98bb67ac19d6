/* Radix sort; see sort.h. */
#include "base/sort.h"

#include <string.h>

enum { DIGIT_BITS = 11, DIGIT_VALUES = 1 << DIGIT_BITS, SHORT = 48 };

/* Counting costs more than comparing where there is little to sort. */
static struct snap_keyed *insertion_sort(struct snap_keyed *rows, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct snap_keyed row = rows[i];
		size_t at = i;
		for (; at > 0 && rows[at - 1].key > row.key; at--)
			rows[at] = rows[at - 1];
		rows[at] = row;
	}
	return rows;
}

struct snap_keyed *snap_sort(struct snap_keyed *rows, struct snap_keyed *scratch, size_t count)
{
	if (count < SHORT)
		return insertion_sort(rows, count);
	uint64_t same = 0, first = rows[0].key;
	for (size_t i = 1; i < count; i++)
		same |= rows[i].key ^ first;
	for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
		if (((same >> shift) & (DIGIT_VALUES - 1)) == 0)
			continue;
		size_t begin[DIGIT_VALUES];
		memset(begin, 0, sizeof begin);
		for (size_t i = 0; i < count; i++)
			begin[(rows[i].key >> shift) & (DIGIT_VALUES - 1)]++;
		size_t sum = 0;
		for (size_t d = 0; d < DIGIT_VALUES; d++) {
			size_t n = begin[d];
			begin[d] = sum;
			sum += n;
		}
		for (size_t i = 0; i < count; i++)
			scratch[begin[(rows[i].key >> shift) & (DIGIT_VALUES - 1)]++] = rows[i];
		struct snap_keyed *t = rows;
		rows = scratch;
		scratch = t;
	}
	return rows;
}
