/* SPDX-License-Identifier: MIT
 *
 * The shell's commands about block devices. Where a command only reads, a file of the ramdisk will do as a
 * device.
 */
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/cksum.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/shell.h"

static int fail(const char *command, const char *name, int error)
{
    kprintf("%s: %s: %s\n", command, name, error_text(error));
    return 1;
}

static int cmd_disk(int argc, char **argv)
{
    struct blockdev *d;
    unsigned n;
    (void)argc, (void)argv;
    for (n = 0; (d = block_nth(n)); n++)
        kprintf("%-8s %10lu bytes, %8lu sectors, %s%s; read %lu sectors, wrote %lu\n", d->name, d->bytes,
                d->sectors, d->where, d->readonly ? ", read-only" : "", d->sectors_read, d->sectors_written);
    if (n == 0)
        kprintf("no block devices\n");
    return 0;
}

static void sum_part(void *arg, const void *bytes, size_t n)
{
    cksum_add(arg, bytes, n);
}

static int cmd_sum(int argc, char **argv)
{
    struct cksum c = { 0 };
    struct blockdev *d;
    struct file f;
    if (argc != 2)
        return shell_usage(argv[0]);
    if ((d = block_find(argv[1]))) {
        int error = block_each(d, d->bytes, sum_part, &c);
        if (error)
            return fail(argv[0], argv[1], error);
    } else if (ramdisk_find(argv[1], &f)) {
        cksum_add(&c, f.data, f.size);
    } else {
        return fail(argv[0], argv[1], KE_NODEV);
    }
    uint64_t length = c.length;
    kprintf("%u %lu %s\n", cksum_end(&c), length, argv[1]);
    return 0;
}

static int cmd_read(int argc, char **argv)
{
    uint64_t offset, n;
    char text[256];
    struct blockdev *d;
    struct file f;
    int error = 0;
    if (argc != 4 || !str_number(argv[2], &offset) || !str_number(argv[3], &n) || n > sizeof(text))
        return shell_usage(argv[0]);
    if ((d = block_find(argv[1])))
        error = block_read(d, offset, text, n);
    else if (!ramdisk_find(argv[1], &f))
        error = -KE_NODEV;
    else if (offset > f.size || n > f.size - offset)
        error = -KE_NOSPC;
    else
        memcpy(text, f.data + offset, n);
    if (error)
        return fail(argv[0], argv[1], error);
    for (size_t i = 0; i < n; i++)
        kprintf(text[i] >= ' ' && text[i] <= '~' ? "%c" : "\\x%02x", (unsigned char)text[i]);
    kprintf("\n");
    return 0;
}

static int cmd_write(int argc, char **argv)
{
    uint64_t offset;
    if (argc < 4 || !str_number(argv[2], &offset))
        return shell_usage(argv[0]);
    struct blockdev *d = block_find(argv[1]);
    if (!d)
        return fail(argv[0], argv[1], KE_NODEV);
    size_t done = 0;
    for (int i = 3; i < argc; i++) { /* the words, with one space between them */
        if (i > 3) {
            int error = block_write(d, offset + done++, " ", 1);
            if (error)
                return fail(argv[0], argv[1], error);
        }
        size_t n = str_len(argv[i]);
        int error = block_write(d, offset + done, argv[i], n);
        if (error)
            return fail(argv[0], argv[1], error);
        done += n;
    }
    kprintf("wrote %zu bytes at %lu of %s\n", done, offset, argv[1]);
    return 0;
}

const struct command disk_commands[] = {
    { "disk", "", "block devices", cmd_disk },
    { "sum", "DEVICE|FILE", "CRC and size, as cksum prints them", cmd_sum },
    { "read", "DEVICE OFFSET LENGTH", "shows some bytes (at most 256)", cmd_read },
    { "write", "DEVICE OFFSET TEXT", "changes some bytes", cmd_write },
    { NULL, NULL, NULL, NULL },
};
