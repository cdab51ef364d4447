/* SPDX-License-Identifier: MIT
 *
 * Model-specific registers of guests: a few real ones, and a table of those that kernels look at while they
 * boot and that can be answered by a number. All others give #GP.
 *
 * The list and its values are what Xen 4.17 answers a PV guest (probed on QEMU's processor), with one
 * difference: no machine check banks, so that nobody looks into them.
 */
#include "domain/emulate.h"
#include "x86/cpu.h"
#include "x86/msr.h"

#define EFER_VISIBLE (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define MSR_TSC      0x10

/* The bases that are in the processor while the vcpu runs, from MSR_FS_BASE on: Xen's numbers for them. */
static const uint8_t bases[] = { SEGBASE_FS, SEGBASE_GS_KERNEL, SEGBASE_GS_USER };

/* What a write does: nothing, or #GP; SAME: nothing if it changes nothing. */
enum write { WR_FAULT, WR_SAME, WR_DROP };

static const struct row {
    uint32_t first, last;
    uint64_t value;
    uint8_t write; /* enum write */
    bool domain0;  /* nobody else has it */
} rows[] = {
    { 0x00, 0x01, 0, WR_FAULT, false },            /* P5 machine check */
    { 0x1b, 0x1b, 0xfee00900, WR_FAULT, false },   /* APIC_BASE: enabled, boot processor */
    { 0xce, 0xce, 0, WR_FAULT, false },            /* PLATFORM_INFO */
    { 0x140, 0x140, 0, WR_SAME, false },           /* MISC_FEATURES_ENABLES */
    { 0x179, 0x17b, 0, WR_DROP, false },           /* MCG_CAP, MCG_STATUS, MCG_CTL */
    { 0x1a0, 0x1a0, 0x801801, WR_DROP, false },    /* MISC_ENABLE: no BTS, no PEBS */
    { 0x345, 0x345, 0, WR_FAULT, false },          /* PERF_CAPABILITIES */
    { 0xc0000103, 0xc0000103, 0, WR_DROP, false }, /* TSC_AUX */
    { 0xc0010000, 0xc0010007, 0, WR_DROP, false }, /* K7 performance counters */
    { 0xc0010010, 0xc0010010, 0, WR_FAULT, true }, /* SYSCFG */
    { 0xc0010015, 0xc0010015, 0, WR_DROP, false }, /* HWCR */
    { 0xc0010016, 0xc001001a, 0, WR_FAULT, true }, /* IORRs, TOP_MEM */
    { 0xc001001d, 0xc001001d, 0, WR_FAULT, true }, /* TOP_MEM2 */
    { 0xc001001f, 0xc001001f, 0, WR_DROP, false }, /* NB_CFG */
    { 0xc0010041, 0xc0010042, 0, WR_DROP, false }, /* FIDVID */
    { 0xc0010061, 0xc001006b, 0, WR_DROP, false }, /* P-states */
    { 0xc0010112, 0xc0010113, 0, WR_FAULT, true }, /* SMM address and mask */
    { 0xc0011029, 0xc0011029, 2, WR_DROP, false }, /* DE_CFG: LFENCE is serialising */
};

static const struct row *find_row(const struct vcpu *v, uint32_t msr)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
        if (msr >= rows[i].first && msr <= rows[i].last)
            return rows[i].domain0 && !v->domain->privileged ? NULL : &rows[i];
    return NULL;
}

int emulate_rdmsr(struct vcpu *v, const struct priv_insn *p)
{
    uint32_t msr = (uint32_t)v->regs.rcx;
    const struct row *row;
    uint64_t val;

    if (msr == MSR_EFER)
        val = rdmsr(MSR_EFER) & EFER_VISIBLE;
    else if (msr - MSR_FS_BASE < ARRAY_SIZE(bases))
        val = get_segment_base(v, bases[msr - MSR_FS_BASE]);
    else if (msr == MSR_TSC)
        val = rdtsc();
    else if (msr == MSR_PAT) /* what page attributes really mean */
        val = rdmsr(MSR_PAT);
    else if (msr == MSR_UCODE_REV) /* for lists of processors' bugs */
        val = rdmsr_if_any(MSR_UCODE_REV);
    else if ((row = find_row(v, msr)))
        val = row->value;
    else
        return EMULATE_FAULT;
    v->regs.rax = (uint32_t)val;
    v->regs.rdx = val >> 32;
    return EMULATED;
}

int emulate_wrmsr(struct vcpu *v, const struct priv_insn *p)
{
    uint64_t val = v->regs.rdx << 32 | (uint32_t)v->regs.rax;
    uint32_t msr = (uint32_t)v->regs.rcx;
    const struct row *row;

    if (msr - MSR_FS_BASE < ARRAY_SIZE(bases))
        return set_segment_base(v, bases[msr - MSR_FS_BASE], val) ? EMULATE_FAULT : EMULATED;
    if (msr == MSR_EFER)
        return val == (rdmsr(MSR_EFER) & EFER_VISIBLE) ? EMULATED : EMULATE_FAULT;
    row = find_row(v, msr);
    if (!row || row->write == WR_FAULT || (row->write == WR_SAME && val != row->value))
        return EMULATE_FAULT;
    return EMULATED;
}
