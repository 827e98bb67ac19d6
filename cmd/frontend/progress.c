/* Shows the progress of a reading, from a timer's signal handler, so that no reader has to know of it;
 * see progress.h. What the handler calls is safe in one. */
#define _XOPEN_SOURCE 700
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "messages.h"

enum { FIRST_SECONDS = 1, THEN_MICROSECONDS = 200000 };

static const struct snap_input *watched;
static uint64_t watched_size;
static const char *volatile held_up;
static volatile sig_atomic_t shown;

static char *put_text(char *at, const char *text)
{
	size_t size = strlen(text);
	memcpy(at, text, size);
	return at + size;
}

static char *put_number(char *at, uint64_t number)
{
	char digits[20];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

static char *put_reading(char *at)
{
	uint64_t offset = snap_input_offset(watched);
	bool sized = watched_size != UINT64_MAX && watched_size >= offset && watched_size > 0;
	at = put_number(at, offset >> 20);
	if (sized) {
		at = put_text(at, " of ");
		at = put_number(at, watched_size >> 20);
	}
	at = put_text(at, " MiB read");
	if (sized) {
		at = put_text(at, ", ");
		at = put_number(at, offset / (watched_size / 100 + 1));
		at = put_text(at, "%");
	}
	return at;
}

static void show(int signal_number)
{
	(void)signal_number;
	int saved = errno;
	char line[160], *end = put_text(line, "\r");
	end = held_up != NULL ? put_text(end, held_up) : put_reading(end);
	end = put_text(end, "\033[K");
	if (write(STDERR_FILENO, line, (size_t)(end - line)) < 0)
		errno = 0; /* progress is not worth an error */
	shown = 1;
	errno = saved;
}

static void set_timer(long seconds, long microseconds)
{
	struct itimerval timer = {.it_interval = {0, microseconds}, .it_value = {seconds, 0}};
	setitimer(ITIMER_REAL, &timer, NULL);
}

void progress_begin(const struct snap_input *in)
{
	const char *term = getenv("TERM");
	if (message_is_quiet() || !isatty(STDERR_FILENO) || term == NULL || strcmp(term, "dumb") == 0)
		return;
	struct sigaction action = {.sa_handler = show, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGALRM, &action, NULL) < 0)
		return;
	watched = in;
	watched_size = snap_input_size(in);
	set_timer(FIRST_SECONDS, THEN_MICROSECONDS);
}

void progress_end(void)
{
	if (watched == NULL)
		return;
	set_timer(0, 0);
	signal(SIGALRM, SIG_IGN); /* one may still be on its way */
	watched = NULL;
	progress_clear();
}

void progress_wait(const char *text)
{
	held_up = text;
}

void progress_clear(void)
{
	static const char clear[] = "\r\033[K";
	if (!shown)
		return;
	shown = 0;
	if (write(STDERR_FILENO, clear, sizeof clear - 1) < 0)
		errno = 0;
}
