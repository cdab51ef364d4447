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

typedef unsigned long long ull;

void print_regs(const struct cpu_user_regs *r)
{
    say("  rip %016llx cs %04x rflags %08llx rsp %016llx ss %04x vector %u error %x\n", (ull)r->rip, r->cs,
        (ull)r->rflags, (ull)r->rsp, r->ss, r->entry_vector, r->error_code);
    say("  rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", (ull)r->rax, (ull)r->rbx, (ull)r->rcx,
        (ull)r->rdx);
    say("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx\n", (ull)r->rsi, (ull)r->rdi, (ull)r->rbp,
        (ull)r->r8);
    say("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx\n", (ull)r->r9, (ull)r->r10, (ull)r->r11,
        (ull)r->r12);
    say("  r13 %016llx r14 %016llx r15 %016llx cr2 %016llx cr3 %llx\n", (ull)r->r13, (ull)r->r14, (ull)r->r15,
        (ull)read_cr2(), (ull)this_cpu()->cr3);
}

/* Words of the stack that point into the text: return addresses, and a few that were. */
static void print_returns(void)
{
    uint64_t *sp = __builtin_frame_address(0), *end = (uint64_t *)this_cpu();
    unsigned int n = 0;

    say("  on the stack (addr2line -e build/parador.syms):");
    for (; sp < end && n < MAX_RETURNS; sp++) {
        if (*sp >= (uint64_t)__text_start && *sp < (uint64_t)__text_end)
            say("%s%llx", n++ % 6 ? " " : "\n    ", (ull)*sp);
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
