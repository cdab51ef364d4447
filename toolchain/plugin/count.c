/* SPDX-License-Identifier: MIT
 *
 * A TCG plugin that counts expensive instructions inside the measured parts of the benchmark guest (make
 * bench).
 *
 * When QEMU translates a block, each expensive instruction in it (expensive.h), the guest's own and the
 * hypervisor's, gets an increment of its kind's counter, and each mark (tests/bench/mark.h) a call of mark().
 * A sample is what the counters did between a MARK_START and the next MARK_END. At MARK_DONE a line with the
 * median of each kind is written, so the file's lines are the rows in the order in which the guest prints
 * them. Nothing of this costs the guest an instruction.
 *
 *     -plugin file=build/count.so,out=FILE[,share=on]
 *
 * With share=on all instructions are counted too, those of them that the hypervisor runs, and hypercalls: for
 * guests that can't read a clock which counts instructions. With entry=ADDRESS (hexadecimal) a row begins
 * when that instruction is first run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bench/mark.h"
#include "toolchain/plugin/expensive.h"
#include "toolchain/plugin/qemu_plugin.h"

#define MAX_SAMPLES    1024
#define APIC_COMMAND   0xfee00300 /* interrupt command register, low half: a write sends */
#define PAGE_OFFSET(a) ((a)&0xfff)

int qemu_plugin_version = 1;

enum { ALL = EXP_KINDS, HYPERVISOR, HYPERCALLS, COUNTERS };

static uint64_t counted[COUNTERS]; /* since the start; one vcpu thread at a time (-icount) */
static uint64_t before[COUNTERS];  /* at the open sample's start */
static uint64_t samples[COUNTERS][MAX_SAMPLES];
static size_t n;
static bool open_sample, share;
static uint64_t entry; /* 0: none, or it was reached */
static FILE *out;

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void write_row(void)
{
    static const char *const names[EXP_KINDS] = EXP_NAMES;
    static const char *const shares[] = { "all", "hypervisor", "hypercalls" };

    fprintf(out, "{\"n\":%zu", n);
    for (int k = 0; k < (share ? COUNTERS : EXP_KINDS); k++) {
        qsort(samples[k], n, sizeof(samples[k][0]), ascending);
        fprintf(out, ",\"%s\":%llu", k < EXP_KINDS ? names[k] : shares[k - EXP_KINDS],
                n ? (unsigned long long)samples[k][n / 2] : 0);
    }
    fprintf(out, "}\n");
    fflush(out);
}

static void end_sample(void)
{
    if (!open_sample || n == MAX_SAMPLES)
        return;
    for (int k = 0; k < COUNTERS; k++)
        samples[k][n] = counted[k] - before[k];
    n++;
    open_sample = false;
}

static void mark(unsigned int cpu, void *what)
{
    (void)cpu;
    switch ((uintptr_t)what) {
    case MARK_ROW:
        n = 0;
        break;
    case MARK_START:
        memcpy(before, counted, sizeof(before));
        open_sample = true;
        break;
    case MARK_END:
        end_sample();
        break;
    case MARK_DONE:
        write_row();
        n = 0;
        open_sample = false;
        break;
    }
}

static void begins(unsigned int cpu, void *data)
{
    (void)data;
    if (!entry)
        return;
    entry = 0;
    mark(cpu, (void *)MARK_ROW);
    mark(cpu, (void *)MARK_START);
}

static void store(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *data)
{
    const struct qemu_plugin_hwaddr *where;

    (void)cpu;
    (void)data;
    if (PAGE_OFFSET(vaddr) != PAGE_OFFSET(APIC_COMMAND))
        return;
    where = qemu_plugin_get_hwaddr(info, vaddr);
    if (where && qemu_plugin_hwaddr_is_io(where) && qemu_plugin_hwaddr_phys_addr(where) == APIC_COMMAND)
        counted[EXP_IPI]++;
}

/* Which mark the instruction is; 0: none. */
static uintptr_t mark_of(const uint8_t *code, size_t size)
{
    static const uint8_t bytes[] = { MARK_BYTES };
    uint32_t word;

    if (size != sizeof(bytes) + sizeof(word) || memcmp(code, bytes, sizeof(bytes)))
        return 0;
    memcpy(&word, code + sizeof(bytes), sizeof(word));
    return (word & ~0xffU) == MARK_WORD ? word & 0xff : 0;
}

/* The hypervisor's half of the addresses (slots 256 to 271) on Xen and on Parador: who else could reach the
 * APIC? */
static bool in_hypervisor(uint64_t vaddr)
{
    return vaddr >> 43 == 0xffff800000000000 >> 43;
}

/* SYSCALL in a PV guest's kernel; where it lies, no user program does. */
static bool is_hypercall(uint64_t vaddr, const uint8_t *code, size_t size)
{
    return size == 2 && code[0] == 0x0f && code[1] == 0x05 && vaddr >> 63 && !in_hypervisor(vaddr);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *code = qemu_plugin_insn_data(insn);
        size_t size = qemu_plugin_insn_size(insn);
        enum expensive kind = expensive_kind(code, size);
        uintptr_t what = mark_of(code, size);

        if (entry && qemu_plugin_insn_vaddr(insn) == entry)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, begins, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (share)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counted[ALL], 1);
        if (share && in_hypervisor(qemu_plugin_insn_vaddr(insn)))
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counted[HYPERVISOR],
                                                       1);
        if (share && is_hypercall(qemu_plugin_insn_vaddr(insn), code, size))
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counted[HYPERCALLS],
                                                       1);
        if (kind < EXP_KINDS)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counted[kind], 1);
        if (kind == EXP_STORE && in_hypervisor(qemu_plugin_insn_vaddr(insn)))
            qemu_plugin_register_vcpu_mem_cb(insn, store, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, NULL);
        if (what)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, QEMU_PLUGIN_CB_NO_REGS, (void *)what);
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            out = fopen(argv[i] + 4, "w");
        share |= !strcmp(argv[i], "share=on");
        if (!strncmp(argv[i], "entry=", 6))
            entry = strtoull(argv[i] + 6, NULL, 16);
    }
    if (!out) {
        fprintf(stderr, "count: out=FILE expected, a file that can be written\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
