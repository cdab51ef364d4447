/* SPDX-License-Identifier: MIT
 *
 * Trap and emulate: privileged instructions of a guest kernel, which runs in ring 3 and gets #GP for each.
 *
 * The way in: fetch the bytes at RIP with the guest's own permissions (XSA-298), decode (domain/decode.c),
 * look up the row of the operation, carry it out on the vcpu's virtual registers, step over the instruction.
 * What we don't carry out stays what it was, a #GP of the guest. It is the slow way on purpose: each of these
 * has a hypercall that does the same, and the benchmarks set them side by side.
 *
 * cli and sti change nothing, as on Xen: a guest masks events in vcpu_info, and could not undo cli by popf.
 * Files beside: emulate_msr.c, emulate_io.c, emulate_cpuid.c. Facts: docs/abi.md 18 to 21, and probes of
 * Xen 4.17.
 */
#include "domain/emulate.h"
#include "domain/bounce.h"
#include "lib/string.h"
#include "mm/paging.h"
#include "x86/copy.h"
#include "x86/cpu.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/trap.h"

#define FORCED_PREFIX   5 /* bytes of it */
#define ERROR_EXT       1 /* bits of a selector error code */
#define ERROR_IDT       2
#define CR4_GUEST       (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)
#define CR4_TSD         0x4
#define CR4_HIDDEN      (1u << 20 | 1u << 11) /* Parador's SMEP and UMIP, which guests don't see */
#define DR6_SINGLE_STEP (1u << 14)
#define LAR_LONG_CODE   (1u << 21) /* the descriptor's L bit, as LAR shows it */

/* The code segment is one of 64 bits; other selectors than the usual one are looked up in the guest's tables.
 */
static bool is_64bit_code(const struct vcpu *v)
{
    uint32_t rights = 0;

    if (likely(v->regs.cs == FLAT_KERNEL_CS))
        return true;
    __asm__ volatile("lar %1, %0" : "+r"(rights) : "r"((uint32_t)v->regs.cs));
    return rights & LAR_LONG_CODE;
}

/* Across a page's end, or when the first try faulted: byte by byte, until one can't be read. The second page
 * must be one that may be executed. */
static __attribute__((noinline)) size_t fetch_slowly(const struct vcpu *v, uint8_t *code)
{
    size_t in_page = PAGE_SIZE - (v->regs.rip & (PAGE_SIZE - 1)), n = 0;

    while (n < INSN_MAX && !copy_from_guest(&code[n], v->regs.rip + n, 1)) {
        n++;
        if (n == in_page && guest_walk(v, v->regs.rip + n, NULL) >> 63)
            break;
    }
    return n;
}

size_t emulate_fetch(const struct vcpu *v, uint8_t code[INSN_MAX + 1])
{
    uint64_t rip = v->regs.rip, *words = (uint64_t *)(void *)code;

    if (unlikely(!is_64bit_code(v)))
        return 0;
    if (likely((rip & (PAGE_SIZE - 1)) <= PAGE_SIZE - 16) && likely(guest_range_ok(rip, 16))) {
        guest_get_or(words[0], rip, slowly);
        guest_get_or(words[1], rip + 8, slowly);
        return INSN_MAX;
    }
slowly:
    return fetch_slowly(v, code);
}

static int from_cr(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t *reg = decode_reg(&v->regs, p->reg);

    switch (p->number) {
    case 0:
        *reg = (read_cr0() & ~(uint64_t)CR0_TS) | (v->arch.cr0_ts ? CR0_TS : 0);
        return EMULATED;
    case 2:
        *reg = v->info->arch.cr2;
        return EMULATED;
    case 3:
        *reg = v->arch.cr3_kernel;
        return EMULATED;
    case 4:
        *reg = (cpu_features.cr4 & ~(uint64_t)(CR4_GUEST | CR4_HIDDEN)) | (v->arch.cr4 & CR4_GUEST);
        return EMULATED;
    default:
        return EMULATE_FAULT;
    }
}

static int to_cr3(struct vcpu *v, uint64_t val)
{
    int rc = v->domain->paging->set_root(v, maddr_to_mfn(val), false);

    return rc == -ERESTART ? EMULATE_AGAIN : rc < 0 ? EMULATE_FAULT : EMULATED;
}

static int to_cr(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t val = *decode_reg(&v->regs, p->reg);

    switch (p->number) {
    case 0:
        if ((val ^ read_cr0()) & ~(uint64_t)CR0_TS)
            return EMULATE_FAULT;
        set_guest_ts(v, val & CR0_TS);
        return EMULATED;
    case 2:
        v->info->arch.cr2 = val;
        return EMULATED;
    case 3:
        return to_cr3(v, val);
    case 4: /* bits that aren't the guest's are ignored, as on Xen */
        v->arch.cr4 = (v->arch.cr4 & ~(uint64_t)CR4_GUEST) | (val & CR4_GUEST);
        return EMULATED;
    default:
        return EMULATE_FAULT;
    }
}

/* An invalid opcode, not a privileged one. */
static int undefined(struct vcpu *v)
{
    bounce_plain(v, VEC_UD);
    return EMULATE_AGAIN;
}

static int mov_dr(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t *reg = decode_reg(&v->regs, p->reg);
    int rc;

    if (p->number > 7)
        return undefined(v); /* no such register */
    rc = p->op == PRIV_MOV_TO_DR ? set_debugreg(v, p->number, *reg) : get_debugreg(v, p->number, reg);
    return rc ? EMULATE_FAULT : EMULATED;
}

static int clts(struct vcpu *v, const struct priv_insn *p)
{
    set_guest_ts(v, false);
    return EMULATED;
}

static int cli_sti(struct vcpu *v, const struct priv_insn *p)
{
    return emulate_iopl_ok(v) ? EMULATED : EMULATE_FAULT;
}

/* Only domain 0 has devices for whose sake a cache would have to be written back. */
static int wbinvd(struct vcpu *v, const struct priv_insn *p)
{
    if (v->domain->privileged)
        __asm__ volatile("wbinvd" ::: "memory");
    return EMULATED;
}

/* XGETBV is not privileged; XSETBV needs the guest's own CR4.OSXSAVE, as on the processor. */
static int xsetbv(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t val = v->regs.rdx << 32 | (uint32_t)v->regs.rax;

    if (!(v->arch.cr4 & CR4_OSXSAVE))
        return undefined(v);
    return (uint32_t)v->regs.rcx || set_xcr0(v, val) ? EMULATE_FAULT : EMULATED;
}

static int (*const ops[])(struct vcpu *v, const struct priv_insn *p) = {
    [PRIV_MOV_FROM_CR] = from_cr,
    [PRIV_MOV_TO_CR] = to_cr,
    [PRIV_MOV_FROM_DR] = mov_dr,
    [PRIV_MOV_TO_DR] = mov_dr,
    [PRIV_CLTS] = clts,
    [PRIV_RDMSR] = emulate_rdmsr,
    [PRIV_WRMSR] = emulate_wrmsr,
    [PRIV_WBINVD] = wbinvd,
    [PRIV_XSETBV] = xsetbv,
    [PRIV_CLI] = cli_sti,
    [PRIV_STI] = cli_sti,
    [PRIV_IN] = emulate_in,
    [PRIV_OUT] = emulate_out,
    [PRIV_INS] = emulate_string_io,
    [PRIV_OUTS] = emulate_string_io,
};

/* The instruction was carried out: behind it, and a single-stepped guest gets its trap. */
static inline void step_over(struct vcpu *v, unsigned int length)
{
    v->regs.rip += length;
    v->exceptions++;
    if (unlikely(v->regs.rflags & RFLAGS_TF)) {
        v->arch.debugreg[6] |= DR6_SINGLE_STEP;
        bounce_plain(v, VEC_DB);
    }
}

/*
 * `int n` of a gate that is closed to ring 3: #GP(n * 8 + 2). The guest's trap table says whether it is
 * closed to the guest too. The vector comes from the instruction, because QEMU 7.2 puts n * 16 + 2 into the
 * error code; where it is no `int n`, from the error code.
 */
static __attribute__((noinline)) bool software_interrupt(struct vcpu *v, uint32_t error_code)
{
    uint8_t code[INSN_MAX + 1] __attribute__((aligned(8))) = { 0 };
    unsigned int least = v->kernel_mode ? 1 : 3;
    const struct trap_info *trap;
    struct priv_insn p;

    if (!decode_privileged(code, emulate_fetch(v, code), &v->regs, &p) || p.op != PRIV_INT)
        return false;
    trap = &v->arch.traps[p.number];
    if ((trap->flags & 3) >= least && trap->cs) {
        v->regs.rip += p.length;
        bounce_plain(v, p.number);
    } else {
        bounce_with_code(v, VEC_GP, (error_code & ERROR_EXT) | ERROR_IDT | (uint64_t)p.number << 3);
    }
    return true;
}

/* Only n bytes of an instruction could be read and it has more: the fetch of the next is the guest's page
 * fault. */
static __attribute__((noinline)) bool fetch_fault(struct vcpu *v, size_t n)
{
    uint64_t at = v->regs.rip + n;

    bounce_page_fault(v, at, PF_INSN | PF_USER | (guest_walk(v, at, NULL) & PTE_P ? PF_PRESENT : 0));
    return true;
}

/* Whether code[0 .. n) is the beginning of a longer instruction that we emulate. */
static __attribute__((noinline)) bool is_cut(const struct vcpu *v, const uint8_t *code, size_t n)
{
    uint8_t whole[INSN_MAX + 1] = { 0 };
    struct priv_insn p;

    memcpy(whole, code, n);
    return n && decode_privileged(whole, INSN_MAX, &v->regs, &p) && p.length > n;
}

bool emulate_gp(struct vcpu *v, uint32_t error_code)
{
    uint8_t code[INSN_MAX + 1] __attribute__((aligned(8)));
    struct priv_insn p;
    size_t n;
    int rc;

    if (unlikely(error_code))
        return error_code & ERROR_IDT && software_interrupt(v, error_code);
    n = emulate_fetch(v, code);
    if (unlikely(!decode_privileged(code, n, &v->regs, &p)) || p.op == PRIV_INT ||
        (!v->kernel_mode && p.op < PRIV_CLI))
        return n < INSN_MAX && is_cut(v, code, n) && fetch_fault(v, n);
    rc = ops[p.op](v, &p);
    if (likely(rc == EMULATED))
        step_over(v, p.length);
    return rc != EMULATE_FAULT;
}

/* ud2, "xen", cpuid */
bool emulate_ud(struct vcpu *v)
{
    static const uint8_t forced_cpuid[] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
    uint8_t code[INSN_MAX + 1] __attribute__((aligned(8)));
    size_t n = emulate_fetch(v, code);

    if (memcmp(code, forced_cpuid, MIN(n, sizeof(forced_cpuid))))
        return false;
    if (n < sizeof(forced_cpuid))
        return n >= FORCED_PREFIX && fetch_fault(v, n);
    emulate_cpuid(v);
    step_over(v, sizeof(forced_cpuid));
    return true;
}
