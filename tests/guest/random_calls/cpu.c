/* SPDX-License-Identifier: MIT
 *
 * Calls about the vcpus: callbacks, registers, timers, coming up and going down. The second vcpu runs code
 * that waits for ever.
 */
#include "libpv/event.h"
#include "tests/guest/random_calls/calls.h"
#include "tests/guest/vcpus.h"

#define SECOND 1

static struct vcpu_guest_context context;
static char stack[4096] __attribute__((aligned(16)));
static uint64_t area[64]; /* what a hypervisor keeps up to date */
static bool watched;

static void gen_trap_table(struct call *c)
{
    struct trap_info *t = (void *)c->data;

    t[0] = (struct trap_info){ .vector = (uint8_t)random(256),
                               .flags = (uint8_t)random(4),
                               .cs = PV_CS,
                               .address = odd(2) ? some_address() : 0x1000 };
    t[1] = (struct trap_info){ .vector = (uint8_t)random(256),
                               .cs = (uint16_t)(random(2) ? 0 : random(0x10000)),
                               .address = random(2) ? 0x2000 : 0 };
    t[2].address = 0;
    call(c, __HYPERVISOR_set_trap_table, odd(8) ? 0 : some_pointer(c, sizeof(t[0]) * 3), 0, 0, 0);
    callbacks_changed = true;
    say(c, "traps %u %lx, %u %x %lx", t[0].vector, t[0].address, t[1].vector, t[1].cs, t[1].address);
}

static void gen_callback(struct call *c)
{
    struct callback_register *r = (void *)c->data;
    unsigned int cmd = random(4) ? CALLBACKOP_register : CALLBACKOP_unregister;

    r->type = (uint16_t)(odd(4) ? 8 + random(9) : random(8));
    if (cmd == CALLBACKOP_unregister) {
        *(uint16_t *)c->data = r->type;
        say(c, "unregister %u", r->type);
    } else {
        r->flags = (uint16_t)random(3);
        r->address = odd(3) ? some_address() : 0x1000;
        say(c, "register %u flags %u at %lx", r->type, r->flags, r->address);
    }
    call(c, __HYPERVISOR_callback_op, some_op(c, cmd, CALLBACKOP_unregister), some_pointer(c, sizeof(*r)), 0,
         0);
    callbacks_changed = true;
}

static void gen_callbacks(struct call *c)
{
    call(c, __HYPERVISOR_set_callbacks, odd(4) ? some_address() : 0x1000, odd(4) ? some_address() : 0x1000,
         0x1000, 0);
    callbacks_changed = true;
    say(c, "callbacks %lx %lx", c->a[0], c->a[1]);
}

static void gen_stack(struct call *c)
{
    call(c, __HYPERVISOR_stack_switch, random(2) ? PV_SS : random(0x10000), some_address(), 0, 0);
    say(c, "stack %lx:%lx", c->a[0], c->a[1]);
}

/* gs is loaded with a selector only where it is null or flat: in the guest's tables may be anything. */
static void gen_segment_base(struct call *c)
{
    unsigned int which = odd(6) ? 4 + random(3) : random(4);

    call(c, __HYPERVISOR_set_segment_base, which,
         which == SEGBASE_GS_USER_SEL ? (random(2) ? random(4) : PV_SS) : some_address(), 0, 0);
    say(c, "base %u %lx", which, c->a[1]);
}

static void gen_debugreg(struct call *c)
{
    unsigned int n = random(nearly ? 9 : 4);
    uint64_t v = n < 4       ? (odd(2) ? some_address() : 0x1000)
                 : random(3) ? 1UL << random(36)
                             : random_bits() & 0xffffffff;

    if (n == 7 || n == 5)
        v &= ~0xffUL; /* no breakpoint is ever on */
    if (random(3) == 0) {
        call(c, __HYPERVISOR_get_debugreg, n, 0, 0, 0);
        say(c, "debug register %u", n);
        return;
    }
    call(c, __HYPERVISOR_set_debugreg, n, v, 0, 0);
    say(c, "debug register %u <- %lx", n, v);
}

static void gen_taskswitch(struct call *c)
{
    call(c, __HYPERVISOR_fpu_taskswitch, random(3), 0, 0, 0);
    say(c, "taskswitch %lu", c->a[0]);
}

/* vcpu_op: what is asked of whom; the first vcpu never goes down. */
static void gen_vcpu(struct call *c)
{
    static const uint8_t cmds[] = { VCPUOP_up,
                                    VCPUOP_down,
                                    VCPUOP_is_up,
                                    VCPUOP_get_runstate_info,
                                    VCPUOP_register_runstate_memory_area,
                                    VCPUOP_set_periodic_timer,
                                    VCPUOP_stop_periodic_timer,
                                    VCPUOP_set_singleshot_timer,
                                    VCPUOP_stop_singleshot_timer,
                                    VCPUOP_register_vcpu_info,
                                    VCPUOP_get_physid,
                                    VCPUOP_register_vcpu_time_memory_area,
                                    VCPUOP_initialise };
    unsigned int cmd = PICK(cmds), v = odd(6) ? 2 + random(2) * 5000 : random(2);

    c->data[0] = 0;
    if (cmd == VCPUOP_down && v == 0)
        v = SECOND;
    if (cmd == VCPUOP_register_runstate_memory_area || cmd == VCPUOP_register_vcpu_time_memory_area)
        c->data[0] = odd(4) ? some_address() : (uint64_t)&area[v % 2 * 16];
    if (cmd == VCPUOP_set_periodic_timer)
        c->data[0] = odd(2) ? random(2) * 999999 : 1000000000;
    if (cmd == VCPUOP_set_singleshot_timer)
        c->data[0] = random(2) ? 1 : 1UL << 60;
    if (cmd == VCPUOP_register_vcpu_info) { /* none that would do: it is for ever */
        struct frame f = some_frame(false);

        c->data[0] = f.mfn;
        ((uint32_t *)c->data)[2] = random(2) ? 4096 - 8 * (1 + random(7)) : 1 + random(7);
        say(c, "%s+%u ", f.name, ((uint32_t *)c->data)[2]);
    }
    say(c, "op %u vcpu %u %lx", cmd, v, cmd == VCPUOP_register_vcpu_info ? 0 : c->data[0]);
    call(c, __HYPERVISOR_vcpu_op, some_op(c, cmd, VCPUOP_register_vcpu_time_memory_area), v,
         some_pointer(c, 8), 0);
    if (cmd == VCPUOP_initialise && c->a[2] == (uint64_t)c->data)
        c->a[2] = (uint64_t)&context;
}

static void gen_timer(struct call *c)
{
    static const uint64_t when[] = { 0, 1, 1UL << 49, 1UL << 60, ~0UL };

    call(c, __HYPERVISOR_set_timer_op, PICK(when), 0, 0, 0);
    say(c, "timer %lx", c->a[0]);
}

static void after_watchdog(struct call *c)
{
    if (c->result == (uint32_t)-ENOSPC) /* Xen gives it as a number of 32 bits */
        c->result = -ENOSPC;
    watched |= c->result > 0;
}

/* Whether domain 0 may stay on a processor: docs/oracle.md. */
static void after_pin(struct call *c)
{
    if (pv_is_dom0() && c->a[0] == SCHEDOP_pin_override && c->a[1] == (uint64_t)c->data)
        c->result = 0;
}

/* Nothing here waits: a poll has a deadline that has passed. */
static void gen_sched(struct call *c)
{
    static const uint8_t cmds[] = { SCHEDOP_yield,           SCHEDOP_poll,          SCHEDOP_poll,
                                    SCHEDOP_remote_shutdown, SCHEDOP_shutdown_code, SCHEDOP_watchdog,
                                    SCHEDOP_pin_override };
    unsigned int cmd = batching ? SCHEDOP_yield : cmds[random(nearly ? 7 : 3)];
    struct sched_poll *poll = (void *)c->data;
    struct sched_watchdog *dog = (void *)c->data;
    uint32_t first = pv_is_dom0() ? 1 : 3; /* behind those of console and store, which may be pending */

    if (cmd == SCHEDOP_poll) {
        poll->nr_ports = odd(4) ? 129 : random(3);
        poll->timeout = 1;
        ((uint32_t *)c->data)[20] = odd(4) ? 4096 : first + random(PORTS);
        ((uint32_t *)c->data)[21] = odd(4) ? 0 : first + random(PORTS);
        set_xen_guest_handle(poll->ports, odd(6) ? (void *)NOWHERE : &((uint32_t *)c->data)[20]);
        say(c, "%u ports %u %u%s ", poll->nr_ports, ((uint32_t *)c->data)[20], ((uint32_t *)c->data)[21],
            (uint64_t)poll->ports.p == NOWHERE ? " nowhere" : "");
    } else if (cmd == SCHEDOP_remote_shutdown) {
        *(struct sched_remote_shutdown *)(void *)c->data =
            (struct sched_remote_shutdown){ .domain_id = random(2) ? 77 : DOMID_SELF };
    } else if (cmd == SCHEDOP_watchdog) {
        dog->id = random(5);
        dog->timeout = dog->id && random(2) ? 0 : 1000000; /* a new one without time would bite at once */
        say(c, "id %u, %u s ", dog->id, dog->timeout);
        c->after = after_watchdog;
    }
    if (cmd == SCHEDOP_pin_override)
        c->after = after_pin;
    call(c, __HYPERVISOR_sched_op, cmd == SCHEDOP_yield ? cmd : some_op(c, cmd, SCHEDOP_pin_override),
         some_pointer(c, cmd == SCHEDOP_poll ? sizeof(*poll) : 4), 0, 0);
    say(c, "sched op %u", cmd);
}

static void gen_sched_compat(struct call *c)
{
    call(c, __HYPERVISOR_sched_op_compat, odd(3) ? 3 + random(3) : SCHEDOP_yield, 0, 0, 0);
    say(c, "compat op %lu", c->a[0]);
}

static void gen_nmi(struct call *c)
{
    call(c, __HYPERVISOR_vcpu_op, VCPUOP_send_nmi, odd(3) ? 2 : 0, odd(3) ? 1 : 0, 0);
    say(c, "NMI to vcpu %lu", c->a[1]);
}

generator *const cpu_calls[] = { gen_trap_table,   gen_callback,     gen_callbacks, gen_stack,
                                 gen_segment_base, gen_segment_base, gen_debugreg,  gen_debugreg,
                                 gen_taskswitch,   gen_vcpu,         gen_vcpu,      gen_vcpu,
                                 gen_vcpu,         gen_timer,        gen_sched,     gen_sched,
                                 gen_sched_compat, gen_nmi,          NULL };

static void wait_for_ever(void)
{
    static struct sched_poll poll; /* for no port, without a deadline */

    for (;;)
        HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
}

static void ignore(struct pv_regs *r)
{
    (void)r;
}

/* The second vcpu has its state, and is down. */
static void second_vcpu(void)
{
    pv_shared_info.vcpu_info[SECOND].evtchn_upcall_mask = 1;
    test_context(&context, wait_for_ever, stack + sizeof(stack));
    require(!HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, &context), "a second vcpu");
    pv_set_trap_handler(NMI, ignore);
}

void cpu_end(void)
{
    struct sched_watchdog dog = { .timeout = 0 };
    uint64_t none = 0;

    for (dog.id = 1; watched && dog.id <= 2; dog.id++)
        HYPERVISOR_sched_op(SCHEDOP_watchdog, &dog);
    watched = false;
    HYPERVISOR_vcpu_op(VCPUOP_down, SECOND, NULL);
    for (unsigned int v = 0; v <= SECOND; v++) {
        HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, v, NULL);
        HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, v, &none);
        HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_time_memory_area, v, &none);
    }
    HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
    HYPERVISOR_set_timer_op(0);
    for (int n = 0; n < 8; n++)
        if (n < 4 || n > 5)
            HYPERVISOR_set_debugreg(n, n == 7 ? 0x400 : 0);
    for (unsigned int which = SEGBASE_FS; which <= SEGBASE_GS_USER_SEL; which++)
        HYPERVISOR_set_segment_base(which, 0);
    HYPERVISOR_fpu_taskswitch(0);
}

void cpu_begin(void)
{
    static bool begun;

    if (!begun)
        second_vcpu();
    begun = true;
    cpu_end();
    for (unsigned int type = 0; type < 6; type++)
        HYPERVISOR_vm_assist(type == VMASST_TYPE_writable_pagetables ? VMASST_CMD_enable : VMASST_CMD_disable,
                             type);
    HYPERVISOR_vm_assist(VMASST_CMD_disable, VMASST_TYPE_m2p_strict);
    pv_traps_init();
    pv_set_trap_handler(NMI, ignore);
}
