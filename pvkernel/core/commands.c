/* SPDX-License-Identifier: MIT
 *
 * The shell's commands about the kernel itself: threads, memory, files, programs. Read next: commands_disk.c,
 * and arch/pv/commands.c for those about the hypervisor.
 */
#include "pvkernel/core/archive.h"
#include "pvkernel/core/block.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/jobs.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/shell.h"

static void help_table(const struct command *c)
{
    for (; c->name; c++) {
        char head[40];
        ksnprintf(head, sizeof(head), "%s %s", c->name, c->args);
        kprintf("  %-26s %s\n", head, c->help);
    }
}

static int cmd_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    help_table(core_commands);
    help_table(disk_commands);
    help_table(arch_commands);
    kprintf("Keys: Tab completes, arrows edit and recall, Ctrl-C ends a program. 'a; b' runs a, then b; 'a "
            "&' beside.\n");
    return 0;
}

static int cmd_echo(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        kprintf("%s%s", i > 1 ? " " : "", argv[i]);
    kprintf("\n");
    return 0;
}

static void ps_row(struct thread *t, void *arg)
{
    static const char *const states[] = { "ready", "running", "waits for", "dead" };
    uint64_t ms = thread_cpu_ns(t) / 1000000;
    (void)arg;
    kprintf("%4d  ", t->id);
    if (t->process)
        kprintf("%4d %6zu kB", t->process->pid, t->process->vm.pages * 4);
    else
        kprintf("   -         -");
    kprintf(" %6lu.%03lu s %8lu  %-16s %s %s\n", ms / 1000, ms % 1000, t->switches, t->name, states[t->state],
            t->waits_for ? t->waits_for : "");
}

static int cmd_ps(int argc, char **argv)
{
    (void)argc, (void)argv;
    kprintf("thread pid    memory       time switches  name             state\n");
    thread_for_each(ps_row, NULL);
    return 0;
}

static int cmd_mem(int argc, char **argv)
{
    size_t objects, pages;
    (void)argc, (void)argv;
    kalloc_figures(&objects, &pages);
    kprintf("%zu pages of 4 kB, %zu free, %zu used; %zu small objects in %zu of them\n", page_total(),
            page_free_count(), page_total() - page_free_count(), objects, pages);
    return 0;
}

static int cmd_ls(int argc, char **argv)
{
    size_t offset = 0;
    struct file f;
    (void)argc, (void)argv;
    while (ramdisk_next(&offset, &f))
        if (!f.directory)
            kprintf("%10zu  %s\n", f.size, f.name);
    if (offset == 0)
        kprintf("no ramdisk\n");
    return 0;
}

/* No control characters, so that the terminal stays usable. *arg: the last character. */
static void show(void *arg, const void *bytes, size_t n)
{
    const char *from = bytes;
    char part[128];
    for (size_t at = 0; at < n;) {
        size_t k;
        for (k = 0; k < sizeof(part) && at < n; k++, at++) {
            char c = from[at];
            part[k] = (unsigned char)c >= ' ' || c == '\n' || c == '\t' ? c : '.';
        }
        console_write(part, k);
        *(char *)arg = part[k - 1];
    }
}

static int cmd_cat(int argc, char **argv)
{
    struct blockdev *d;
    struct file f;
    int status = 0;
    if (argc < 2)
        return shell_usage(argv[0]);
    for (int i = 1; i < argc; i++) {
        char last = '\n';
        int error = 0;
        if (ramdisk_find(argv[i], &f))
            show(&last, f.data, f.size);
        else if ((d = block_find(argv[i])))
            error = block_each(d, d->bytes, show, &last);
        else
            error = KE_NOENT;
        if (last != '\n')
            console_write("\n", 1);
        if (error) {
            kprintf("cat: %s: %s\n", argv[i], error_text(error));
            status = 1;
        }
    }
    return status;
}

/* A program by the name of its file, or of a file below bin/ or user/. */
static bool find_program(const char *name, struct file *f)
{
    static const char *const places[] = { "", "bin/", "user/" };
    char path[100];
    for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
        ksnprintf(path, sizeof(path), "%s%s", places[i], name);
        if (ramdisk_find(path, f))
            return true;
    }
    return false;
}

static int wait_for(void *pid)
{
    return process_wait((int)(uintptr_t)pid);
}

static int cmd_wait(int argc, char **argv)
{
    (void)argc, (void)argv;
    return jobs_wait();
}

static int cmd_run(int argc, char **argv)
{
    struct file f;
    const char *why;
    if (argc < 2)
        return shell_usage(argv[0]);
    bool background = argc > 2 && str_equal(argv[argc - 1], "&");
    if (!find_program(argv[1], &f)) {
        kprintf("run: %s: %s (ls shows the ramdisk)\n", argv[1], error_text(KE_NOENT));
        return 127;
    }
    int pid = process_start(argv[1], f.data, f.size, argc - 1 - background, argv + 1, &why);
    if (pid < 0) {
        kprintf("run: %s: %s%s%s\n", argv[1], error_text(pid), *why ? ": " : "", why);
        return 126;
    }
    if (background) {
        kprintf("[%d]\n", pid);
        if (job_start(argv[1], wait_for, (void *)(uintptr_t)pid))
            process_detach(pid);
        return 0;
    }
    process_set_foreground(pid);
    int status = process_wait(pid);
    process_set_foreground(0);
    if (status)
        kprintf("%s: exit status %d\n", argv[1], status);
    return status;
}

static int cmd_kill(int argc, char **argv)
{
    uint64_t pid;
    if (argc != 2 || !str_number(argv[1], &pid))
        return shell_usage(argv[0]);
    int error = process_kill((int)pid);
    if (error)
        kprintf("kill: %s: %s\n", argv[1], error_text(error));
    return error ? 1 : 0;
}

static int cmd_uptime(int argc, char **argv)
{
    uint64_t ms = arch_time_ns() / 1000000, day = arch_wallclock() % 86400;
    (void)argc, (void)argv;
    kprintf("up %lu.%03lu s; %02lu:%02lu:%02lu UTC\n", ms / 1000, ms % 1000, day / 3600, day / 60 % 60,
            day % 60);
    return 0;
}

static int cmd_sleep(int argc, char **argv)
{
    uint64_t s;
    if (argc != 2 || !str_number(argv[1], &s) || s > 86400)
        return shell_usage(argv[0]);
    thread_sleep_ns(s * 1000000000ull);
    return 0;
}

static int cmd_true(int argc, char **argv)
{
    (void)argc;
    return str_equal(argv[0], "false");
}

static int cmd_poweroff(int argc, char **argv)
{
    uint64_t status = 0;
    if (argc > 2 || (argc == 2 && !str_number(argv[1], &status)))
        return shell_usage(argv[0]);
    arch_poweroff((int)status & 0xff);
}

const struct command core_commands[] = {
    { "help", "", "this list", cmd_help },
    { "echo", "WORDS", "prints them", cmd_echo },
    { "ps", "", "threads and programs", cmd_ps },
    { "mem", "", "the kernel's memory", cmd_mem },
    { "ls", "", "files of the ramdisk", cmd_ls },
    { "cat", "FILE|DEVICE...", "prints files of the ramdisk, or devices", cmd_cat },
    { "run", "PROGRAM [ARGS] [&]", "runs a program of the ramdisk in user mode", cmd_run },
    { "wait", "", "waits for all that runs with &; its status", cmd_wait },
    { "kill", "PID", "ends a program", cmd_kill },
    { "uptime", "", "time since boot, and of day", cmd_uptime },
    { "sleep", "SECONDS", "waits", cmd_sleep },
    { "true", "", "does nothing, status 0", cmd_true },
    { "false", "", "does nothing, status 1", cmd_true },
    { "poweroff", "[STATUS]", "ends this machine", cmd_poweroff },
    { NULL, NULL, NULL, NULL },
};
