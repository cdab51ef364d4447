/* SPDX-License-Identifier: MIT
 *
 * Privileged instructions of the guest kernel: those that are emulated and what they give, and those that get
 * #GP. docs/abi.md "Privileged instructions of a guest kernel"; arch-x86/xen.h (the forced prefix);
 * xen/physdev.h (set_iopl).
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("privileged");
ROLE(dom0, domU);

#define asm_fault(vec, err, text, ...) expect_fault(vec, err, __asm__ volatile(text __VA_ARGS__))

static uint64_t msr_value;

static void rdmsr(unsigned int msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    msr_value = (uint64_t)hi << 32 | lo;
}

static void wrmsr(unsigned int msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

static void control_registers(void)
{
    static unsigned long cr0, cr2, cr3, cr4;

    expect_no_fault(__asm__ volatile("mov %%cr0, %0" : "=r"(cr0)));
    expect_eq(cr0 & 0x80000001, 0x80000001); /* PG, PE */
    expect_eq(cr0 & 8, 0);                   /* TS */
    expect_no_fault(__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 8)));
    expect_no_fault(__asm__ volatile("mov %%cr0, %0" : "=r"(cr0)));
    expect_eq(cr0 & 8, 8);
    expect_no_fault(__asm__ volatile("clts"));
    expect_no_fault(__asm__ volatile("mov %%cr0, %0" : "=r"(cr0)));
    expect_eq(cr0 & 8, 0);
    expect_fault(GP, 0, __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 ^ 1UL << 16))); /* only TS may change */

    expect_no_fault(__asm__ volatile("mov %0, %%cr2" : : "r"(0x7654321UL)));
    expect_eq(pv_vcpu_info()->arch.cr2, 0x7654321);
    expect_no_fault(__asm__ volatile("mov %%cr2, %0" : "=r"(cr2)));
    expect_eq(cr2, 0x7654321);

    expect_no_fault(__asm__ volatile("mov %%cr3, %0" : "=r"(cr3)));
    expect_eq(cr3, pv_virt_to_maddr(pv_kernel_l4()).v);
    expect_no_fault(__asm__ volatile("mov %0, %%cr3" : : "r"(cr3)));
    expect_fault(GP, 0, __asm__ volatile("mov %0, %%cr3" : : "r"(pv_virt_to_maddr(test_page()).v)));

    expect_no_fault(__asm__ volatile("mov %%cr4, %0" : "=r"(cr4)));
    expect_eq(cr4 & 0x20, 0x20); /* PAE */
    expect_no_fault(__asm__ volatile("mov %0, %%cr4" : : "r"(cr4)));
    expect_fault(GP, 0, __asm__ volatile("mov %0, %%cr8" : : "r"(0UL)));
}

static void msrs(void)
{
    expect_no_fault(rdmsr(0xc0000080));  /* EFER */
    expect_eq(msr_value & 0x501, 0x501); /* LMA, LME, SCE */
    expect_no_fault(rdmsr(0x1b));        /* APIC_BASE */
    expect_no_fault(rdmsr(0x277));       /* PAT: Xen's own */
    expect_eq(msr_value, 0x050100070406UL);
    expect_no_fault(rdmsr(0x8b)); /* microcode revision: the processor's */
    check(msr_value != 0, "no microcode revision");
    expect_fault(GP, 0, rdmsr(0x40000fff));
    expect_fault(GP, 0, rdmsr(0x12345678));
    expect_fault(GP, 0, wrmsr(0x12345678, 1));
    expect_fault(GP, 0, rdmsr(0xc0000081)); /* STAR, LSTAR, CSTAR, SFMASK */
    expect_fault(GP, 0, rdmsr(0xc0000082));
}

static void cpuid(void)
{
    static uint32_t a, b, c, d, real;
    char name[13] = "";

    expect_no_fault(__asm__ volatile(XEN_CPUID
                                     : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                                     : "a"(0x40000000), "c"(0)));
    memcpy(name, &b, 4);
    memcpy(name + 4, &c, 4);
    memcpy(name + 8, &d, 4);
    check(!strcmp(name, "XenVMMXenVMM"), "signature %s", name);
    check(a >= 0x40000002 && a < 0x40000100, "highest leaf %x", a);
    expect_no_fault(__asm__ volatile(XEN_CPUID
                                     : "=a"(a), "=b"(b), "=c"(c), "=d"(d)
                                     : "a"(0x40000001), "c"(0)));
    expect_eq(a, HYPERVISOR_xen_version(XENVER_version, NULL));
    expect_no_fault(__asm__ volatile(XEN_CPUID : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0)));
    expect_eq(d >> 6 & 1, 1); /* PAE */
    expect_eq(d >> 3 & 1, 0); /* PSE: no large pages */
    expect_no_fault(__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(real) : "a"(1), "c"(0)));
    expect_eq(d >> 27 & 1, real >> 27 & 1); /* self snoop: as the processor has it */
    expect_fault(UD, 0, __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x90, 0x90"));
    expect_fault(UD, 0,
                 __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6f; cpuid"
                                  :
                                  :
                                  : "rax", "rbx", "rcx", "rdx"));
}

static void harmless(void)
{
    static uint32_t lo, hi;

    expect_no_fault(__asm__ volatile("wbinvd"));
    expect_no_fault(__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0)));
    check(lo & 1, "XCR0 %x", lo);
    expect_no_fault(__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)));
}

static void refused(void)
{
    static struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) table = { 0xffff, 0 };

    expect_fault(GP, 0, __asm__ volatile("hlt"));
    expect_fault(GP, 0, __asm__ volatile("invlpg (%0)" : : "r"(&table)));
    expect_fault(GP, 0, __asm__ volatile("lgdt %0" : : "m"(table)));
    expect_fault(GP, 0, __asm__ volatile("lidt %0" : : "m"(table)));
    expect_fault(GP, 0, __asm__ volatile("lldt %w0" : : "r"(0)));
    expect_fault(GP, 0, __asm__ volatile("ltr %w0" : : "r"(8)));
    expect_fault(GP, 0, __asm__ volatile("swapgs"));
    expect_fault(GP, 0, __asm__ volatile("sysretq"));
    expect_fault(GP, 0, __asm__ volatile("mov %%cr8, %0" : "=r"(table.base)));
    expect_fault(GP, 0, __asm__ volatile("mov %%cr1, %0" : "=r"(table.base)));
}

static void in_80(void)
{
    uint8_t v;

    __asm__ volatile("in $0x80, %0" : "=a"(v));
}

/* The virtual IOPL: 0 lets nothing, 1 the kernel. Ports need the domain's permission too. */
static void ports(void)
{
    struct physdev_set_iopl iopl = { .iopl = 1 };
    static uint64_t flags;

    expect_fault(GP, 0, __asm__ volatile("cli"));
    expect_fault(GP, 0, __asm__ volatile("sti"));
    expect_fault(GP, 0, in_80());
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    expect_no_fault(__asm__ volatile("cli"));
    expect_no_fault(__asm__ volatile("sti"));
    expect_no_fault(in_80());
    expect_no_fault(__asm__ volatile("pushfq; pop %0" : "=r"(flags)));
    expect_eq(flags & 0x3200, 0x200); /* the real ones */
    iopl.iopl = 4;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), -EINVAL);
    iopl.iopl = 0;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    expect_fault(GP, 0, __asm__ volatile("cli"));
}

/* A bitmap of ports gives single ports to ring 3. */
static void bitmap(void)
{
    static uint8_t ports_allowed[8192];
    struct physdev_set_iobitmap b = { .nr_ports = 65536 };

    memset(ports_allowed, 0xff, sizeof(ports_allowed));
    ports_allowed[0x80 / 8] = 0xfe;
    set_xen_guest_handle(b.bitmap, ports_allowed);
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &b), 0);
    expect_no_fault(in_80());
    b.nr_ports = 65537;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &b), -EINVAL);
    b.nr_ports = 0;
    expect_eq(HYPERVISOR_physdev_op(PHYSDEVOP_set_iobitmap, &b), 0);
    expect_fault(GP, 0, in_80());
}

void test_main(void)
{
    control_registers();
    msrs();
    cpuid();
    harmless();
    refused();
    ports();
    bitmap();
}
