/* SPDX-License-Identifier: MIT
 *
 * The battery-backed clock (MC146818 registers behind ports 0x70 and 0x71), read once at boot for the wall
 * clock. Source: Intel ICH/PIIX data sheets, "real time clock".
 */
#include "x86/cpu.h"

#define RTC_A          0x0a
#define RTC_A_UPDATING 0x80
#define RTC_B          0x0b
#define RTC_B_BINARY   0x04
#define RTC_B_24H      0x02

static uint8_t rtc(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static uint32_t number(uint8_t raw, uint8_t mode)
{
    return mode & RTC_B_BINARY ? raw : (raw >> 4) * 10u + (raw & 15);
}

/* Days from 1970-01-01 to the first of March of `year`, years beginning in March (so that a leap day is
 * last). */
static uint64_t days_before(uint64_t year)
{
    return year * 365 + year / 4 - year / 100 + year / 400 - 719468;
}

uint64_t cmos_seconds(void)
{
    uint64_t year, month, day, seconds;
    uint8_t mode = rtc(RTC_B), hour;

    for (unsigned int i = 0; i < 100000 && (rtc(RTC_A) & RTC_A_UPDATING); i++)
        ;
    hour = rtc(4);
    seconds = number(rtc(0), mode) + 60 * number(rtc(2), mode) + 3600 * (number(hour & 0x7f, mode) % 24);
    if (!(mode & RTC_B_24H)) /* 12 is 0, afternoon in bit 7 */
        seconds += 3600 * ((hour & 0x80 ? 12ULL : 0) - (number(hour & 0x7f, mode) == 12 ? 12ULL : 0));
    day = number(rtc(7), mode);
    month = number(rtc(8), mode);
    year = 2000 + number(rtc(9), mode);
    if (month <= 2)
        year--;
    month = (month + 9) % 12; /* 0: March */
    return (days_before(year) + (153 * month + 2) / 5 + day - 1) * 86400 + seconds;
}
