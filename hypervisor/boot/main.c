/* SPDX-License-Identifier: MIT
 *
 * The boot, as a list of steps; a step that fails says why and ends the machine with status 2.
 *
 * It begins on the stack of boot/head.S and goes over to the boot CPU's own one when its area is made. After
 * the last step the scheduler chooses a vcpu, and Parador only runs again when somebody enters it
 * (x86/entry.S). docs/boot.md tells the story.
 */
#include "boot/boot.h"
#include "boot/cmdline.h"
#include "domain/console.h"
#include "domain/domain.h"
#include "lib/print.h"
#include "x86/cpu.h"
#include "x86/descriptor.h"
#include "x86/pte.h"
#include "x86/serial.h"
#include "x86/trap.h"

extern const char __text_start[], __text_end[], __rodata_end[], __image_end[];
extern uint64_t image_l1[1024]; /* boot/head.S: one entry a page of [0, 4 MiB) */

struct boot_info boot_info; /* constant after the second step */

void boot_on_own_stack(struct cpu *c) __noreturn;

uint64_t image_end_maddr(void)
{
    return (uint64_t)__image_end - IMAGE_VIRT;
}

uint64_t hv_l4_maddr(void)
{
    return (uint64_t)hv_l4 - IMAGE_VIRT;
}

static int step_command_line(void)
{
    struct boot_options o;
    char why[128];

    if (!cmdline_parse(boot_info.cmdline, &o, why, sizeof(why))) {
        say("parador: %s\n", why);
        return -EINVAL;
    }
    log_level = o.log_level;
    print_sink = console_own;
    return 0;
}

/* From here on the image's pages have their rights, and nothing is mapped at low addresses. */
static int step_protect(void)
{
    for (uint64_t i = 0; i < ARRAY_SIZE(image_l1); i++) {
        uint64_t at = IMAGE_VIRT + (i << PAGE_SHIFT), entry = i << PAGE_SHIFT | PTE_P;

        if (at < (uint64_t)__text_start || at >= (uint64_t)__image_end)
            entry = 0;
        else if (at >= (uint64_t)__rodata_end)
            entry |= PTE_RW | PTE_NX;
        else if (at >= (uint64_t)__text_end)
            entry |= PTE_NX;
        image_l1[i] = entry;
    }
    hv_l4[0] = 0;
    load_cr3(hv_l4_maddr());
    return 0;
}

static int step_memory(void)
{
    mm_init(&boot_info);
    return 0;
}

static int step_features(void)
{
    cpu_features_init();
    return 0;
}

static int step_interrupts(void)
{
    apic_init();
    return 0;
}

static int step_clocks(void)
{
    clocks_calibrate();
    info("tsc %u kHz, apic timer %u kHz\n", cpu_features.tsc_khz, cpu_features.apic_khz);
    time_init();
    timer_init_cpu(0);
    return 0;
}

static int step_scheduler(void)
{
    sched_init();
    return 0;
}

static int step_domains(void)
{
    return builder_run(&boot_info);
}

typedef int (*step_fn)(void);

static void run(const step_fn *steps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (steps[i]())
            machine_exit(2);
    }
}

void boot_main(uint32_t magic, uint64_t info_maddr)
{
    static const step_fn first[] = { step_command_line, step_features, step_memory, step_protect };
    struct cpu *c;

    serial_init();
    print_sink = serial_write;
    descriptors_early();
    say("\n"); /* the firmware leaves the cursor anywhere */
    this_cpu()->cr3 = hv_l4_maddr();
    if (multiboot_parse(magic, info_maddr, &boot_info))
        machine_exit(2);
    run(first, ARRAY_SIZE(first));
    c = percpu_create(0);
    if (!c) {
        say("parador: no memory for the first CPU's stacks\n");
        machine_exit(2);
    }
    __asm__ volatile("mov %0, %%rsp\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "call boot_on_own_stack"
                     :
                     : "r"(c), "D"(c)
                     : "memory");
    __builtin_unreachable();
}

void boot_on_own_stack(struct cpu *c)
{
    static const step_fn rest[] = { step_interrupts, step_clocks, step_scheduler, step_domains };

    descriptors_init(c);
    run(rest, ARRAY_SIZE(rest));
    latency_init();
    cpu_set_work(c, WORK_SCHEDULE);
    enter_guests();
}
