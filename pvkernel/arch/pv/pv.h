/* SPDX-License-Identifier: MIT
 *
 * What the files of the PV port share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>

/* Takes over all exceptions, the system call callback and the way out of interrupts. */
void pv_traps_setup(void);
/* Gives the domain's memory to core's allocators. */
void pv_memory_setup(void);
/* The timer, the keyboard. */
void pv_machine_setup(void);
/* This vcpu's timer and, of several, its IPI port. */
void pv_cpu_setup(void);
/* An IPI came: gives a loaded address space up whose end somebody waits for. Events are off. */
void pv_aspace_look(void);
/* Where we are: domain number, "d1> ". */
unsigned pv_domain_number(void);
/* True on Parador (its arch_0 calls answer). */
bool pv_on_parador(void);

/* Gives the drivers threads to wait in, and the xenstore client too. */
void pv_drivers_setup(void);
/* Domain 0: starts xenstore server and block backend in a thread. */
void pv_services_start(void);
/* Any other domain: connects to xenstore, starts the frontends, registers their devices. True: domain 0 runs
 * a script, so nobody sits at a keyboard. */
bool pv_frontends_start(void);

/* Domain 0: runs the ramdisk's `script`, if there is one, then ends the machine and doesn't return. */
void pv_script_run(void);
/* Domain 0 tells another domain (0: all of them) that it has a script, if it has one; they ask. */
void pv_script_announce(unsigned domid);
bool pv_script_announced(void);
/* Other domains: hears control/shutdown and control/parador-run (from the xenbus thread); says that it is
 * ready for commands, and runs them in a thread. */
void pv_control_start(void);
void pv_control_ready(void);
/* "SEQ REST", as they write it in there: the rest, or NULL; text is cut before it. */
char *pv_control_split(char *text, uint64_t *seq);
/* Domain 0: asks all other domains to power off and waits for them, at most `seconds`. */
void pv_stop_others(unsigned seconds);
/* Domain 0: a domain has ended (the service thread says so), reason: SHUTDOWN_* or XENSTORED_DESTROYED. One
 * that xl made is made anew if it rebooted; never again after pv_domains_stay_ended(). */
void pv_domain_ended(domid_t domid, unsigned int reason);
void pv_domains_stay_ended(void);
