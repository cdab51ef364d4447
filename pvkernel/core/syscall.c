/* SPDX-License-Identifier: MIT
 *
 * The system calls: one table, one function each. A function may sleep; it gets its arguments as they were in
 * the registers and touches the program's memory only by vm_copy_in and vm_copy_out. Read next: syscall.h for
 * the numbers.
 */
#include "pvkernel/core/syscall.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/process.h"

typedef long syscall_fn(struct process *p, const unsigned long a[6]);

static long sys_exit(struct process *p, const unsigned long a[6])
{
    (void)p;
    process_exit((int)a[0] & 0xff);
}

static long sys_write(struct process *p, const unsigned long a[6])
{
    char part[256];
    size_t done = 0;
    if (a[0] != 1 && a[0] != 2)
        return -KE_BADF;
    while (done < a[2]) {
        size_t n = a[2] - done < sizeof(part) ? a[2] - done : sizeof(part);
        int error = vm_copy_in(&p->vm, part, a[1] + done, n);
        if (error)
            return done ? (long)done : error;
        console_write(part, n);
        done += n;
        if (p->killed)
            break;
    }
    return (long)done;
}

static long sys_read(struct process *p, const unsigned long a[6])
{
    char line[256];
    if (a[0] != 0)
        return -KE_BADF;
    size_t n = a[2] < sizeof(line) ? a[2] : sizeof(line);
    long got = console_read_line(line, n);
    if (got > 0 && vm_copy_out(&p->vm, a[1], line, (size_t)got))
        return -KE_FAULT;
    return got;
}

static long sys_getpid(struct process *p, const unsigned long a[6])
{
    (void)a;
    return p->pid;
}

static long sys_sleep(struct process *p, const unsigned long a[6])
{
    bool on = arch_irq_save();
    uint64_t now = arch_time_ns();
    if (!p->killed)
        wait_until(NULL, NULL, "time", a[0] < NEVER - 1 - now ? now + a[0] : NEVER - 1);
    arch_irq_restore(on);
    return p->killed ? -KE_INTR : 0;
}

static long sys_sbrk(struct process *p, const unsigned long a[6])
{
    uintptr_t old = 0;
    int error = vm_brk(&p->vm, (intptr_t)a[0], &old);
    return error ? error : (long)old;
}

static long sys_time(struct process *p, const unsigned long a[6])
{
    (void)p, (void)a;
    return (long)arch_time_ns();
}

static long sys_yield(struct process *p, const unsigned long a[6])
{
    (void)p, (void)a;
    thread_yield();
    return 0;
}

static long sys_clock(struct process *p, const unsigned long a[6])
{
    (void)p, (void)a;
    return (long)arch_wallclock();
}

static syscall_fn *const table[SYS_COUNT] = {
    [SYS_exit] = sys_exit,     [SYS_write] = sys_write, [SYS_read] = sys_read,
    [SYS_getpid] = sys_getpid, [SYS_sleep] = sys_sleep, [SYS_sbrk] = sys_sbrk,
    [SYS_time] = sys_time,     [SYS_yield] = sys_yield, [SYS_clock] = sys_clock,
};

long core_syscall(unsigned long number, const unsigned long args[6])
{
    struct process *p = process_current();
    p->syscalls++;
    if (number >= SYS_COUNT)
        return -KE_NOSYS;
    arch_irq_restore(true);
    long result = table[number](p, args);
    arch_irq_save();
    return result;
}
