/* SPDX-License-Identifier: MIT
 *
 * The report of a domain that broke its own life support, and its end.
 *
 * The report is for the student whose kernel it was: why, where (by the names in the kernel's own symbol
 * table), registers, what lies on the stack, the last hypercalls by name, and the last refusal as a sentence,
 * which, where it is fresh, is often the cause. Everything is read with the guest's own permissions or from
 * the vcpu; nothing in it is trusted. The domain is then shut down and destroyed like any other; the caller
 * goes on as usual.
 */
#include "domain/domain.h"
#include "boot/elf.h"
#include "domain/console.h"
#include "hypercall/hypercall.h" /* names */
#include "lib/print.h"
#include "mm/paging.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/pte.h"
#include "x86/trap.h"

#define SHOWN_CALLS 20
#define STACK_WORDS 64 /* looked at; only those that point into code are shown, and the first few */
#define STACK_FIRST 8
#define STACK_LINES 16
#define NAME_SIZE   64

/* A line of a report, or a part of one. A report is long, so interrupts may come in between. */
#define tell(...)   (say(__VA_ARGS__), cpu_window())
#define REASON_SIZE 240
#define REASONS     8 /* crashes whose reason is kept for `why` */

/* Two domains whose numbers are the same modulo REASONS share a place: the later one has it. */
static struct {
    unsigned int domid;
    char text[REASON_SIZE];
} reasons[REASONS];

const char *crash_reason(unsigned int domid)
{
    const char *text = reasons[domid % REASONS].text;

    return text[0] && reasons[domid % REASONS].domid == domid ? text : NULL;
}

static void report_registers(const struct vcpu *v)
{
    const struct cpu_user_regs *r = &v->regs;

    tell("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    tell("  rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
    tell("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
    tell("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
    tell("  rip %016lx  cs %04x  ss %04x  rflags %lx  cr2 %lx  cr3 %lx\n", r->rip, r->cs, r->ss, r->rflags,
         v->info->arch.cr2, v->kernel_mode || !v->arch.cr3_user ? v->arch.cr3_kernel : v->arch.cr3_user);
}

/* The current guest's stack: the first words, and of the rest those that have a name. */
static void report_stack(const struct vcpu *v)
{
    unsigned int shown = 0;
    char name[NAME_SIZE];
    uint64_t word;

    if (v != current || !v->kernel_mode) /* another address space than the one that is loaded */
        return;
    tell("  stack:\n");
    for (unsigned int i = 0; i < STACK_WORDS && shown < STACK_LINES; i++) {
        uint64_t at = v->regs.rsp + i * sizeof(word);

        if (copy_from_guest(&word, at, sizeof(word))) {
            tell("    %lx is not mapped\n", at);
            return;
        }
        symbols_name(v->domain->symbols, word, name, sizeof(name));
        if (i >= STACK_FIRST && !name[0])
            continue;
        tell("    %lx: %016lx %s\n", at, word, name);
        shown++;
    }
}

static void report_hypercalls(const struct vcpu *v)
{
    uint64_t end = hypercalls_made(v), n = MIN(end, SHOWN_CALLS);
    char name[NAME_SIZE];

    if (n)
        tell("  last hypercalls of %lu, the latest below:\n", end);
    for (uint64_t i = end - n; i != end; i++) {
        const struct history *h = &v->history[i % HISTORY];
        const char *call = h->nr < NR_HYPERCALLS ? hypercall_table[h->nr].name : NULL;

        if (call)
            tell("    %s(%#lx, %#lx)", call, h->a1, h->a2);
        else
            tell("    (no hypercall %u)(%#lx, %#lx)", (unsigned int)h->nr, h->a1, h->a2);
        if (!symbols_hypercall_page(v->domain->symbols, h->rip)) {
            symbols_name(v->domain->symbols, h->rip, name, sizeof(name));
            tell(" at %lx %s", h->rip, name);
        }
        tell("\n");
    }
}

void crash_say_refusal(const struct vcpu *v)
{
    char text[REASON_SIZE];

    refusal_text(&v->refusal, text, sizeof(text));
    tell("last refusal (%d, of %u; hypercalls since: %lu): %s\n", v->refusal.error, v->refusal.count,
         hypercalls_made(v) - v->refusal.call, text);
}

/* Whose registers tell most: the one that is here; one that runs on another CPU, as it last came to Parador;
 * or the first. */
static const struct vcpu *vcpu_to_report(const struct domain *d)
{
    if (current && current->domain == d)
        return current;
    for (unsigned int i = 0; i < d->max_vcpus; i++)
        if (vcpu_is_loaded(d->vcpu[i]))
            return d->vcpu[i];
    return d->vcpu[0];
}

static void report(const struct domain *d, const char *why)
{
    const struct vcpu *v = vcpu_to_report(d);
    char name[NAME_SIZE];

    symbols_name(d->symbols, v->regs.rip, name, sizeof(name));
    tell("\nparador: domain %u (%s) crashed: %s\n", d->domid, d->name, why);
    tell("  vcpu %u, guest %s, at %lx %s\n", v->id, v->kernel_mode ? "kernel" : "user", v->regs.rip, name);
    report_registers(v);
    report_stack(v);
    report_hypercalls(v);
    if (v->refusal.count) {
        tell("  ");
        crash_say_refusal(v);
    }
}

void domain_crash_as(struct domain *d, uint8_t reason, const char *why, ...)
{
    char *text = reasons[d->domid % REASONS].text;
    va_list args;

    if (d->shut_down || d->dying)
        return;
    latency_kind(LATENCY_CRASH);
    console_hold();
    va_start(args, why);
    vsnprintf(text, REASON_SIZE, why, args);
    va_end(args);
    reasons[d->domid % REASONS].domid = d->domid;
    report(d, text);
    console_release();
    latency_kind(LATENCY_ENTRY);
    domain_shutdown(d, reason);
}

/* "it wrote to ffffffff8017b000: frame 0xe803 is an L4 page table of domain 1, pinned, so it cannot be mapped
 * writable" */
static void page_fault_text(const struct vcpu *v, uint64_t error_code, char *text, size_t size)
{
    uint64_t at = v->info->arch.cr2, entry = guest_walk(v, at, NULL), mfn = (entry & PTE_ADDR) >> PAGE_SHIFT;
    const char *did = error_code & PF_INSN ? "jumped to" : error_code & PF_WRITE ? "wrote to" : "read from";
    const char *but = "which its page tables do not allow";

    if (at - HV_VIRT_START < HV_VIRT_END - HV_VIRT_START) {
        but = "which is the hypervisor's";
    } else if (!(error_code & PF_PRESENT)) {
        but = "where nothing is mapped";
    } else if ((error_code & PF_WRITE) && (entry & PTE_P) && mfn_valid(MFN(mfn))) {
        const struct frame *f = frame_of(MFN(mfn));
        struct refusal r = { .a = mfn, .b = FT_WRITABLE, .rule = R_FRAME_TYPE_BUSY };
        char frame[REASON_SIZE / 2];

        r.frame_word = READ_ONCE(f->word);
        r.frame_owner = READ_ONCE(f->owner);
        refusal_text(&r, frame, sizeof(frame));
        snprintf(text, size, "it wrote to %lx: %s", at, frame);
        return;
    }
    snprintf(text, size, "it %s %lx, %s", did, at, but);
}

void domain_crash_own(struct vcpu *v)
{
    char text[REASON_SIZE - 80] = "";

    /* A fresh one, but for the question whether there is a call. */
    if (v->refusal.count && v->refusal.rule != R_NO_SUCH_CALL &&
        hypercalls_made(v) - v->refusal.call <= SHOWN_CALLS)
        refusal_text(&v->refusal, text, sizeof(text));
    domain_crash(v->domain, "its kernel gave up (SHUTDOWN_crash)%s%s", text[0] ? "; last refusal: " : "",
                 text);
}

void domain_crash_exception(struct vcpu *v, unsigned int vector, uint64_t error_code)
{
    static const char *const names[] = {
        "division error",
        "debug exception",
        "NMI",
        "breakpoint",
        "overflow",
        "bound range",
        "invalid opcode",
        "device not available",
        "double fault",
        "coprocessor overrun",
        "invalid TSS",
        "segment not present",
        "stack fault",
        "general protection fault",
        "page fault",
        "exception",
        "floating point error",
        "alignment check",
        "machine check",
        "SIMD error",
    };
    const char *name = vector < ARRAY_SIZE(names) ? names[vector] : "exception";
    char text[REASON_SIZE - 80] = "";

    if (vector == VEC_PF)
        page_fault_text(v, error_code, text, sizeof(text));
    else if (vector == VEC_GP && error_code)
        snprintf(text, sizeof(text), "selector %#lx cannot be loaded", error_code);
    else if (vector == VEC_GP)
        snprintf(text, sizeof(text), "a privileged instruction, or an address that is not canonical");
    domain_crash(v->domain, "%s (exception %u, error code %#lx) and no handler for it%s%s", name, vector,
                 error_code, text[0] ? ": " : "", text);
}
