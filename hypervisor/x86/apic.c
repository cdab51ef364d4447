/* SPDX-License-Identifier: MIT
 *
 * Local APIC and PICs. Registers: Intel SDM vol. 3, 11.4; the 8259A's data sheet.
 *
 * The APIC's registers are reached through the direct map, whose large page there is uncached (boot/head.S).
 */
#include "domain/time.h"
#include "lib/lock.h"
#include "mm/layout.h"
#include "x86/cpu.h"
#include "x86/msr.h"
#include "x86/trap.h"

#define APIC_MADDR     0xfee00000
#define APIC_ENABLE    0x800 /* in MSR_APIC_BASE */

#define APIC_ID        0x20
#define APIC_TPR       0x80
#define APIC_EOI       0xb0
#define APIC_SPURIOUS  0xf0
#define APIC_ICR       0x300
#define APIC_ICR_HIGH  0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_COUNT     0x380
#define APIC_CURRENT   0x390
#define APIC_DIVIDE    0x3e0

#define LVT_MASKED     0x10000
#define LVT_NMI        0x400
#define LVT_EXTINT     0x700
#define ICR_PENDING    0x1000
#define ICR_ASSERT     0x4000
#define ICR_OTHERS     0xc0000
#define SOFT_ENABLE    0x100
#define DIVIDE_BY_1    0xb

#define PIC1           0x20
#define PIC2           0xa0
#define PIC_EOI        0x20
#define PIC_READ_ISR   0x0b

static volatile uint32_t *reg(uint32_t offset)
{
    return (volatile uint32_t *)((char *)maddr_to_virt(APIC_MADDR) + offset);
}

/* Command word 1 (edge, cascade, word 4 follows), vector base, cascade on line 2, 8086 mode; then the masks.
 */
void pic_init(void)
{
    outb(PIC1, 0x11);
    outb(PIC1 + 1, VEC_PIC);
    outb(PIC1 + 1, 4);
    outb(PIC1 + 1, 1);
    outb(PIC2, 0x11);
    outb(PIC2 + 1, VEC_PIC + 8);
    outb(PIC2 + 1, 2);
    outb(PIC2 + 1, 1);
    outb(PIC1 + 1, (uint8_t) ~(1U << IRQ_COM1));
    outb(PIC2 + 1, 0xff);
}

bool pic_ack(unsigned int line)
{
    uint16_t port = line < 8 ? PIC1 : PIC2;

    if (line % 8 == 7) { /* maybe spurious: then it isn't in service */
        outb(port, PIC_READ_ISR);
        if (!(inb(port) & 0x80))
            return false;
    }
    outb(port, PIC_EOI);
    if (line >= 8)
        outb(PIC1, PIC_EOI);
    return true;
}

uint32_t apic_init(bool boot_cpu)
{
    wrmsr(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & 0xfff & ~0x400ULL) | APIC_MADDR | APIC_ENABLE);
    *reg(APIC_TPR) = 0;
    *reg(APIC_LVT_TIMER) = LVT_MASKED | VEC_TIMER;
    *reg(APIC_LVT_ERROR) = LVT_MASKED | VEC_SPURIOUS;
    *reg(APIC_LVT_LINT0) = boot_cpu ? LVT_EXTINT : LVT_MASKED;
    *reg(APIC_LVT_LINT1) = LVT_NMI;
    *reg(APIC_DIVIDE) = DIVIDE_BY_1;
    *reg(APIC_COUNT) = 0;
    *reg(APIC_SPURIOUS) = SOFT_ENABLE | VEC_SPURIOUS;
    return *reg(APIC_ID) >> 24;
}

void apic_send(uint32_t apic_id, uint32_t what)
{
    while (*reg(APIC_ICR) & ICR_PENDING)
        cpu_relax();
    *reg(APIC_ICR_HIGH) = apic_id << 24;
    *reg(APIC_ICR) = what | ICR_ASSERT;
}

void apic_stop_others(void)
{
    apic_send(0, APIC_INIT | ICR_OTHERS);
}

void apic_timer_start(uint32_t count)
{
    *reg(APIC_LVT_TIMER) = VEC_TIMER | (count == UINT32_MAX ? LVT_MASKED : 0);
    *reg(APIC_COUNT) = count;
}

uint32_t apic_timer_count(void)
{
    return *reg(APIC_CURRENT);
}

void apic_eoi(void)
{
    *reg(APIC_EOI) = 0;
}

void apic_timer_set(uint64_t deadline_ns)
{
    uint64_t now, count;

    if (deadline_ns == ~0ULL) {
        *reg(APIC_COUNT) = 0;
        return;
    }
    now = now_ns();
    count = deadline_ns > now ? deadline_ns - now : 0;
    /* A farther deadline than the counter reaches: it fires early, finds nothing due and is set again. */
    count = (MIN(count, 1000000000ULL) * cpu_features.apic_scale >> 32) + 1;
    *reg(APIC_COUNT) = (uint32_t)MIN(count, 0xfffffffeULL);
}
