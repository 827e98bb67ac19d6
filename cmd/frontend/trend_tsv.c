/* Suspects as tab-separated values; see snaptrend(1). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "trend_forms.h"
#include "tsv.h"

/* NULL as PostgreSQL and ClickHouse read it, where nothing is known. */
static void put_real(double value)
{
	if (isfinite(value))
		printf("\t%.6g", value != 0 ? value : 0);
	else
		fputs("\t\\N", stdout);
}

static bool is_sampled(const struct trend_set *set)
{
	for (size_t p = 0; p < set->count; p++)
		if (set->processes[p].sample_period > 0)
			return true;
	return false;
}

bool trend_tsv(struct trend_view *view)
{
	bool sampled = is_sampled(view->set);
	fputs("#rank\tverdict\tscore\trate_bytes_per_hour\trate_low\trate_high\tgrowth_bytes\tgrowth_blocks"
	     "\tshare_traced\tshare_rss\tfirst_seen\tprocess\tfile\tline\tfunction\ttraceback", stdout);
	puts(sampled ? "\tgrowth_error" : "");
	for (size_t i = 0; i < view->shown; i++) {
		const struct trend_row *row = &view->rows[i];
		const struct snap_trend_suspect *s = &row->suspect;
		struct snap_trend_summary sum = snap_trend_summary(row->process->trend);
		double traced = (double)(sum.last_bytes - sum.first_bytes), rss = trend_rss_growth(row->process);
		size_t count;
		if (!trend_path(view, row, &count))
			return false;
		printf("%zu\t%s", i + 1, trend_verdict_name(s->verdict));
		put_real(s->score);
		put_real(s->bytes_per_hour.slope);
		put_real(s->bytes_per_hour.low);
		put_real(s->bytes_per_hour.high);
		printf("\t%" PRId64 "\t%" PRId64, s->growth_bytes, s->growth_blocks);
		put_real(traced > 0 ? (double)s->growth_bytes / traced : NAN);
		put_real(rss > 0 ? (double)s->growth_bytes / rss : NAN);
		printf("\t%zu\t%zu\t", s->first_seen + 1, row->number);
		tsv_frame(&view->frames[s->blamed]);
		putchar('\t');
		tsv_traceback(view->frames, count);
		if (sampled)
			put_real(s->growth_error);
		putchar('\n');
	}
	return true;
}
