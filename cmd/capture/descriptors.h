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

/* Takes `fd` over, moved away from the places of standard streams; -1 is taken as none. */
struct descriptor descriptor_new(int fd);
/* Whether the number still stands for what it stood for. */
bool descriptor_is_ours(const struct descriptor *d);
/* Closes it if it is ours; then there is none. */
void descriptor_close(struct descriptor *d);

#endif
