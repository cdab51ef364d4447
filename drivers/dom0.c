/* SPDX-License-Identifier: MIT
 *
 * Domain 0's services in one thread: see dom0.h.
 */
#include "drivers/dom0.h"
#include <xen/sched.h>
#include "drivers/back/blkback.h"
#include "drivers/back/consback.h"
#include "drivers/xenbus.h"
#include "drivers/xenstore/conn.h"
#include "drivers/xenstore/local.h"
#include "libpv/domctl.h"
#include "libpv/print.h"

#define XVDA (202u << 8) /* the number of virtual disk "xvda" */

static struct blk_store *the_disk;
static void (*tell_ended)(domid_t domid, unsigned int reason);

static void came(domid_t domid, const char *name)
{
    int err = consback_offer(domid);

    if (err && pv_domain_lives(domid)) /* else it was destroyed before we came to it */
        pv_printf("domain %u (%s) has no console: error %d\n", domid, name, err);
    if (the_disk && !blkback_offer(domid, XVDA, the_disk, the_disk->readonly))
        pv_printf("domain %u (%s) gets no disk: no memory\n", domid, name);
}

static void gone(domid_t domid, unsigned int reason)
{
    if (tell_ended)
        tell_ended(domid, reason); /* before who is attached to its console hears of it */
    consback_domain_gone(domid, reason == SHUTDOWN_crash);
    blkback_domain_gone(domid);
}

int dom0_start(struct blk_store *disk, void (*ended)(domid_t domid, unsigned int reason))
{
    int err = xenstored_start();

    if (err)
        return err;
    the_disk = disk;
    tell_ended = ended;
    xenstored_scan(came, gone);
    return 0;
}

bool dom0_pending(void *arg)
{
    (void)arg;
    return xenstored_domains_changed() || xenstored_pending() || consback_pending() || blkback_pending();
}

void dom0_work(void)
{
    if (xenstored_domains_changed())
        xenstored_scan(came, gone);
    xenstored_work();
    xs_local_deliver();
    xenbus_work();
    consback_work();
    blkback_work();
}
