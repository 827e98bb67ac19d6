/* Stacks use frames, and frames use code objects' names; see stacks.h. */
#include "stacks.h"

#include <stdlib.h>
#include <string.h>

#include "table.h"

/* What is told of a code object: it may be gone itself. */
struct code {
	uint64_t key;
	uint32_t uses;
	uint32_t file_size, function_size;
	char text[]; /* file, function */
};

struct frame {
	uint64_t key;
	uint32_t uses, code, line;
};

struct stack {
	uint64_t key;
	uint32_t uses, total, count;
	uint32_t frames[]; /* newest first */
};

static struct {
	unsigned limit;
	struct pool pool;
	struct table stack_of, frame_of, code_of; /* by key */
	struct records stacks, codes;             /* of pointers */
	struct records frames;
	struct frame_place *places; /* room for `limit` */
} all;

bool stacks_begin(unsigned limit)
{
	all.limit = limit;
	all.stacks.size = all.codes.size = sizeof(void *);
	all.frames.size = sizeof(struct frame);
	all.places = memory_map(limit * sizeof *all.places);
	if (all.places != NULL && table_begin(&all.stack_of, 6) && table_begin(&all.frame_of, 4) &&
	    table_begin(&all.code_of, 2))
		return true;
	stacks_clear();
	return false;
}

static void *pointer_at(const struct records *records, uint32_t number)
{
	void *pointer;
	memcpy(&pointer, records_at(records, number), sizeof pointer);
	return pointer;
}

static size_t stack_bytes(size_t count)
{
	return sizeof(struct stack) + count * sizeof(uint32_t);
}

static size_t code_bytes(const struct code *code)
{
	return sizeof *code + code->file_size + code->function_size;
}

void stacks_clear(void)
{
	table_clear(&all.stack_of);
	table_clear(&all.frame_of);
	table_clear(&all.code_of);
	records_clear(&all.stacks);
	records_clear(&all.frames);
	records_clear(&all.codes);
	pool_clear(&all.pool);
	memory_unmap(all.places, all.limit * sizeof *all.places);
	all.places = NULL;
}

/* A number for a piece, under its key; 0 when there is no memory. */
static uint32_t enter(struct table *table, struct records *records, uint64_t key, const void *record)
{
	uint32_t before, number = records_take(records);
	if (number == 0)
		return 0;
	if (!table_set(table, key, number, &before)) {
		records_return(records, number);
		return 0;
	}
	memcpy(records_at(records, number), record, records->size);
	return number;
}

/* --- code objects --- */

static uint32_t use_code(const struct frame_place *place)
{
	uint64_t key = frames_code_key(place);
	uint32_t *known = table_find(&all.code_of, key);
	if (known != NULL) {
		((struct code *)pointer_at(&all.codes, *known))->uses++;
		return *known;
	}
	py_object *file = frames_file(place), *function = frames_function(place);
	struct code head = {.key = key,
			    .uses = 1,
			    .file_size = (uint32_t)python_copy_text(file, NULL),
			    .function_size = (uint32_t)python_copy_text(function, NULL)};
	struct code *code = pool_take(&all.pool, code_bytes(&head));
	if (code == NULL)
		return 0;
	*code = head;
	python_copy_text(file, code->text);
	python_copy_text(function, code->text + code->file_size);
	uint32_t number = enter(&all.code_of, &all.codes, key, &code);
	if (number == 0)
		pool_return(&all.pool, code, code_bytes(code));
	return number;
}

static void release_code(uint32_t number)
{
	struct code *code = pointer_at(&all.codes, number);
	if (--code->uses > 0)
		return;
	table_remove(&all.code_of, code->key);
	records_return(&all.codes, number);
	pool_return(&all.pool, code, code_bytes(code));
}

/* --- frames --- */

static struct frame *frame_at(uint32_t number)
{
	return records_at(&all.frames, number);
}

static uint32_t use_frame(const struct frame_place *place)
{
	uint64_t key = frames_place_key(place);
	uint32_t *known = table_find(&all.frame_of, key);
	if (known != NULL) {
		frame_at(*known)->uses++;
		return *known;
	}
	uint32_t code = use_code(place);
	if (code == 0)
		return 0;
	struct frame frame = {.key = key, .uses = 1, .code = code, .line = frames_line(place)};
	uint32_t number = enter(&all.frame_of, &all.frames, key, &frame);
	if (number == 0)
		release_code(code);
	return number;
}

static void release_frame(uint32_t number)
{
	struct frame *frame = frame_at(number);
	if (--frame->uses > 0)
		return;
	uint32_t code = frame->code;
	table_remove(&all.frame_of, frame->key);
	records_return(&all.frames, number);
	release_code(code);
}

/* --- stacks --- */

static struct stack *stack_at(uint32_t number)
{
	return pointer_at(&all.stacks, number);
}

static struct stack *new_stack(uint64_t key)
{
	size_t total, used = 0, count = frames_read(all.places, all.limit, &total);
	struct stack *stack = pool_take(&all.pool, stack_bytes(count));
	if (stack == NULL)
		return NULL;
	*stack = (struct stack){.key = key,
				.uses = 1,
				.total = total < SNAP_DEPTH_MAX ? (uint32_t)total : SNAP_DEPTH_MAX,
				.count = (uint32_t)count};
	while (used < count && (stack->frames[used] = use_frame(&all.places[used])) != 0)
		used++;
	if (used == count)
		return stack;
	while (used-- > 0)
		release_frame(stack->frames[used]);
	pool_return(&all.pool, stack, stack_bytes(count));
	return NULL;
}

static void free_stack(struct stack *stack)
{
	for (size_t i = 0; i < stack->count; i++)
		release_frame(stack->frames[i]);
	pool_return(&all.pool, stack, stack_bytes(stack->count));
}

uint32_t stacks_use(uint64_t key)
{
	uint32_t *known = table_find(&all.stack_of, key);
	if (known != NULL) {
		stack_at(*known)->uses++;
		return *known;
	}
	struct stack *stack = new_stack(key);
	uint32_t number = stack != NULL ? enter(&all.stack_of, &all.stacks, key, &stack) : 0;
	if (number == 0 && stack != NULL)
		free_stack(stack);
	return number;
}

void stacks_release(uint32_t number)
{
	struct stack *stack = stack_at(number);
	if (--stack->uses > 0)
		return;
	table_remove(&all.stack_of, stack->key);
	records_return(&all.stacks, number);
	free_stack(stack);
}

/* --- snapshots --- */

static bool copy_records(struct records *copy, const struct records *records)
{
	size_t bytes = records->size * ((size_t)records->used + 1);
	*copy = *records;
	copy->at = malloc(bytes);
	if (copy->at != NULL && records->at != NULL)
		memcpy(copy->at, records->at, bytes);
	return copy->at != NULL;
}

enum snap_status stacks_copy(struct stacks_copy *copy, struct snap_error *err)
{
	*copy = (struct stacks_copy){.numbers = calloc((size_t)all.stacks.used + 1, sizeof *copy->numbers),
				     .frame_numbers = calloc((size_t)all.frames.used + 1, sizeof *copy->frame_numbers)};
	if (copy->numbers != NULL && copy->frame_numbers != NULL && copy_records(&copy->stacks, &all.stacks) &&
	    copy_records(&copy->frames, &all.frames) && copy_records(&copy->codes, &all.codes))
		return SNAP_OK;
	return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
}

void stacks_copy_free(struct stacks_copy *copy)
{
	free(copy->stacks.at);
	free(copy->frames.at);
	free(copy->codes.at);
	free(copy->numbers);
	free(copy->frame_numbers);
	*copy = (struct stacks_copy){.numbers = NULL};
}

static enum snap_status build_frame(struct stacks_copy *copy, uint32_t number, struct snap_builder *builder,
				    uint32_t *out, struct snap_error *err)
{
	if (copy->frame_numbers[number] != 0) {
		*out = copy->frame_numbers[number] - 1;
		return SNAP_OK;
	}
	const struct frame *frame = records_at(&copy->frames, number);
	const struct code *code = pointer_at(&copy->codes, frame->code);
	uint32_t file, function;
	enum snap_status status = snap_builder_string(builder, code->text, code->file_size, &file, err);
	if (status == SNAP_OK)
		status = snap_builder_string(builder, code->text + code->file_size, code->function_size, &function,
					     err);
	if (status == SNAP_OK)
		status = snap_builder_frame(builder, file, frame->line, function, out, err);
	if (status == SNAP_OK)
		copy->frame_numbers[number] = *out + 1;
	return status;
}

/* As tracemalloc calls the place of what no Python code allocates. */
static enum snap_status build_nowhere(struct snap_builder *builder, uint32_t *frame, struct snap_error *err)
{
	static const char unknown[] = "<unknown>";
	uint32_t file;
	enum snap_status status = snap_builder_string(builder, unknown, sizeof unknown - 1, &file, err);
	return status == SNAP_OK ? snap_builder_frame(builder, file, 0, SNAP_NO_FUNCTION, frame, err) : status;
}

enum snap_status stacks_build(struct stacks_copy *copy, uint32_t number, struct snap_builder *builder, uint32_t *out,
			      struct snap_error *err)
{
	if (copy->numbers[number] != 0) {
		*out = copy->numbers[number] - 1;
		return SNAP_OK;
	}
	const struct stack *stack = pointer_at(&copy->stacks, number);
	size_t count = stack->count > 0 ? stack->count : 1;
	uint32_t *frames = malloc(count * sizeof *frames);
	enum snap_status status = SNAP_OK;
	if (frames == NULL)
		return snap_fail(err, SNAP_ERR_NOMEM, SNAP_NO_OFFSET, "out of memory");
	if (stack->count == 0)
		status = build_nowhere(builder, &frames[0], err);
	for (size_t i = 0; i < stack->count && status == SNAP_OK; i++)
		status = build_frame(copy, stack->frames[i], builder, &frames[i], err);
	if (status == SNAP_OK)
		status = snap_builder_stack(builder, frames, count, stack->count > 0 ? stack->total : 1, out, err);
	free(frames);
	if (status == SNAP_OK)
		copy->numbers[number] = *out + 1;
	return status;
}
