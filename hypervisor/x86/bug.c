/* SPDX-License-Identifier: MIT
 *
 * The end of Parador itself: BUG(), and faults in ring 0 that nothing expects. Prints past every lock, as
 * nobody else will print again.
 */
#include "lib/bug.h"
#include <stdarg.h>
#include "domain/domain.h"
#include "lib/print.h"
#include "x86/cpu.h"
#include "x86/msr.h"
#include "x86/serial.h"
#include "x86/trap.h"

extern const char __text_start[], __text_end[];

#define MAX_RETURNS 24

void print_regs(const struct cpu_user_regs *r)
{
    say("  rip %016lx cs %04x rflags %08lx rsp %016lx ss %04x vector %u error %x\n", r->rip, r->cs, r->rflags,
        r->rsp, r->ss, r->entry_vector, r->error_code);
    say("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    say("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    say("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    say("  r13 %016lx r14 %016lx r15 %016lx cr2 %016lx cr3 %lx\n", r->r13, r->r14, r->r15, read_cr2(),
        this_cpu()->cr3);
}

/* Words of the stack that point into the text: return addresses, and a few that were. */
static void print_returns(void)
{
    uint64_t *sp = __builtin_frame_address(0), *end = (uint64_t *)this_cpu();
    unsigned int n = 0;

    say("  on the stack (addr2line -e build/parador.syms):");
    for (; sp < end && n < MAX_RETURNS; sp++) {
        if (*sp >= (uint64_t)__text_start && *sp < (uint64_t)__text_end)
            say("%s%lx", n++ % 6 ? " " : "\n    ", *sp);
    }
    say("\n");
}

void bug(const char *file, int line, const char *fmt, ...)
{
    struct cpu *c = this_cpu();
    char text[256];
    va_list args;

    print_sink = serial_write;
    if (c->depth++)
        machine_exit(4);
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    say("\nparador: BUG at %s:%d: %s\n", file, line, text);
    print_returns();
    if (c->vcpu) {
        say("  domain %u vcpu %u, in its %s:\n", c->vcpu->domain->domid, c->vcpu->id,
            c->vcpu->kernel_mode ? "kernel" : "user mode");
        print_regs(&c->vcpu->regs);
    }
    c->held_locks = 0;
    machine_exit(4);
}
