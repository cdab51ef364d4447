/* SPDX-License-Identifier: MIT
 *
 * Pseudo-random privileged instructions, iret frames, selectors, segment bases, debug registers and MSRs, the
 * same for the same seed everywhere. Which exception each gives, with which error code and frame, goes into a
 * hash, so that two hypervisors can be compared. The word epoch=N prints an epoch's steps.
 *
 *     seed=1 steps=20000 epoch=
 */
#include "libpv/hypercall.h"
#include "libpv/memory.h"
#include "libpv/start.h"
#include "libpv/string.h"
#include "tests/guest/pages.h"
#include "tests/guest/random.h"
#include "tests/guest/user.h"

TEST("random_traps");
ROLE(dom0, domU);

USER_CODE(code_ud2, "ud2");

/* What FAULT caught; the frame only where it is that of the instruction. */
static void trap(bool frame)
{
    const struct pv_regs *r = &test_trap.regs;

    random_mix((uint64_t)test_trap.vector);
    if (test_trap.vector >= 0) {
        random_mix(test_trap.error);
        if (frame) {
            random_mix(r->cs);
            random_mix(r->ss);
            random_mix(r->rflags & ~0x10000UL);
            random_mix(r->rip);
        }
    }
    if (!random_shown())
        return;
    pv_printf(" -> %ld", test_trap.vector);
    if (test_trap.vector >= 0)
        pv_printf(" error %lx", test_trap.error);
    if (test_trap.vector >= 0 && frame)
        pv_printf(" cs %x ss %lx rflags %lx rip %lx", r->cs, r->ss, r->rflags, r->rip);
    pv_printf("\n");
}

static char stack[4096] __attribute__((aligned(16)));

static void __attribute__((noreturn)) do_iret(const struct iret_context *frame)
{
    __asm__ volatile("mov %0, %%rsp; mov $23, %%eax; syscall" : : "r"(frame) : "memory");
    __builtin_unreachable();
}

static void landing(void)
{
    __asm__ volatile("ud2");
}

static void iret(void)
{
    static const uint16_t selectors[] = { 0xe033, 0xe030, 0xe023, 0xe02b, 0xe028, 0xe008, 0xe00b,
                                          0x1b,   0x18,   0x0f,   0,      3,      0xe013 };
    static struct iret_context f;
    bool user = random(2);

    f = (struct iret_context){ .rip = user ? USER_CODE_VA : (unsigned long)landing,
                               .cs = user ? 0xe033 : 0xe030,
                               .rflags = 2 | (random(2) ? 0x200 : 0),
                               .ss = 0xe02b,
                               .rsp = user ? USER_STACK_TOP : (unsigned long)stack + sizeof(stack),
                               .flags = user && random(3) == 0 ? VGCF_in_syscall : 0 };
    if (!random(3))
        f.cs = PICK(selectors);
    if (!random(3))
        f.ss = PICK(selectors);
    if (!f.flags && (f.cs & 3) == 3 && !(f.ss & ~3UL))
        f.ss = 0xe02b; /* stock Xen then looks for an instruction to emulate where the frame leads */
    if (!random(3))
        f.rflags ^= 1UL << random(22);
    f.rflags = (f.rflags & ~0x100UL) | 2; /* single steps go on and on */
    if (!random(6))
        f.rip = 1UL << 47;
    if (random_shown())
        pv_printf("%lu: iret cs %lx ss %lx rflags %lx rip %lx flags %lx", random_step, f.cs, f.ss, f.rflags,
                  f.rip, f.flags);
    FAULT(do_iret(&f));
    trap(true);
    __asm__ volatile("pushfq; andq $~0x44400, (%%rsp); popfq" : : : "memory", "cc");
}

static void selector(void)
{
    static unsigned int s, which;

    which = random(4);
    s = random(2) ? random(0x10000) : 0xe000 + random(0x48);
    if (which == 3 && (s & ~3U) == 0)
        s = 0x1b;
    if (random_shown())
        pv_printf("%lu: mov %x to %c", random_step, s, "defs"[which]);
    if (which == 0)
        FAULT(__asm__ volatile("mov %w0, %%ds" : : "r"(s)));
    else if (which == 1)
        FAULT(__asm__ volatile("mov %w0, %%es" : : "r"(s)));
    else if (which == 2)
        FAULT(__asm__ volatile("mov %w0, %%fs" : : "r"(s)));
    else
        FAULT(__asm__ volatile("mov %w0, %%ss" : : "r"(s)));
    trap(false);
    __asm__ volatile("mov %w0, %%ds; mov %w0, %%es; mov %w0, %%fs; mov %w1, %%ss" : : "r"(0), "r"(0xe02b));
}

static uint64_t some_address(void)
{
    static const uint64_t addresses[] = { 0,
                                          0x1000,
                                          USER_CODE_VA,
                                          0x7fffffffffffUL,
                                          0x800000000000UL,
                                          0xffff7fffffffffffUL,
                                          0xffff800000000000UL,
                                          0xffff820000000000UL,
                                          0xffff87ffffffffffUL,
                                          0xffff880000000000UL,
                                          0xffffffff80100000UL,
                                          ~0UL };

    return random(4) ? PICK(addresses) : random_bits();
}

static void segment_base(void)
{
    unsigned int which = random(5);
    uint64_t base = which == 3 ? random(0x10000) : some_address();
    long r = HYPERVISOR_set_segment_base(which, base);

    random_mix((uint64_t)r);
    if (random_shown())
        pv_printf("%lu: set_segment_base %u %lx = %ld\n", random_step, which, base, r);
}

static void debug_register(void)
{
    unsigned int n = random(9);
    uint64_t v = n < 4 ? some_address() : random(3) ? 1UL << random(36) : random_bits() & 0xffffffff;
    long r;

    if (n == 7)
        v &= ~0xffUL; /* no breakpoint is ever on */
    r = HYPERVISOR_set_debugreg((int)n, v);
    random_mix((uint64_t)r);
    random_mix(HYPERVISOR_get_debugreg((int)n));
    if (random_shown())
        pv_printf("%lu: set_debugreg %u %lx = %ld, now %lx\n", random_step, n, v, r,
                  HYPERVISOR_get_debugreg((int)n));
}

static const uint32_t msrs[] = {
    0x10,       0x17,       0x1b,       0x2c,       0x3a,       0x3b,       0x48,       0x49,
    0x4e,       0x8b,       0xc1,       0xce,       0xcf,       0xe7,       0xfe,       0x10a,
    0x10b,      0x122,      0x123,      0x140,      0x174,      0x175,      0x176,      0x179,
    0x17a,      0x17b,      0x186,      0x198,      0x199,      0x19a,      0x19b,      0x1a0,
    0x1a2,      0x1d9,      0x1db,      0x200,      0x201,      0x250,      0x277,      0x2ff,
    0x309,      0x345,      0x38d,      0x38f,      0x3f1,      0x400,      0x401,      0x480,
    0x560,      0x570,      0x600,      0x606,      0x611,      0x6e0,      0x770,      0x800,
    0x802,      0xd90,      0xda0,      0x1000,     0x40000000, 0x40000001, 0xc0000080, 0xc0000081,
    0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0000104,
    0xc0010000, 0xc0010004, 0xc0010010, 0xc0010015, 0xc001001a, 0xc001001b, 0xc001001f, 0xc0010020,
    0xc0010044, 0xc0010058, 0xc0010061, 0xc0010062, 0xc0010064, 0xc0010112, 0xc0010114, 0xc0010117,
    0xc0010140, 0xc0010200, 0xc0011005, 0xc0011020, 0xc0011029, 0xc001102a, 0xc001102c
};

static void read_msr(void)
{
    static uint32_t msr, lo, hi;

    msr = random(8) ? PICK(msrs) : random(0x1000);
    FAULT(__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr)));
    if (random_shown())
        pv_printf("%lu: rdmsr %x", random_step, msr);
    trap(false);
}

static void write_msr(void)
{
    static uint32_t msr;
    static uint64_t v;

    msr = random(8) ? PICK(msrs) : random(0x1000);
    v = random(3) ? 1UL << random(64) : random(2) ? 0 : random_bits();
    if (msr >= 0xc0000100 && msr <= 0xc0000102)
        v = some_address();
    FAULT(__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))));
    if (random_shown())
        pv_printf("%lu: wrmsr %x %lx", random_step, msr, v);
    trap(false);
}

/* A ModRM byte that names registers, no memory. Left out: rsp, on which the trap comes; mov to cr3; and SVM's
 * instructions, which are the real machine's affair. */
static uint8_t operand(uint8_t opcode)
{
    uint8_t modrm = (uint8_t)(0xc0 | random(64));

    if ((modrm & 7) == 4)
        modrm ^= 1;
    if (opcode == 0x22 && (modrm & 0x38) == 0x18)
        modrm ^= 0x18;
    if (opcode == 0x01 && modrm >= 0xd8 && modrm < 0xe0)
        modrm = 0xd0;
    return modrm;
}

/* Bytes that begin like a privileged instruction, with what follows at random; behind them ud2s. */
static void bytes(void)
{
    static const uint8_t second[] = {
        0x00, 0x01, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32,
        0x33, 0x34, 0x35, 0x37, 0x0b, 0xaa, 0xff, 0xa2, 0x01, 0x20, 0x22, 0x23
    };
    static const uint8_t first[] = { 0xf4, 0xfa, 0xfb, 0xe4, 0xe6, 0xec, 0xee,
                                     0xcf, 0xcb, 0xf1, 0x06, 0xd4, 0x62, 0x82 };
    static const uint64_t target = USER_CODE_VA + 256;
    static uint8_t code[16];
    static unsigned int n;

    memset(code, 0, sizeof(code));
    n = 0;
    if (!random(6))
        code[n++] = (uint8_t)(0x40 + random(16));
    if (random(3)) {
        code[n++] = 0x0f;
        uint8_t opcode = PICK(second);

        code[n++] = opcode;
        if (opcode <= 1 || (opcode & 0xfc) == 0x20)
            code[n++] = operand(opcode);
    } else {
        code[n++] = PICK(first);
        if (code[n - 1] == 0xe4 || code[n - 1] == 0xe6)
            code[n++] = 0x80;
    }
    for (unsigned int i = n; i + 1 < sizeof(code); i += 2)
        code[i] = 0x0f, code[i + 1] = 0x0b;
    memcpy(test_user.code + 256, code, sizeof(code));
    if (random_shown())
        pv_printf("%lu: %02x %02x %02x %02x", random_step, code[0], code[1], code[2], code[3]);
    /* All registers are known: what the compiler left in one, a debug register might get. */
    FAULT(__asm__ volatile("push %%rbx; push %%rbp; xor %%ebx, %%ebx; xor %%ebp, %%ebp\n"
                           ".irp n, 8, 9, 10, 11, 12, 13, 14, 15; xor %%r\\n, %%r\\n; .endr\n"
                           "call *%0; pop %%rbp; pop %%rbx"
                           :
                           : "m"(target), "a"(0x80), "c"(0), "d"(0x80), "S"(0), "D"(0)
                           : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc"));
    random_mix(test_trap.regs.rip);
    trap(false);
    if (random_shown())
        pv_printf("    at %lx\n", test_trap.regs.rip);
    HYPERVISOR_fpu_taskswitch(0);
    HYPERVISOR_set_debugreg(7, 0);
}

static void cpuid(void)
{
    static uint32_t leaf, subleaf, a, b, c, d;

    leaf = random(3) ? random(0x20) : random(2) ? 0x80000000 + random(0x20) : 0x40000000 + random(6);
    subleaf = random(4);
    __asm__ volatile(XEN_CPUID : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(subleaf));
    if (random_shown())
        pv_printf("%lu: cpuid %x %u: %x %x %x %x\n", random_step, leaf, subleaf, a, b, c, d);
}

static void assist(void)
{
    static const uint8_t types[] = { 0, 1, 4, 4, 5 };
    unsigned int cmd = random(2), type = PICK(types);

    random_mix((uint64_t)HYPERVISOR_vm_assist(cmd, type));
}

static void iopl(void)
{
    struct physdev_set_iopl o = { .iopl = random(5) };

    random_mix((uint64_t)HYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &o));
    if (random_shown())
        pv_printf("%lu: iopl %u\n", random_step, o.iopl);
}

static void (*const calls[])(void) = { iret,           iret,     iret,      selector, segment_base,
                                       debug_register, read_msr, write_msr, bytes,    bytes,
                                       bytes,          cpuid,    assist,    iopl };

static void step(void)
{
    PICK(calls)();
}

void test_main(void)
{
    random_begin();
    test_user_init();
    test_user_regs(code_ud2);
    random_run(step, NULL, NULL);
}
