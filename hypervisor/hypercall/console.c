/* SPDX-License-Identifier: MIT
 *
 * console_io: a guest's way to the serial line.
 *
 * Writing is done in pieces, so that a long text can't keep others from running: after each piece the call
 * may stop and go on where it was (arguments count and pointer hold the progress). Every domain may write and
 * read; stock Xen allows both to domain 0 alone (docs/oracle.md). The line itself: domain/console.c.
 */
#include "lib/types.h"
#include <xen/xen.h>
#include "domain/console.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "x86/copy.h"
#include "x86/percpu.h"

#define PIECE 128

static long console_io_write(uint64_t count, uint64_t buffer)
{
    char text[PIECE];

    while (count) {
        uint64_t n = MIN(count, PIECE);

        if (copy_from_guest(text, buffer, n))
            return refuse(-EFAULT, R_BAD_POINTER, buffer, 0);
        console_write(current->domain, text, n);
        count -= n;
        buffer += n;
        if (count && preempt_pending()) {
            uint64_t args[] = { CONSOLEIO_write, count, buffer };

            return hypercall_restart(__HYPERVISOR_console_io, ARRAY_SIZE(args), args);
        }
    }
    return 0;
}

/* At most a piece at a time: more is there next time. What was read before a bad pointer was found is lost.
 */
static long console_io_read(uint64_t count, uint64_t buffer)
{
    char text[PIECE];
    size_t n = console_read(current->domain, text, MIN(count, sizeof(text)));

    if (n && copy_to_guest(buffer, text, n))
        return refuse(-EFAULT, R_BAD_POINTER, buffer, 0);
    return (long)n;
}

/* a1: CONSOLEIO_*; a2: count, an int of which only 32 bits count; a3: buffer. */
long do_console_io(uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    (void)a4, (void)a5;
    a2 = (uint32_t)a2;
    switch ((uint32_t)a1) {
    case CONSOLEIO_write:
        return console_io_write(a2, a3);
    case CONSOLEIO_read:
        return console_io_read(a2, a3);
    default:
        return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_console_io, a1);
    }
}
