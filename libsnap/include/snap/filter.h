/* Keeps some blocks of a snapshot, as tracemalloc's filter_traces does, and some more ways. */
#ifndef SNAP_FILTER_H
#define SNAP_FILTER_H

#include <snap/pattern.h>
#include <snap/snapshot.h>

/* tracemalloc's Filter, or its DomainFilter where there is no pattern. */
struct snap_filter_rule {
	bool exclude;
	const struct snap_pattern *pattern; /* borrowed; NULL = whatever the frames */
	bool all_frames;                    /* any known frame of the stack, else only the newest */
	bool in_domain;                     /* only blocks of `domain` match */
	uint32_t domain;
};

/* What happened to all blocks of a traceback together, whatever their sizes and domains. */
enum snap_filter_change {
	SNAP_FILTER_GROWN = 1,  /* there before and now, more bytes than before */
	SNAP_FILTER_SHRUNK = 2, /* there before and now, fewer bytes */
	SNAP_FILTER_NEW = 4,    /* no blocks before */
	SNAP_FILTER_GONE = 8,   /* no blocks now */
};

struct snap_filter {
	const struct snap_filter_rule *rules; /* borrowed */
	size_t count;
	/* A block stays when any rule that does not exclude matches, or there is none, and no rule that
	 * excludes matches. With `intersect` it must match one of those with a pattern, where there are some,
	 * and one of those without. */
	bool intersect;
	uint64_t min_size, max_size; /* bytes of one block */
	bool has_max_size;
	int64_t min_total;           /* bytes of the whole site (stack, domain, block size), in a diff on the larger side */
	unsigned only;               /* of enum snap_filter_change, 0 = all; diffs only */
};

/* What is left, with the same metadata and columns. SNAP_ERR_INVALID for `only` on what is no diff;
 * SNAP_ERR_LIMIT when a regular expression runs away; SNAP_ERR_NOMEM. */
SNAP_API enum snap_status snap_filter_apply(struct snap_snapshot **out, const struct snap_snapshot *s,
                                            const struct snap_filter *filter, struct snap_error *err);

#endif
