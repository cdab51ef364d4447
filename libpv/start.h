/* SPDX-License-Identifier: MIT
 *
 * Start of day: what head.S and start.c leave for the rest of a guest.
 *
 * The order of events: _start (head.S) keeps start_info and the boot stack's top, changes to libpv's own
 * stack and calls pv_start (start.c), which maps shared_info, sets up memory, traps, events and the console,
 * and calls the guest's main. main runs with event upcalls masked; a guest that wants them calls pv_events_on
 * (libpv/event.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include "libpv/vcpu.h"

/* The guest's own main. What it returns is ignored: the domain then shuts down with SHUTDOWN_poweroff. */
#if !__STDC_HOSTED__ /* host tests have another */
void main(struct start_info *si);
#endif

/* The page that RSI pointed to at the entry. Never NULL in main. */
extern struct start_info *pv_start_info;

/* The page that is shared with the hypervisor, mapped writable at a page of libpv's data. */
extern struct shared_info pv_shared_info;

/* RSP at the entry: the end of the bootstrap stack page, where the pages begin that nothing uses. */
extern unsigned long pv_boot_rsp;

/* The TSC at the guest's first instructions. */
extern uint64_t pv_boot_tsc;

/* The registers at the entry, as head.S pushed them onto the boot stack (the lowest first); they lie below
 * pv_boot_rsp until a kernel reuses that page. Only a test of the start of day wants them. */
struct pv_boot_regs {
    uint64_t rax, gs, fs, es, ds, ss, cs, rflags;
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbx, rbp, rdi, rdx, rcx;
};

static inline const struct pv_boot_regs *pv_boot_registers(void)
{
    return (const struct pv_boot_regs *)pv_boot_rsp - 1;
}

/* What shared_info said at the entry, before libpv masked every port: the upcall mask, and all words of
 * evtchn_mask or'ed. */
extern uint8_t pv_boot_upcall_mask;
extern unsigned long pv_boot_port_masks;

/* Top of the 32 KiB stack that main runs on. */
extern char pv_stack_top[];

/* The running vcpu's vcpu_info. */
static inline struct vcpu_info *pv_vcpu_info(void)
{
    return pv_several ? &pv_vcpu_self()->info : &pv_shared_info.vcpu_info[0];
}

/* True in the initial domain (SIF_INITDOMAIN). */
static inline bool pv_is_dom0(void)
{
    return pv_start_info->flags & SIF_INITDOMAIN;
}

/* This domain's number, or DOMID_INVALID when it can't be told (no free port). Found once, by allocating an
 * unbound port for DOMID_SELF and asking for its status, because the ABI has no call for it. */
domid_t pv_domid(void);

/* The ramdisk as it lies in memory: its address and *len in bytes, or NULL when there is none. Source: xen.h,
 * start_info. */
const void *pv_ramdisk(size_t *len);

/* The guest's command line, always ended by NUL; "" when there is none. Source: xen.h, start_info.cmd_line.
 */
const char *pv_cmdline(void);

/* Looks for the word `name` or `name=value` (words are separated by spaces). Returns false when it is not
 * there; else true with the value copied to `value` (at most size bytes with its NUL, cut when longer; "" for
 * a bare word). */
bool pv_cmdline_option(const char *name, char *value, size_t size);
