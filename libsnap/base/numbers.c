/* Arrays of numbers; see numbers.h. */
#include "base/numbers.h"

#include <string.h>

static size_t width(const struct snap_numbers *n)
{
	return n->is_wide ? sizeof *n->wide : sizeof *n->narrow;
}

enum snap_status snap_numbers_reserve(struct snap_numbers *n, size_t need, struct snap_budget *budget,
                                      struct snap_error *err)
{
	return need <= n->capacity ? SNAP_OK
	                           : snap_vector_reserve_(&n->at, &n->capacity, width(n), need, budget, err);
}

void snap_numbers_expect_writes(struct snap_numbers *n, size_t begin, size_t end)
{
	if (begin < end)
		snap_expect_writes((char *)n->at + begin * width(n), (end - begin) * width(n));
}

enum snap_status snap_numbers_widen(struct snap_numbers *n, struct snap_budget *budget, struct snap_error *err)
{
	struct snap_numbers wide = {.is_wide = true};
	enum snap_status status = snap_numbers_reserve(&wide, n->capacity > 0 ? n->capacity : 1, budget, err);
	if (status < 0)
		return status;
	/* All that there is room for: a caller may have filled more than it has counted yet. */
	for (size_t i = 0; i < n->capacity; i++)
		wide.wide[i] = n->narrow[i];
	wide.count = n->count;
	snap_numbers_free(n, budget);
	*n = wide;
	return SNAP_OK;
}

/* Makes numbers wide where one of some values does not fit. */
static enum snap_status widen_for(struct snap_numbers *n, const int64_t *values, size_t count,
                                  struct snap_budget *budget, struct snap_error *err)
{
	/* What fits in 32 bits with a sign is, shifted by half their range, below that range. */
	uint64_t shifted = 0;
	for (size_t i = 0; i < count && !n->is_wide; i++)
		shifted |= (uint64_t)values[i] + (UINT64_C(1) << 31);
	return shifted >> 32 != 0 ? snap_numbers_widen(n, budget, err) : SNAP_OK;
}

enum snap_status snap_numbers_append(struct snap_numbers *n, const int64_t *values, size_t count,
                                     struct snap_budget *budget, struct snap_error *err)
{
	enum snap_status status = widen_for(n, values, count, budget, err);
	if (status == SNAP_OK)
		status = snap_numbers_reserve(n, n->count + count, budget, err);
	if (status < 0 || count == 0)
		return status;
	if (n->is_wide)
		memcpy(n->wide + n->count, values, count * sizeof *values);
	else
		for (size_t i = 0; i < count; i++)
			n->narrow[n->count + i] = (int32_t)values[i];
	n->count += count;
	return SNAP_OK;
}

enum snap_status snap_numbers_repeat(struct snap_numbers *n, int32_t value, size_t count, struct snap_budget *budget,
                                     struct snap_error *err)
{
	enum snap_status status = snap_numbers_reserve(n, n->count + count, budget, err);
	if (status < 0)
		return status;
	if (n->is_wide)
		for (size_t i = 0; i < count; i++)
			n->wide[n->count + i] = value;
	else
		for (size_t i = 0; i < count; i++)
			n->narrow[n->count + i] = value;
	n->count += count;
	return SNAP_OK;
}

void snap_numbers_read(const struct snap_numbers *n, size_t begin, size_t count, int64_t *values)
{
	if (n->is_wide)
		memcpy(values, n->wide + begin, count * sizeof *values);
	else
		for (size_t i = 0; i < count; i++)
			values[i] = n->narrow[begin + i];
}

void snap_numbers_read_rows(const struct snap_numbers *n, size_t begin, const uint16_t *rows, size_t count,
                            int64_t *values)
{
	if (n->is_wide)
		for (size_t i = 0; i < count; i++)
			values[i] = n->wide[begin + rows[i]];
	else
		for (size_t i = 0; i < count; i++)
			values[i] = n->narrow[begin + rows[i]];
}

enum snap_status snap_numbers_set_rows(struct snap_numbers *n, size_t begin, const uint16_t *rows, size_t count,
                                       const int64_t *values, struct snap_budget *budget, struct snap_error *err)
{
	enum snap_status status = widen_for(n, values, count, budget, err);
	if (status < 0)
		return status;
	if (n->is_wide)
		for (size_t i = 0; i < count; i++)
			n->wide[begin + rows[i]] = values[i];
	else
		for (size_t i = 0; i < count; i++)
			n->narrow[begin + rows[i]] = (int32_t)values[i];
	return SNAP_OK;
}

enum snap_status snap_numbers_copy(struct snap_numbers *n, const struct snap_numbers *from,
                                   struct snap_budget *budget, struct snap_error *err)
{
	n->is_wide = from->is_wide;
	enum snap_status status = snap_numbers_reserve(n, from->count, budget, err);
	if (status == SNAP_OK && from->count > 0)
		memcpy(n->at, from->at, from->count * width(n));
	if (status == SNAP_OK)
		n->count = from->count;
	return status;
}

void snap_numbers_free(struct snap_numbers *n, struct snap_budget *budget)
{
	snap_vector_free_(&n->at, &n->count, &n->capacity, width(n), budget);
	n->is_wide = false;
}
