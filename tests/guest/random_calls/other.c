/* SPDX-License-Identifier: MIT
 *
 * The other calls: versions, assists, console, devices, numbers that no call has, and arguments of random
 * bits.
 */
#include <stdint.h>
#include <xen/platform.h>
#include "tests/guest/random_calls/calls.h"

/* Whether there is a build id: docs/oracle.md. */
static void after_build_id(struct call *c)
{
    if (pv_is_dom0() && (c->result > 0 || c->result == -ENODATA))
        c->result = 0;
}

static void gen_version(struct call *c)
{
    unsigned int op = random(11);

    c->data[0] = op == XENVER_get_features ? random(odd(2) ? 5 : 1) : 0;
    call(c, __HYPERVISOR_xen_version, some_op(c, op, XENVER_build_id), some_pointer(c, 1024), 0, 0);
    if (op == XENVER_build_id)
        c->after = after_build_id;
    if (op == XENVER_pagesize && !odd(2))
        c->a[1] = 0;
    say(c, "version op %u, %lx", op, c->data[0]);
}

static void gen_assist(struct call *c)
{
    static const uint64_t types[] = { 0, 1, 3, 4, 5 }; /* not m2p_strict: docs/oracle.md */
    static const uint64_t wrong[] = { 6, 31, 33, 64, 1UL << 31 };

    call(c, __HYPERVISOR_vm_assist, some_op(c, random(2), 1), odd(3) ? PICK(wrong) : PICK(types), 0, 0);
    say(c, "assist %lu", c->a[1]);
}

/* Whether others than domain 0 may: docs/oracle.md. */
static void after_console(struct call *c)
{
    if (!pv_is_dom0())
        c->result = 0;
}

/* Nothing is printed: there is no text, or no memory that holds it. */
static void gen_console(struct call *c)
{
    unsigned int op = random(2);

    call(c, __HYPERVISOR_console_io, some_op(c, op, 1), 0, some_pointer(c, 1), 0);
    c->after = after_console;
    c->a[1] = op == CONSOLEIO_read ? 1 : c->a[2] == (uint64_t)c->data ? 0 : 1;
    say(c, "console op %u, %lu bytes", op, c->a[1]);
}

static void gen_device(struct call *c)
{
    struct physdev_set_iobitmap *map = (void *)c->data;
    unsigned int op = random(3) + 5;

    if (op == PHYSDEVOP_set_iopl) {
        *(uint32_t *)c->data = random(nearly ? 6 : 4);
        say(c, "iopl %u ", *(uint32_t *)c->data);
    } else if (op == PHYSDEVOP_set_iobitmap) {
        map->bitmap.p = odd(3) ? (void *)some_address() : (void *)&c->data[10];
        map->nr_ports = odd(4) ? 65537 : random(65536);
        say(c, "%lx, %u ports ",
            odd(1) ? (uint64_t)map->bitmap.p * (map->bitmap.p != (void *)&c->data[10]) : 0, map->nr_ports);
    } else {
        *(uint32_t *)c->data = random(16) + (odd(3) ? 1000 : 0);
        say(c, "line %u ", *(uint32_t *)c->data);
    }
    call(c, __HYPERVISOR_physdev_op, some_op(c, op, PHYSDEVOP_release_msix), some_pointer(c, 64), 0, 0);
    say(c, "device op %u", op);
}

static void gen_platform(struct call *c)
{
    struct xen_platform_op *p = (void *)c->data;

    *p = (struct xen_platform_op){ .cmd = odd(3) ? 9999 : XENPF_settime64,
                                   .interface_version = odd(3) ? 0 : XENPF_INTERFACE_VERSION };
    p->u.settime64.secs = 1600000000;
    p->u.settime64.mbz = odd(4);
    call(c, __HYPERVISOR_platform_op, some_pointer(c, sizeof(*p)), 0, 0, 0);
    say(c, "platform op %u, version %x, mbz %u", p->cmd, p->interface_version, p->u.settime64.mbz);
}

/* Not there on stock Xen either. */
static void gen_unknown(struct call *c)
{
    static const uint64_t numbers[] = { 11, 47, 54, 63, 64, 127, 1000, 0xffffffff, 1UL << 31 };

    call(c, PICK(numbers), random_bits(), 0, 0, 0);
    say(c, "no such call");
}

/* Sizes are each machine's own. */
static void after_bits(struct call *c)
{
    if (FINE(c->result))
        c->result = 0;
}

/* Arguments of any bits for the calls that can't end the guest; what pointers point to is zero. */
static void gen_bits(struct call *c)
{
    static const uint8_t numbers[] = { __HYPERVISOR_mmu_update,
                                       __HYPERVISOR_mmuext_op,
                                       __HYPERVISOR_set_gdt,
                                       __HYPERVISOR_update_descriptor,
                                       __HYPERVISOR_update_va_mapping_otherdomain,
                                       __HYPERVISOR_event_channel_op,
                                       __HYPERVISOR_xen_version,
                                       __HYPERVISOR_vm_assist,
                                       __HYPERVISOR_memory_op,
                                       __HYPERVISOR_callback_op,
                                       __HYPERVISOR_set_segment_base };
    static const uint64_t words[] = { 0,          1,         2,         3,         0x7fff, 0x80000000,
                                      0xffffffff, 1UL << 32, 1UL << 47, 1UL << 63, ~0UL };

    call(c, PICK(numbers), 0, 0, 0, 0);
    for (unsigned int i = 0; i < 4; i++) {
        c->a[i] = random(4) ? PICK(words) : random(2) ? random_bits() : (uint64_t)c->data;
        say(c, "%lx ", c->a[i] == (uint64_t)c->data ? 0xda7aUL : c->a[i]);
    }
    if (c->nr == __HYPERVISOR_memory_op)
        c->a[0] = PICK(words); /* among random ones are some that only stock Xen has */
    if (c->a[1] == 0x80000000)
        c->a[1] = 1; /* Xen's own sign of a batch that goes on: docs/oracle.md */
    callbacks_changed |= c->nr == __HYPERVISOR_callback_op;
    c->after = after_bits;
}

generator *const other_calls[] = { gen_version,  gen_version, gen_assist, gen_console, gen_device,
                                   gen_platform, gen_unknown, gen_bits,   NULL };
