/* Reading members and their layout; see members.h. */
#include "members.h"

#include <string.h>

#include "messages.h"
#include "progress.h"

enum { MAGIC_SIZE = 8 };

static bool open_file(struct member_reader *members, const struct operand *operand,
		      const struct snap_reader_options *options)
{
	struct snap_input *in;
	struct snap_error err;
	const uint8_t *bytes;
	size_t size;
	*members = (struct member_reader){.operand = operand};
	if (!operand_open_input(operand, &in))
		return false;
	members->size = snap_input_size(in);
	enum snap_status status = snap_input_peek(in, MAGIC_SIZE, &bytes, &size, &err);
	if (status < 0)
		snap_input_close(in);
	else if (snap_reader_sniff(bytes, size))
		status = snap_reader_open(&members->reader, in, options, &err);
	else
		status = snap_source_open(&members->source, in, NULL, &err);
	if (status < 0) {
		message_error(operand->name, &err);
		return false;
	}
	members->format = members->reader != NULL ? "snap" : snap_source_format(members->source);
	progress_begin(in);
	return true;
}

static enum snap_status skip(struct member_reader *members)
{
	struct snap_error err;
	enum snap_status status = members->reader != NULL ? snap_reader_skip(members->reader, &err)
							  : snap_source_skip(members->source, &err);
	if (status < 0)
		message_error(members->operand->name, &err);
	return status;
}

/* From the back, the members have to be counted first. */
static bool count_back(size_t *wanted, const struct operand *operand)
{
	struct member_reader members;
	size_t count = 0, back = 0 - (size_t)operand->member;
	enum snap_status status;
	if (strcmp(operand->path, "-") == 0) {
		message_fail(operand->name,
			     "it cannot be read twice, so its snapshots have to be counted from 1");
		return false;
	}
	if (!open_file(&members, operand, NULL))
		return false;
	while ((status = skip(&members)) == SNAP_OK)
		count++;
	members_close(&members);
	if (status == SNAP_END && back > count)
		operand_lacks_member(operand, count);
	*wanted = count + 1 - back;
	return status == SNAP_END && back <= count;
}

bool members_open(struct member_reader *members, const struct operand *operand,
		  const struct snap_reader_options *options)
{
	size_t wanted = operand->member > 0 ? (size_t)operand->member : 0;
	if (operand->member < 0 && !count_back(&wanted, operand))
		return false;
	bool opened = open_file(members, operand, options);
	members->wanted = wanted;
	return opened;
}

static enum snap_status next(struct member_reader *members)
{
	struct snap_error err;
	struct member *member = &members->member;
	snap_snapshot_free(member->snapshot);
	member->snapshot = NULL;
	enum snap_status status = members->reader != NULL
					  ? snap_reader_next(members->reader, &member->snapshot, &err)
					  : snap_source_next(members->source, &member->snapshot, &err);
	if (status == SNAP_OK && members->reader != NULL)
		member->layout = snap_reader_member(members->reader);
	else if (status == SNAP_OK)
		status = snap_snapshot_digest(member->snapshot, member->layout.digest, &err);
	if (status < 0)
		message_error(members->operand->name, &err);
	return status;
}

enum snap_status members_next(struct member_reader *members)
{
	struct member *member = &members->member;
	if (members->wanted > 0 && member->number == members->wanted)
		return SNAP_END;
	for (;;) {
		member->number++;
		bool over = member->number < members->wanted;
		enum snap_status status = over ? skip(members) : next(members);
		if (status == SNAP_END && members->wanted > 0) {
			operand_lacks_member(members->operand, member->number - 1);
			return SNAP_ERR_INVALID;
		}
		if (status != SNAP_OK || !over)
			return status;
	}
}

void members_close(struct member_reader *members)
{
	progress_end();
	snap_snapshot_free(members->member.snapshot);
	snap_reader_close(members->reader);
	snap_source_close(members->source);
	*members = (struct member_reader){.operand = members->operand};
}
