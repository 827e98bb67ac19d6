/* Aligning cells; see table.h. */
#include "table.h"

#include <string.h>

#include "text.h"

bool table_open(struct table *table, size_t columns)
{
	memset(table, 0, sizeof *table);
	table->columns = columns;
	return buffer_open(&table->cells);
}

static void end_cell(struct table *table, size_t width)
{
	fputc('\0', table->cells.writer);
	if (width > table->widths[table->column])
		table->widths[table->column] = width;
	table->column = (table->column + 1) % table->columns;
}

void table_cell(struct table *table, const char *text)
{
	fputs(text, table->cells.writer);
	end_cell(table, text_width(text, strlen(text)));
}

void table_cell_text(struct table *table, const char *bytes, size_t size)
{
	end_cell(table, text_put(table->cells.writer, bytes, size));
}

bool table_finish(struct table *table)
{
	bool fine = buffer_finish(&table->cells);
	table->next = table->cells.bytes;
	return fine;
}

size_t table_width(const struct table *table)
{
	size_t width = 0;
	for (size_t i = 0; i < table->columns; i++)
		width += table->widths[i] + TABLE_GAP;
	return width;
}

static void pad(size_t width)
{
	printf("%*s", (int)width, "");
}

void table_row(struct table *table, const enum terminal_style *styles, bool open)
{
	for (size_t i = 0; i < table->columns; i++) {
		size_t size = strlen(table->next);
		size_t space = table->widths[i] - text_width(table->next, size);
		bool last = !open && i + 1 == table->columns;
		if (!table->left[i])
			pad(space);
		fputs(styles != NULL ? terminal_style(styles[i]) : "", stdout);
		fputs(table->next, stdout);
		fputs(styles != NULL && styles[i] != STYLE_NONE ? terminal_plain() : "", stdout);
		if (!last)
			pad(TABLE_GAP + (table->left[i] ? space : 0));
		table->next += size + 1;
	}
	if (!open)
		putchar('\n');
}

void table_skip(struct table *table)
{
	for (size_t i = 0; i < table->columns; i++)
		table->next += strlen(table->next) + 1;
}

void table_print(struct table *table)
{
	enum terminal_style dim[TABLE_COLUMNS_MAX];
	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
		dim[i] = STYLE_DIM;
	table_row(table, dim, false);
	while (table->next < table->cells.bytes + table->cells.size)
		table_row(table, NULL, false);
}

void table_close(struct table *table)
{
	buffer_free(&table->cells);
}
