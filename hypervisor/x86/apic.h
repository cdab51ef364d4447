/* SPDX-License-Identifier: MIT
 *
 * The local APIC (timer, end of interrupt) and the two PICs, of which only COM1's line is let through.
 */
#ifndef X86_APIC_H
#define X86_APIC_H

#include "lib/types.h"

#define IRQ_COM1 4

/* Boot: PICs moved to VEC_PIC and masked but for COM1; APIC on, LINT0 passes the PIC on, timer stopped. */
void apic_init(void);
/* Boot: measures TSC and APIC timer against the PIT, some 2 ms; fills cpu_features. */
void clocks_calibrate(void);

/* The APIC timer's count now, counting down from what apic_timer_start() wrote. No interrupt comes. */
void apic_timer_start(uint32_t count);
uint32_t apic_timer_count(void);

void apic_eoi(void);
/* End of interrupt for a PIC line; false: it was spurious. */
bool pic_ack(unsigned int line);

#endif
