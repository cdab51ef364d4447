/* SPDX-License-Identifier: MIT
 *
 * What a Linux guest's own operations cost, for `make bench GUEST=linux`: a static program in its initramfs.
 * Between two marks (tests/bench/mark.h) lies one sample of a row, TIMES operations; the plugin in QEMU
 * counts its instructions, and how many of them are the hypervisor's. Each row is announced on the console,
 * in the order of the plugin's lines.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/mark.h"

#define SAMPLES 15

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void system_calls(unsigned int times)
{
    while (times--)
        syscall(SYS_getppid);
}

static void page_faults(unsigned int times)
{
    const size_t bytes = times * 4096ul;
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        fail("mmap");
    madvise(pages, bytes, MADV_NOHUGEPAGE);
    for (unsigned int i = 0; i < times; i++)
        ((volatile char *)pages)[i * 4096ul] = 1;
    munmap(pages, bytes);
}

static int there[2], back[2];

static void pipe_round_trips(unsigned int times)
{
    char c = 'x';

    while (times--)
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
            fail("pipe");
}

static pid_t echo(void)
{
    char c;
    pid_t pid = fork();

    if (pid < 0)
        fail("fork");
    if (pid)
        return pid;
    while (read(there[0], &c, 1) == 1 && write(back[1], &c, 1) == 1)
        ;
    _exit(0);
}

static void children(unsigned int times, bool exec)
{
    static char *const words[] = { "/bin/bench", "nothing", NULL };

    while (times--) {
        pid_t pid = fork();
        int status;

        if (pid < 0)
            fail("fork");
        if (!pid && exec)
            execv(words[0], words);
        if (!pid)
            _exit(0);
        if (waitpid(pid, &status, 0) != pid || status)
            fail("child");
    }
}

static void forks(unsigned int times)
{
    children(times, false);
}

static void execs(unsigned int times)
{
    children(times, true);
}

static const struct row {
    const char *name;
    void (*run)(unsigned int times);
    unsigned int times;
} rows[] = {
    { "system_call", system_calls, 1000 },
    { "page_fault", page_faults, 256 },
    { "pipe_round_trip", pipe_round_trips, 200 },
    { "fork_wait", forks, 4 },
    { "fork_exec_wait", execs, 4 },
};

int main(int argc, char **argv)
{
    pid_t other;

    if (argc > 1 && !strcmp(argv[1], "nothing"))
        return 0;
    if (argc > 1 && !strcmp(argv[1], "booted")) {
        MARK(MARK_END);
        MARK(MARK_DONE);
        return 0;
    }
    if (pipe(there) || pipe(back))
        fail("pipe");
    other = echo();
    for (const struct row *r = rows; r < rows + sizeof(rows) / sizeof(*rows); r++) {
        printf("bench: %s %u\n", r->name, r->times);
        fflush(stdout);
        r->run(r->times);
        MARK(MARK_ROW);
        for (int i = 0; i < SAMPLES; i++) {
            MARK(MARK_START);
            r->run(r->times);
            MARK(MARK_END);
        }
        MARK(MARK_DONE);
    }
    kill(other, SIGKILL);
    return 0;
}
