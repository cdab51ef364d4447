/* SPDX-License-Identifier: MIT
 *
 * What a PV guest finds at its first instruction: registers, start_info, the order and the protection of what
 * the builder laid into memory, the two translation tables, and shared_info. docs/abi.md "Start of day";
 * xen.h.
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/test.h"

TEST("start_of_day");
ROLE(dom0, domU);

static void registers(void)
{
    const struct pv_boot_regs *r = pv_boot_registers();

    expect_eq(r->cs, FLAT_KERNEL_CS64);
    expect_eq(r->ss, FLAT_KERNEL_SS64);
    expect_eq(r->ds | r->es | r->fs | r->gs, 0);
    expect_eq(r->rflags, 0x202);
    expect_eq(r->rax | r->rbx | r->rcx | r->rdx | r->rdi | r->rbp, 0);
    expect_eq(r->r8 | r->r9 | r->r10 | r->r11 | r->r12 | r->r13 | r->r14 | r->r15, 0);
    expect_eq(pv_boot_rsp & ~PAGE_MASK, 0);
    expect_eq(pv_boot_upcall_mask, 1);
    expect_eq(pv_boot_port_masks, 0);
}

static void start_info(void)
{
    struct start_info *si = pv_start_info;

    check(!strncmp(si->magic, "xen-3.0-x86_64", 14), "magic is %s", si->magic);
    check(si->nr_pages > 2048, "%lu pages", si->nr_pages);
    expect_eq(!!(si->flags & SIF_PRIVILEGED), !!(si->flags & SIF_INITDOMAIN));
    expect_eq(si->shared_info & ~PAGE_MASK, 0);
    expect_eq(si->cmd_line[MAX_GUEST_CMDLINE - 1], 0);
    expect_eq((unsigned long)si & ~PAGE_MASK, 0);
    if (!pv_is_dom0()) {
        unsigned long page = (unsigned long)si + PAGE_SIZE;

        if (si->store_mfn) {
            expect_eq(si->store_mfn, pv_virt_to_mfn((void *)page).v);
            page += PAGE_SIZE;
        }
        if (si->console.domU.mfn)
            expect_eq(si->console.domU.mfn, pv_virt_to_mfn((void *)page).v);
    }
}

/* Image, ramdisk, p2m list, start_info, (xenstore, console,) page tables, boot stack: in this order,
 * page-aligned. */
static void layout(void)
{
    extern char _end[];
    struct start_info *si = pv_start_info;
    unsigned long image = (unsigned long)_end, p2m = si->mfn_list, info = (unsigned long)si, pt = si->pt_base;

    check(image <= p2m, "the p2m list at %lx lies above the image's end %lx", p2m, image);
    if (si->mod_len && !(si->flags & SIF_MOD_START_PFN))
        check(image <= si->mod_start && si->mod_start + si->mod_len <= p2m, "the ramdisk at %lx",
              si->mod_start);
    check(p2m + si->nr_pages * 8 <= info, "start_info at %lx behind the p2m list", info);
    check(info + PAGE_SIZE <= pt, "page tables at %lx behind start_info", pt);
    expect_eq(pt & ~PAGE_MASK, 0);
    check(pt + si->nr_pt_frames * PAGE_SIZE <= pv_boot_rsp - PAGE_SIZE, "the boot stack ends at %lx",
          pv_boot_rsp);
    unsigned long end = (pv_boot_rsp + 0x3fffff) & ~0x3fffffUL;

    if (end - pv_boot_rsp < 0x80000)
        end += 0x400000;
    for (unsigned long va = pv_boot_rsp; va < end; va += PAGE_SIZE) {
        uint64_t *entry = pv_walk(va);

        if (!check(entry && *entry & PTE_P && pv_pte_mfn(*entry).v == pv_virt_to_mfn((void *)va).v,
                   "%lx up to the 4 MiB boundary is mapped", va))
            break;
    }
}

static void translation(void)
{
    unsigned long n = pv_nr_pages(), wrong = 0;

    for (unsigned long p = 0; p < n; p++)
        wrong += pv_mfn_to_pfn(pv_pfn_to_mfn(pfn(p))).v != p;
    expect_eq(wrong, 0);
    check(pv_walk(pv_start_info->pt_base) != NULL, "the page tables are mapped");
    expect_eq(pv_pte_mfn(*pv_walk(PV_VIRT_BASE + 0x100000)).v, pv_pfn_to_mfn(pfn(0x100)).v);
}

static void protection(void)
{
    struct start_info *si = pv_start_info;

    for (unsigned long i = 0; i < si->nr_pt_frames; i++)
        expect_eq(*pv_walk(si->pt_base + i * PAGE_SIZE) & PTE_RW, 0);
    expect_fault(PF, 3, *(volatile uint64_t *)si->pt_base = 0);
    expect_eq(test_trap.cr2, si->pt_base);
    /* The machine-to-physical table is there to be read only; behind it is the hypervisor's own. */
    expect_fault(PF, 3, machine_to_phys_mapping[0] = 0);
    expect_fault(PF, 1, *(volatile char *)0xffff820000000000UL);
}

static void shared(void)
{
    struct vcpu_info *v = pv_vcpu_info();

    check(v->time.tsc_to_system_mul != 0 && !(v->time.version & 1), "the time of vcpu 0 is filled in");
    check(pv_shared_info.wc_version && pv_shared_info.wc_sec, "the wall clock is filled in");
    expect_eq(pv_shared_info.vcpu_info[1].evtchn_upcall_pending, 0);
}

void test_main(void)
{
    registers();
    start_info();
    layout();
    translation();
    protection();
    shared();
}
