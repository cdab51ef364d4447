/* SPDX-License-Identifier: MIT
 *
 * The other CPUs: started one by one by INIT and STARTUP messages (Intel SDM vol. 3, 8.4.4), each with an
 * area and a stack of its own. They go straight into their idle loops (domain/sched.c), before there is any
 * domain.
 *
 * A CPU that doesn't come up in time is left out with a line; it stays stopped, so that it can't come late.
 */
#include "boot/boot.h"
#include "boot/trampoline.h"
#include "domain/domain.h"
#include "lib/string.h"
#include "mm/layout.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"
#include "x86/pte.h"
#include "x86/trap.h"

#define MS         1000000ULL  /* ns */
#define INIT_TIME  (10 * MS)   /* from INIT to STARTUP */
#define AGAIN_TIME (MS / 5)    /* to the second STARTUP */
#define LONGEST    (2000 * MS) /* to its first sign; emulated machines may be slow */

extern const char trampoline[], trampoline_end[];
extern uint64_t trampoline_l4[512], identity_l3[512]; /* boot/head.S */

struct cpu *starting_cpu; /* whose area the CPU that begins now takes (boot/trampoline.S) */

void cpu_main(struct cpu *c) __noreturn;

/* Until the CPU is there or the time is over. */
static bool wait_for(const struct cpu *c, uint64_t ns)
{
    uint64_t end = now_ns() + ns;

    while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE) && now_ns() < end)
        cpu_relax();
    return READ_ONCE(c->online);
}

static bool start(struct cpu *c)
{
    WRITE_ONCE(starting_cpu, c);
    apic_send(c->apic_id, APIC_INIT);
    (void)wait_for(c, INIT_TIME);
    apic_send(c->apic_id, APIC_STARTUP(TRAMPOLINE_MADDR));
    if (!wait_for(c, AGAIN_TIME))
        apic_send(c->apic_id, APIC_STARTUP(TRAMPOLINE_MADDR));
    if (wait_for(c, LONGEST))
        return true;
    apic_send(c->apic_id, APIC_INIT);
    return false;
}

void cpu_main(struct cpu *c)
{
    cpu_features_load();
    descriptors_init(c);
    apic_init(false);
    apic_timer_start(0); /* lets its interrupt through */
    sched_init();
    cpu_set_work(c, WORK_SCHEDULE);
    __atomic_store_n(&c->online, true, __ATOMIC_RELEASE);
    while (READ_ONCE(nr_cpus) <= c->id) /* else it might believe to be alone, and sleep for ever */
        cpu_relax();
    enter_guests();
}

void cpus_start(const struct boot_info *bi)
{
    if (bi->nr_cpus > 1 && bi->reserved_start < TRAMPOLINE_MADDR + PAGE_SIZE &&
        bi->reserved_end > TRAMPOLINE_MADDR) {
        warn("cpus: the boot loader's data lie where other CPUs would begin: one CPU is used\n");
        return;
    }
    memcpy(maddr_to_virt(TRAMPOLINE_MADDR), trampoline, (size_t)(trampoline_end - trampoline));
    memcpy(trampoline_l4, hv_l4, PAGE_SIZE);
    trampoline_l4[0] = ((uint64_t)identity_l3 - IMAGE_VIRT) | PTE_P | PTE_RW;
    for (unsigned int i = 0; i < MIN(bi->nr_cpus, MAX_CPUS) && nr_cpus < MAX_CPUS; i++) {
        struct cpu *c;

        if (bi->apic_ids[i] == cpus[0]->apic_id)
            continue;
        c = percpu_create(nr_cpus);
        if (!c) {
            warn("cpus: no memory for CPU %u: not started, and none after it\n", nr_cpus);
            break;
        }
        c->apic_id = bi->apic_ids[i];
        if (!start(c)) {
            warn("cpus: CPU %u (APIC %u) does not answer: not used, and none after it\n", nr_cpus,
                 c->apic_id);
            break;
        }
        cpus[nr_cpus] = c;
        WRITE_ONCE(nr_cpus, nr_cpus + 1);
    }
    trampoline_l4[0] = 0;
    if (bi->nr_cpus > MAX_CPUS)
        warn("cpus: the machine has %u, %u are used\n", bi->nr_cpus, nr_cpus);
    info("cpus: %u of %u run\n", nr_cpus, MAX(bi->nr_cpus, 1u));
}
