/* SPDX-License-Identifier: MIT
 *
 * The keyboard's queue. Keys are put in by interrupts and taken out by the one thread that reads (the shell,
 * or a program that the shell waits for). Ctrl-C goes to the foreground program at once, not into the queue.
 */
#include "pvkernel/core/console.h"
#include "pvkernel/core/arch.h"
#include "pvkernel/core/errno.h"
#include "pvkernel/core/lib.h"
#include "pvkernel/core/process.h"
#include "pvkernel/core/thread.h"

#define CTRL(c) ((c) - '@')

/* head, tail: ever growing. */
static struct {
    struct lock lock;
    char keys[4096];
    unsigned head, tail;
    bool interrupted;
    struct waitq readers;
} input = { .lock = { .rank = LOCK_WAIT }, .readers = { LIST_INIT(input.readers.waiters) } };

void core_console_key(char c)
{
    if (c == CTRL('C') && process_interrupt())
        return;
    bool on = lock(&input.lock);
    if (c == CTRL('C'))
        input.interrupted = true;
    if (input.head - input.tail < sizeof(input.keys)) /* else it is lost */
        input.keys[input.head++ % sizeof(input.keys)] = c;
    wake_one(&input.readers);
    unlock(&input.lock, on);
}

void console_write(const char *text, size_t n)
{
    arch_console_write(text, n);
}

void (*volatile console_prompt)(void);

void console_note(const char *format, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, format);
    kvsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    kprintf("%s%s", console_prompt ? "\n" : "", text);
    if (console_prompt)
        console_prompt();
}

static int getkey_until(uint64_t until)
{
    struct process *p = process_current();
    int key = -1;
    bool on = lock(&input.lock);
    while (input.head == input.tail && !(p && p->killed))
        if (!wait_until(&input.readers, &input.lock, "a key", until))
            break;
    if (p && p->killed)
        key = -KE_INTR;
    else if (input.head != input.tail)
        key = (unsigned char)input.keys[input.tail++ % sizeof(input.keys)];
    unlock(&input.lock, on);
    return key;
}

bool console_interrupted(void)
{
    bool on = lock(&input.lock), was = input.interrupted;
    input.interrupted = false;
    unlock(&input.lock, on);
    return was;
}

bool console_key_waits(char key)
{
    bool on = lock(&input.lock), found = false;
    for (unsigned i = input.tail; i != input.head && !found; i++)
        found = input.keys[i % sizeof(input.keys)] == key;
    unlock(&input.lock, on);
    return found;
}

int console_getkey(void)
{
    return getkey_until(NEVER);
}

int console_getkey_for(uint64_t ns)
{
    return getkey_until(arch_time_ns() + ns);
}

long console_read_line(char *line, size_t n)
{
    size_t len = 0;
    while (n) {
        int c = console_getkey();
        if (c < 0)
            return c;
        if (c == CTRL('D') && len == 0)
            return 0;
        if (c == '\r' || c == '\n' || len + 1 == n) {
            console_write("\n", 1);
            line[len++] = '\n';
            break;
        }
        if (c == CTRL('U')) {
            for (; len; len--)
                console_write("\b \b", 3);
        } else if ((c == 127 || c == '\b') && len) {
            len--;
            console_write("\b \b", 3);
        } else if (c >= ' ' && c != 127) {
            line[len++] = (char)c;
            console_write(&line[len - 1], 1);
        }
    }
    return (long)len;
}
