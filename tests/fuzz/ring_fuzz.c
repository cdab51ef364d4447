/* SPDX-License-Identifier: MIT
 *
 * ring/ on its own: both sides of one page, and a third hand that writes anything into the page between the
 * steps. Whatever it writes, each side's indices keep their order and their distances, nothing outside of the
 * page and of the buffers is touched, and what is broken stays so. When it never wrote, everything arrives,
 * once and in order.
 *
 * An input: page size, slot size, where the indices begin; then steps, a byte each.
 */
#include "ring/ring.h"
#include "tests/fuzz/fuzz.h"

static struct ring_front front;
static struct ring_back back;
static bool lied;               /* the third hand has written */
static uint64_t asked, served;  /* requests put, requests taken */
static uint64_t answered, came; /* responses put, responses taken */

static void check_front(void)
{
    const struct ring_front *f = &front;

    MUST(f->req_put - f->rsp_taken <= f->slots && f->req_pushed - f->rsp_taken <= f->req_put - f->rsp_taken);
    MUST(f->rsp_seen - f->rsp_taken <= f->req_pushed - f->rsp_taken);
    MUST(ring_front_free(f) <= f->slots && (!f->broken || !ring_front_free(f)));
    MUST(lied || !f->broken);
}

static void check_back(void)
{
    const struct ring_back *b = &back;

    MUST(b->req_taken - b->rsp_pushed <= b->slots &&
         b->rsp_put - b->rsp_pushed <= b->req_taken - b->rsp_pushed);
    MUST(b->req_seen - b->rsp_pushed <= b->slots &&
         b->req_taken - b->rsp_pushed <= b->req_seen - b->rsp_pushed);
    MUST(lied || !b->broken);
}

/* A message: its number in every byte. */
static void put(bool request, unsigned char *buf, uint32_t bytes)
{
    bool was_broken = front.broken || back.broken, done;

    memset(buf, (int)(request ? asked : answered), bytes);
    done = request ? ring_front_put(&front, buf, bytes) : ring_back_put(&back, buf, bytes);
    if (request)
        asked += done;
    else
        answered += done;
    MUST(!done || lied || !was_broken);
}

static void take(bool request, unsigned char *buf, uint32_t bytes)
{
    uint64_t *number = request ? &served : &came;

    memset(buf, 0xee, bytes);
    if (request ? !ring_back_take(&back, buf, bytes) : !ring_front_take(&front, buf, bytes))
        return;
    for (uint32_t i = 0; i < bytes; i++)
        MUST(lied || buf[i] == (unsigned char)*number);
    ++*number;
}

/* The third hand: an index, an event word, or a slot's byte. */
static void lie(struct ring_page *page, size_t size, struct fuzz_input *in)
{
    uint32_t words[4] = { page->req_prod, page->req_event, page->rsp_prod, page->rsp_event };
    uint8_t which = fuzz_byte(in);

    lied = true;
    if (which >= 128) {
        ((unsigned char *)page)[fuzz_word(in) % size] = which;
        return;
    }
    words[which % 4] = which & 4 ? fuzz_word(in) : words[which % 4] + (uint32_t)(int8_t)fuzz_byte(in);
    memcpy(page, words, sizeof(words));
}

static void step(struct ring_page *page, size_t size, unsigned char *buf, struct fuzz_input *in)
{
    const char *broken[2] = { front.broken, back.broken };

    switch (fuzz_byte(in) % 12) {
    case 0:
    case 1:
        put(true, buf, front.slot_bytes);
        break;
    case 2:
        ring_front_push(&front);
        break;
    case 3:
    case 4:
        take(true, buf, back.slot_bytes);
        break;
    case 5:
    case 6:
        put(false, buf, back.slot_bytes);
        break;
    case 7:
        ring_back_push(&back);
        break;
    case 8:
        take(false, buf, front.slot_bytes);
        break;
    case 9:
        MUST(!ring_front_idle(&front) || !front.broken);
        break;
    case 10:
        MUST(!ring_back_idle(&back) || !back.broken);
        break;
    default:
        lie(page, size, in);
    }
    MUST((!broken[0] || front.broken == broken[0]) && (!broken[1] || back.broken == broken[1]));
}

/* Both sides as they would be after `index` messages. */
static void age(struct ring_page *page, uint32_t index)
{
    page->req_prod = page->rsp_prod = index;
    page->req_event = page->rsp_event = index + 1;
    front.req_put = front.req_pushed = front.rsp_seen = front.rsp_taken = index;
    back.rsp_put = back.rsp_pushed = back.req_seen = back.req_taken = index;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    size_t bytes = 64 + fuzz_byte(&in) * 16u;
    uint32_t slot_bytes = 1u + fuzz_byte(&in) % 128;
    struct ring_page *page;
    unsigned char *buf;

    lied = false;
    asked = served = answered = came = 0;
    if (!ring_slots(bytes, slot_bytes))
        return 0;
    page = malloc(bytes);
    buf = malloc(slot_bytes);
    ring_front_init(&front, page, bytes, slot_bytes);
    ring_back_attach(&back, page, bytes, slot_bytes);
    MUST((front.slots & (front.slots - 1)) == 0 && 64 + front.slots * slot_bytes <= bytes);
    age(page, fuzz_word(&in));
    while (in.left) {
        step(page, bytes, buf, &in);
        check_front();
        check_back();
        MUST(lied ||
             (came <= answered && answered <= served && served <= asked && asked - came <= front.slots));
    }
    free(buf);
    free(page);
    return 0;
}
