/* SPDX-License-Identifier: MIT
 *
 * The xenstore server and a client that means harm, through the page they share: bytes that are messages or
 * not, indices that lie, transactions, watches. Its neighbour's nodes and domain 0's stay as they are, what
 * is counted is what is there, the limits hold, and nothing is left when all is closed.
 *
 * An input: steps, each a byte and what it needs. The words below shorten the way to good requests.
 */
// sources: drivers/xenstore/path.c drivers/xenstore/tree.c drivers/xenstore/watch.c
// sources: drivers/xenstore/transaction.c drivers/xenstore/server.c drivers/xenstore/request.c
// sources: drivers/xenstore/ring.c tests/host/fake_pv.c tests/host/xs_clients.c
#define _GNU_SOURCE
#include "drivers/xenstore/ring.h"
#include "tests/fuzz/fuzz.h"
#include "tests/host/fake_pv.h"
#include "tests/host/xs_clients.h"

static struct xenstore_domain_interface page;
static struct xs_ring ring;

static const char *const words[] = { "a",
                                     "b",
                                     "a/b",
                                     "/local/domain/1",
                                     "/local/domain/1/a",
                                     "/",
                                     "T",
                                     "F",
                                     "/local/domain/2",
                                     "/local/domain/2/mine",
                                     "n1",
                                     "r2",
                                     "b0",
                                     "@introduceDomain",
                                     "/secret",
                                     "0",
                                     "w1",
                                     "n2",
                                     "a/b/c/d/e/f/g/h/i",
                                     "device/vbd/51712/state",
                                     "",
                                     "1",
                                     "/local",
                                     "@releaseDomain",
                                     "n99999",
                                     "-1",
                                     "@",
                                     "a//b",
                                     "data",
                                     "abcdefghijklmnopqrstuvwxyz0123",
                                     "//",
                                     "a/",
                                     "/tool/xs",
                                     "/local/domain/2/shared" };
#define NR_WORDS (sizeof(words) / sizeof(words[0]))

/* ---- what must always be ---- */

struct count {
    uint32_t nodes, bytes;
};

/* Adds up what `domid` owns below a node, and sees that the node is one. */
static void count(const struct xs_node *n, uint16_t domid, unsigned int depth, struct count *c)
{
    const struct xs_body *b = n->body;

    MUST(n->refs && b->refs && depth <= XS_MAX_DEPTH);
    MUST(b->nr_perms >= 1 && b->nr_perms <= XS_MAX_PERMS && b->text[b->name_len] == '\0');
    MUST(strlen(b->text) == b->name_len && (depth == 0) == (b->name_len == 0) && !strchr(b->text, '/'));
    if (b->perm[0].domid == domid) {
        c->nodes++;
        c->bytes += b->name_len + b->value_len;
    }
    for (uint32_t i = 0; i < n->nr_children; i++) {
        for (uint32_t j = 0; j < i && n->nr_children < 64; j++)
            MUST(strcmp(xs_node_name(n->child[i]), xs_node_name(n->child[j])) != 0);
        count(n->child[i], domid, depth + 1, c);
    }
}

static void check_tree(const struct xs_tree *t)
{
    uint16_t seen = 0;

    for (unsigned int i = 0; i < XS_MAX_OWNERS; i++) {
        struct count c = { 0, 0 };

        if (!t->owner[i].domid)
            continue;
        count(t->root, t->owner[i].domid, 0, &c);
        MUST(c.nodes == t->owner[i].nodes && c.bytes == t->owner[i].bytes);
        MUST(c.nodes <= XS_MAX_NODES && c.bytes <= XS_MAX_BYTES);
        seen++;
    }
    MUST(seen <= 2); /* the two clients; nobody else owns anything that is counted */
}

static bool holds(const char *path, const char *value)
{
    const struct xs_node *n = xs_tree_find(&server->tree, path);

    return n && n->body->value_len == strlen(value) && !memcmp(xs_node_value(n), value, strlen(value));
}

static void check(void)
{
    const struct xs_node *shared = xs_tree_find(&server->tree, "/local/domain/2/shared");
    const struct xs_conn *c = dom1;
    unsigned int n = 0;

    check_tree(&server->tree);
    MUST(c->nr_watches <= XS_MAX_WATCHES && c->nr_events <= XS_MAX_EVENTS && c->nr_answers <= 1);
    for (const struct xs_transaction *t = c->transactions; t; t = t->next, n++) {
        check_tree(&t->tree);
        MUST(t->log_bytes <= XS_MAX_LOG);
    }
    MUST(n == c->nr_transactions && n <= XS_MAX_TRANSACTIONS);
    MUST(holds("/local/domain/2/mine", "untouched") && holds("/secret", "x"));
    MUST(!shared || shared->body->perm[0].domid == 2); /* who may write may remove, not own */
    MUST(c->dead || c->in_bytes < sizeof(c->in) || c->in.len <= XENSTORE_PAYLOAD_MAX);
    MUST(!xs_server_has_output(dom0)); /* who watches nothing hears nothing */
}

/* ---- the client ---- */

static void put_bytes(const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        page.req[MASK_XENSTORE_IDX(page.req_prod + i)] = ((const char *)bytes)[i];
    page.req_prod += (uint32_t)n;
}

/* A request of words: type, transaction, number of words, the words. */
static void put_words(struct fuzz_input *in)
{
    uint8_t type = fuzz_byte(in), nr = fuzz_byte(in);
    struct xsd_sockmsg hdr = { type % (XS_TYPE_COUNT + 1), 7, nr >> 4, 0 };
    char body[512];

    for (nr %= 8; nr && hdr.len < sizeof(body) - 40; nr--) {
        uint8_t which = fuzz_byte(in);
        const char *word = words[which % NR_WORDS];

        memcpy(body + hdr.len, word, strlen(word) + 1);
        hdr.len += (uint32_t)strlen(word) + (which < 8 * NR_WORDS / 2 || nr > 1);
    }
    put_bytes(&hdr, sizeof(hdr));
    put_bytes(body, hdr.len);
}

static void put_raw(struct fuzz_input *in)
{
    char bytes[64];

    put_bytes(bytes, fuzz_bytes(in, bytes, 1 + fuzz_byte(in) % 64u));
}

/* What the server says to the client: nothing that it may not read. */
static void hear(void)
{
    static char heard[XENSTORE_RING_SIZE];
    uint32_t n = ring.rsp_prod - page.rsp_cons;

    if (n > XENSTORE_RING_SIZE) /* the client has lied */
        return;
    for (uint32_t i = 0; i < n; i++)
        heard[i] = page.rsp[MASK_XENSTORE_IDX(page.rsp_cons + i)];
    MUST(!memmem(heard, n, "untouched", 9));
    page.rsp_cons = ring.rsp_prod;
}

static void step(struct fuzz_input *in)
{
    uint32_t *const words_of_page[] = { &page.req_prod, &page.rsp_cons, &page.req_cons, &page.rsp_prod };
    uint32_t req_cons = ring.req_cons, waiting;
    uint8_t what = fuzz_byte(in);
    bool moved;

    if (what >= 196 && what < 200) /* the server's memory is short */
        fake_alloc_budget = fuzz_byte(in) % 32;
    if (what < 200)
        put_words(in);
    else if (what < 240)
        put_raw(in);
    else
        *words_of_page[what % 4] += what & 4 ? fuzz_word(in) : fuzz_byte(in);
    waiting = page.req_prod - req_cons;
    for (unsigned int n = 0; n < 40 && xs_ring_work(&ring, &moved); n++)
        if (what % 8)
            hear();
    fake_alloc_budget = -1;
    MUST(ring.req_cons - req_cons <= waiting && (ring.dead || waiting <= XENSTORE_RING_SIZE));
    MUST(ring.dead == (page.error != XENSTORE_ERROR_NONE) || what >= 240);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    clients_begin();
    ask(dom2, XS_WRITE, "mine|untouched");
    ask(dom2, XS_WRITE, "shared|1");
    ask(dom2, XS_SET_PERMS, "shared|n2|w1|");
    memset(&page, 0, sizeof(page));
    page.req_cons = page.req_prod = (uint32_t)size << 28; /* often near the wrap */
    xs_ring_attach(&ring, &page, dom1);
    while (in.left && !ring.dead) {
        step(&in);
        check();
    }
    clients_end();
    return 0;
}
