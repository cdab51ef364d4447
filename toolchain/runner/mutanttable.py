# SPDX-License-Identifier: MIT
"""The seeded faults of make mutants (runner/mutants.py). Each is one thing that the hypervisor or ring/ must do and here doesn't, and the test
that fails for it. A row's text must stand exactly once in its file: `make check` sees that, so the table can't rot.

Edit is (file, text, what stands there instead); SMP= and ICOUNT= are what the tests get, as by make test.
"""
import os
from dataclasses import dataclass, field

HV = "hypervisor/"


@dataclass
class Mutant:
    name: str
    fault: str  # what is wrong, for docs/safety.md
    tests: tuple  # guest tests NAME, host tests host/NAME: the first that fails is enough
    edits: tuple
    settings: dict = field(default_factory=dict)

    def wrong(self):
        """What is wrong with the row: one line for each text that doesn't stand exactly once in its file."""
        for path, text, _ in self.edits:
            count = 0
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    count = f.read().count(text)
            if count != 1:
                yield f"mutant {self.name}: {path} has {count} times, not once: {text.strip().splitlines()[0]}"


def mutant(name, fault, tests, *edits, **settings):
    return Mutant(name, fault, tuple(tests.split()), edits, settings)


MUTANTS = [
    mutant("rw_unchecked", "a change of RW alone counts as harmless: an L1 entry becomes writable without a look at the frame", "mmu_update",
           (HV + "mm/page_type.h", "#define PTE_HARMLESS (PTE_US", "#define PTE_HARMLESS (PTE_RW | PTE_US")),
    mutant("no_flush_retype", "no flush of TLBs before a frame gets a new type", "stale_tlb",
           (HV + "mm/page_type.c", "    if (old != FT_NONE && old != type)\n", "    if (0 && old != type)\n")),
    mutant("leak_on_error", "a table that is refused half-way keeps one reference of its entries", "failed_tables",
           (HV + "mm/page_type.c", "        (void)undo(m, cursor);\n    }", "        (void)undo(m, cursor ? cursor - 1 : 0);\n    }")),
    mutant("rip_before_sysret", "SYSRET with whatever is in RIP, canonical or not", "iret",
           (HV + "x86/entry.S", "    jb exit_to_guest\n    .irp", "    .irp"), (HV + "x86/entry.S", "    jb exit_low_half\n", "")),
    mutant("upcall_unmasked", "the mask is not set when an upcall begins", "traps",
           (HV + "domain/bounce.c", " |= t->mask_events;", " |= 0;")),
    mutant("teardown_keeps_type", "a domain that ends leaves its pinned tables their types", "leave_all",
           (HV + "mm/page_type.c", "    if ((word_if(d, f) & FRAME_PINNED)", "    if (0 && (word_if(d, f) & FRAME_PINNED)")),
    mutant("grant_busy", "a grant that another domain uses, or as often as can be counted, is used once more", "grant_limits",
           (HV + "domain/grant.c", "act->domid != user->domid || (pins & pin << PIN_FULL_SHIFT)", "0")),
    mutant("pointer_range", "pointers of guests may lead into the hypervisor's slots", "bad_pointers",
           (HV + "x86/copy.h", "    uint64_t end = addr + size;\n", "    return true;\n    uint64_t end = addr + size;\n")),
    mutant("event_bit_after_test", "an event's mask is tested before its pending bit is set", "host/evtchn_race_test",
           (HV + "domain/evtchn.c", "    if (test_and_set_bit(port, s->evtchn_pending))\n        return;\n    if (!test_bit(port, s->evtchn_mask))\n",
            "    bool open = !test_bit(port, s->evtchn_mask);\n\n    if (test_and_set_bit(port, s->evtchn_pending))\n        return;\n    if (open)\n")),
    mutant("ring_unclamped", "a ring's index is not cut to its slots", "host/ring_test",
           ("ring/ring.h", "(size_t)(index & (slots - 1)) * slot_bytes", "(size_t)index * slot_bytes")),
    mutant("ldt_type", "an LDT of frames that their domain can write", "descriptors",
           (HV + "mm/ldt.c", "get_frame_type(v->domain, m, FT_DESC)", "get_frame_type(v->domain, m, FT_WRITABLE)")),
    mutant("no_scrub", "a frame goes to the next domain with what was in it", "pair_secrets",
           (HV + "mm/heap.c", "    if (contents == FREE_DIRTY || (zero && contents != FREE_ZERO))\n", "    if (contents == 1234567 || (zero && contents == 7654321))\n"),
           (HV + "mm/heap.c", "        memset(mfn_to_virt(m), 0, PAGE_SIZE);\n", "")),
    mutant("restart_from_zero", "a long mmu_update that was interrupted begins with its first request again", "preempt",
           (HV + "hypercall/mmu.c", "{ b->at, b->left | MMU_UPDATE_PREEMPTED,", "{ b->at - (count - b->left) * 16, b->given | MMU_UPDATE_PREEMPTED,")),
    mutant("shootdown_misses", "CPU 1 is never asked to flush its TLB", "races",
           (HV + "mm/tlb.c", "    for (uint64_t left = mask; left; left &= left - 1)\n        if (holds(", "    mask &= ~2ULL;\n    for (uint64_t left = mask; left; left &= left - 1)\n        if (holds("), SMP="4"),
    # And our own.
    mutant("own_level", "an entry of a table may point to a table of its own level", "linear_tables",
           (HV + "mm/page_type.c", "get_type_fast(d, entry_mfn(entry), level - 1))", "get_type_fast(d, entry_mfn(entry), level))")),
    mutant("hypervisor_slots", "a guest's L4 table may have entries of its own in the hypervisor's slots", "mmu_update",
           (HV + "mm/page_type.h", "return level != FT_L4 || slot < HV_FIRST_SLOT || slot > HV_LAST_SLOT;", "return level != FT_L4 || slot < 1000;")),
    mutant("gate_in_gdt", "a GDT may hold gates and descriptors of the system", "descriptors",
           (HV + "mm/descriptor.c", "if (!(d & DESC_S) && (d & DESC_TYPE))", "if (0)")),
    mutant("frame_on_stack", "the range that is checked before an upcall's frame is pushed is too short", "bounce_range",
           (HV + "domain/bounce.c", "#define FRAME_MAX 96", "#define FRAME_MAX 40")),
    mutant("iopl_by_iret", "iret may set IOPL and VM", "iret",
           (HV + "hypercall/iret.c", "rflags & ~(uint64_t)(RFLAGS_IOPL | RFLAGS_VM)", "rflags")),
    mutant("flags_at_entry", "SYSCALL leaves DF and NT as the guest had them", "bad_flags",
           (HV + "x86/descriptor.c", "RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF", "RFLAGS_TF | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_RF")),
    mutant("fpu_not_loaded", "a switch leaves the FPU as the last vcpu had it", "pair_registers",
           (HV + "x86/switch.c", "    fpu_load(next);\n", "")),
    mutant("grant_read_only", "a grant for reading may be mapped for writing", "grants",
           (HV + "domain/grant_table.h", "if (unlikely(writing && (old & GTF_readonly)))", "if (0)")),
    mutant("unmap_by_frame", "an unmap compares the entry's frame, and not whether it is writable", "grants",
           (HV + "mm/grant_map.c", "const uint64_t must = PTE_P | PTE_RW | PTE_ADDR;", "const uint64_t must = PTE_P | PTE_ADDR;")),
    mutant("port_bound", "ports that don't exist yet are looked up", "port_bounds",
           (HV + "domain/evtchn.h", "    if (port >= __atomic_load_n(&e->nr_ports, __ATOMIC_ACQUIRE)) /* pairs with grow_locked() */\n", "    if (port >= EVTCHN_MAX_PORTS)\n")),
    mutant("ring_overclaim", "the back takes more requests than the ring has slots", "host/ring_test",
           ("ring/ring.h", "    if (prod - b->req_taken > b->slots - (b->req_taken - b->rsp_pushed)) {\n", "    if (0) {\n")),
    mutant("no_preemption", "long hypercalls never stop", "preempt",
           (HV + "hypercall/table.c", "    cpu_window();\n    return cpu_work_pending() ||", "    cpu_window();\n    return 0 &&")),
    mutant("unmask_looks_early", "who unmasks a port looks whether it is pending before the mask is clear", "host/evtchn_race_test",
           (HV + "domain/evtchn.c", "    if (is_open(chn) && test_and_clear_bit(port, d->shared->evtchn_mask) &&\n        test_bit(port, d->shared->evtchn_pending))\n",
            "    bool pending = test_bit(port, d->shared->evtchn_pending);\n\n    if (is_open(chn) && test_and_clear_bit(port, d->shared->evtchn_mask) && pending)\n")),
    mutant("any_owner", "an L1 entry may name any domain's frame", "pair_isolation",
           (HV + "mm/page_type.h", "    if (unlikely(f->owner != id))\n        return get_leaf_slow(d, owner, leaf_entry(f, entry, flags_only));\n    w = ", "    w = "),
           (HV + "mm/page_type.h", "    if (unlikely(READ_ONCE(f->owner) != id)) {", "    if (0) {")),
    mutant("fetch_no_execute", "the emulator fetches from pages that must not be executed", "page_edge",
           (HV + "domain/emulate.c", "if (n == in_page && guest_walk(v, v->regs.rip + n, NULL) >> 63)", "if (n == in_page + 100)")),
    mutant("multicall_goes_on", "a multicall goes on behind an iret", "multicall",
           (HV + "hypercall/iret.c", "    v->arch.multicall_entry = 0;\n", ""), (HV + "hypercall/iret.c", "    hypercall_exit(v->cpu);\n", "    return 0;\n")),
    mutant("stack_copied_out", "a version string is copied out with what was on the stack behind it", "zeroed_results",
           (HV + "hypercall/version.c", "    memset(", "    if (0) memset(")),
    mutant("table_lock_by_store", "a table is locked by a plain store", "host/page_type_race_test",
           (HV + "mm/page_type.h", "        unlikely(!frame_cas(f, &w, w | FRAME_LOCKED))) {\n        if ((type", "        (WRITE_ONCE(f->word, w | FRAME_LOCKED), 0)) {\n        if ((type")),
]
