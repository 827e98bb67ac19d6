/* Rows of cells whose columns are as wide as their widest cell. What the last column holds may be
 * printed by the caller behind each row. */
#ifndef CMD_FRONTEND_TABLE_H
#define CMD_FRONTEND_TABLE_H

#include <snap/status.h>
#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "terminal.h"

enum { TABLE_COLUMNS_MAX = 8, TABLE_GAP = 2 };

struct table {
	struct buffer cells; /* NUL-terminated, one behind the other */
	const char *next;
	size_t columns, column;
	bool left[TABLE_COLUMNS_MAX]; /* flush left; numbers are not */
	size_t widths[TABLE_COLUMNS_MAX];
};

/* False when there is no memory; a message says so. */
bool table_open(struct table *table, size_t columns);
/* The next cell, left to right, row by row: plain text, or text of unknown origin. */
void table_cell(struct table *table, const char *text);
void table_cell_text(struct table *table, const char *bytes, size_t size);
/* All cells are there: false when memory ran out; a message says so. */
bool table_finish(struct table *table);
/* Columns that a row takes, with a gap behind each cell. */
size_t table_width(const struct table *table);
/* Prints the next row; styles[] has one for each column, or is NULL. With `open`, the gap behind the last
 * cell is printed too and the line stays open; else it ends. */
void table_row(struct table *table, const enum terminal_style *styles, bool open);
/* Leaves the next row out; its cells have counted for the widths. */
void table_skip(struct table *table);
/* Prints all rows, the first as titles. */
void table_print(struct table *table);
void table_close(struct table *table);

#endif
