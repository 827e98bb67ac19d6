/* What the forms of trends are made from; only for the files trend_*.c. */
#ifndef CMD_FRONTEND_TREND_FORMS_H
#define CMD_FRONTEND_TREND_FORMS_H

#include "trend.h"

struct trend_row {
	const struct trend_process *process;
	size_t number; /* of the process */
	size_t at;     /* of the suspect in its trend */
	struct snap_trend_suspect suspect;
	struct snap_frame blamed;
	/* Rows that blame the same line, of all processes: */
	size_t place;  /* the first of them */
	size_t next;   /* the one behind this one, or SIZE_MAX */
	size_t common; /* processes in which it leaks */
	const struct baseline_entry *accepted; /* or NULL */
};

/* How big something was at the beginning and end; NAN where not known. */
struct trend_ends {
	double first, last;
};

struct trend_view {
	const struct trend_set *set;
	struct trend_row *rows; /* ranked */
	size_t count, shown;
	size_t leaks, accepted;
	size_t in_all, in_one; /* lines that leak in all processes, and in one */
	struct snap_frame *frames; /* of trend_path and trend_traceback */
	size_t room;
};

/* Reads frames of a row into view->frames, newest first; false when there is no memory. */
bool trend_path(struct trend_view *view, const struct trend_row *row, size_t *count);
bool trend_traceback(struct trend_view *view, const struct trend_row *row, size_t *count);
/* Bytes and blocks of a row, for each snapshot; free the first when done. NULL when there is no memory. */
int64_t *trend_series(const struct trend_row *row, int64_t **blocks);

/* Whether no row of its process before it blames the same line. */
bool trend_is_first_of_process(const struct trend_view *view, size_t i);
const char *trend_verdict_name(enum snap_trend_verdict verdict);
const struct trend_moment *trend_moment(const struct trend_process *process, size_t i);
struct trend_ends trend_rss(const struct trend_process *process);
struct trend_ends trend_tracer(const struct trend_process *process); /* the tracer's own memory */
/* Growth of RSS without that of the tracer; NAN where not known. */
double trend_rss_growth(const struct trend_process *process);

struct trend_limit {
	double bytes;              /* NAN where there is none */
	double hours, soon, late;  /* until it is reached, NAN where it never is */
	bool by_rss;               /* else by what is traced */
};
struct trend_limit trend_limit(const struct trend_process *process, const struct trend_options *options);

bool trend_table(struct trend_view *view);
bool trend_json(struct trend_view *view);
bool trend_tsv(struct trend_view *view);

#endif
