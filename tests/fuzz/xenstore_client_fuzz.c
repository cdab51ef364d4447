/* SPDX-License-Identifier: MIT
 *
 * libpv's xenstore client and a store that means harm: answers to another request, of another type, cut, too
 * long, none, watch events without an end, indices that lie, a port that is closed. Each call ends, and gives
 * either an errno or a text that ends inside the caller's buffer.
 *
 * An input: calls, a byte each; while a call waits, the store takes what it does from the input too. The
 * clock moves only while the client waits.
 */
// sources: libpv/xenstore.c libpv/xenstore_ring.c tests/host/fake_pv.c tests/host/fake_client.c
#include "libpv/errno.h"
#include "libpv/event.h"
#include "libpv/xenstore.h"
#include "libpv/xenstore_ring.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/fake_client.h"

static struct xenstore_domain_interface page;
static struct fuzz_input in;
static struct xsd_sockmsg asked; /* the request under way */
static uint32_t begun;           /* where it begins in the ring */
static unsigned long waits;

/* ---- the store ---- */

int pv_event_send(unsigned int port)
{
    MUST(port == PORT);
    if (page.req_prod - begun == sizeof(asked))
        for (uint32_t i = 0; i < sizeof(asked); i++)
            ((char *)&asked)[i] = page.req[MASK_XENSTORE_IDX(begun + i)];
    return 0;
}

static void say(const void *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        page.rsp[MASK_XENSTORE_IDX(page.rsp_prod + i)] = ((const char *)bytes)[i];
    page.rsp_prod += n;
}

/* A message: what of the header is right, and a body of so many bytes. */
static void say_message(uint8_t what)
{
    struct xsd_sockmsg hdr = asked;
    char body[128];

    if (what & 1)
        hdr.type = what & 2 ? XS_WATCH_EVENT : XS_ERROR;
    if (what & 4)
        hdr.req_id = fuzz_byte(&in);
    hdr.len = fuzz_byte(&in) % sizeof(body);
    fuzz_bytes(&in, body, hdr.len);
    if (what & 8) /* a length that is another's */
        hdr.len = what & 16 ? fuzz_word(&in) : fuzz_byte(&in) * 17u;
    say(&hdr, sizeof(hdr));
    say(body, hdr.len % sizeof(body));
}

static void act(void)
{
    uint32_t *const words[] = { &page.req_cons, &page.rsp_prod, &page.req_prod,
                                &page.rsp_cons, &page.error,    &page.server_features };
    uint8_t what = in.left ? fuzz_byte(&in) : 255;
    static const char zeros[900];
    char bytes[64];

    if (what < 250)
        page.req_cons = page.req_prod;
    if (what < 160)
        say_message(what);
    else if (what < 200)
        say(bytes, (uint32_t)fuzz_bytes(&in, bytes, what - 159u));
    else if (what < 240)
        *words[what % 6] += what & 16 ? fuzz_word(&in) : fuzz_byte(&in);
    else if (what < 244)
        connected = !connected;
    else if (what < 248)
        say(zeros, sizeof(zeros));
}

bool pv_event_wait(unsigned int port, uint64_t timeout)
{
    MUST(port == PORT && timeout && timeout <= 1000000000);
    now += timeout;
    waits++;
    act();
    return true;
}

/* ---- the client's calls ---- */

static void check_text(int n, const char *buf, size_t size)
{
    if (n < 0)
        MUST(n >= -ETIMEDOUT);
    else
        MUST((size_t)n < size && memchr(buf, '\0', (size_t)n + 1));
}

static void check_event(void)
{
    struct pv_xs_event e;

    memset(&e, 'x', sizeof(e));
    if (pv_xs_next_watch(&e))
        MUST(memchr(e.path, '\0', sizeof(e.path)) && memchr(e.token, '\0', sizeof(e.token)));
}

static void call(uint8_t what)
{
    static char value[1500];
    char text[40];
    unsigned long number;
    pv_xs_tx tx;

    memset(text, 'x', sizeof(text));
    begun = page.req_prod;
    switch (what % 8) {
    case 0:
        check_text(pv_xs_read(0, "/a", text, sizeof(text)), text, sizeof(text));
        break;
    case 1:
        check_text(pv_xs_ls(1, "/", text, sizeof(text)), text, sizeof(text));
        break;
    case 2:
        MUST(pv_xs_read_number(0, "n", &number) <= 0);
        break;
    case 3:
        check_text(pv_xs_domain_path(1, text, sizeof(text)), text, sizeof(text));
        break;
    case 4:
        MUST(pv_xs_transaction_start(&tx) <= 0);
        break;
    case 5:
        MUST(pv_xs_watch("/w", "token") <= 0);
        break;
    case 6:
        memset(value, 'v', sizeof(value) - 1); /* longer than the ring */
        MUST(pv_xs_write(0, "/long", value) <= 0);
        break;
    default:
        act();
        check_event();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pv_xs_event e;

    in = (struct fuzz_input){ data, size };
    memset(&page, 0, sizeof(page));
    begun = (uint32_t)size << 28; /* often near the wrap */
    page.req_cons = page.req_prod = page.rsp_cons = page.rsp_prod = begun;
    asked = (struct xsd_sockmsg){ 0 };
    waits = 0;
    now = 1000000000000;
    connected = true;
    pv_xs_set_transport(pv_xs_ring_attach(&page, PORT));
    while (in.left)
        call(fuzz_byte(&in));
    MUST(waits <= 70 * (size + 1)); /* a minute without a byte is the end of a call */
    page.rsp_prod = page.rsp_cons;
    while (pv_xs_next_watch(&e))
        ;
    return 0;
}
