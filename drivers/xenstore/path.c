/* SPDX-License-Identifier: MIT
 *
 * Paths of xenstore: see path.h.
 */
#include "drivers/xenstore/path.h"
#include "libpv/errno.h"
#include "libpv/print.h"
#include "libpv/string.h"

size_t xs_home(char home[XS_HOME_MAX], uint16_t domid)
{
    return (size_t)pv_snprintf(home, XS_HOME_MAX, "/local/domain/%u", domid);
}

static bool lawful_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '@' || c == '/';
}

/* An absolute path that is "/" or names between single slashes. */
static bool lawful(const char *path)
{
    unsigned int depth = 0;

    if (path[0] == '/' && path[1] == '\0')
        return true;
    for (size_t i = 0; path[i]; i++) {
        if (!lawful_char(path[i]))
            return false;
        if (path[i] == '/') {
            if (path[i + 1] == '/' || path[i + 1] == '\0')
                return false;
            depth++;
        }
    }
    return depth >= 1 && depth <= XS_MAX_DEPTH;
}

int xs_path_make(struct xs_path *path, uint16_t domid, const char *name)
{
    size_t len = strlen(name), at = 0;

    if (len == 0 || len > (name[0] == '/' ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX))
        return -EINVAL;
    if (name[0] != '/') {
        at = xs_home(path->text, domid);
        path->text[at++] = '/';
    }
    memcpy(path->text + at, name, len + 1);
    return lawful(path->text) ? 0 : -EINVAL;
}

bool xs_path_split(const char **path, const char **name, size_t *len)
{
    const char *p = *path;
    size_t n = 0;

    if (p[0] != '/' || p[1] == '\0')
        return false;
    p++;
    while (p[n] && p[n] != '/')
        n++;
    *name = p;
    *len = n;
    *path = p + n;
    return true;
}

bool xs_path_within(const char *path, const char *top)
{
    size_t len = strlen(top);

    if (top[0] == '/' && len == 1)
        return path[0] == '/';
    return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}
