/* SPDX-License-Identifier: MIT
 *
 * The contract between core/ and a port (arch/pv now, arch/native later). Everything that touches a machine
 * or a hypervisor is behind these names; core/ includes no header of either. Numbers: addresses are virtual,
 * times are nanoseconds since boot, errors are negative numbers of errno.h.
 *
 * A port also supplies the C functions that a compiler may call anyway (memcpy, memmove, memset, memcmp).
 *
 * The port calls up into core by the core_ functions at the end, always with interrupts off.
 * Read next: thread.h (who runs), vm.h (what an address space holds).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL

/* ---- interrupts: each CPU's own ---- */

/* Turns interrupts off on this CPU; returns whether they were on. Until they are on again, the thread stays
 * on it. */
bool arch_irq_save(void);
/* Back to what arch_irq_save returned. Pending interrupts are taken before it returns. */
void arch_irq_restore(bool were_on);
bool arch_irq_enabled(void);

/* ---- CPUs: numbered from 0, on which the kernel starts alone ---- */

struct thread;

#define CPUS_MAX 16

unsigned arch_cpu_count(void);
/* Starts CPU n, which calls core_cpu_main() on the stack that ends at `top`, interrupts off, with `current`
 * as its first thread. 0 or a negative error. */
int arch_cpu_start(unsigned n, void *top, struct thread *current);
/* Makes an interrupt on another CPU, which ends its arch_idle() and does nothing else. */
void arch_cpu_kick(unsigned n);
/* One turn of a loop that waits for another CPU; n: how many turns there were. */
void arch_spin(unsigned n);
/* The thread that runs here: a word of each CPU, NULL at first. A thread that an interrupt moves to another
 * CPU in the middle of arch_current() gets itself all the same. Setting it: interrupts are off. */
struct thread *arch_current(void);
void arch_set_current(struct thread *t);
/* Interrupts that a CPU has taken, for messages. */
uint64_t arch_interrupts(unsigned n);

/* ---- time ---- */

uint64_t arch_time_ns(void);
/* Seconds since 1970. */
uint64_t arch_wallclock(void);
/* Calls core_timer() on this CPU at or soon after this time, once; a later call replaces it. */
void arch_timer_set(uint64_t when_ns);
/* Interrupts are off. Waits for one (letting it happen even if it came just before), returns with interrupts
 * off. */
void arch_idle(void);

/* ---- console ---- */

/* Never sleeps, may be called with interrupts off, and by several CPUs at once: each text stays whole. */
void arch_console_write(const char *text, size_t n);

/* ---- threads ---- */

struct arch_thread; /* a port's own part of a thread: saved registers */

/* Bytes to reserve for a struct arch_thread (16-aligned). */
extern const size_t arch_thread_size;
/* Prepares a thread that first runs entry(arg), interrupts off, on the stack that ends at `top`. */
void arch_thread_init(struct arch_thread *t, void *top, void (*entry)(void *), void *arg);
/* Saves the running thread in `from`, continues `to`. Interrupts are off. The address space is switched
 * separately. */
void arch_thread_switch(struct arch_thread *from, struct arch_thread *to);
/* The stack for entries from user mode: its top. Interrupts are off. */
void arch_set_kernel_stack(void *top);
/* Takes the mapping of the lowest page of a kernel stack away, so that an overflow is a fault and no silent
 * damage, or brings it back before the stack is freed. */
void arch_stack_guard(void *page, bool on);
/* User registers that no trap frame holds (FPU and SSE): saved and restored when user threads change. */
void arch_user_save(struct arch_thread *t);
void arch_user_restore(struct arch_thread *t);

/* ---- address spaces of user programs ---- */

struct arch_aspace;

enum { MAP_READ = 1, MAP_WRITE = 2, MAP_EXEC = 4 };

#define USER_START 0x400000UL       /* lowest address of a program */
#define USER_END   0x7ffffffff000UL /* one past the highest */

/* A new, empty address space, or NULL without memory. */
struct arch_aspace *arch_aspace_make(void);
/* Frees the tables, not the pages mapped in them (core/vm.c knows those). It may still be loaded, here and on
 * other CPUs, whose kernel threads didn't care. Interrupts are on. */
void arch_aspace_destroy(struct arch_aspace *as);
/* Makes it the one that user mode sees on this CPU; NULL: none. Interrupts are off. */
void arch_aspace_switch(struct arch_aspace *as);
/* Maps the page at kernel address `page` at user address `va` (both aligned), replacing what was there. 0 or
 * -KE_NOMEM. */
int arch_aspace_map(struct arch_aspace *as, uintptr_t va, void *page, unsigned prot);
/* Clears [start, end). `gone` is called with each page that was mapped, once no translation of it is left on
 * any CPU. Returns how many there were. */
size_t arch_aspace_unmap(struct arch_aspace *as, uintptr_t start, uintptr_t end, void (*gone)(void *page));
/* The page at `va` (its kernel address) and its protection, or NULL. */
void *arch_aspace_lookup(struct arch_aspace *as, uintptr_t va, unsigned *prot);

/* ---- user mode ---- */

/* Enters user mode at `ip` with stack `sp`, all other registers zero. Interrupts are off before, on in user
 * mode. */
void arch_enter_user(uintptr_t ip, uintptr_t sp) __attribute__((noreturn));

/* ---- the end ---- */

void arch_poweroff(int status) __attribute__((noreturn));
/* After a panic message: prints what the port knows (where, registers) and ends the machine as crashed. */
void arch_panic(void) __attribute__((noreturn));

/* ---- what core asks about the machine, for its messages ---- */

const char *arch_name(void); /* what we run on, a few words */

/* ---- up-calls: the port calls these with interrupts off ---- */

/* The first thing on a CPU that arch_cpu_start started. */
void core_cpu_main(void) __attribute__((noreturn));
/* The time set by arch_timer_set has come. */
void core_timer(void);
/* On the way out of every interrupt: another thread may run here. */
void core_interrupt_exit(void);
/* A page fault in user mode. Returns if it was repaired; otherwise the program is dead and this does not
 * return. */
void core_user_fault(uintptr_t address, bool write, bool exec, bool present, uintptr_t ip);
/* Any other exception in user mode: ends the program. */
void core_user_trap(const char *what, uintptr_t ip) __attribute__((noreturn));
/* A system call; returns its result. Interrupts are on while it runs and off again when it returns. */
long core_syscall(unsigned long number, const unsigned long args[6]);
/* On the way back to user mode: a program that was told to die does so here. */
void core_user_exit_check(void);
/* A key was typed. */
void core_console_key(char c);
