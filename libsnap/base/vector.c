/* Growing arrays; see vector.h. */
#define _GNU_SOURCE
#include "base/vector.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum snap_status snap_vector_reserve_(void **at, size_t *capacity, size_t element, size_t need,
                                      struct snap_budget *budget, struct snap_error *err)
{
	size_t wanted = *capacity + *capacity / 2;
	if (wanted < need)
		wanted = need;
	if (wanted < 16)
		wanted = 16;
	if (wanted > PTRDIFF_MAX / element)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	uint64_t more = (uint64_t)(wanted - *capacity) * element;
	if (budget != NULL && more > budget->limit - budget->used)
		return snap_fail(err, SNAP_ERR_LIMIT, SNAP_NO_OFFSET,
		                 "the input needs more than the memory limit of %llu MiB",
		                 (unsigned long long)(budget->limit >> 20));
	void *grown = realloc(*at, wanted * element);
	if (grown == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	*at = grown;
	*capacity = wanted;
	if (budget != NULL)
		budget->used += more;
	return SNAP_OK;
}

void snap_expect_writes(void *at, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	enum { WORTH_A_CALL = 65536 };
	if (size < WORTH_A_CALL)
		return;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = ((uintptr_t)at + page - 1) / page * page;
	uintptr_t end = ((uintptr_t)at + size) / page * page;
	unsigned char resident = 0;
	/* Memory that was used before is there, and asking for it again would cost something for each page. One in
	 * the middle tells: new memory may begin or end in a page that others use. */
	if (begin < end && mincore((void *)(begin + (end - begin) / page / 2 * page), page, &resident) == 0 &&
	    (resident & 1) == 0)
		(void)madvise((void *)begin, end - begin, MADV_POPULATE_WRITE); /* an older kernel does without */
#else
	(void)at;
	(void)size;
#endif
}

void *snap_array_new(size_t count, size_t element)
{
	void *array = count > PTRDIFF_MAX / element - 1 ? NULL : malloc((count + 1) * element); /* never of size 0 */
	if (array != NULL)
		snap_expect_writes(array, count * element);
	return array;
}

void snap_vector_free_(void **at, size_t *count, size_t *capacity, size_t element, struct snap_budget *budget)
{
	if (budget != NULL)
		budget->used -= (uint64_t)*capacity * element;
	free(*at);
	*at = NULL;
	*count = *capacity = 0;
}
