/* SPDX-License-Identifier: MIT
 *
 * One serial line for everybody.
 *
 * One domain has the keyboard: its output appears at once, so that a prompt is seen. The others' output is
 * held back until a line is whole. Once several domains exist each line begins with its domain's name. When
 * somebody else prints while the keyboard owner's line is unfinished, that line is ended, and shown again
 * below: the line that the user types on is always the last.
 *
 * What the keyboard owner has unfinished is kept in d->line like everybody's, so that it can be shown again.
 * Everything here is guarded by console.lock (LOCK_CONSOLE, innermost: nothing is called with it held but the
 * serial driver). Events are sent after it was dropped. Read next: domain/keys.c.
 */
#include "domain/console.h"
#include "domain/domain.h"
#include "lib/string.h"
#include "x86/cpu.h"
#include "x86/serial.h"

#define INPUT_SIZE 4096 /* power of two */
#define KEY_CTRL_T 0x14

static struct {
    struct lock lock;     /* all that follows */
    struct domain *owner; /* has the keyboard; NULL: none yet */
    uint32_t domains;     /* that began and did not end */
    bool owner_line;      /* the cursor stands in the owner's unfinished line */
    bool own_line;        /* the cursor stands in an unfinished line of Parador's */
    bool marks;           /* lines bear their domain's name */
    uint32_t held;        /* console_hold() without console_release() yet */
    bool key_next;        /* Ctrl-T was pressed: the next one is a debug key */
    uint32_t in_prod, in_cons;
    char in[INPUT_SIZE];
} console = { .lock = LOCK_INIT(LOCK_CONSOLE) };

static void put(const char *s)
{
    serial_write(s, strlen(s));
}

static void mark_locked(const struct domain *d)
{
    if (!console.marks || (d->plain && d == console.owner))
        return;
    put("[");
    put(d->name);
    put("] ");
}

/* Somebody else than the owner prints: on a line of its own. */
static void begin_line_locked(void)
{
    if (console.owner_line || console.own_line)
        put("\n");
    console.owner_line = console.own_line = false;
}

static void show_owner_locked(void)
{
    struct domain *d = console.owner;

    if (!d || !d->line_len || console.owner_line || console.own_line || console.held)
        return;
    mark_locked(d);
    serial_write(d->line, d->line_len);
    console.owner_line = true;
}

/* The line is never full afterwards: who loses the keyboard goes on in it as one of the others. */
static void keep(struct domain *d, char c)
{
    d->line[d->line_len++] = c;
    if (d->line_len == sizeof(d->line)) { /* the last half is enough to see where one was */
        memcpy(d->line, d->line + sizeof(d->line) / 2, sizeof(d->line) / 2);
        d->line_len = sizeof(d->line) / 2;
    }
}

/* Owner's output: shown as it comes. A carriage return begins the line anew (line editors redraw it), so the
 * mark comes again with the next character. */
static void write_owner_locked(struct domain *d, char c)
{
    if (console.own_line)
        begin_line_locked();
    if (c != '\r' && !d->line_len && !(c == '\n' && console.owner_line))
        mark_locked(d);
    serial_write(&c, 1);
    console.owner_line = c != '\n';
    if (c == '\n' || c == '\r')
        d->line_len = 0;
    else if (c != '\b')
        keep(d, c);
    else if (d->line_len > 1)
        d->line_len--;
}

/* Others' output: a line at a time, over-long ones in pieces. */
static void write_other_locked(struct domain *d, char c)
{
    if (c != '\n' && c != '\r')
        d->line[d->line_len++] = c;
    if (c != '\n' && d->line_len < sizeof(d->line))
        return;
    begin_line_locked();
    mark_locked(d);
    serial_write(d->line, d->line_len);
    put("\n");
    d->line_len = 0;
}

size_t console_write(struct domain *d, const char *buf, size_t n)
{
    size_t done = 0;

    lock_take(&console.lock);
    do {
        if (d == console.owner)
            write_owner_locked(d, buf[done]);
        else
            write_other_locked(d, buf[done]);
    } while (++done < n && buf[done - 1] != '\n');
    show_owner_locked();
    lock_drop(&console.lock);
    return done;
}

void console_own(const char *buf, size_t n)
{
    if (!n)
        return;
    lock_take(&console.lock);
    if (!console.own_line)
        begin_line_locked();
    serial_write(buf, n);
    console.own_line = buf[n - 1] != '\n';
    show_owner_locked();
    lock_drop(&console.lock);
}

void console_hold(void)
{
    lock_take(&console.lock);
    console.held++;
    lock_drop(&console.lock);
}

void console_release(void)
{
    lock_take(&console.lock);
    console.held--;
    show_owner_locked();
    lock_drop(&console.lock);
}

size_t console_read(struct domain *d, char *buf, size_t n)
{
    size_t got = 0;

    lock_take(&console.lock);
    while (d == console.owner && got < n && console.in_cons != console.in_prod)
        buf[got++] = console.in[console.in_cons++ % INPUT_SIZE];
    lock_drop(&console.lock);
    return got;
}

void console_input(void)
{
    bool any = false;
    struct domain *owner;
    int c;

    for (; (c = serial_getc()) >= 0; cpu_window()) {
        bool key = console.key_next;

        console.key_next = !key && c == KEY_CTRL_T;
        if (key && c != KEY_CTRL_T) {
            console_hold();
            keys_pressed((char)c);
            console_release();
        } else if (!console.key_next) {
            lock_take(&console.lock);
            if (console.in_prod - console.in_cons < INPUT_SIZE) /* else it is lost, like on a real line */
                console.in[console.in_prod++ % INPUT_SIZE] = (char)c;
            lock_drop(&console.lock);
            any = true;
        }
    }
    owner = console.owner;
    if (any && owner)
        evtchn_send_virq(owner, 0, VIRQ_CONSOLE);
}

bool console_focus(uint16_t domid)
{
    struct domain *d = get_domain(domid);
    bool lives;

    if (!d)
        return false;
    lock_take(&console.lock);
    lives = !d->shut_down && !d->dying;
    if (lives) {
        begin_line_locked();
        console.owner = d;
        console.in_cons = console.in_prod; /* what was typed for another is not for this one */
        show_owner_locked();
    }
    lock_drop(&console.lock);
    put_domain(d);
    return lives;
}

void console_focus_after(uint16_t domid)
{
    for (unsigned int n = 1; n <= DOMID_MAX_BOOT; n++)
        if (console_focus((uint16_t)((domid + n) % DOMID_MAX_BOOT)))
            return;
}

void console_plain(struct domain *d, bool plain)
{
    lock_take(&console.lock);
    d->plain = plain;
    lock_drop(&console.lock);
}

uint16_t console_owner(void)
{
    struct domain *owner = console.owner;

    return owner ? owner->domid : 0xffff;
}

void console_domain_begins(struct domain *d)
{
    lock_take(&console.lock);
    console.marks |= ++console.domains > 1;
    if (!console.owner)
        console.owner = d;
    lock_drop(&console.lock);
}

void console_domain_ends(struct domain *d)
{
    bool owner;

    lock_take(&console.lock);
    owner = d == console.owner;
    if (owner)
        console.owner = NULL;
    if (d->line_len && !owner)
        write_other_locked(d, '\n');
    begin_line_locked();
    d->line_len = 0;
    console.domains--;
    lock_drop(&console.lock);
    if (owner)
        console_focus_after(d->domid);
}
