/* A growing array of signed 64-bit numbers that takes four bytes for each until one needs eight: block
 * sizes and counts nearly always fit, and memory touched is most of what reading a snapshot costs. */
#ifndef SNAP_BASE_NUMBERS_H
#define SNAP_BASE_NUMBERS_H

#include <stdbool.h>

#include "base/vector.h"

struct snap_numbers {
	union {
		void *at;
		int32_t *narrow;
		int64_t *wide;
	};
	size_t count, capacity;
	bool is_wide;
};

static inline int64_t snap_numbers_get(const struct snap_numbers *n, size_t i)
{
	return n->is_wide ? n->wide[i] : n->narrow[i];
}

/* Room for `need` numbers in all. */
enum snap_status snap_numbers_reserve(struct snap_numbers *n, size_t need, struct snap_budget *budget,
                                      struct snap_error *err);

void snap_numbers_expect_writes(struct snap_numbers *n, size_t begin, size_t end);

/* From now on eight bytes for each. */
enum snap_status snap_numbers_widen(struct snap_numbers *n, struct snap_budget *budget, struct snap_error *err);

static inline enum snap_status snap_numbers_set(struct snap_numbers *n, size_t i, int64_t value,
                                                struct snap_budget *budget, struct snap_error *err)
{
	if (!n->is_wide && value != (int32_t)value) {
		enum snap_status status = snap_numbers_widen(n, budget, err);
		if (status < 0)
			return status;
	}
	if (n->is_wide)
		n->wide[i] = value;
	else
		n->narrow[i] = (int32_t)value;
	return SNAP_OK;
}

static inline enum snap_status snap_numbers_push(struct snap_numbers *n, int64_t value, struct snap_budget *budget,
                                                 struct snap_error *err)
{
	enum snap_status status =
		n->count < n->capacity ? SNAP_OK : snap_numbers_reserve(n, n->count + 1, budget, err);
	if (status == SNAP_OK)
		status = snap_numbers_set(n, n->count, value, budget, err);
	if (status == SNAP_OK)
		n->count++;
	return status;
}

/* Many at once: what loops over whole columns should use. */
enum snap_status snap_numbers_append(struct snap_numbers *n, const int64_t *values, size_t count,
                                     struct snap_budget *budget, struct snap_error *err);
/* One number `count` times. */
enum snap_status snap_numbers_repeat(struct snap_numbers *n, int32_t value, size_t count, struct snap_budget *budget,
                                     struct snap_error *err);
void snap_numbers_read(const struct snap_numbers *n, size_t begin, size_t count, int64_t *values);
/* Those in places begin + rows[i]. */
void snap_numbers_read_rows(const struct snap_numbers *n, size_t begin, const uint16_t *rows, size_t count,
                            int64_t *values);
enum snap_status snap_numbers_set_rows(struct snap_numbers *n, size_t begin, const uint16_t *rows, size_t count,
                                       const int64_t *values, struct snap_budget *budget, struct snap_error *err);

/* An exact copy of `from` into an empty array. */
enum snap_status snap_numbers_copy(struct snap_numbers *n, const struct snap_numbers *from,
                                   struct snap_budget *budget, struct snap_error *err);

void snap_numbers_free(struct snap_numbers *n, struct snap_budget *budget);

#endif
