/* SPDX-License-Identifier: MIT
 *
 * From the first C function to the guest's main: each part of libpv is set up in the order in which it needs
 * the others. Facts about what the builder hands over are in xen.h (start of day). Read next: memory.c and
 * traps.c.
 */
#include "libpv/start.h"
#include "libpv/console.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/shutdown.h"
#include "libpv/string.h"
#include "libpv/time.h"
#include "libpv/traps.h"

/* In .data, because head.S writes them before anything clears or maps. */
struct start_info *pv_start_info __attribute__((section(".data")));
unsigned long pv_boot_rsp __attribute__((section(".data")));

uint64_t pv_boot_tsc;
uint8_t pv_boot_upcall_mask;
unsigned long pv_boot_port_masks;

/* This page's own frame is replaced by the shared frame and stays unused. */
union {
    struct shared_info info;
    char page[PAGE_SIZE];
} pv_shared_page __attribute__((aligned(4096)));
extern struct shared_info pv_shared_info __attribute__((alias("pv_shared_page")));

void pv_start(void) __attribute__((noreturn));

void pv_start(void)
{
    struct start_info *si = pv_start_info;

    pv_boot_tsc = pv_rdtsc();
    if (HYPERVISOR_update_va_mapping((unsigned long)&pv_shared_page, si->shared_info | PTE_KERNEL,
                                     UVMF_INVLPG))
        pv_crash();
    pv_boot_upcall_mask = pv_vcpu_info()->evtchn_upcall_mask;
    for (unsigned int i = 0; i < 64; i++)
        pv_boot_port_masks |= pv_shared_info.evtchn_mask[i];
    pv_vcpu_info()->evtchn_upcall_mask = 1;
    memset(pv_shared_info.evtchn_mask, 0xff, sizeof(pv_shared_info.evtchn_mask));
    pv_traps_init();
    pv_console_init();
    pv_memory_init();
    main(si);
    pv_poweroff();
}

const void *pv_ramdisk(size_t *len)
{
    struct start_info *si = pv_start_info;

    *len = si->mod_len;
    if (!si->mod_start || !si->mod_len)
        return NULL;
    if (si->flags & SIF_MOD_START_PFN)
        return pv_pfn_to_virt(pfn(si->mod_start));
    return (const void *)si->mod_start;
}

const char *pv_cmdline(void)
{
    pv_start_info->cmd_line[MAX_GUEST_CMDLINE - 1] = 0;
    return (const char *)pv_start_info->cmd_line;
}

bool pv_cmdline_option(const char *name, char *value, size_t size)
{
    size_t want = strlen(name);

    for (const char *p = pv_cmdline(); *p;) {
        size_t len = 0;

        while (p[len] && p[len] != ' ')
            len++;
        if (len >= want && !memcmp(p, name, want) && (len == want || p[want] == '=')) {
            size_t skip = len == want ? want : want + 1, n = len - skip;

            if (n >= size)
                n = size - 1;
            memcpy(value, p + skip, n);
            value[n] = 0;
            return true;
        }
        p += len;
        while (*p == ' ')
            p++;
    }
    return false;
}

domid_t pv_domid(void)
{
    static domid_t known = DOMID_INVALID;
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_status status = { .dom = DOMID_SELF };

    if (known != DOMID_INVALID || HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc))
        return known;
    status.port = alloc.port;
    if (!HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) && status.status == EVTCHNSTAT_unbound)
        known = status.u.unbound.dom;
    HYPERVISOR_event_channel_op(EVTCHNOP_close, &(struct evtchn_close){ .port = alloc.port });
    return known;
}
