/* SPDX-License-Identifier: MIT
 *
 * Bringing up vcpus for a test: vcpus.h.
 *
 * Each is initialised once. Between two jobs it is down: it goes down itself when it has done its part, and
 * comes up behind that call.
 */
#include "tests/guest/vcpus.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"

#define STACK 16384

extern char vcpus_poke[], vcpus_poke_failed[], vcpus_page_fault[], pv_entry_stubs[];

/* A bounce frame is rcx r11 error rip cs rflags rsp ss: from the handler's stack back to the one before. */
__asm__(".text\n"
        ".globl vcpus_poke, vcpus_poke_failed, vcpus_page_fault\n"
        "vcpus_poke: mov %rsi, (%rdi)\n"
        "    mov $1, %eax\n"
        "    ret\n"
        "vcpus_poke_failed: xor %eax, %eax\n"
        "    ret\n"
        "vcpus_page_fault: lea vcpus_poke(%rip), %rcx\n"
        "    cmp %rcx, 24(%rsp)\n"
        "    jne 1f\n"
        "    mov 48(%rsp), %rsp\n"
        "    jmp vcpus_poke_failed\n"
        "1:  ud2\n"); /* no handler for that here: the report names the place */

static char stacks[TEST_VCPUS][STACK] __attribute__((aligned(16)));
static struct vcpu_guest_context context;
static void (*job)(unsigned int id);
static unsigned int done;
static bool up[TEST_VCPUS];

bool test_poke(volatile uint64_t *at, uint64_t val)
{
    return ((bool (*)(volatile uint64_t *, uint64_t))(void *)vcpus_poke)(at, val);
}

bool test_one_of(long rc, const short *list)
{
    for (; *list != 1; list++)
        if (rc == *list)
            return true;
    return false;
}

/* To the other vcpus of this processor, and in QEMU's virtual time, which goes on with the next processor at
 * a pause, to those of the others. */
void test_let_others(void)
{
    HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    __asm__ volatile("pause");
}

void test_context(struct vcpu_guest_context *c, void (*entry)(void), void *top)
{
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = (unsigned long)entry;
    c->user_regs.rsp = c->kernel_sp = (unsigned long)top - 8; /* as if by a call */
    c->user_regs.rflags = PV_RFLAGS_IF;
    c->user_regs.cs = PV_CS;
    c->user_regs.ss = PV_SS;
    c->kernel_ss = PV_SS;
    c->ctrlreg[3] = pv_virt_to_maddr(pv_kernel_l4()).v;
}

static void __attribute__((noreturn)) vcpu_main(unsigned int id)
{
    for (;;) {
        job(id);
        __atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
        HYPERVISOR_vcpu_op(VCPUOP_down, id, NULL);
    }
}

static void initialise(unsigned int id)
{
    long err;

    test_context(&context, (void (*)(void))(void *)vcpu_main, stacks[id] + STACK);
    context.user_regs.rdi = id;
    context.trap_ctxt[PF] = (struct trap_info){ PF, 0, PV_CS, (unsigned long)vcpus_page_fault };
    pv_shared_info.vcpu_info[id].evtchn_upcall_mask = 1;
    err = HYPERVISOR_vcpu_op(VCPUOP_initialise, id, &context);
    require(!err, "vcpu %u: %ld", id, err);
}

/* Vcpu 0 has libpv's page fault handler, or the one here. */
static void set_page_fault(const char *entry)
{
    struct trap_info rows[2] = { { PF, 4, PV_CS, (unsigned long)entry }, { 0 } };

    require(!HYPERVISOR_set_trap_table(rows), "page faults");
}

void test_on_vcpus(unsigned int n, void (*fn)(unsigned int id))
{
    require(n <= TEST_VCPUS, "%u vcpus", n);
    job = fn;
    done = 0;
    set_page_fault(vcpus_page_fault);
    for (unsigned int id = 1; id < n; id++) {
        if (!up[id])
            initialise(id);
        up[id] = true;
        require(!HYPERVISOR_vcpu_op(VCPUOP_up, id, NULL), "vcpu %u up", id);
    }
    fn(0);
    for (unsigned int id = 1; id < n; id++)
        while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < n - 1 ||
               HYPERVISOR_vcpu_op(VCPUOP_is_up, id, NULL) > 0)
            test_let_others();
    set_page_fault(pv_entry_stubs + 32 * PF);
}
