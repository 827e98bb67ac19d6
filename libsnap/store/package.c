/* See package.h. */
#include "store/package.h"

#include <string.h>

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* Where what is behind the last folder of this name begins, or 0. */
static size_t behind_folder(struct snap_text path, const char *folder)
{
	size_t length = strlen(folder);
	for (size_t at = path.size; at-- > length;)
		if (is_separator(path.bytes[at]) && memcmp(path.bytes + at - length, folder, length) == 0 &&
		    (at == length || is_separator(path.bytes[at - length - 1])))
			return at + 1;
	return 0;
}

/* The first folder of a name, or its file without what stands behind the first '.'. */
static struct snap_text installed(struct snap_text path, size_t from)
{
	size_t end = from;
	while (end < path.size && !is_separator(path.bytes[end]))
		end++;
	if (end == path.size)
		for (end = from; end < path.size && path.bytes[end] != '.';)
			end++;
	return (struct snap_text){path.bytes + from, end - from};
}

static struct snap_text constant(const char *text)
{
	return (struct snap_text){text, strlen(text)};
}

enum snap_status snap_package_of(struct snap_text path, const struct snap_pattern *stdlib, struct snap_text *package,
                                 struct snap_error *err)
{
	size_t site = behind_folder(path, "site-packages"), dist = behind_folder(path, "dist-packages");
	if (site > 0 || dist > 0) {
		*package = installed(path, site > dist ? site : dist);
		return SNAP_OK;
	}
	bool matches;
	enum snap_status status = snap_pattern_matches(stdlib, path, 0, &matches, err);
	if (status < 0)
		return status;
	if (matches)
		*package = constant("(stdlib)");
	else if (path.size == 0 || path.bytes[0] == '<')
		*package = constant("(none)");
	else {
		size_t end = path.size;
		while (end > 0 && !is_separator(path.bytes[end - 1]))
			end--;
		*package = end == 0   ? constant(".")
		           : end == 1 ? constant("/")
		                      : (struct snap_text){path.bytes, end - 1};
	}
	return SNAP_OK;
}
