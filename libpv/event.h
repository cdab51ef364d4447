/* SPDX-License-Identifier: MIT
 *
 * Event channels, two-level: ports, their handlers, and the virtual interrupt flag.
 *
 * A port that has been allocated here starts masked unless a handler is given. Ports are numbers from 1 to
 * 4095; functions that allocate one return it, or a negative errno of the hypervisor. Handlers run in the
 * event upcall with events masked. Source: xen/event_channel.h and xen.h (shared_info).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

struct pv_regs;

#define PV_NR_PORTS 4096

typedef void (*pv_event_fn)(unsigned int port, void *data);

/* Ports. A VIRQ that each vcpu has its own of is bound to the vcpu that runs, the domain's others to vcpu 0,
 * whoever binds them. A NULL fn leaves the port masked: use pv_event_wait or pv_event_test on it. Errors as
 * Xen gives them: -EEXIST (a VIRQ bound twice), -ENOSPC, -ESRCH (no such domain), -EPERM, -EINVAL. */
int pv_event_bind_virq(unsigned int virq, pv_event_fn fn, void *data);
int pv_event_bind_ipi(pv_event_fn fn, void *data);
int pv_event_alloc_unbound(domid_t remote, pv_event_fn fn, void *data);
int pv_event_bind_interdomain(domid_t remote, unsigned int remote_port, pv_event_fn fn, void *data);
int pv_event_close(unsigned int port);

/* Sets the handler of a port that exists (those in start_info, for instance) and unmasks it; NULL masks it.
 * When it returns, the handler from before runs on no other vcpu. So does pv_event_close: hold no lock that
 * the handler takes. */
void pv_event_set_handler(unsigned int port, pv_event_fn fn, void *data);

/* True while another domain is bound to the port; false once that domain closed its end, or is gone. */
bool pv_event_connected(unsigned int port);

/* Has the port's events delivered on another vcpu (xen/event_channel.h: not those of a vcpu's own VIRQs, nor
 * IPIs). 0 or a negative errno. */
int pv_event_bind_vcpu(unsigned int port, unsigned int vcpu);

/* Notifies the other end. 0 or a negative errno. */
int pv_event_send(unsigned int port);

/* The port's mask bit. Unmasking delivers what is pending (by EVTCHNOP_unmask when needed). */
void pv_event_mask(unsigned int port);
void pv_event_unmask(unsigned int port);

/* True when the port is pending; clears it. For ports without a handler. */
bool pv_event_test(unsigned int port);

/* Waits until the masked port is pending and clears it; timeout in nanoseconds of system time from now, 0:
 * for ever. Blocks the whole vcpu (SCHEDOP_poll): early code and tests only. False when the time is over. */
bool pv_event_wait(unsigned int port, uint64_t timeout_ns);

/* The virtual interrupt flag of the running vcpu. pv_events_on delivers at once what is pending.
 * pv_events_off returns whether they were on, to be given to pv_events_restore. */
void pv_events_on(void);
bool pv_events_off(void);
void pv_events_restore(bool on);

/* Masks nothing, sleeps until an event came (SCHEDOP_block, which clears the mask), returns with events on
 * and handled. */
void pv_block(void);

/* Called by the trap code: scans the pending ports and calls their handlers until none is left. */
void pv_event_upcall(struct pv_regs *r);
