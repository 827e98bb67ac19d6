/* The package that a source file belongs to, by its name. */
#ifndef SNAP_STORE_PACKAGE_H
#define SNAP_STORE_PACKAGE_H

#include <snap/pattern.h>

/* "numpy" or "six" behind site-packages or dist-packages, "(stdlib)", else the folder, "." without one, and
 * "(none)" for what is no file, as <string>. `stdlib` is the preset of that name. The text is borrowed from
 * the path, or a constant. */
enum snap_status snap_package_of(struct snap_text path, const struct snap_pattern *stdlib, struct snap_text *package,
                                 struct snap_error *err);

#endif
