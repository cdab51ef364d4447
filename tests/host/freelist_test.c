/* SPDX-License-Identifier: MIT
 *
 * The list of free grant references under threads, which are vcpus: a number is never given to two, and none
 * is lost. A vcpu that sleeps in the middle of a pop is played by hand.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include "libpv/freelist.h"

#define NUMBERS 40
#define VCPUS   4
#define ROUNDS  200000

static uint16_t next[NUMBERS + 1];
static struct pv_freelist list;
static int owner[NUMBERS + 1]; /* the vcpu that has it; 0: free */

static void setup(void)
{
    memset(next, 0, sizeof(next));
    list = (struct pv_freelist){ 0, next };
    for (unsigned int i = NUMBERS; i; i--)
        pv_freelist_push(&list, i);
}

TestSuite(freelist, .init = setup);

Test(freelist, last_in_first_out)
{
    cr_assert_eq(pv_freelist_pop(&list), 1);
    cr_assert_eq(pv_freelist_pop(&list), 2);
    pv_freelist_push(&list, 1);
    cr_assert_eq(pv_freelist_pop(&list), 1);
    for (unsigned int i = 3; i <= NUMBERS; i++)
        cr_assert_eq(pv_freelist_pop(&list), i);
    cr_assert_eq(pv_freelist_pop(&list), 0);
    pv_freelist_push(&list, 7);
    cr_assert_eq(pv_freelist_pop(&list), 7);
    cr_assert_eq(pv_freelist_pop(&list), 0);
}

/* What a vcpu has read of the head is worth nothing once 1 was taken and put back, with 2 taken from behind
 * it. */
Test(freelist, a_head_that_came_back_is_another)
{
    uint64_t read = list.head;

    cr_assert_eq(pv_freelist_pop(&list), 1);
    cr_assert_eq(pv_freelist_pop(&list), 2);
    pv_freelist_push(&list, 1);
    cr_assert_eq((uint32_t)list.head, (uint32_t)read);
    cr_assert_neq(list.head, read);
}

static void *vcpu(void *arg)
{
    int self = (int)(intptr_t)arg;
    unsigned int held[16], n = 0, seed = (unsigned int)self;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        if (n && (n == 16 || rand_r(&seed) % 2)) {
            unsigned int number = held[--n];

            cr_assert_eq(__atomic_exchange_n(&owner[number], 0, __ATOMIC_RELAXED), self);
            pv_freelist_push(&list, number);
        } else if ((held[n] = pv_freelist_pop(&list))) {
            cr_assert_eq(__atomic_exchange_n(&owner[held[n]], self, __ATOMIC_RELAXED), 0);
            n++;
        }
    }
    while (n) {
        __atomic_store_n(&owner[held[--n]], 0, __ATOMIC_RELAXED);
        pv_freelist_push(&list, held[n]);
    }
    return NULL;
}

Test(freelist, a_number_has_one_owner)
{
    pthread_t threads[VCPUS];
    bool seen[NUMBERS + 1] = { false };

    for (intptr_t i = 0; i < VCPUS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, vcpu, (void *)(i + 1)), 0);
    for (int i = 0; i < VCPUS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned int i = 0; i < NUMBERS; i++) {
        unsigned int number = pv_freelist_pop(&list);

        cr_assert(number && !seen[number], "%u", number);
        seen[number] = true;
    }
    cr_assert_eq(pv_freelist_pop(&list), 0);
}
