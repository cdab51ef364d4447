/* SPDX-License-Identifier: MIT
 *
 * console_io: a guest's way to the serial line.
 *
 * Writing is done in pieces, so that a long text can't keep others from running: after each piece the call
 * may stop and go on where it was (arguments count and pointer hold the progress). Every domain may write and
 * read; stock Xen allows both to domain 0 alone (docs/oracle.md). The line itself: domain/console.c.
 */
#include "hypercall/hypercall.h"
#include "domain/console.h"

#define PIECE 128

static long console_io_write(uint64_t count, uint64_t buffer)
{
    char text[PIECE];

    while (count) {
        uint64_t n = MIN(count, PIECE);

        if (copy_from_guest(text, buffer, n))
            return refuse(-EFAULT, R_BAD_POINTER, buffer, 0);
        n = console_write(current->domain, text, n);
        count -= n;
        buffer += n;
        if (count && preempt_pending())
            return hypercall_restart(__HYPERVISOR_console_io, 3,
                                     (uint64_t[]){ CONSOLEIO_write, count, buffer });
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

/* op: CONSOLEIO_*; count: an int, of which only 32 bits count. */
long do_console_io(uint64_t op, uint64_t count, uint64_t buffer, uint64_t a4, uint64_t a5)
{
    if ((uint32_t)op == CONSOLEIO_write)
        return console_io_write((uint32_t)count, buffer);
    if ((uint32_t)op == CONSOLEIO_read)
        return console_io_read((uint32_t)count, buffer);
    return refuse(-ENOSYS, R_NO_SUCH_OP, __HYPERVISOR_console_io, op);
}
