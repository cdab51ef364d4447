/* SPDX-License-Identifier: MIT
 *
 * The boot, as a list of steps; a step that fails says why and ends the machine with status 2.
 *
 * It begins on the stack of boot/head.S and goes over to the boot CPU's own one when its area is made. After
 * the last step the scheduler chooses a vcpu, and Parador only runs again when somebody enters it
 * (x86/entry.S). docs/boot.md tells the story.
 */
#include "boot/boot.h"
#include "domain/console.h"
#include "domain/domain.h"
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

/* What follows prints on the domains' console, from `loglevel=` on. */
static bool command_line(void)
{
    char why[128];

    if (!cmdline_parse(boot_info.cmdline, &log_level, why, sizeof(why))) {
        say("parador: %s\n", why);
        return false;
    }
    print_sink = console_own;
    return true;
}

/* From here on the image's pages have their rights, and nothing is mapped at low addresses. */
static void protect_image(void)
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
    load_cr3(this_cpu(), hv_l4_maddr());
}

void boot_main(uint32_t magic, uint64_t info_maddr)
{
    struct cpu *c;

    serial_init();
    print_sink = serial_write;
    descriptors_early();
    say("\n"); /* the firmware leaves the cursor anywhere */
    this_cpu()->cr3 = hv_l4_maddr();
    if (multiboot_parse(magic, info_maddr, &boot_info) || !command_line())
        machine_exit(2);
    boot_info.nr_cpus = acpi_find_cpus(&boot_info, boot_info.apic_ids, MAX_CPUS);
    cpu_features_init();
    mm_init(&boot_info);
    protect_image();
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
    descriptors_init(c);
    pic_init();
    c->apic_id = apic_init(true);
    cpus[0] = c;
    clocks_calibrate();
    info("tsc %u kHz, apic timer %u kHz\n", cpu_features.tsc_khz, cpu_features.apic_khz);
    time_init();
    sched_init();
    cpus_start(&boot_info);
    if (builder_run(&boot_info))
        machine_exit(2);
    latency_init();
    cpu_set_work(c, WORK_SCHEDULE);
    enter_guests();
}
