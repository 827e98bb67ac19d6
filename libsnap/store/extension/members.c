/* The snapshots of a file; see members.h. */
#define _POSIX_C_SOURCE 200809L
#include "members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snap/estimate.h>
#include <snap/input.h>

#include "table.h"
#include "text.h"

static sqlite3_str *begin(const char *name)
{
	sqlite3_str *text = sqlite3_str_new(NULL);
	if (name != NULL) {
		text_append_shown(text, name);
		sqlite3_str_appendall(text, ": ");
	}
	return text;
}

bool members_fail(char **error, const char *name, const struct snap_error *err)
{
	sqlite3_str *text = begin(name);
	if (err->offset != SNAP_NO_OFFSET)
		sqlite3_str_appendf(text, "offset %llu: ", (unsigned long long)err->offset);
	if (err->status == SNAP_ERR_TRUNCATED)
		sqlite3_str_appendall(text, "truncated: ");
	text_append_shown(text, err->message);
	*error = sqlite3_str_finish(text);
	return false;
}

static bool refuse(char **error, const char *name, const char *sentence)
{
	sqlite3_str *text = begin(name);
	sqlite3_str_appendall(text, sentence);
	*error = sqlite3_str_finish(text);
	return false;
}

static bool lacks_member(char **error, const char *name, int64_t count)
{
	sqlite3_str *text = begin(name);
	sqlite3_str_appendf(text, count == 1 ? "there is only %lld snapshot" : "there are only %lld snapshots",
			    (long long)count);
	*error = sqlite3_str_finish(text);
	return false;
}

/* The '@' of a FILE@N with its N, or NULL. A file whose name ends so and exists is that file. */
static const char *find_pick(const char *name, int64_t *pick)
{
	const char *at = strrchr(name, '@');
	if (at == NULL || at == name || access(name, F_OK) == 0)
		return NULL;
	const char *digits = at[1] == '-' ? at + 2 : at + 1;
	if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return NULL;
	*pick = strtoll(at + 1, NULL, 10);
	return at;
}

static bool open_source(struct members *members, bool *is_file, char **error)
{
	struct snap_input *in;
	struct snap_error err;
	members->number = 0;
	if (snap_input_open(&in, members->path, &err) < 0)
		return members_fail(error, members->name, &err);
	*is_file = snap_input_size(in) != UINT64_MAX;
	if (snap_source_open(&members->source, in, NULL, &err) < 0)
		return members_fail(error, members->name, &err);
	return true;
}

static bool skip(struct members *members, bool *over, char **error)
{
	struct snap_error err;
	enum snap_status status = snap_source_skip(members->source, &err);
	if (status < 0)
		return members_fail(error, members->name, &err);
	*over = status == SNAP_END;
	members->number += !*over;
	return true;
}

/* From the back, the members have to be counted first. */
static bool count_back(struct members *members, int64_t pick, char **error)
{
	bool over = false;
	while (!over)
		if (!skip(members, &over, error))
			return false;
	if (pick < -members->number)
		return lacks_member(error, members->name, members->number);
	members->wanted = members->number + 1 + pick;
	snap_source_close(members->source);
	members->source = NULL;
	return open_source(members, &over, error);
}

static bool open_pick(struct members *members, const int64_t *pick, int64_t only, char **error)
{
	bool is_file;
	if (pick != NULL && *pick == 0)
		return refuse(error, members->name, "snapshots are counted from 1, or from -1 backwards");
	if (!open_source(members, &is_file, error))
		return false;
	if (pick == NULL || *pick > 0) {
		members->wanted = pick != NULL ? *pick : only;
		members->may_lack = pick == NULL;
		return true;
	}
	if (!is_file)
		return refuse(error, members->name,
			      "it cannot be read twice, so its snapshots have to be counted from 1");
	return count_back(members, *pick, error);
}

bool members_open(struct members *members, const char *name, const int64_t *pick, int64_t only, char **error)
{
	*members = (struct members){.name = name};
	int64_t number;
	const char *at = find_pick(name, &number);
	if (at != NULL && pick != NULL)
		return refuse(error, name, "its snapshot is picked twice, in the name and beside it");
	/* The standard input of a shell that reads SQL from it is not to be swallowed by chance. */
	if (strcmp(name, "-") == 0 || (at == name + 1 && name[0] == '-'))
		return refuse(error, name, "SQL reads standard input as /dev/stdin");
	members->path = at != NULL ? sqlite3_mprintf("%.*s", (int)(at - name), name) : sqlite3_mprintf("%s", name);
	if (members->path == NULL)
		return false;
	if (open_pick(members, at != NULL ? &number : pick, only, error))
		return true;
	members_close(members);
	return false;
}

bool members_next(struct members *members, bool *over, char **error)
{
	while (!members->over && members->number + 1 < members->wanted)
		if (!skip(members, &members->over, error))
			return false;
	if (members->over && members->number < members->wanted && !members->may_lack)
		return lacks_member(error, members->name, members->number);
	if (!members->over && members->wanted > 0 && members->number >= members->wanted)
		members->over = true;
	*over = members->over;
	if (*over)
		return true;

	struct snap_snapshot *snapshot;
	struct snap_error err;
	enum snap_status status = snap_source_next(members->source, &snapshot, &err);
	if (status < 0)
		return members_fail(error, members->name, &err);
	if (status == SNAP_END) {
		members->over = true;
		return members_next(members, over, error);
	}
	if (snap_estimate(snapshot, &err) < 0) {
		snap_snapshot_free(snapshot);
		return members_fail(error, members->name, &err);
	}
	snap_snapshot_free(members->snapshot);
	members->snapshot = snapshot;
	members->number++;
	return true;
}

bool members_again(struct members *members)
{
	return members->over && members->snapshot != NULL &&
	       (members->number == 1 || members->number == members->wanted);
}

void members_close(struct members *members)
{
	snap_snapshot_free(members->snapshot);
	snap_source_close(members->source);
	sqlite3_free(members->path);
	*members = (struct members){.name = members->name};
}

static bool refuse_several(struct members *members, char **error)
{
	bool over = false;
	while (!over)
		if (!skip(members, &over, error))
			return false;
	sqlite3_str *text = begin(members->name);
	sqlite3_str_appendf(text, "it has %lld snapshots and one is needed: ", (long long)members->number);
	text_append_shown(text, members->path);
	sqlite3_str_appendall(text, "@N picks the N-th, ");
	text_append_shown(text, members->path);
	sqlite3_str_appendall(text, "@-1 the last");
	*error = sqlite3_str_finish(text);
	return false;
}

static bool read_one(struct members *members, struct snap_snapshot **out, char **error)
{
	bool over;
	if (!members_next(members, &over, error))
		return false;
	if (over)
		return lacks_member(error, members->name, 0);
	*out = members->snapshot;
	members->snapshot = NULL;
	if (members->wanted > 0)
		return true;
	/* Behind the only snapshot the file has to end, and to end well. */
	if (!skip(members, &over, error))
		return false;
	return over || refuse_several(members, error);
}

bool members_read_one(struct snap_snapshot **out, const char *name, const int64_t *pick, char **error)
{
	struct members members;
	*out = NULL;
	if (!members_open(&members, name, pick, 0, error))
		return false;
	bool read = read_one(&members, out, error);
	if (!read) {
		snap_snapshot_free(*out);
		*out = NULL;
	}
	members_close(&members);
	return read;
}
