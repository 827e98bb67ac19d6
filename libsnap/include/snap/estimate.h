/* What samples stand for. A tracer that samples by bytes, one sample in R bytes on average, records a block of
 * s bytes with probability p = 1 - exp(-s/R), whatever became of other blocks; a block of no bytes counts as
 * one of one byte. It leaves what it counted, n blocks of s bytes, and R as the metadata key
 * sample_period_bytes. From these follow, without bias (Horvitz and Thompson 1952),
 *
 *     blocks = n/p    bytes = n s/p    variance of blocks = n (1-p)/p^2    of bytes = s^2 times that
 *
 * The older and the newer side of a diff are not independent: a block that lives on is in both samples or in
 * neither, and does not change the difference. Which blocks did live on is not known. The variance of a
 * difference is therefore taken as the sum of both sides', which is right where none did, and too large where
 * some did: errors of differences are upper bounds. */
#ifndef SNAP_ESTIMATE_H
#define SNAP_ESTIMATE_H

#include <snap/snapshot.h>

enum snap_sampling_kind {
	SNAP_EXACT,     /* all blocks were recorded */
	SNAP_SAMPLED,   /* some were, and the values say only what was counted of them */
	SNAP_ESTIMATED, /* some were, and the values say what that stands for */
};

struct snap_sampling {
	enum snap_sampling_kind kind;
	uint64_t period; /* mean bytes between samples; 0 = exact, or not known */
};

/* How a snapshot was recorded, or the `older` side of a diff, as its metadata say: sample_period_bytes, where
 * missing or 0 is exact, and `estimated`, where missing, empty, 0, no or false means that it is not.
 * SNAP_ERR_INVALID for samples whose period is no decimal number of bytes below 2^63. */
SNAP_API enum snap_status snap_sampling_get(struct snap_sampling *out, const struct snap_snapshot *s, bool older,
                                            struct snap_error *err);

/* Turns what was sampled into estimates, each side of a diff with its own period; leaves other snapshots as they
 * are. All columns of blocks and bytes change. They are whole numbers, rounded up or down as a hash of the site
 * says, so that sums of many sites are right and equal counts at one place have equal estimates everywhere; what
 * that adds to the error of few blocks is in their variance. Behind the columns that every
 * snapshot has come blocks_variance and bytes_variance, in a diff also old_blocks_variance and
 * old_bytes_variance, unit other; of sites that are added up they can be added up as well. Where they do not fit
 * in 63 bits they stay at what does. Metadata: `estimated` = 1, the period stays.
 * SNAP_ERR_INVALID as above, and where a column of such a name is there already or only one of two sampled
 * sides is estimated; SNAP_ERR_LIMIT when estimates leave 63 bits or there are too many columns; SNAP_ERR_NOMEM.
 * After a failure the snapshot is as it was. */
SNAP_API enum snap_status snap_estimate(struct snap_snapshot *s, struct snap_error *err);
/* The same of a copy, which is yours, for a snapshot that is not to be changed, such as a borrowed one. *out is
 * NULL where nothing was sampled, and after a failure. */
SNAP_API enum snap_status snap_estimate_copy(struct snap_snapshot **out, const struct snap_snapshot *s,
                                             struct snap_error *err);

/* Whether there are columns of variances, so that errors can be told. */
SNAP_API bool snap_estimate_has_errors(const struct snap_snapshot *s);

/* Half the width of the 95 % confidence interval of a sum of such variance: 1.96 standard deviations; the
 * interval is that of the normal distribution, so it holds from some ten samples on. */
SNAP_API double snap_estimate_error(int64_t variance);

#endif
