/* SPDX-License-Identifier: MIT
 *
 * The end of the machine: the last line with the exit status, then power off.
 *
 * Status: what domain 0 set (a script's), if that is a failure; else 2 after trouble at boot; else what the
 * caller found (0: all domains powered off, 1: one crashed, 4: a bug of ours). QEMU's power management (PIIX4
 * and ICH9) and its isa-debug-exit device end the process; on a machine that has neither we halt.
 */
#include "boot/boot.h"
#include "domain/console.h"
#include "domain/domain.h"
#include "x86/cpu.h"

#define PM1A_CNT   0x604
#define S5_SLEEP   0x2000 /* SLP_EN with sleep type 0, which is S5 in QEMU's tables */
#define DEBUG_EXIT 0xf4
#define TROUBLE    2

int exit_status = -1;     /* PARADOR_exit_status; word-sized */
static uint32_t troubled; /* word-sized, only ever set */

void exit_note_trouble(void)
{
    WRITE_ONCE(troubled, 1);
}

void machine_exit(int status)
{
    if (READ_ONCE(exit_status) > 0)
        status = exit_status;
    else if (troubled && status < TROUBLE)
        status = TROUBLE;
    else if (exit_status == 0 && status == 1)
        status = 0; /* domain 0 knew of the crash and still was content */
    else if (status == 1)
        say("parador: a domain has crashed, so the status is 1\n");
    console_hold(); /* nothing comes behind the last line */
    refusals_report();
    latency_report(log_level >= LOG_INFO);
    say("parador: exit %d\n", status);
    outw(PM1A_CNT, S5_SLEEP);
    outb(DEBUG_EXIT, (uint8_t)status);
    apic_stop_others();
    for (;;)
        __asm__ volatile("cli; hlt");
}
