/* SPDX-License-Identifier: MIT
 *
 * pvkernel's processes on a fake machine: start, arguments, system calls, faults, kill, Ctrl-C, wait and
 * detach; and after each test all pages and address spaces are back. "User mode" is a function of the test.
 */
// sources: pvkernel/core/process.c pvkernel/core/syscall.c pvkernel/core/console.c pvkernel/core/vm.c
// sources: pvkernel/core/elf.c pvkernel/core/thread.c pvkernel/core/sync.c pvkernel/core/page.c
// sources: pvkernel/core/kalloc.c pvkernel/core/print.c pvkernel/core/lib.c
// sources: pvkernel/core/lock.c tests/host/fake_arch.c
#include <criterion/criterion.h>
#include <string.h>
#include "pvkernel/core/errno.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/syscall.h"
#include "tests/host/fake_arch.h"

#define S 1000000000ull

static unsigned char file[4096];

static long call(unsigned long number, unsigned long a, unsigned long b, unsigned long c)
{
    const unsigned long args[6] = { a, b, c };
    arch_irq_save();
    long result = core_syscall(number, args);
    core_user_exit_check();
    arch_irq_restore(true);
    return result;
}

static int start(const char *name, int argc, char **argv)
{
    const char *why = "";
    int pid = process_start(name, file, sizeof(file), argc, argv, &why);
    cr_assert_gt(pid, 0, "%s", why);
    return pid;
}

static void (*body)(void);

static void test_thread(void *unused)
{
    (void)unused;
    size_t free_before = page_free_count();
    body();
    thread_sleep_ns(S); /* the dead are reaped by who runs next */
    cr_assert_eq(page_free_count(), free_before, "%zu pages are missing", free_before - page_free_count());
    cr_assert_eq(fake_aspaces, 0);
    cr_assert_eq(fake_mappings, 0);
    fake_over();
}

static void idle(void *unused)
{
    (void)unused;
    thread_idle();
}

static void run(void (*test)(void), void (*user)(uintptr_t, uintptr_t))
{
    fake_program(file);
    memcpy(file + 200, "hello\n", 6);
    fake_memory(4096);
    arch_irq_save();
    thread_init();
    body = test;
    fake_user = user;
    thread_start("test", test_thread, NULL);
    fake_run(idle);
}

/* ---- arguments and the simple calls ---- */

static void user_simple(uintptr_t ip, uintptr_t sp)
{
    struct vm *vm = &process_current()->vm;
    uint64_t words[4];
    char text[8];
    uintptr_t old = (uintptr_t)call(SYS_sbrk, 5000, 0, 0);
    cr_assert_eq(ip, 0x400000);
    cr_assert_eq(sp % 16, 0);
    cr_assert_eq(vm_copy_in(vm, words, sp, sizeof(words)), 0);
    cr_assert_eq(words[0], 2);
    cr_assert_eq(words[3], 0);
    cr_assert_eq(vm_copy_in(vm, text, words[2], 4), 0);
    cr_assert_str_eq(text, "two");
    cr_assert_eq(vm_copy_out(vm, old + 4999, "x", 1), 0);
    cr_assert_eq(call(SYS_write, 1, 0x400000 + 200, 6), 6);
    cr_assert_eq(call(SYS_write, 7, 0x400000, 1), -KE_BADF);
    cr_assert_eq(call(SYS_write, 1, 0x10, 1), -KE_FAULT);
    cr_assert_eq(call(SYS_write, 1, 0xffffffff80000000, 100), -KE_FAULT);
    cr_assert_eq(call(SYS_COUNT, 0, 0, 0), -KE_NOSYS);
    cr_assert_eq(call(~0ul, 0, 0, 0), -KE_NOSYS);
    cr_assert_eq(call(SYS_getpid, 0, 0, 0), process_current()->pid);
    uint64_t before = fake_now;
    cr_assert_eq(call(SYS_sleep, 3 * S, 0, 0), 0);
    cr_assert_geq(fake_now, before + 3 * S);
    call(SYS_exit, 42, 0, 0);
}

static void test_simple(void)
{
    char *argv[] = { (char[]){ "one" }, (char[]){ "two" } };
    int pid = start("simple", 2, argv);
    cr_assert_eq(process_wait(pid), 42);
    cr_assert_eq(process_wait(pid), -KE_SRCH, "it is gone");
    cr_assert_str_eq(fake_console, "hello\n");
}

Test(process, simple_calls)
{
    run(test_simple, user_simple);
}

/* ---- faults ---- */

static void user_fault(uintptr_t ip, uintptr_t sp)
{
    arch_irq_save();
    core_user_fault(ip, false, true, false, ip);
    core_user_fault(sp, true, false, false, ip);
    cr_assert(!arch_irq_enabled(), "a repaired fault comes back with interrupts off");
    core_user_fault(0xdead0000, true, false, false, 0x400010);
}

static void test_fault(void)
{
    int pid = start("wild", 0, NULL);
    cr_assert_eq(process_wait(pid), STATUS_FAULT);
    cr_assert_not_null(strstr(
        fake_console, "wild[1]: killed: write to 0xdead0000 at rip 0x400010: nothing is mapped there\n"));
}

Test(process, a_fault_kills_it)
{
    run(test_fault, user_fault);
}

static void user_trap(uintptr_t ip, uintptr_t sp)
{
    (void)sp;
    arch_irq_save();
    core_user_trap("division by zero", ip);
}

static void test_trap(void)
{
    cr_assert_eq(process_wait(start("div", 0, NULL)), STATUS_FAULT);
    cr_assert_not_null(strstr(fake_console, "div[1]: killed: division by zero at rip 0x400000\n"));
}

Test(process, a_trap_kills_it)
{
    run(test_trap, user_trap);
}

/* ---- being killed ---- */

static void user_sleeps(uintptr_t ip, uintptr_t sp)
{
    (void)ip, (void)sp;
    call(SYS_sleep, 1000000 * S, 0, 0);
    cr_assert(false, "a killed program went on");
}

static void test_kill(void)
{
    int pid = start("sleeper", 0, NULL);
    thread_sleep_ns(S);
    cr_assert_eq(process_kill(pid), 0);
    cr_assert_eq(process_wait(pid), STATUS_INTERRUPT);
    cr_assert_lt(fake_now, 10 * S);
    cr_assert_eq(process_kill(pid), -KE_SRCH);
    pid = start("never", 0, NULL);
    process_kill(pid); /* before it has run at all */
    cr_assert_eq(process_wait(pid), STATUS_INTERRUPT);
}

Test(process, kill_wakes_a_sleeper)
{
    run(test_kill, user_sleeps);
}

static void user_reads(uintptr_t ip, uintptr_t sp)
{
    char line[20] = "";
    (void)ip;
    long n = call(SYS_read, 0, sp - 100, sizeof(line));
    cr_assert_eq(n, 4);
    cr_assert_eq(vm_copy_in(&process_current()->vm, line, sp - 100, 4), 0);
    cr_assert_str_eq(line, "abd\n");
    cr_assert_eq(call(SYS_read, 0, 0x400000, 10), -KE_FAULT, "code can't be read into");
    call(SYS_read, 0, sp - 100, 10);
    cr_assert(false, "Ctrl-C did not end it");
}

static void keys(const char *text)
{
    bool on = arch_irq_save();
    while (*text)
        core_console_key(*text++);
    arch_irq_restore(on);
}

static void test_read(void)
{
    int pid = start("reader", 0, NULL);
    process_set_foreground(pid);
    thread_sleep_ns(S);
    keys("abc\177d\r");
    keys("x\r");
    thread_sleep_ns(S);
    keys("half a line\003");
    cr_assert_eq(process_wait(pid), STATUS_INTERRUPT);
    keys("\003"); /* nobody to interrupt: an ordinary key */
}

Test(process, reading_and_interrupting)
{
    run(test_read, user_reads);
}

/* ---- detached, and many ---- */

static void user_quick(uintptr_t ip, uintptr_t sp)
{
    (void)ip, (void)sp;
    call(SYS_yield, 0, 0, 0);
    call(SYS_exit, 3, 0, 0);
}

static void test_detached(void)
{
    int pid = start("early", 0, NULL);
    process_detach(pid);
    cr_assert_eq(process_wait(pid), -KE_SRCH, "nobody waits for a detached one");
    pid = start("late", 0, NULL);
    thread_sleep_ns(S);
    process_detach(pid); /* after its end */
    int pids[20];
    for (unsigned i = 0; i < 20; i++)
        pids[i] = start("many", 0, NULL);
    for (unsigned i = 0; i < 20; i++)
        cr_assert_eq(process_wait(pids[19 - i]), 3);
}

Test(process, detached_and_many)
{
    run(test_detached, user_quick);
}

static void test_no_memory(void)
{
    const char *why = "";
    void *hog[4096];
    unsigned n = 0, kept = 0;
    while ((hog[n] = page_alloc()))
        n++;
    /* With any number of pages left it starts, or it fails cleanly. */
    for (unsigned left = 0; left < 12; left++) {
        int pid = process_start("poor", file, sizeof(file), 0, NULL, &why);
        if (pid > 0) {
            process_wait(pid);
            thread_sleep_ns(S);
            kept++;
        } else {
            cr_assert_eq(pid, -KE_NOMEM);
            cr_assert_eq(fake_aspaces, 0);
        }
        page_put(hog[--n]);
    }
    cr_assert_gt(kept, 0);
    while (n)
        page_put(hog[--n]);
}

Test(process, starting_without_memory)
{
    run(test_no_memory, user_quick);
}

static void test_not_a_program(void)
{
    const char *why = "";
    cr_assert_eq(process_start("text", "hello", 5, 0, NULL, &why), -KE_NOEXEC);
    cr_assert_str_eq(why, "no 64-bit ELF file");
    char *argv[PROCESS_ARGS + 1];
    for (unsigned i = 0; i < PROCESS_ARGS + 1; i++)
        argv[i] = (char[]){ "x" };
    cr_assert_eq(process_start("args", file, sizeof(file), PROCESS_ARGS + 1, argv, &why), -KE_INVAL);
}

Test(process, what_is_no_program)
{
    run(test_not_a_program, user_quick);
}
