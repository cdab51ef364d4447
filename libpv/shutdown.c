/* SPDX-License-Identifier: MIT
 *
 * Ends of a domain: shutdown.h has the contracts.
 */
#include "libpv/shutdown.h"
#include <stdarg.h>
#include "libpv/hypercall.h"
#include "libpv/print.h"

void pv_shutdown(unsigned int reason)
{
    struct sched_shutdown op = { .reason = reason };

    for (;;)
        HYPERVISOR_sched_op(SCHEDOP_shutdown, &op);
}

void pv_poweroff(void)
{
    pv_shutdown(SHUTDOWN_poweroff);
}

void pv_crash(void)
{
    pv_shutdown(SHUTDOWN_crash);
}

void pv_panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pv_vprintf(fmt, args);
    va_end(args);
    pv_printf("\n");
    pv_crash();
}
