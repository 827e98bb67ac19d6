/* Shows people a snapshot when a program ends. */
#ifndef CMD_CAPTURE_SHOW_H
#define CMD_CAPTURE_SHOW_H

enum { SHOW_WAIT_MS = 10000 };

/* Has snaptop print the biggest groups of a file to standard error, and waits until it is done, but not for
 * longer than SHOW_WAIT_MS. Without the GIL. */
void show_file(const char *path, unsigned groups);

#endif
