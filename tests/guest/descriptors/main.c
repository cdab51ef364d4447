/* SPDX-License-Identifier: MIT
 *
 * GDT and LDT: set_gdt, MMUEXT_SET_LDT, update_descriptor; descriptor pages are of a type of their own and
 * never writable; what a descriptor may say; the flat segments that every guest has. arch-x86/xen.h;
 * docs/safety.md, descriptors of ring 0.
 */
#include "libpv/start.h"
#include "tests/guest/pages.h"

TEST("descriptors");
ROLE(dom0, domU);

/* 64-bit and data descriptors by privilege (Intel SDM 3A 3.4.5). */
#define CODE64(dpl)    (0x00af9a000000ffffUL | (uint64_t)(dpl) << 45)
#define DATA(dpl)      (0x00cf92000000ffffUL | (uint64_t)(dpl) << 45)
#define CALL_GATE(sel) (0x00008c0000000000UL | (uint64_t)(sel) << 16)
#define TSS            0x0000890000000067UL
#define LDT_DESC       0x0000820000000fffUL

static long set_gdt(const uint64_t *page, unsigned int entries)
{
    xen_pfn_t frames[14];

    for (unsigned int i = 0; i < 14; i++)
        frames[i] = pv_virt_to_mfn(page).v;
    return HYPERVISOR_set_gdt(frames, entries);
}

static long update(const uint64_t *entry, uint64_t desc)
{
    return HYPERVISOR_update_descriptor(pv_virt_to_maddr(entry).v, desc);
}

static long set_ldt(const void *va, unsigned int entries)
{
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT,
                            .arg1.linear_addr = (unsigned long)va,
                            .arg2.nr_ents = entries };

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void load_ds(unsigned int selector)
{
    __asm__ volatile("mov %w0, %%ds" : : "r"(selector));
}

static unsigned int ds(void)
{
    unsigned int s;

    __asm__ volatile("mov %%ds, %0" : "=r"(s));
    return s & 0xffff;
}

static void flat(void)
{
    load_ds(FLAT_RING3_DS32);
    expect_eq(ds(), FLAT_RING3_DS32);
    load_ds(0);
    expect_fault(GP, 0x18, load_ds(0x1b));     /* an empty GDT */
    expect_fault(GP, 0xe010, load_ds(0xe010)); /* what the hypervisor keeps in the reserved part */
}

static void gdt(void)
{
    uint64_t *page = test_page();

    page[3] = DATA(3);
    expect_eq(set_gdt(page, 512), -EINVAL); /* mapped writable */
    test_readonly(page, true);
    expect_eq(set_gdt(page, 512), 0);
    load_ds(0x1b);
    expect_eq(ds(), 0x1b);
    load_ds(0);
    expect_eq(pv_set_readonly(page, false), -EBUSY); /* while it is a GDT */
    expect_fault(GP, 0x20, load_ds(0x23));
    expect_eq(update(&page[4], DATA(3)), 0);
    expect_eq(page[4], DATA(3));
    load_ds(0x23);
    load_ds(0);
    expect_eq(set_gdt(page, 14 * 512), 0);
    expect_eq(set_gdt(page, 14 * 512 + 1), -EINVAL); /* into the reserved part */
    expect_eq(set_gdt(page, 0), 0);
    expect_eq(pv_set_readonly(page, false), 0);
    expect_fault(GP, 0x18, load_ds(0x1b));
    expect_eq(HYPERVISOR_set_gdt((void *)NOWHERE, 512), -EFAULT);
    xen_pfn_t foreign = test_foreign_mfn();
    expect_eq(HYPERVISOR_set_gdt(&foreign, 512), -EINVAL);
}

/* Descriptors are checked when a page becomes a GDT or LDT, and one by one; ring 0 is never in one. */
static void contents(void)
{
    static const struct {
        uint64_t desc;
        long err;
        const char *what;
    } cases[] = {
        { DATA(3), 0, "data, DPL 3" },
        { CODE64(3), 0, "64-bit code, DPL 3" },
        { 0, 0, "empty" },
        { DATA(3) & ~(1UL << 47), 0, "not present" },
        { CODE64(0), 0, "64-bit code, DPL 0" }, /* becomes DPL 3 */
        { DATA(0), 0, "data, DPL 0" },          /* becomes DPL 3 */
        { CALL_GATE(FLAT_KERNEL_CS64), 0, "call gate to the flat segment" },
        { CALL_GATE(0xe008), -EINVAL, "call gate to the hypervisor" },
        { TSS, -EINVAL, "task state segment" },
        { LDT_DESC, -EINVAL, "LDT" },
    };
    uint64_t *page = test_page();

    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        long err;

        page[7] = cases[i].desc;
        test_readonly(page, true);
        err = set_gdt(page, 512);
        check(err == cases[i].err, "a GDT with %s: %ld", cases[i].what, err);
        set_gdt(page, 0);
        test_readonly(page, false);
        page[7] = 0;
        test_readonly(page, true);
        require(!set_gdt(page, 512), "an empty GDT");
        err = update(&page[7], cases[i].desc);
        check(err == cases[i].err, "update to %s: %ld, now %lx", cases[i].what, err, page[7]);
        check(!(page[7] >> 44 & 1) || (page[7] >> 45 & 3) == 3, "%s has DPL 3: %lx", cases[i].what, page[7]);
        set_gdt(page, 0);
        test_readonly(page, false);
    }
    expect_eq(update(&page[1], DATA(3)), 0); /* a writable page: simply written */
    expect_eq(HYPERVISOR_update_descriptor(pv_virt_to_maddr(&page[1]).v + 1, DATA(3)), -EINVAL);
    expect_eq(HYPERVISOR_update_descriptor(test_foreign_mfn() << PAGE_SHIFT, DATA(3)), -EINVAL);
    expect_eq(HYPERVISOR_update_descriptor(1UL << 51, DATA(3)), -EINVAL);
}

static void ldt(void)
{
    uint64_t *page = test_page();

    page[2] = DATA(3);
    test_readonly(page, true);
    expect_eq(set_ldt(page, 512), 0);
    load_ds(0x17); /* entry 2 of the LDT, RPL 3 */
    expect_eq(ds(), 0x17);
    load_ds(0);
    expect_eq(pv_set_readonly(page, false), -EBUSY);
    expect_eq(set_ldt(NULL, 0), 0);
    expect_fault(GP, 0x14, load_ds(0x17));
    expect_eq(pv_set_readonly(page, false), 0);
    expect_eq(set_ldt(page, 512), 0);
    /* A writable page is found out when the LDT is first used. */
    long got = FAULT(load_ds(0x17));
    check(got == PF || got == GP, "LDT in a writable page: vector %ld error %lx cr2 %lx", got,
          test_trap.error, test_trap.cr2);
    load_ds(0);
    expect_eq(set_ldt((char *)page + 8, 512), -EINVAL);
    expect_eq(set_ldt(page, 8193), -EINVAL);
    expect_eq(set_ldt((void *)0xffff800000000000UL, 512), -EINVAL);
    expect_eq(set_ldt(NULL, 0), 0);
}

void test_main(void)
{
    flat();
    gdt();
    contents();
    ldt();
}
