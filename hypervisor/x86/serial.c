/* SPDX-License-Identifier: MIT
 *
 * COM1 (16550A data sheet). Transmit polls, with an end, so that a dead port can't hold the machine up.
 */
#include "x86/serial.h"
#include "x86/cpu.h"

#define COM1           0x3f8
#define UART_DATA      (COM1 + 0)
#define UART_IER       (COM1 + 1)
#define UART_FCR       (COM1 + 2)
#define UART_LCR       (COM1 + 3)
#define UART_MCR       (COM1 + 4)
#define UART_LSR       (COM1 + 5)

#define IER_RECEIVED   0x01
#define FCR_ON_CLEARED 0x07 /* FIFOs on and emptied, interrupt at one byte */
#define LCR_8N1        0x03
#define LCR_DIVISOR    0x80
#define MCR_ON         0x0b /* DTR, RTS, and OUT2: the interrupt line */
#define LSR_RECEIVED   0x01
#define LSR_CAN_SEND   0x20
#define SEND_PATIENCE  100000

static bool present; /* constant after boot */

void serial_init(void)
{
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_DIVISOR);
    outb(UART_DATA, 1); /* 115200 baud */
    outb(UART_IER, 0);
    outb(UART_LCR, LCR_8N1);
    outb(UART_FCR, FCR_ON_CLEARED);
    outb(UART_MCR, MCR_ON);
    outb(UART_IER, IER_RECEIVED);
    present = inb(UART_LSR) != 0xff;
}

/* A newline is sent as carriage return and newline. */
static void serial_putc(char c)
{
    unsigned int patience = SEND_PATIENCE;

    if (!present)
        return;
    if (c == '\n')
        serial_putc('\r');
    while (!(inb(UART_LSR) & LSR_CAN_SEND)) {
        if (!patience--)
            return;
    }
    outb(UART_DATA, (uint8_t)c);
}

void serial_write(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        serial_putc(s[i]);
}

int serial_getc(void)
{
    if (!present || !(inb(UART_LSR) & LSR_RECEIVED))
        return -1;
    return inb(UART_DATA);
}
