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

#define LOOK_NS 100000000ull /* how soon Ctrl-C is seen */

static int cmd_help(int argc, char **argv)
{
    if (!shell_help(argv[1])) {
        kprintf("help: %s: no such command\n", argv[1]);
        return 1;
    }
    if (argc == 2)
        return 0;
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
    char where[24] = "";
    if (t->state == THREAD_RUNNING && cpus_online > 1)
        ksnprintf(where, sizeof(where), " on CPU %u", t->cpu->id);
    uint64_t ms = thread_cpu_ns(t) / 1000000;
    (void)arg;
    kprintf("%4d  ", t->id);
    if (t->process)
        kprintf("%4d %6zu kB", t->process->pid, t->process->vm.pages * 4);
    else
        kprintf("   -         -");
    kprintf(" %6lu.%03lu s %8lu  %-16s %s%s%s%s\n", ms / 1000, ms % 1000, t->switches, t->name,
            states[t->state], t->waits_for ? " " : "", t->waits_for ? t->waits_for : "", where);
}

static int cmd_ps(int argc, char **argv)
{
    (void)argc, (void)argv;
    kprintf("thread pid    memory       time switches  name             state\n");
    thread_for_each(ps_row, NULL);
    return 0;
}

static void cpu_row(const struct cpu *c, void *arg)
{
    uint64_t idle = thread_cpu_ns(c->idle) / 1000000, ms = (arch_time_ns() - c->since) / 1000000;
    uint64_t busy = ms > idle ? ms - idle : 0;
    (void)arg;
    kprintf("%3u %7lu.%03lu s %7lu.%03lu s %8lu %10lu %6lu  %s\n", c->id, busy / 1000, busy % 1000,
            idle / 1000, idle % 1000, c->switches, arch_interrupts(c->id), c->kicks, c->current->name);
}

static int cmd_cpus(int argc, char **argv)
{
    (void)argc, (void)argv;
    kprintf("CPU        busy         idle switches interrupts  kicks  runs\n");
    cpu_for_each(cpu_row, NULL);
    return 0;
}

static int cmd_mem(int argc, char **argv)
{
    size_t objects, pages;
    (void)argc, (void)argv;
    kalloc_figures(&objects, &pages);
    kprintf("%zu pages of 4 kB, %zu free, %zu used; %zu small object%s in %zu of them\n", page_total(),
            page_free_count(), page_total() - page_free_count(), objects, plural(objects), pages);
    return 0;
}

static int cmd_ls(int argc, char **argv)
{
    const char *start = argc == 2 ? argv[1] : "";
    size_t offset = 0;
    bool any = false;
    struct file f;
    while (ramdisk_next(&offset, &f))
        if (!f.directory && str_starts(f.name, start)) {
            kprintf("%10zu  %s\n", f.size, f.name);
            any = true;
        }
    if (offset == 0)
        kprintf("no ramdisk\n");
    else if (!any)
        kprintf("ls: %s: no file's name begins with this\n", start);
    return any || argc == 1 ? 0 : 1;
}

/* No control characters, so that the terminal stays usable. *arg: the last character. False: Ctrl-C. */
static bool show(void *arg, const void *bytes, size_t n)
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
        if (console_interrupted())
            return false;
    }
    return true;
}

static int cmd_cat(int argc, char **argv)
{
    struct blockdev *d;
    struct file f;
    int status = 0;
    console_interrupted();
    for (int i = 1; i < argc && status != STATUS_INTERRUPT; i++) {
        char last = '\n';
        int error = 0;
        if (ramdisk_find(argv[i], &f))
            error = show(&last, f.data, f.size) ? 0 : KE_INTR;
        else if ((d = block_find(argv[i])))
            error = block_each(d, d->bytes, show, &last);
        else
            error = KE_NOENT;
        if (last != '\n')
            console_write("\n", 1);
        if (error) {
            kprintf("cat: %s: %s\n", argv[i],
                    error == KE_NOENT ? "no such file or device" : error_text(error));
            status = error == KE_INTR || error == -KE_INTR ? STATUS_INTERRUPT : 1;
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
    (void)argc;
    if (!str_number(argv[1], &pid))
        return shell_wrong(argv[0], argv[1], "no number");
    int error = pid > 0x7fffffff ? -KE_SRCH : process_kill((int)pid);
    if (error)
        kprintf("kill: %s: no such program (ps lists those that run)\n", argv[1]);
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
    (void)argc;
    if (!str_number(argv[1], &s) || s > 86400)
        return shell_wrong(argv[0], argv[1], "no number from 0 to 86400");
    uint64_t until = arch_time_ns() + s * 1000000000ull, now;
    console_interrupted();
    while ((now = arch_time_ns()) < until) {
        thread_sleep_ns(until - now < LOOK_NS ? until - now : LOOK_NS);
        if (console_interrupted())
            return STATUS_INTERRUPT;
    }
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
    if (argc == 2 && (!str_number(argv[1], &status) || status > 255))
        return shell_wrong(argv[0], argv[1], "no number from 0 to 255");
    arch_poweroff((int)status & 0xff);
}

const struct command core_commands[] = {
    { "help", "[COMMAND]", "this list", cmd_help, 0, 1 },
    { "echo", "WORDS", "prints them", cmd_echo, 0, SHELL_WORDS },
    { "ps", "", "threads and programs", cmd_ps, 0, 0 },
    { "cpus", "", "what each CPU does, and did", cmd_cpus, 0, 0 },
    { "mem", "", "the kernel's memory", cmd_mem, 0, 0 },
    { "ls", "[START]", "files of the ramdisk, or those that begin so", cmd_ls, 0, 1 },
    { "cat", "FILE|DEVICE...", "prints files of the ramdisk, or devices", cmd_cat, 1, SHELL_WORDS },
    { "run", "PROGRAM [ARGS] [&]", "runs a program of the ramdisk in user mode", cmd_run, 1, SHELL_WORDS },
    { "wait", "", "waits for all that runs with &; its status", cmd_wait, 0, 0 },
    { "kill", "PID", "ends a program", cmd_kill, 1, 1 },
    { "stress", "[SECONDS]", "all that it can do at once, and whether it is right", cmd_stress, 0, 1 },
    { "uptime", "", "time since boot, and of day", cmd_uptime, 0, 0 },
    { "sleep", "SECONDS", "waits", cmd_sleep, 1, 1 },
    { "true", "", "does nothing, status 0", cmd_true, 0, SHELL_WORDS },
    { "false", "", "does nothing, status 1", cmd_true, 0, SHELL_WORDS },
    { "poweroff", "[STATUS]", "ends this domain; domain 0: all of them", cmd_poweroff, 0, 1 },
    { NULL, NULL, NULL, NULL, 0, 0 },
};
