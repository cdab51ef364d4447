/* SPDX-License-Identifier: MIT
 *
 * Memory, interrupts, time, console and the end, as core/arch.h wants them: each a few lines on libpv.
 */
#include "pvkernel/arch/pv/pv.h"
#include "libpv/console.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"
#include "libpv/time.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/archive.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/page.h"
#include "pvkernel/core/process.h"

static uint64_t boot_ns; /* system time when we started; the hypervisor's clock counts from its own start */

void pv_memory_setup(void)
{
    pfn_t first;
    size_t n = pv_pages_take_rest(&first);
    size_t table = (n * sizeof(struct page) + PAGE_SIZE - 1) / PAGE_SIZE;
    if (n < table + 64)
        panic("%zu pages of memory are too few", n);
    memset(pv_pfn_to_virt(first), 0, table * PAGE_SIZE);
    page_init(pv_pfn_to_virt(first), n, pv_pfn_to_virt(first));
    page_add(table, n - table);
    pv_page_source = page_zalloc;
    boot_ns = pv_time_ns();
    size_t size;
    void *ramdisk = (void *)(uintptr_t)pv_ramdisk(&size);
    if (ramdisk)
        ramdisk_set(ramdisk, size);
}

bool arch_irq_save(void)
{
    return pv_events_off();
}

void arch_irq_restore(bool were_on)
{
    pv_events_restore(were_on);
}

bool arch_irq_enabled(void)
{
    return !pv_vcpu_info()->evtchn_upcall_mask;
}

uint64_t arch_time_ns(void)
{
    return pv_time_ns() - boot_ns;
}

uint64_t arch_wallclock(void)
{
    return pv_wallclock_ns() / 1000000000;
}

void arch_timer_set(uint64_t when_ns)
{
    if (pv_timer_set(when_ns + boot_ns))
        panic("set_timer_op to %lu ns was refused", when_ns);
}

void arch_idle(void)
{
    pv_block();
    pv_events_off();
}

static void keys(void *data)
{
    int c;
    (void)data;
    while ((c = pv_console_getc()) >= 0)
        core_console_key((char)c);
}

void pv_machine_setup(void)
{
    pv_cpu_setup();
    if (pv_console_on_input(keys, NULL))
        kprintf("no keyboard: the console gives no events\n");
    keys(NULL); /* typed before the port was there */
}

void arch_console_write(const char *text, size_t n)
{
    pv_console_write(text, n);
}

unsigned pv_domain_number(void)
{
    return pv_domid();
}

bool pv_on_parador(void)
{
    struct parador_machine_info info;
    static int known; /* 0: not asked yet, 1: yes, 2: no; asking twice does no harm */
    if (!known)
        known = HYPERVISOR_parador(PARADOR_machine_info, &info) ? 2 : 1;
    return known == 1;
}

const char *arch_name(void)
{
    static char text[64];
    long v = HYPERVISOR_xen_version(XENVER_version, NULL);
    if (pv_on_parador())
        return "Parador";
    ksnprintf(text, sizeof(text), "Xen %ld.%ld", v >> 16, v & 0xffff);
    return text;
}

void arch_poweroff(int status)
{
    int32_t code = status;
    if (pv_is_dom0()) {
        pv_stop_others(5);
        if (status && pv_on_parador())
            HYPERVISOR_parador(PARADOR_exit_status, &code);
    }
    pv_poweroff();
}

/* Walks the frame pointers that there are: the kernel's stack from here up, as far as it looks like code. */
void arch_panic(void)
{
    extern char _text[], _etext[];
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0), end = (sp | (PAGE_SIZE - 1)) + 1;
    unsigned n = 0;
    kprintf("code addresses on the stack:");
    for (; sp + 8 <= end && n < 12; sp += 8) {
        uintptr_t v = *(uintptr_t *)sp;
        if (v > (uintptr_t)_text && v < (uintptr_t)_etext) {
            kprintf(" %lx", v);
            n++;
        }
    }
    kprintf("\n");
    pv_crash();
}
