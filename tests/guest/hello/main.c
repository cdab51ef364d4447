/* SPDX-License-Identifier: MIT
 *
 * The smallest guest: says hello, tells what it runs on, and powers off. All that a PV guest needs comes from
 * libpv.
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/print.h"
#include "libpv/start.h"
#include "tests/guest/test.h"

TEST("hello");
ROLE(dom0, domU);

void test_main(void)
{
    struct start_info *si = pv_start_info;
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);
    char extra[16] = "";

    HYPERVISOR_xen_version(XENVER_extraversion, extra);
    pv_printf("hello from domain %u of %s, version %ld.%ld%s\n", pv_domid(), si->magic, version >> 16,
              version & 0xffff, extra);
    pv_printf("%lu pages of memory, %lu of them free; command line \"%s\"\n", si->nr_pages, pv_pages_free(),
              pv_cmdline());
    check(version > 0, "xen_version gives a version");
}
