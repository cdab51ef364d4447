/* SPDX-License-Identifier: MIT
 *
 * The reader of newc archives. An entry: 110 characters of header (13 numbers of 8 hexadecimal digits after
 * the magic 070701 or 070702), the name with its 0, then the data, name and data each padded to a multiple of
 * 4 from the header's start. The entry TRAILER!!! ends it. Source: Linux's
 * Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#include "pvkernel/core/archive.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"

#define HEADER 110

enum { FIELD_MODE = 1, FIELD_SIZE = 6, FIELD_NAMESIZE = 11 };

static bool field(const char *header, size_t i, size_t *value)
{
    *value = 0;
    for (const char *p = header + 6 + 8 * i; p < header + 14 + 8 * i; p++) {
        char c = *p;
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d == 16)
            return false;
        *value = *value * 16 + d;
    }
    return true;
}

static size_t pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

bool archive_next(void *archive, size_t size, size_t *offset, struct file *f, int *error)
{
    int ignored;
    size_t namesize, mode;
    if (!error)
        error = &ignored;
    *error = -KE_INVAL;
    if (*offset > size || size - *offset < HEADER)
        return false;
    char *h = (char *)archive + *offset;
    size_t left = size - *offset;
    if (memcmp(h, "070701", 6) != 0 && memcmp(h, "070702", 6) != 0)
        return false;
    if (!field(h, FIELD_MODE, &mode) || !field(h, FIELD_SIZE, &f->size) ||
        !field(h, FIELD_NAMESIZE, &namesize))
        return false;
    size_t data = pad4(HEADER + namesize);
    if (namesize == 0 || data > left || f->size > left - data || h[HEADER + namesize - 1])
        return false;
    f->name = h + HEADER;
    f->data = (uint8_t *)h + data;
    f->directory = (mode & 0170000) == 0040000;
    *offset += pad4(data + f->size);
    *error = 0;
    if (str_equal(f->name, "TRAILER!!!"))
        return false;
    while (str_starts(f->name, "./") || f->name[0] == '/')
        f->name += f->name[0] == '/' ? 1 : 2;
    return true;
}

static struct {
    void *archive;
    size_t size;
} ramdisk;

void ramdisk_set(void *archive, size_t size)
{
    ramdisk.archive = archive;
    ramdisk.size = size;
}

bool ramdisk_next(size_t *offset, struct file *f)
{
    return ramdisk.archive && archive_next(ramdisk.archive, ramdisk.size, offset, f, NULL);
}

bool ramdisk_find(const char *name, struct file *f)
{
    size_t offset = 0;
    while (str_starts(name, "/"))
        name++;
    while (ramdisk_next(&offset, f))
        if (!f->directory && str_equal(f->name, name))
            return true;
    return false;
}
