/* SPDX-License-Identifier: MIT
 *
 * Paths of xenstore: what is lawful, and who lies below whom.
 *
 * Lawful (as stock xenstored has it): letters, digits and - _ @ between single slashes, no slash at the end
 * but in "/" itself, at most XENSTORE_ABS_PATH_MAX bytes, relative ones XENSTORE_REL_PATH_MAX. Ours alone: at
 * most XS_MAX_DEPTH names, so that what walks the tree may recurse (XSA-418).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

#define XS_MAX_DEPTH 32
#define XS_HOME_MAX  32 /* "/local/domain/32751" with its NUL */

struct xs_path {
    char text[XENSTORE_ABS_PATH_MAX + 1];
};

/* "/local/domain/N" into home; its length. */
size_t xs_home(char home[XS_HOME_MAX], uint16_t domid);

/* Makes an absolute path of what a domain named; a relative path starts at its home. 0 or -EINVAL. */
int xs_path_make(struct xs_path *path, uint16_t domid, const char *name);

/* The first name of a path behind a slash: "/a/b" gives "a" and leaves "/b". False at the end ("" or "/"). */
bool xs_path_split(const char **path, const char **name, size_t *len);

/* Is `path` the same as `top`, or below it? */
bool xs_path_within(const char *path, const char *top);
