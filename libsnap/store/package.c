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

/* Where the name of what is installed begins, or 0. */
static size_t installed_at(struct snap_text path)
{
	size_t site = behind_folder(path, "site-packages"), dist = behind_folder(path, "dist-packages");
	return site > dist ? site : dist;
}

static struct snap_text root(const struct snap_meta *meta, const char *key)
{
	const char *value = snap_meta_get(meta, key);
	struct snap_text folder = {value, value != NULL ? strlen(value) : 0};
	while (folder.size > 0 && is_separator(folder.bytes[folder.size - 1]))
		folder.size--;
	return folder;
}

struct snap_package_roots snap_package_roots(const struct snap_meta *meta)
{
	return (struct snap_package_roots){
		.site = {root(meta, "root.site"), root(meta, SNAP_META_OLD "root.site")},
		.stdlib = {root(meta, "root.stdlib"), root(meta, SNAP_META_OLD "root.stdlib")},
	};
}

/* The size of the longer of two folders that the path is below, or 0. */
static size_t below(struct snap_text path, const struct snap_text folders[2])
{
	size_t longest = 0;
	for (unsigned i = 0; i < 2; i++) {
		size_t size = folders[i].size;
		if (size > longest && path.size > size && is_separator(path.bytes[size]) &&
		    memcmp(path.bytes, folders[i].bytes, size) == 0)
			longest = size;
	}
	return longest;
}

bool snap_package_below(struct snap_text path, const struct snap_package_roots *roots, struct snap_text *package)
{
	/* One may be below the other; the narrower decides. */
	size_t site = below(path, roots->site), stdlib = below(path, roots->stdlib);
	if ((site == 0 && stdlib == 0) || installed_at(path) > 0)
		return false;
	*package = site > stdlib ? installed(path, site + 1) : constant("(stdlib)");
	return true;
}

enum snap_status snap_package_of(struct snap_text path, const struct snap_pattern *stdlib, struct snap_text *package,
                                 struct snap_error *err)
{
	size_t at = installed_at(path);
	if (at > 0) {
		*package = installed(path, at);
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
