/* The socket; see requests.h. */
#define _GNU_SOURCE
#include "requests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WAITING_MAX = 8, TIDIED_MAX = 1000 };

static bool folder_of(char path[REQUESTS_PATH_MAX], const char *root, uid_t user)
{
	int size = snprintf(path, REQUESTS_PATH_MAX, "%s/tmp/snaptools-%lu", root, (unsigned long)user);
	return size > 0 && size < REQUESTS_PATH_MAX;
}

bool requests_path(char path[REQUESTS_PATH_MAX], const char *root, uid_t user, pid_t pid)
{
	char folder[REQUESTS_PATH_MAX];
	if (!folder_of(folder, root, user))
		return false;
	int size = snprintf(path, REQUESTS_PATH_MAX, "%s/%ld.sock", folder, (long)pid);
	return size > 0 && size < REQUESTS_PATH_MAX;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	return address;
}

/* Anybody may have made the folder first. */
static bool own_folder(const char *folder)
{
	struct stat st;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return false;
	if (lstat(folder, &st) < 0)
		return false;
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
		return true;
	errno = EPERM;
	return false;
}

/* Nobody listens on the socket of a process that was killed. */
static void remove_if_dead(const char *path)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = address_of(path);
	if (probe < 0)
		return;
	if (connect(probe, (struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED)
		unlink(path);
	close(probe);
}

/* One that is new may be about to be listened on. */
static bool is_old(const char *path)
{
	enum { OLD_SECONDS = 60 };
	struct stat st;
	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > OLD_SECONDS;
}

void requests_tidy(void)
{
	char folder[REQUESTS_PATH_MAX];
	if (!folder_of(folder, "", geteuid()) || !own_folder(folder))
		return;
	DIR *entries = opendir(folder);
	struct dirent *entry;
	for (int i = 0; entries != NULL && i < TIDIED_MAX && (entry = readdir(entries)) != NULL; i++) {
		char path[REQUESTS_PATH_MAX];
		const char *ending = strrchr(entry->d_name, '.');
		int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (ending == NULL || length < 0 || (size_t)length >= sizeof path)
			continue;
		if (strcmp(ending, ".sock") == 0 || (strcmp(ending, ".new") == 0 && is_old(path)))
			remove_if_dead(path);
	}
	if (entries != NULL)
		closedir(entries);
}

int requests_listen(char path[REQUESTS_PATH_MAX])
{
	char folder[REQUESTS_PATH_MAX], early[REQUESTS_PATH_MAX], final[REQUESTS_PATH_MAX];
	uid_t user = geteuid();
	if (!folder_of(folder, "", user) || !requests_path(final, "", user, getpid()))
		return -1;
	int size = snprintf(early, sizeof early, "%s/%ld.new", folder, (long)getpid());
	if (size < 0 || (size_t)size >= sizeof early || !own_folder(folder))
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* Renamed when it listens, so that nobody takes it for dead. */
	struct sockaddr_un address = address_of(early);
	unlink(early);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && chmod(early, 0600) == 0 &&
	    listen(fd, WAITING_MAX) == 0 && rename(early, final) == 0) {
		memcpy(path, final, sizeof final);
		return fd;
	}
	int saved = errno;
	unlink(early);
	close(fd);
	errno = saved;
	return -1;
}

bool requests_reach(const char *path)
{
	char wanted[REQUESTS_PATH_MAX];
	struct stat st;
	return requests_path(wanted, "", geteuid(), getpid()) && strcmp(wanted, path) == 0 && lstat(path, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

bool requests_allowed(int connection)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}
