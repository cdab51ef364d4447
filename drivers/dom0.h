/* SPDX-License-Identifier: MIT
 *
 * Domain 0's services in one thread: the xenstore server, the meeting of devices, the other
 * domains' consoles, and the block backend.
 *
 *     dom0_start(&disk.store, ended);    // each may be NULL: no disk is offered, nobody wants to hear
 *     for (;;) {
 *         drv_wait(dom0_pending, NULL);
 *         dom0_work();
 *     }
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include "drivers/blk.h"

/* Thread: starts xenstore, connects the domains that the hypervisor made at boot, and offers each the disk as
 * xvda. From here on pv_xs_* work in domain 0. ended is called by dom0_work for each domain that has ended
 * (reason: as xenstored_scan has it). 0 or a negative errno. */
int dom0_start(struct blk_store *disk, void (*ended)(domid_t domid, unsigned int reason));

/* Upcall-safe; arg is not used. */
bool dom0_pending(void *arg);

/* Thread: one bounded round. */
void dom0_work(void);
