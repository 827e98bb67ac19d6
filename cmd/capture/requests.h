/* The socket on which a process takes requests for snapshots, and the few words that are spoken there.
 * The agent listens and snaptake asks: "snapshot" or "snapshot gc", ended by a line break, is answered by
 * "+PATH" or "-SENTENCE", ended by the end of the stream. */
#ifndef CMD_CAPTURE_REQUESTS_H
#define CMD_CAPTURE_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define REQUESTS_PLAIN "snapshot\n"
#define REQUESTS_COLLECT "snapshot gc\n"
enum { REQUESTS_PATH_MAX = 108, REQUESTS_LINE_MAX = 64, REQUESTS_DONE = '+', REQUESTS_FAILED = '-' };

/* The socket of a process that runs as `user`: /tmp/snaptools-USER/PID.sock behind `root`, the folder
 * that the process has for its root ("" = ours too). False if that is too long. */
bool requests_path(char path[REQUESTS_PATH_MAX], const char *root, uid_t user, pid_t pid);

/* Listens there, and says in `path` where; -1 with errno on failure, and `path` as it was. The folder is made with
 * mode 0700 and has to be the user's own. */
int requests_listen(char path[REQUESTS_PATH_MAX]);
/* Whether those who look for this process find the socket at `path`: it may be gone, or the process have another user
 * by now. */
bool requests_reach(const char *path);
/* Removes what processes that are gone have left behind in the folder. */
void requests_tidy(void);

/* Whether the other side runs as this user or as root. */
bool requests_allowed(int connection);

#endif
