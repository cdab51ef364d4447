/* SPDX-License-Identifier: MIT
 *
 * pvkernel's shell as somebody uses it who does not know it: each wrong use of a command is answered by one
 * sentence that says what is wrong, and by a status that a script sees.
 */
// sources: pvkernel/core/shell.c pvkernel/core/commands.c pvkernel/core/commands_disk.c
// sources: pvkernel/core/jobs.c pvkernel/core/script.c pvkernel/core/lineedit.c pvkernel/core/block.c
// sources: pvkernel/core/cksum.c pvkernel/core/archive.c pvkernel/core/process.c pvkernel/core/syscall.c
// sources: pvkernel/core/console.c pvkernel/core/vm.c pvkernel/core/elf.c pvkernel/core/thread.c
// sources: pvkernel/core/sync.c pvkernel/core/page.c pvkernel/core/kalloc.c pvkernel/core/print.c
// sources: pvkernel/core/lib.c pvkernel/core/lock.c pvkernel/core/stress.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/shell.h"
#include "pvkernel/core/thread.h"
#include "tests/host/fake_arch.h"

const struct command arch_commands[] = { { NULL, NULL, NULL, NULL, 0, 0 } };

/* A ramdisk with the file `notes` of 5 bytes, and the device xvda of one sector, of which 1 byte counts. */
static char sector[SECTOR] = "x";

static int disk_read(struct blockdev *d, uint64_t at, void *buffer, unsigned count)
{
    (void)d;
    memcpy(buffer, sector + at * SECTOR, count * SECTOR);
    return 0;
}

static int disk_write(struct blockdev *d, uint64_t at, const void *buffer, unsigned count)
{
    (void)d;
    memcpy(sector + at * SECTOR, buffer, count * SECTOR);
    return 0;
}

static struct blockdev disk = {
    .name = "xvda", .where = "here", .bytes = 1, .sectors = 1, .read = disk_read, .write = disk_write
};

static void setup(void)
{
    static char image[400];
    const char *name = "notes";
    int n = sprintf(image, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, 0100644, 0, 0, 1,
                    0, 5, 0, 0, 0, 0, 6, 0);
    memcpy(image + n, name, 6);
    memcpy(image + 116, "five!", 5);
    fake_memory(64);
    ramdisk_set(image, sizeof(image));
    thread_init();
    block_register(&disk);
}

TestSuite(shell, .init = setup);

static void expect(const char *line, int status, const char *text)
{
    fake_console[0] = 0;
    int got = shell_run(line);
    cr_assert_str_eq(fake_console, text, "%s: got `%s`", line, fake_console);
    cr_assert_eq(got, status, "%s: status %d", line, got);
}

Test(shell, wrong_uses_are_one_sentence)
{
    static const struct {
        const char *line, *text;
        int status;
    } uses[] = {
        { "frobnicate 1 2", "frobnicate: no such command (help lists them)\n", 127 },
        { "help me", "help: me: no such command\n", 1 },
        { "ps x", "ps: x: takes no arguments (usage: ps)\n", 2 },
        { "mem x", "mem: x: takes no arguments (usage: mem)\n", 2 },
        { "ls what", "ls: what: no file's name begins with this\n", 1 },
        { "ls a b", "ls: b: too many arguments (usage: ls [START])\n", 2 },
        { "cat", "cat: an argument is missing (usage: cat FILE|DEVICE...)\n", 2 },
        { "cat what", "cat: what: no such file or device\n", 1 },
        { "run", "run: an argument is missing (usage: run PROGRAM [ARGS] [&])\n", 2 },
        { "run what", "run: what: no such file (ls shows the ramdisk)\n", 127 },
        { "run notes", "run: notes: not a program: no 64-bit ELF file\n", 126 },
        { "wait x", "wait: x: takes no arguments (usage: wait)\n", 2 },
        { "kill", "kill: an argument is missing (usage: kill PID)\n", 2 },
        { "kill all", "kill: all: no number (usage: kill PID)\n", 2 },
        { "kill 7", "kill: 7: no such program (ps lists those that run)\n", 1 },
        { "kill 4294967297", "kill: 4294967297: no such program (ps lists those that run)\n", 1 },
        { "sleep", "sleep: an argument is missing (usage: sleep SECONDS)\n", 2 },
        { "sleep -1", "sleep: -1: no number from 0 to 86400 (usage: sleep SECONDS)\n", 2 },
        { "sleep 86401", "sleep: 86401: no number from 0 to 86400 (usage: sleep SECONDS)\n", 2 },
        { "poweroff now", "poweroff: now: no number from 0 to 255 (usage: poweroff [STATUS])\n", 2 },
        { "poweroff 256", "poweroff: 256: no number from 0 to 255 (usage: poweroff [STATUS])\n", 2 },
        { "disk x", "disk: x: takes no arguments (usage: disk)\n", 2 },
        { "sum", "sum: an argument is missing (usage: sum DEVICE|FILE)\n", 2 },
        { "sum a b", "sum: b: too many arguments (usage: sum DEVICE|FILE)\n", 2 },
        { "sum what", "sum: what: no such device or file (disk and ls list them)\n", 1 },
        { "read xvda 0", "read: an argument is missing (usage: read DEVICE OFFSET LENGTH)\n", 2 },
        { "read xvda x 1", "read: x: no number (usage: read DEVICE OFFSET LENGTH)\n", 2 },
        { "read xvda 0 257", "read: 257: no number from 0 to 256 (usage: read DEVICE OFFSET LENGTH)\n", 2 },
        { "read xvda 512 1", "read: xvda: it ends at byte 512\n", 1 },
        { "read xvda 99999999999999999999 1",
          "read: 99999999999999999999: no number (usage: read DEVICE OFFSET LENGTH)\n", 2 },
        { "read what 0 1", "read: what: no such device or file (disk and ls list them)\n", 1 },
        { "read notes 5 1", "read: notes: past the end\n", 1 },
        { "write xvda 0", "write: an argument is missing (usage: write DEVICE OFFSET TEXT)\n", 2 },
        { "write xvda x y", "write: x: no number (usage: write DEVICE OFFSET TEXT)\n", 2 },
        { "write xvda 510 abc", "write: xvda: it ends at byte 512\n", 1 },
        { "write notes 0 x",
          "write: notes: files of the ramdisk can't be changed (usage: write DEVICE OFFSET TEXT)\n", 2 },
        { "write what 0 x", "write: what: no such device or file (disk and ls list them)\n", 1 },
        { "echo 'a", "a quote is not closed\n", 2 },
        { "echo a\"", "a quote is not closed\n", 2 },
        { "a b c d e f g h i j k l m n o p q", "too many words: a command has at most 16\n", 2 },
        { "&", "&: a command is missing before it\n", 2 },
    };
    for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
        expect(uses[i].line, uses[i].status, uses[i].text);
}

Test(shell, nothing_is_nothing)
{
    expect("", 0, "");
    expect("   ", 0, "");
    expect(";; ;", 0, "");
    expect("# a comment", 0, "");
}

Test(shell, numbers_have_their_plural)
{
    expect("write xvda 0 a", 0, "wrote 1 byte at 0 of xvda\n");
    expect("write xvda 1 'b c' d", 0, "wrote 5 bytes at 1 of xvda\n");
    expect("read xvda 0 7", 0, "ab c d\\x00\n");
    expect("disk", 0, "xvda              1 byte,        1 sector, here; sectors read 1, written 4\n");
}

Test(shell, help_for_one_command)
{
    expect("help cat", 0, "  cat FILE|DEVICE...         prints files of the ramdisk, or devices\n");
}

Test(shell, the_first_failure_is_the_lines_status)
{
    expect("true; cat what; frobnicate; echo on", 1,
           "cat: what: no such file or device\nfrobnicate: no such command (help lists them)\non\n");
}

Test(shell, too_long_commands_do_not_run)
{
    char line[600] = "echo ";
    memset(line + 5, 'x', 500);
    expect(line, 2,
           "a command has at most 199 characters, and this one begins: "
           "echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
}
