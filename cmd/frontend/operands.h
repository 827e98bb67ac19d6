/* FILE, "-", and FILE@N: from an operand to its snapshots. Whatever fails says so by itself. */
#ifndef CMD_FRONTEND_OPERANDS_H
#define CMD_FRONTEND_OPERANDS_H

#include <snap/input.h>
#include <snap/snapshot.h>
#include <snap/source.h>
#include <snap/status.h>
#include <stdbool.h>

enum { OPERAND_PATH_MAX = 4096 };

struct operand {
	const char *name; /* for messages */
	char path[OPERAND_PATH_MAX];
	long member; /* N of FILE@N, counted from 1, or from -1 backwards; 0 = all */
};

/* Takes the first operand of digits only out of the operands; false when there is none. */
bool operand_take_count(int argc, char **argv, uint64_t *number);

/* A file whose name ends like FILE@N and exists is that file. */
bool operand_parse(struct operand *operand, const char *argument);
/* Standard input is given only once. */
bool operand_open_input(const struct operand *operand, struct snap_input **in);
/* Says that the operand has fewer members than were counted. */
void operand_lacks_member(const struct operand *operand, size_t members);

/* The snapshots an operand stands for, one by one. */
struct operand_reader {
	const struct operand *operand; /* borrowed */
	struct snap_source *source;
	bool picked;
	struct snap_snapshot *lent; /* of FILE@N, by operand_borrow */
};
bool operand_open(struct operand_reader *reader, const struct operand *operand);
/* SNAP_OK with a snapshot that is yours, SNAP_END, or an error that is already told. */
enum snap_status operand_next(struct operand_reader *reader, struct snap_snapshot **out);
/* The same with a snapshot that is borrowed until the next call, for what snap_source_borrow says. */
enum snap_status operand_borrow(struct operand_reader *reader, struct snap_snapshot **out);
void operand_close(struct operand_reader *reader);

/* Hands the snapshots of an operand over one by one, as long as `take` says true. `from` is operand_next, and
 * each is the taker's, or operand_borrow; `name` is for messages. True when all were taken. */
bool operand_each(const char *argument,
		  enum snap_status (*from)(struct operand_reader *reader, struct snap_snapshot **out),
		  bool (*take)(void *context, struct snap_snapshot *snapshot, const char *name), void *context);

/* Notes where a snapshot was salvaged: for tools whose output would not tell. */
void operand_warn_if_partial(const char *name, struct snap_snapshot *snapshot);

/* The one snapshot of an operand; an error that names FILE@N when there are several. */
bool operand_read_one(const char *argument, struct snap_snapshot **out);
/* The first and the last snapshot of an operand that has several. */
bool operand_read_ends(const char *argument, struct snap_snapshot **first, struct snap_snapshot **last);

#endif
