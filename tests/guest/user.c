/* SPDX-License-Identifier: MIT
 *
 * The user half of a guest's address space for tests (user.h): four tables, two pages, pinned.
 */
#include "tests/guest/user.h"
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/string.h"

struct test_user test_user;

static long mmuext(unsigned int cmd, void *page)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = pv_virt_to_mfn(page).v };

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

void test_user_init(void)
{
    struct test_user *u = &test_user;
    void *pages[8];

    for (int i = 0; i < 8; i++) {
        pages[i] = pv_page_alloc();
        require(pages[i], "a page");
    }
    *u = (struct test_user){
        pages[0], pages[1], pages[2], pages[3], pages[4], pages[5], (char *)pages[6] + PAGE_SIZE
    };
    u->l1[pv_pt_index(USER_CODE_VA, 1)] = pv_pte(pv_virt_to_mfn(u->code), PTE_USER);
    u->l1[pv_pt_index(USER_STACK_VA, 1)] = pv_pte(pv_virt_to_mfn(u->stack), PTE_USER);
    u->l2[pv_pt_index(USER_CODE_VA, 2)] = pv_pte(pv_virt_to_mfn(u->l1), PTE_TABLE);
    u->l3[pv_pt_index(USER_CODE_VA, 3)] = pv_pte(pv_virt_to_mfn(u->l2), PTE_TABLE);
    u->l4[pv_pt_index(USER_CODE_VA, 4)] = pv_pte(pv_virt_to_mfn(u->l3), PTE_TABLE);
    for (int i = 0; i < 4; i++)
        require(!pv_set_readonly(pages[i], true), "table %d read-only", i);
    require(!mmuext(MMUEXT_PIN_L4_TABLE, u->l4), "pin the user's L4");
    require(!mmuext(MMUEXT_NEW_USER_BASEPTR, u->l4), "set the user's L4");
    require(!pv_write_entry(&pv_kernel_l4()[0], pv_pte(pv_virt_to_mfn(u->l3), PTE_TABLE)),
            "enter it for the kernel");
    require(!HYPERVISOR_stack_switch(PV_SS, (unsigned long)u->kernel_stack_top), "stack_switch");
    pv_set_trap_handler(PV_VECTOR_SYSCALL, test_catch);
}

struct pv_regs test_user_load(const char *code, const char *end)
{
    struct pv_regs r = {
        .rip = USER_CODE_VA, .cs = PV_CS, .rflags = 2 | PV_RFLAGS_IF, .rsp = USER_STACK_TOP, .ss = PV_SS
    };

    memcpy(test_user.code, code, (size_t)(end - code));
    return r;
}
