/* SPDX-License-Identifier: MIT
 *
 * The harness: outcomes, and the trap handlers behind FAULT. test.h says how a test uses it.
 */
#include "tests/guest/test.h"
#include "libpv/hypercall.h"
#include "libpv/shutdown.h"
#include "libpv/start.h"

/* Counts, of all vcpus; the verdict is the worst that is not 0. */
static unsigned int checks, failures, errors, skips;

/* rbx rbp r12 r13 r14 r15 rsp rip of the last test_try_begin. */
uint64_t test_try_state[8];
bool test_trying;
struct test_trap test_trap;

static void complain(const char *what, const char *file, int line, const char *text)
{
    pv_printf("%s: %s:%d: %s", what, file, line, text);
}

static void message(const char *fmt, va_list args)
{
    pv_printf(": ");
    pv_vprintf(fmt, args);
    pv_printf("\n");
}

bool test_check(bool ok, const char *file, int line, const char *text, const char *fmt, ...)
{
    va_list args;

    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (ok)
        return true;
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    complain("fail", file, line, text);
    va_start(args, fmt);
    message(fmt, args);
    va_end(args);
    return false;
}

bool test_expect_eq(long got, long want, const char *file, int line, const char *expr, const char *want_text)
{
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (got == want)
        return true;
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    complain("fail", file, line, expr);
    pv_printf(": got %ld (0x%lx), not %s = %ld (0x%lx)\n", got, got, want_text, want, want);
    return false;
}

bool test_expect_fault(long got, long want, uint64_t error, const char *file, int line, const char *text)
{
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (got == want && (want < 0 || test_trap.error == error))
        return true;
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    complain("fail", file, line, text);
    if (got < 0)
        pv_printf(": no exception, not vector %ld\n", want);
    else
        pv_printf(": vector %ld error code %lx cr2 %lx, not vector %ld error code %lx\n", got,
                  test_trap.error, test_trap.cr2, want, error);
    return false;
}

void test_require(bool ok, const char *file, int line, const char *text, const char *fmt, ...)
{
    va_list args;

    if (ok)
        return;
    __atomic_fetch_add(&errors, 1, __ATOMIC_RELAXED);
    complain("error", file, line, text);
    va_start(args, fmt);
    message(fmt, args);
    va_end(args);
    test_finish();
}

void test_skip(const char *fmt, ...)
{
    va_list args;

    __atomic_fetch_add(&skips, 1, __ATOMIC_RELAXED);
    pv_printf("skip");
    va_start(args, fmt);
    message(fmt, args);
    va_end(args);
}

void test_expect_crash(const char *why)
{
    pv_printf("%s: %s\nexpect: crash\n", test_name, why);
}

bool test_on_parador(void)
{
    struct parador_machine_info info;

    return HYPERVISOR_parador(PARADOR_machine_info, &info) == 0;
}

/* Parador's debug build recounts all references while the domain still has them. */
static void check_machine(void)
{
    long rc = test_on_parador() ? HYPERVISOR_parador(PARADOR_check, NULL) : 0;

    if (rc != 0 && rc != -ENOSYS) {
        __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
        pv_printf("fail: the invariant checker says %ld\n", rc);
    }
}

void test_finish_amid(void)
{
    const char *verdict = errors ? "error" : failures ? "fail" : skips ? "skip" : "pass";

    if (!errors && !failures && !skips && !checks)
        verdict = "error"; /* a test that checks nothing proves nothing */
    pv_printf("%s: %u check%s, %u failed\n", test_name, checks, checks == 1 ? "" : "s", failures);
    pv_printf("test: %s: %s\n", test_name, verdict);
    pv_poweroff();
}

void test_finish(void)
{
    check_machine();
    test_finish_amid();
}

void test_try_end(void)
{
    test_trying = false;
}

void test_catch(struct pv_regs *r)
{
    if (!test_trying) {
        __atomic_fetch_add(&errors, 1, __ATOMIC_RELAXED);
        pv_printf("error: trap %lu error code %lx cr2 %lx outside of FAULT\n", r->vector, r->error,
                  pv_fault_address());
        pv_print_regs(r);
        test_finish();
    }
    test_trying = false;
    test_trap.vector = (long)r->vector;
    test_trap.error = r->error;
    test_trap.cr2 = pv_fault_address();
    test_trap.regs = *r;
    test_trap.frame = (unsigned long)r;
    r->rbx = test_try_state[0];
    r->rbp = test_try_state[1];
    r->r12 = test_try_state[2];
    r->r13 = test_try_state[3];
    r->r14 = test_try_state[4];
    r->r15 = test_try_state[5];
    r->rsp = test_try_state[6];
    r->rip = test_try_state[7];
    r->rflags = 0x2 | (r->rflags & PV_RFLAGS_IF);
    r->cs = PV_CS & ~3; /* kernel mode */
    r->ss = PV_SS;
    r->rax = 1;
}

void main(struct start_info *si)
{
    (void)si;
    for (unsigned int v = 0; v < 32; v++)
        pv_set_trap_handler(v, test_catch);
    pv_set_trap_handler(PV_VECTOR_FAILSAFE, test_catch);
    test_main();
    test_finish();
}
