/* Descriptors of ours among those of a program that may close any number it likes, and get it again for
 * something else. */
#ifndef CMD_CAPTURE_DESCRIPTORS_H
#define CMD_CAPTURE_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/types.h>

struct descriptor {
	int fd; /* -1 = none */
	dev_t device;
	ino_t node;
};

/* Takes `fd` over, moved up where a program that closes it does not soon get the same number; -1 is taken as
 * none, and errno stays. */
struct descriptor descriptor_new(int fd);
/* What stands for a number now; it stays whose it is. */
struct descriptor descriptor_look(int fd);
/* Whether the number still stands for what it stood for. */
bool descriptor_is_ours(const struct descriptor *d);
/* Closes it if it is ours; then there is none. */
void descriptor_close(struct descriptor *d);

#endif
