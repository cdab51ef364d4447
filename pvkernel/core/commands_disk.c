/* SPDX-License-Identifier: MIT
 *
 * The shell's commands about block devices. Where a command only reads, a file of the ramdisk will do as a
 * device.
 */
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/cksum.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/shell.h"

static int fail(const char *command, const char *name, int error)
{
    const struct blockdev *d = block_find(name);
    if (error == -KE_NOSPC && d)
        kprintf("%s: %s: it ends at byte %lu\n", command, name, d->sectors * SECTOR);
    else
        kprintf("%s: %s: %s\n", command, name, error_text(error));
    return error == -KE_INTR ? STATUS_INTERRUPT : 1;
}

static int no_device(const char *command, const char *name)
{
    kprintf("%s: %s: no such device or file (disk and ls list them)\n", command, name);
    return 1;
}

static int cmd_disk(int argc, char **argv)
{
    struct blockdev *d;
    unsigned n;
    (void)argc, (void)argv;
    for (n = 0; (d = block_nth(n)); n++)
        kprintf("%-8s %10lu byte%s, %8lu sector%s, %s%s; sectors read %lu, written %lu\n", d->name, d->bytes,
                plural(d->bytes), d->sectors, plural(d->sectors), d->where, d->readonly ? ", read-only" : "",
                d->sectors_read, d->sectors_written);
    if (n == 0)
        kprintf("no block devices\n");
    return 0;
}

static bool sum_part(void *arg, const void *bytes, size_t n)
{
    cksum_add(arg, bytes, n);
    return !console_interrupted();
}

static int cmd_sum(int argc, char **argv)
{
    struct cksum c = { 0 };
    struct blockdev *d;
    struct file f;
    (void)argc;
    console_interrupted();
    if ((d = block_find(argv[1]))) {
        int error = block_each(d, d->bytes, sum_part, &c);
        if (error)
            return fail(argv[0], argv[1], error);
    } else if (ramdisk_find(argv[1], &f)) {
        cksum_add(&c, f.data, f.size);
    } else {
        return no_device(argv[0], argv[1]);
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
    (void)argc;
    if (!str_number(argv[2], &offset))
        return shell_wrong(argv[0], argv[2], "no number");
    if (!str_number(argv[3], &n) || n > sizeof(text))
        return shell_wrong(argv[0], argv[3], "no number from 0 to 256");
    if ((d = block_find(argv[1])))
        error = block_read(d, offset, text, n);
    else if (!ramdisk_find(argv[1], &f))
        return no_device(argv[0], argv[1]);
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
    struct file f;
    if (!str_number(argv[2], &offset))
        return shell_wrong(argv[0], argv[2], "no number");
    struct blockdev *d = block_find(argv[1]);
    if (!d && ramdisk_find(argv[1], &f))
        return shell_wrong(argv[0], argv[1], "files of the ramdisk can't be changed");
    if (!d)
        return no_device(argv[0], argv[1]);
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
    kprintf("wrote %zu byte%s at %lu of %s\n", done, plural(done), offset, argv[1]);
    return 0;
}

const struct command disk_commands[] = {
    { "disk", "", "block devices", cmd_disk, 0, 0 },
    { "sum", "DEVICE|FILE", "CRC and size, as cksum prints them", cmd_sum, 1, 1 },
    { "read", "DEVICE OFFSET LENGTH", "shows some bytes (at most 256)", cmd_read, 3, 3 },
    { "write", "DEVICE OFFSET TEXT", "changes some bytes", cmd_write, 3, SHELL_WORDS },
    { NULL, NULL, NULL, NULL, 0, 0 },
};
