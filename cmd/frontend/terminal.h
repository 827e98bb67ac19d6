/* What standard output is, how wide, and whether it takes colour. */
#ifndef CMD_FRONTEND_TERMINAL_H
#define CMD_FRONTEND_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum terminal_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
void terminal_choose_color(enum terminal_color choice);

bool terminal_is_stdout(void);

/* Columns for a table: COLUMNS, else those of the terminal, else 80. */
size_t terminal_width(void);

/* A sequence to print, or "" without colour. */
enum terminal_style { STYLE_NONE, STYLE_BOLD, STYLE_DIM, STYLE_GROWN, STYLE_SHRUNK, STYLE_WARNING };
const char *terminal_style(enum terminal_style style);
const char *terminal_plain(void);

#endif
