/* SPDX-License-Identifier: MIT
 *
 * The console, two ways: the hypercall, or the domU ring of xen/io/console.h.
 *
 * Ring: two single-producer queues in one page with free-running indices. Writers here publish by a release
 * store of out_prod after the bytes, and take bytes after an acquire load of in_prod; the other side's pairs
 * are in its daemon. Its indices are not trusted: more than a ring's worth counts as empty (in) or full
 * (out).
 */
#include "libpv/console.h"
#include <stdint.h>
#include <xen/io/console.h>
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/hypercall.h"
#include "libpv/lock.h"
#include "libpv/memory.h"
#include "libpv/start.h"

/* Two writers would mix their lines, and the ring has one producer and one consumer here. */
static struct pv_lock out_lock, in_lock;
static struct xencons_interface *ring; /* NULL: the hypercall */
static unsigned int ring_port;
static void (*input_fn)(void *data);
static void *input_data;

static size_t ring_put(const char *buf, size_t len)
{
    uint32_t prod = ring->out_prod, cons = __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE);
    size_t n = 0;

    while (n < len && prod - cons < sizeof(ring->out))
        ring->out[prod++ & (sizeof(ring->out) - 1)] = buf[n++];
    __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
    if (n)
        pv_event_send(ring_port);
    return n;
}

static void ring_write(const char *buf, size_t len)
{
    while (len) {
        size_t n = ring_put(buf, len);

        buf += n;
        len -= n;
        if (!n)
            HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
}

/* Terminals behind the ring want a carriage return before each newline; the hypervisor's line adds its own.
 */
static void ring_write_lines(const char *buf, size_t len)
{
    size_t start = 0;

    for (size_t i = 0; i < len; i++) {
        if (buf[i] != '\n')
            continue;
        ring_write(buf + start, i - start);
        ring_write("\r\n", 2);
        start = i + 1;
    }
    ring_write(buf + start, len - start);
}

void pv_console_write(const char *buf, size_t len)
{
    bool on = pv_lock_take(&out_lock);

    if (ring)
        ring_write_lines(buf, len);
    else
        HYPERVISOR_console_io(CONSOLEIO_write, (unsigned int)len, (char *)buf);
    pv_lock_drop(&out_lock, on);
}

static int ring_getc(void)
{
    uint32_t cons = ring->in_cons, prod = __atomic_load_n(&ring->in_prod, __ATOMIC_ACQUIRE);
    char c;

    if (prod == cons || prod - cons > sizeof(ring->in))
        return -1;
    c = ring->in[cons & (sizeof(ring->in) - 1)];
    __atomic_store_n(&ring->in_cons, cons + 1, __ATOMIC_RELEASE);
    pv_event_send(ring_port);
    return (unsigned char)c;
}

static int line_getc(void)
{
    static char buf[64];
    static long have, next;

    if (next >= have) {
        next = 0;
        have = HYPERVISOR_console_io(CONSOLEIO_read, sizeof(buf), buf);
        if (have <= 0)
            return -1;
    }
    return (unsigned char)buf[next++];
}

int pv_console_getc(void)
{
    bool on = pv_lock_take(&in_lock);
    int c = ring ? ring_getc() : line_getc();

    pv_lock_drop(&in_lock, on);
    return c;
}

static void input_event(unsigned int port, void *data)
{
    (void)port;
    (void)data;
    input_fn(input_data);
}

int pv_console_on_input(void (*fn)(void *data), void *data)
{
    int port;

    input_data = data;
    input_fn = fn;
    if (ring) {
        pv_event_set_handler(ring_port, input_event, NULL);
        return 0;
    }
    port = pv_event_bind_virq(VIRQ_CONSOLE, input_event, NULL);
    return port < 0 ? port : 0;
}

bool pv_console_is_ring(void)
{
    return ring;
}

void pv_console_init(void)
{
    struct start_info *si = pv_start_info;

    if (HYPERVISOR_console_io(CONSOLEIO_write, 0, (char *)si) != -EPERM)
        return;
    if (pv_is_dom0() || !si->console.domU.mfn)
        return;
    ring = pv_mfn_to_virt(mfn(si->console.domU.mfn));
    ring_port = si->console.domU.evtchn;
}
