/* Standard output as a terminal; see terminal.h. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "numbers.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 40, WIDTH_MAX = 1000 };

static enum terminal_color color_choice = COLOR_AUTO;

void terminal_choose_color(enum terminal_color choice)
{
	color_choice = choice;
}

bool terminal_is_stdout(void)
{
	static int known = -1;
	if (known < 0)
		known = isatty(STDOUT_FILENO);
	return known > 0;
}

size_t terminal_width(void)
{
	uint64_t columns = 0;
	const char *text = getenv("COLUMNS");
	struct winsize window;
	if (text == NULL || !number_parse_count(text, &columns) || columns == 0) {
		columns = WIDTH_DEFAULT;
		if (terminal_is_stdout() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 &&
		    window.ws_col > 0)
			columns = window.ws_col;
	}
	return columns < WIDTH_MIN ? WIDTH_MIN : columns > WIDTH_MAX ? WIDTH_MAX : (size_t)columns;
}

static bool colored(void)
{
	if (color_choice != COLOR_AUTO)
		return color_choice == COLOR_ALWAYS;
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	return terminal_is_stdout() && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
	       term[0] != '\0' && strcmp(term, "dumb") != 0;
}

const char *terminal_style(enum terminal_style style)
{
	static const char *const sequences[] = {
		[STYLE_NONE] = "",          [STYLE_BOLD] = "\033[1m",    [STYLE_DIM] = "\033[2m",
		[STYLE_GROWN] = "\033[31m", [STYLE_SHRUNK] = "\033[32m", [STYLE_WARNING] = "\033[33m",
	};
	return colored() ? sequences[style] : "";
}

const char *terminal_plain(void)
{
	return colored() ? "\033[0m" : "";
}
