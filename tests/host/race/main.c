/* SPDX-License-Identifier: MIT
 *
 * The frame of the tests named *_race_test, which are built with the thread sanitizer: runs them, and says
 * what Criterion would. The sanitizer's reports end the program with a status of its own.
 *
 * A volatile access is one that may meet others (READ_ONCE, WRITE_ONCE say so), so it is not reported: the
 * compiler calls the functions below instead, because tests/objs.mk tells it to distinguish them.
 */
#include <criterion/criterion.h>

static struct race_test *tests;
void (*race_read)(const void *p);

void race_add(struct race_test *t)
{
    t->next = tests;
    tests = t;
}

int main(void)
{
    setbuf(stdout, NULL);
    for (struct race_test *t = tests; t; t = t->next) {
        t->fn();
        printf("ok - %s\n", t->name);
    }
    return 0;
}

#define OF_SIZE(n)                                    \
    void __tsan_volatile_read##n(void *p);            \
    void __tsan_volatile_write##n(void *p);           \
    void __tsan_unaligned_volatile_read##n(void *p);  \
    void __tsan_unaligned_volatile_write##n(void *p); \
    void __tsan_volatile_read##n(void *p)             \
    {                                                 \
        if (race_read)                                \
            race_read(p);                             \
    }                                                 \
    void __tsan_volatile_write##n(void *p)            \
    {                                                 \
        (void)p;                                      \
    }                                                 \
    void __tsan_unaligned_volatile_read##n(void *p)   \
    {                                                 \
        (void)p;                                      \
    }                                                 \
    void __tsan_unaligned_volatile_write##n(void *p)  \
    {                                                 \
        (void)p;                                      \
    }

OF_SIZE(1)
OF_SIZE(2)
OF_SIZE(4)
OF_SIZE(8)
OF_SIZE(16)
