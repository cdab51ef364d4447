/* SPDX-License-Identifier: MIT
 *
 * Processes and the kernel's answers to their faults. The process's own thread frees its address space when
 * it ends, so nobody else ever touches it. Read next: vm.c for the pages, syscall.c for the calls.
 */
#include "pvkernel/core/process.h"
#include "pvkernel/core/console.h"
#include "pvkernel/core/elf.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/kalloc.h"
#include "pvkernel/core/lib.h"

static struct {
    struct lock lock;
    struct list all;
    int next_pid, foreground;
} procs = { .lock = { .rank = LOCK_PROCESS }, .all = LIST_INIT(procs.all), .next_pid = 1 };

struct process *process_current(void)
{
    return thread_current()->process;
}

static struct process *find(int pid)
{
    list_for_each(i, &procs.all)
    {
        struct process *p = container_of(i, struct process, all_link);
        if (p->pid == pid)
            return p;
    }
    return NULL;
}

void process_activate(struct process *p)
{
    arch_aspace_switch(p ? p->vm.as : NULL);
}

/* Lays out the stack as the System V ABI has it: argc, argv pointers, 0, no environment (0), no auxiliary
 * vector (0). */
static int build_stack(struct process *p, int argc, char *const argv[])
{
    uint64_t words[PROCESS_ARGS + 6] = { (uint64_t)argc };
    uintptr_t sp = USER_END;
    struct region stack = {
        .start = USER_END - USER_STACK_PAGES * PAGE_SIZE,
        .end = USER_END,
        .prot = MAP_READ | MAP_WRITE,
        .name = "stack",
    };
    int error = vm_add(&p->vm, &stack);
    for (int i = 0; i < argc && !error; i++) {
        size_t n = str_len(argv[i]) + 1;
        sp -= n;
        words[1 + i] = sp;
        error = vm_copy_out(&p->vm, sp, argv[i], n);
    }
    size_t bytes = ((size_t)argc + 6) * sizeof(words[0]);
    sp = (sp - bytes) & ~15UL;
    if (!error)
        error = vm_copy_out(&p->vm, sp, words, bytes);
    p->stack = sp;
    return error ? -KE_NOMEM : 0; /* the region is there, so only a page can have been missing */
}

static void process_main(void *arg)
{
    struct process *p = arg;
    arch_irq_save();
    core_user_exit_check();
    arch_enter_user(p->entry, p->stack);
}

int process_start(const char *name, const void *file, size_t size, int argc, char *const argv[],
                  const char **why)
{
    if (argc > PROCESS_ARGS)
        return -KE_INVAL;
    struct process *p = kzalloc(sizeof(*p));
    if (!p)
        return -KE_NOMEM;
    str_copy(p->name, name, sizeof(p->name));
    waitq_init(&p->ended);
    int error = vm_init(&p->vm);
    if (error) {
        kfree(p);
        return error;
    }
    *why = "";
    error = elf_load(&p->vm, file, size, &p->entry, why);
    if (!error)
        error = build_stack(p, argc, argv);
    bool on = lock(&procs.lock); /* it may run, and end, before we know its thread */
    if (!error) {
        p->pid = procs.next_pid++;
        list_add_tail(&procs.all, &p->all_link);
        p->thread = thread_start_in(p, p->name, process_main, p);
        if (!p->thread) {
            list_del(&p->all_link);
            error = -KE_NOMEM;
        }
    }
    int pid = p->pid;
    unlock(&procs.lock, on);
    if (!error)
        return pid;
    vm_destroy(&p->vm);
    kfree(p);
    return error;
}

static void process_free(struct process *p)
{
    list_del(&p->all_link);
    kfree(p);
}

int process_wait(int pid)
{
    bool on = lock(&procs.lock);
    struct process *p = find(pid);
    int status = -KE_SRCH;
    if (p && !p->detached) {
        while (p->thread)
            wait_on(&p->ended, &procs.lock, "a program's end");
        status = p->status;
        process_free(p);
    }
    unlock(&procs.lock, on);
    return status;
}

void process_detach(int pid)
{
    bool on = lock(&procs.lock);
    struct process *p = find(pid);
    if (p) {
        p->detached = true;
        if (!p->thread)
            process_free(p);
    }
    unlock(&procs.lock, on);
}

void process_hush(int pid)
{
    bool on = lock(&procs.lock);
    struct process *p = find(pid);
    if (p)
        p->quiet = true;
    unlock(&procs.lock, on);
}

void process_exit(int status)
{
    struct process *p = process_current();
    thread_leave_process(); /* from here on the scheduler doesn't load the address space again */
    vm_destroy(&p->vm);
    bool on = lock(&procs.lock);
    p->status = status;
    p->thread = NULL;
    if (procs.foreground == p->pid)
        procs.foreground = 0;
    wake_all(&p->ended);
    if (p->detached)
        process_free(p);
    unlock(&procs.lock, on); /* who waited may free it now */
    thread_exit();
}

int process_kill(int pid)
{
    bool on = lock(&procs.lock);
    struct process *p = find(pid);
    int error = p && p->thread ? 0 : -KE_SRCH;
    if (!error) {
        p->killed = true;
        thread_wake(p->thread);
    }
    unlock(&procs.lock, on);
    return error;
}

void process_set_foreground(int pid)
{
    procs.foreground = pid;
}

bool process_interrupt(void)
{
    return procs.foreground && process_kill(procs.foreground) == 0;
}

void process_for_each(void (*f)(struct process *p, void *arg), void *arg)
{
    bool on = lock(&procs.lock);
    list_for_each(i, &procs.all) f(container_of(i, struct process, all_link), arg);
    unlock(&procs.lock, on);
}

void core_user_exit_check(void)
{
    struct process *p = process_current();
    if (p && p->killed) {
        arch_irq_restore(true);
        if (!p->quiet)
            console_note("%s[%d]: interrupted\n", p->name, p->pid);
        process_exit(STATUS_INTERRUPT);
    }
}

void core_user_fault(uintptr_t address, bool write, bool exec, bool present, uintptr_t ip)
{
    struct process *p = process_current();
    const char *why = "";
    unsigned access = write ? MAP_WRITE : exec ? MAP_EXEC : MAP_READ;
    (void)present;
    if (vm_fault(&p->vm, address, access, &why))
        return;
    arch_irq_restore(true);
    console_note("%s[%d]: killed: %s 0x%lx at rip 0x%lx: %s\n", p->name, p->pid,
                 write  ? "write to"
                 : exec ? "jump to"
                        : "read of",
                 address, ip, why);
    process_exit(STATUS_FAULT);
}

void core_user_trap(const char *what, uintptr_t ip)
{
    struct process *p = process_current();
    arch_irq_restore(true);
    console_note("%s[%d]: killed: %s at rip 0x%lx\n", p->name, p->pid, what, ip);
    process_exit(STATUS_FAULT);
}
