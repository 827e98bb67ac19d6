/* The package that a source file belongs to, by its name. */
#ifndef SNAP_STORE_PACKAGE_H
#define SNAP_STORE_PACKAGE_H

#include <snap/meta.h>
#include <snap/pattern.h>

/* Folders that the metadata of a snapshot, or of the older side of a diff, name. */
struct snap_package_roots {
	struct snap_text site[2], stdlib[2]; /* without separators at the end; size 0 = none */
};

struct snap_package_roots snap_package_roots(const struct snap_meta *meta);

/* What the roots say of a file: the package in root.site, or "(stdlib)"; false where they say nothing, also
 * where the name says it by itself, as behind site-packages. The text is borrowed from the path, or a constant. */
bool snap_package_below(struct snap_text path, const struct snap_package_roots *roots, struct snap_text *package);

/* What the name says: "numpy" or "six" behind site-packages or dist-packages, "(stdlib)", else the folder, "."
 * without one, and "(none)" for what is no file, as <string>. `stdlib` is the preset of that name. Borrowed
 * likewise. */
enum snap_status snap_package_of(struct snap_text path, const struct snap_pattern *stdlib, struct snap_text *package,
                                 struct snap_error *err);

#endif
