/* SPDX-License-Identifier: MIT
 *
 * Domain 0's services in one thread: the xenstore server, the meeting of devices, the other
 * domains' consoles, and the block backend.
 *
 *     dom0_start(&disk.store);           // or NULL: no disk is offered
 *     for (;;) {
 *         drv_wait(dom0_pending, NULL);
 *         dom0_work();
 *     }
 */
#pragma once

#include <stdbool.h>
#include "drivers/blk.h"

/* Thread: starts xenstore, connects the domains that the hypervisor made at boot, and offers each the disk as
 * xvda. From here on pv_xs_* work in domain 0. 0 or a negative errno. */
int dom0_start(struct blk_store *disk);

/* Upcall-safe; arg is not used. */
bool dom0_pending(void *arg);

/* Thread: one bounded round. */
void dom0_work(void);
