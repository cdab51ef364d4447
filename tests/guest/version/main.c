/* SPDX-License-Identifier: MIT
 *
 * xen_version and its sub-operations, features, and vm_assist. xen/version.h, xen/features.h; docs/abi.md
 * "Start of day" 6.
 */
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

TEST("version");
ROLE(dom0, domU);

static void texts(void)
{
    static char text[1024];

    expect_eq(HYPERVISOR_xen_version(XENVER_version, NULL), 0x40011);
    expect_eq(HYPERVISOR_xen_version(XENVER_extraversion, text), 0);
    check(strnlen(text, 16) < 16 && text[0] == '.', "extra version \"%s\"", text);
    expect_eq(HYPERVISOR_xen_version(XENVER_capabilities, text), 0);
    check(strstr(text, "xen-3.0-x86_64"), "capabilities \"%s\"", text);
    expect_eq(HYPERVISOR_xen_version(XENVER_changeset, text), 0);
    expect_eq(HYPERVISOR_xen_version(XENVER_pagesize, NULL), 4096);
    expect_eq(HYPERVISOR_xen_version(XENVER_compile_info, text), 0);
    expect_eq(HYPERVISOR_xen_version(XENVER_guest_handle, text), 0);
    expect_eq(HYPERVISOR_xen_version(XENVER_commandline, text), 0);
    expect_eq(HYPERVISOR_xen_version(99, text), -ENOSYS);
    expect_eq(HYPERVISOR_xen_version(XENVER_extraversion, (void *)NOWHERE), -EFAULT);
    expect_eq(HYPERVISOR_xen_version(XENVER_extraversion, (void *)0xffff820000000000UL), -EFAULT);
    expect_eq(HYPERVISOR_xen_version(XENVER_extraversion, (void *)0xffff7ffffffffff8UL), -EFAULT);
}

static void platform(void)
{
    struct xen_platform_parameters p;

    expect_eq(HYPERVISOR_xen_version(XENVER_platform_parameters, &p), 0);
    expect_eq(p.virt_start, HYPERVISOR_VIRT_START);
}

#define F(name) (1U << XENFEAT_##name)

static void features(void)
{
    struct xen_feature_info f = { .submap_idx = 0 };
    uint32_t must = F(mmu_pt_update_preserve_ad) | F(gnttab_map_avail_bits);
    uint32_t never = F(writable_page_tables) | F(writable_descriptor_tables) | F(auto_translated_physmap) |
                     F(supervisor_mode_kernel) | F(hvm_callback_vector);

    expect_eq(HYPERVISOR_xen_version(XENVER_get_features, &f), 0);
    check((f.submap & must) == must && !(f.submap & never), "features %x", f.submap);
    expect_eq(!!(f.submap & F(dom0)), pv_is_dom0());
    f.submap_idx = 1;
    expect_eq(HYPERVISOR_xen_version(XENVER_get_features, &f), -EINVAL);
}

static void assists(void)
{
    for (unsigned int type = 0; type < 70; type++) {
        bool known = type == VMASST_TYPE_writable_pagetables || type == VMASST_TYPE_pae_extended_cr3 ||
                     type == VMASST_TYPE_architectural_iopl || type == VMASST_TYPE_runstate_update_flag ||
                     type == VMASST_TYPE_m2p_strict || type == VMASST_TYPE_4gb_segments ||
                     type == VMASST_TYPE_4gb_segments_notify;
        long err = HYPERVISOR_vm_assist(VMASST_CMD_enable, type);

        check(err == (known ? 0 : -EINVAL), "vm_assist enable %u: %ld", type, err);
        err = HYPERVISOR_vm_assist(VMASST_CMD_disable, type);
        check(err == (known ? 0 : -EINVAL), "vm_assist disable %u: %ld", type, err);
    }
    expect_eq(HYPERVISOR_vm_assist(7, VMASST_TYPE_writable_pagetables), -ENOSYS);
}

/* Calls that nobody has: -ENOSYS, and the argument registers live. */
static void unknown(void)
{
    static const unsigned char numbers[] = { 11, 38, 43, 47, 50, 52, 55, 63 };

    for (unsigned int i = 0; i < sizeof(numbers); i++)
        check(pv_hypercall(numbers[i], 1, 2, 3, 4, 5) == -ENOSYS, "hypercall %u", numbers[i]);
    expect_eq(pv_hypercall(64, 0, 0, 0, 0, 0), -ENOSYS);
    expect_eq(pv_hypercall(~0UL, 0, 0, 0, 0, 0), -ENOSYS);
    expect_eq(pv_hypercall(1UL << 32 | __HYPERVISOR_xen_version, 0, 0, 0, 0, 0),
              -ENOSYS); /* all of rax counts */
}

/* rdi, rsi, rdx, r10, r8, r9, rbx, rbp and r12 to r15 come through a hypercall; the page saves rcx and r11.
 */
static void registers(void)
{
    uint64_t sum;

    __asm__ volatile(
        "mov $17, %%edi; xor %%esi, %%esi; xor %%edi, %%edi; mov $3, %%edx; mov $4, %%r10d; mov $5, %%r8d;"
        "mov $6, %%r9d; mov $7, %%ebx; mov $8, %%r12d; mov $9, %%r13d; mov $10, %%r14d; mov $11, %%r15d;"
        "mov $12, %%ecx; mov $13, %%r11d; call pv_hypercall_page + 17 * 32;"
        "lea (%%rdi, %%rsi), %%rax; add %%rdx, %%rax; add %%r10, %%rax; add %%r8, %%rax; add %%r9, %%rax;"
        "add %%rbx, %%rax; add %%r12, %%rax; add %%r13, %%rax; add %%r14, %%rax; add %%r15, %%rax;"
        "add %%rcx, %%rax; add %%r11, %%rax"
        : "=a"(sum)
        :
        : "rdi", "rsi", "rdx", "r10", "r8", "r9", "rbx", "r12", "r13", "r14", "r15", "rcx", "r11", "memory",
          "cc");
    expect_eq(sum, 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13);
}

/* docs/abi.md 11: the text of a slot of the hypercall page. */
static void page(void)
{
    static const uint8_t begin[] = { 0x51, 0x41, 0x53, 0xb8 };           /* push rcx; push r11; mov $nr */
    static const uint8_t end[] = { 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 }; /* syscall; pop; pop; ret */
    static const uint8_t iret[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, 23, 0, 0, 0, 0x0f, 0x05 };

    for (unsigned int nr = 0; nr < 64; nr++) {
        const char *slot = pv_hypercall_page + 32 * nr;

        if (nr == __HYPERVISOR_iret)
            check(!memcmp(slot, iret, sizeof(iret)), "slot 23");
        else if (nr < 41 && nr != 11)
            check(!memcmp(slot, begin, 4) && *(const uint32_t *)(slot + 4) == nr && !memcmp(slot + 8, end, 6),
                  "slot %u", nr);
    }
}

void test_main(void)
{
    texts();
    platform();
    features();
    assists();
    unknown();
    registers();
    page();
}
