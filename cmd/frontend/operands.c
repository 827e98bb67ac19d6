/* Operands; see operands.h. */
#define _POSIX_C_SOURCE 200809L
#include "operands.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "messages.h"
#include "numbers.h"
#include "progress.h"
#include "times.h"

/* The '@' of a FILE@N with its N, or NULL. */
static const char *find_member(const char *argument, long *member)
{
	const char *at = strrchr(argument, '@');
	if (at == NULL || at == argument || !number_is_whole(at + 1))
		return NULL;
	errno = 0;
	*member = strtol(at + 1, NULL, 10);
	return at;
}

bool operand_take_count(int argc, char **argv, uint64_t *number)
{
	for (int i = optind; i < argc; i++) {
		if (!number_parse_count(argv[i], number)) {
			if (argv[i][0] != '-' && number_is_whole(argv[i]))
				message_usage("'%s' is too large a number", argv[i]);
			continue;
		}
		memmove(&argv[optind + 1], &argv[optind], (size_t)(i - optind) * sizeof *argv);
		optind++;
		return true;
	}
	return false;
}

bool operand_parse(struct operand *operand, const char *argument)
{
	operand->name = strcmp(argument, "-") == 0 ? "standard input" : argument;
	operand->member = 0;
	size_t size = strlen(argument);
	long member;
	const char *at = find_member(argument, &member);
	if (at != NULL && access(argument, F_OK) != 0) {
		if (member == 0) {
			message_fail(operand->name, "snapshots are counted from 1, or from -1 backwards");
			return false;
		}
		operand->member = member;
		size = (size_t)(at - argument);
	}
	if (size >= sizeof operand->path) {
		message_fail(operand->name, "cannot open: %s", strerror(ENAMETOOLONG));
		return false;
	}
	memcpy(operand->path, argument, size);
	operand->path[size] = '\0';
	return true;
}

bool operand_open_input(const struct operand *operand, struct snap_input **in)
{
	static bool stdin_taken;
	struct snap_error err;
	bool is_stdin = strcmp(operand->path, "-") == 0;
	if (is_stdin && stdin_taken) {
		message_fail(operand->name, "can be read only once");
		return false;
	}
	stdin_taken |= is_stdin;
	if (snap_input_open(in, operand->path, &err) == SNAP_OK)
		return true;
	message_error(operand->name, &err);
	return false;
}

bool operand_open(struct operand_reader *reader, const struct operand *operand)
{
	struct snap_input *in;
	struct snap_error err;
	*reader = (struct operand_reader){.operand = operand};
	if (!operand_open_input(operand, &in))
		return false;
	if (snap_source_open(&reader->source, in, NULL, &err) < 0) {
		message_error(operand->name, &err);
		return false;
	}
	progress_begin(in);
	return true;
}

void operand_close(struct operand_reader *reader)
{
	progress_end();
	snap_source_close(reader->source);
	reader->source = NULL;
	snap_snapshot_free(reader->lent);
	reader->lent = NULL;
}

void operand_warn_if_partial(const char *name, struct snap_snapshot *snapshot)
{
	const struct snap_meta *meta = snap_snapshot_meta(snapshot);
	if (snap_meta_get(meta, "partial") != NULL || snap_meta_get(meta, SNAP_META_OLD "partial") != NULL)
		message_note(name, "a part is lost: it was salvaged from a damaged file");
}

static enum snap_status next(struct operand_reader *reader, struct snap_snapshot **out)
{
	struct snap_error err;
	enum snap_status status = snap_source_next(reader->source, out, &err);
	if (status == SNAP_OK && !times_bound(snap_snapshot_meta(*out), &err)) {
		snap_snapshot_free(*out);
		status = err.status;
	}
	if (status < 0)
		message_error(reader->operand->name, &err);
	return status;
}

static enum snap_status skip(struct operand_reader *reader)
{
	struct snap_error err;
	enum snap_status status = snap_source_skip(reader->source, &err);
	if (status < 0)
		message_error(reader->operand->name, &err);
	return status;
}

void operand_lacks_member(const struct operand *operand, size_t members)
{
	message_fail(operand->name,
		     members == 1 ? "there is only %zu snapshot" : "there are only %zu snapshots", members);
}

static enum snap_status no_such_member(const struct operand_reader *reader, size_t members)
{
	operand_lacks_member(reader->operand, members);
	return SNAP_ERR_INVALID;
}

static enum snap_status pick_from_front(struct operand_reader *reader, struct snap_snapshot **out)
{
	for (long i = 1;; i++) {
		bool wanted = i == reader->operand->member;
		enum snap_status status = wanted ? next(reader, out) : skip(reader);
		if (status == SNAP_END)
			return no_such_member(reader, (size_t)i - 1);
		if (status < 0 || wanted)
			return status;
	}
}

/* Holds the last N snapshots in a ring, as a stream cannot be read twice. */
static enum snap_status pick_from_back(struct operand_reader *reader, struct snap_snapshot **out)
{
	size_t wanted = 0 - (size_t)reader->operand->member, room = 0, count = 0;
	struct snap_snapshot **ring = NULL, *snapshot;
	enum snap_status status;
	while ((status = next(reader, &snapshot)) == SNAP_OK) {
		if (count == room && room < wanted) {
			room = room == 0 ? 1 : wanted / 2 < room ? wanted : 2 * room;
			struct snap_snapshot **grown = realloc(ring, room * sizeof *ring);
			if (grown == NULL) {
				message_fail(reader->operand->name, "out of memory");
				snap_snapshot_free(snapshot);
				room = count;
				status = SNAP_ERR_NOMEM;
				break;
			}
			ring = grown;
		} else if (count >= wanted) {
			snap_snapshot_free(ring[count % wanted]);
		}
		ring[count++ % wanted] = snapshot;
	}
	size_t held = count < wanted ? count : wanted;
	if (status == SNAP_END && count < wanted) {
		status = no_such_member(reader, count);
	} else if (status == SNAP_END) {
		*out = ring[count % wanted];
		ring[count % wanted] = NULL;
		status = SNAP_OK;
	}
	for (size_t i = 0; i < held; i++)
		snap_snapshot_free(ring[i]);
	free(ring);
	return status;
}

enum snap_status operand_next(struct operand_reader *reader, struct snap_snapshot **out)
{
	if (reader->operand->member == 0)
		return next(reader, out);
	if (reader->picked)
		return SNAP_END;
	reader->picked = true;
	return reader->operand->member > 0 ? pick_from_front(reader, out) : pick_from_back(reader, out);
}

enum snap_status operand_borrow(struct operand_reader *reader, struct snap_snapshot **out)
{
	struct snap_error err;
	enum snap_status status;
	if (reader->operand->member != 0) {
		snap_snapshot_free(reader->lent);
		reader->lent = NULL;
		status = operand_next(reader, &reader->lent);
		*out = reader->lent;
		return status;
	}
	status = snap_source_borrow(reader->source, out, &err);
	if (status < 0)
		message_error(reader->operand->name, &err);
	return status;
}

bool operand_each(const char *argument,
		  enum snap_status (*from)(struct operand_reader *reader, struct snap_snapshot **out),
		  bool (*take)(void *context, struct snap_snapshot *snapshot, const char *name), void *context)
{
	struct operand operand;
	struct operand_reader reader;
	struct snap_snapshot *snapshot;
	enum snap_status status = SNAP_OK;
	if (!operand_parse(&operand, argument) || !operand_open(&reader, &operand))
		return false;
	bool taken = true;
	while (taken && (status = from(&reader, &snapshot)) == SNAP_OK)
		taken = take(context, snapshot, operand.name);
	operand_close(&reader);
	return taken && status == SNAP_END;
}

static bool refuse_several(struct operand_reader *reader)
{
	size_t members = 2;
	enum snap_status status;
	while ((status = skip(reader)) == SNAP_OK)
		members++;
	const struct operand *operand = reader->operand;
	if (status == SNAP_END)
		message_fail(operand->name,
			     "it has %zu snapshots and one is needed: %s@N picks the N-th, %s@-1 the last",
			     members, operand->path, operand->path);
	return false;
}

bool operand_read_one(const char *argument, struct snap_snapshot **out)
{
	struct operand operand;
	struct operand_reader reader;
	struct snap_snapshot *more;
	if (!operand_parse(&operand, argument) || !operand_open(&reader, &operand))
		return false;
	bool read = operand_next(&reader, out) == SNAP_OK;
	if (read) {
		enum snap_status status = operand.member != 0 ? SNAP_END : operand_next(&reader, &more);
		if (status == SNAP_OK) {
			snap_snapshot_free(more);
			refuse_several(&reader);
		}
		read = status == SNAP_END;
		if (!read)
			snap_snapshot_free(*out);
	}
	operand_close(&reader);
	return read;
}

bool operand_read_ends(const char *argument, struct snap_snapshot **first, struct snap_snapshot **last)
{
	struct operand operand;
	struct operand_reader reader;
	struct snap_snapshot *snapshot;
	enum snap_status status;
	*first = *last = NULL;
	if (!operand_parse(&operand, argument) || !operand_open(&reader, &operand))
		return false;
	while ((status = operand_next(&reader, &snapshot)) == SNAP_OK) {
		if (*first == NULL) {
			*first = snapshot;
		} else {
			snap_snapshot_free(*last);
			*last = snapshot;
		}
	}
	operand_close(&reader);
	if (status == SNAP_END && *last != NULL)
		return true;
	if (status == SNAP_END)
		message_fail(operand.name, "it has one snapshot and a diff needs two");
	snap_snapshot_free(*first);
	snap_snapshot_free(*last);
	return false;
}
