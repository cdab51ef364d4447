/* SPDX-License-Identifier: MIT
 *
 * Refusals that explain themselves.
 *
 * Every refusal of a guest's request names its rule where the check is:
 *
 *     if (frame is a page table)
 *         return refuse(-EINVAL, R_TABLE_NOT_WRITABLE, mfn, 0);
 *
 * The guest gets Xen's errno and nothing else; the vcpu remembers rule and arguments, and `why` (a debug key,
 * PARADOR_why) makes a sentence of it. Nothing is done on a path that succeeds. This one table feeds the
 * sentences, docs/refusals.md and the list of hostile tests.
 *
 * A row: name, the sentence, the guest test that breaks the rule. In a sentence {a} and {b} are the two
 * arguments in hexadecimal, {a:d} and {b:d} in decimal, {call} is the name of hypercall a, {frame} tells what
 * frame number a is (type, owner, pinned or not) as it was when the refusal happened.
 */
#ifndef DOMAIN_REFUSE_H
#define DOMAIN_REFUSE_H

#include "lib/types.h"

/* clang-format off */
#define RULES(X)                                                                                                       \
    RULES_GENERAL(X) RULES_MM(X) RULES_EVTCHN(X) RULES_GRANT(X) RULES_SCHED(X) RULES_CPU(X) RULES_CALLS(X)

/* Plumbing: pointers, numbers, privileges. */
#define RULES_GENERAL(X)                                                                                               \
    X(NONE, "nothing was refused", "")                                                                                 \
    X(BAD_POINTER, "guest pointer {a} is not the guest's own memory, or not mapped", "bad_pointers")                   \
    X(NO_SUCH_OP, "{call} has no sub-operation {b:d}", "calls")                                                        \
    X(NOT_PRIVILEGED, "only domain 0 may do that ({call}, sub-operation {b:d})", "calls")                              \
    X(NO_SUCH_DOMAIN, "there is no domain {a:d}", "calls")                                                             \
    X(RESERVED_BITS, "a field that must be zero holds {a}", "calls")

/* Frames, page types, page tables: mm/. */
#define RULES_MM(X)                                                                                                    \
    X(BAD_MFN, "frame {a} does not exist", "hostile_frames")                                                           \
    X(FRAME_FOREIGN, "{frame}, so it is not a page of domain {b:d} that could be used so", "hostile_frames")           \
    X(FRAME_TYPE_BUSY, "{frame}, so it cannot be used as type {b:d} (1 to 4: page table of that level, 5: descriptors, 6: writable)", "hostile_frames")\
    X(TOO_MANY_REFS, "{frame} and has as many references as can be counted", "hostile_frames")                         \
    X(ENTRY_FLAGS, "page-table entry {a} has bits that no guest may set: {b}", "hostile_tables")                       \
    X(DEVICE_FRAME, "frame {a} is no memory, and only domain 0 may map devices (but for the interrupt controllers)", "hostile_frames")\
    X(NOT_DEVICE_FRAME, "{frame}, so it cannot be mapped as a device", "hostile_frames")                               \
    X(HYPERVISOR_SLOT, "slot {a:d} of a top-level table is Parador's", "hostile_tables")                               \
    X(NOT_MAPPED, "no page table maps address {a}, so there is no entry to change", "va_mapping")                      \
    X(UPDATE_COMMAND, "{a:d} is no command of mmu_update", "mmu_update")                                               \
    X(ALREADY_PINNED, "{frame}: a table is pinned once", "pin")                                                        \
    X(TABLE_NOT_PINNED, "{frame}: it is not pinned", "pin")                                                            \
    X(LDT_PLACE, "an LDT of {b:d} entries at {a} is too long, unaligned, or in Parador's slots", "descriptors")        \
    X(FOREIGN_DOMAIN, "domain {a:d} is not the caller, which may not act for others", "hostile_numbers")               \
    X(NOT_OWN_CALL, "that operation is for the caller's own tables only, not for domain {a:d}", "hostile_numbers")     \
    X(NO_CACHE_CONTROL, "only a domain with devices may flush caches", "hostile_numbers")                              \
    X(NOT_A_DESCRIPTOR_FRAME, "{frame}: it is no frame for a descriptor table", "gdt_ldt")                             \
    X(GDT_TOO_LONG, "a GDT of {a:d} entries reaches into the hypervisor's", "gdt_ldt")                                 \
    X(BAD_DESCRIPTOR, "descriptor {a} is a system descriptor or leads out of ring 3", "gdt_ldt")                       \
    X(BAD_DESCRIPTOR_FRAME, "{frame}; it holds a descriptor that is a system one or leads out of ring 3", "gdt_ldt")   \
    X(MISALIGNED, "address {a} is no multiple of {b:d}", "hostile_numbers")                                            \
    X(NO_MEMORY, "{a:d} contiguous frames for domain {b:d}: beyond its maximum, or the machine has none", "memory")    \
    X(EXTENTS, "a list of {a:d} extents against {b:d} is out of bounds, or the two sides are not the same", "memory")  \
    X(NO_MEMORY_MAP, "a PV domain has no memory map of its own", "memory")                                             \
    X(NO_PHYSMAP, "a PV domain has no physical address space to change", "memory")                                     \
    X(FRAME_NOT_GIVABLE, "{frame}: it is mapped somewhere or not the caller's, so it cannot be given away", "memory")

/* Event channels. */
#define RULES_EVTCHN(X)                                                                                                \
    X(PORT_RANGE, "port {a:d} is beyond the domain's ports", "events")                                                 \
    X(PORT_STATE, "port {a:d} is in state {b:d} (0 free, 1 reserved, 2 unbound, 3 interdomain, 4 VIRQ, 6 IPI), which that call does not take", "events")\
    X(PORT_NOT_FOR_YOU, "port {a:d} of domain {b:d} is not an unbound port that waits for the caller", "events")       \
    X(PORTS_ALL_USED, "all {a:d} ports are in use", "events")                                                          \
    X(PORTS_NO_MEMORY, "no memory for the port {a:d} and those after it", "events")                                    \
    X(VIRQ_RANGE, "there is no VIRQ {a:d}", "events")                                                                  \
    X(VIRQ_GLOBAL, "VIRQ {a:d} belongs to the domain, so only vcpu 0 can bind it, not vcpu {b:d}", "events")           \
    X(VIRQ_BOUND, "VIRQ {a:d} is bound already, to port {b:d}", "events")                                              \
    X(PIRQ_RANGE, "there is no interrupt line {a:d}", "events")                                                        \
    X(PIRQ_NOT_YOURS, "interrupt line {a:d} is not the domain's", "events")                                            \
    X(RESET_RUNNING, "domain {a:d} runs, so only itself can reset its event channels", "events")                        \
    X(NOT_TWO_LEVEL, "event channels are two-level here: no priorities and no queues", "events")

/* Grants. */
#define RULES_GRANT(X)                                                                                                 \
    X(GRANT_REF_RANGE, "grant reference {a:d} is beyond the grant table of domain {b:d}", "grants")                    \
    X(GRANT_DYING, "grant {a:d} of domain {b:d}: that domain is at its end", "grants_pair")                            \
    X(GRANT_BUSY, "grant {a:d} is in use by domain {b:d}, or too often", "grants")                                     \
    X(GRANT_NOT_FOR_YOU, "that entry (flags {a}, for domain {b:d}) gives the caller no access", "grants")              \
    X(GRANT_READ_ONLY, "that entry (flags {a}) gives read-only access", "grants")                                      \
    X(GRANT_UNSTABLE, "the granter keeps changing that entry (flags {a}, domain {b:d})", "grants")                     \
    X(GRANT_BAD_FRAME, "{frame}: domain {b:d} cannot give that access to it", "grants")                                \
    X(GRANT_NO_KIND, "flags {a} ask for no mapping, neither host nor device", "grants")                                \
    X(GRANT_NO_HANDLES, "all {a:d} mappings that a domain may have are in use", "grants")                              \
    X(GRANT_BAD_HANDLE, "handle {a:d} is no mapping", "grants")                                                        \
    X(GRANT_BAD_DEVICE_ADDRESS, "device address {a} is not that of the granted frame {b}", "grants")                   \
    X(GRANT_REPLACE_PTE, "a mapping made by its entry cannot be replaced by address ({a})", "grants")                  \
    X(GRANT_COPY_ARG, "{a:d} bytes from offset {b:d}: a copy stays within a page on both sides", "grants")             \
    X(GRANT_COPY_FOREIGN, "frame {a} of domain {b:d} is not granted, and only own frames may be named by number", "grants")\
    X(GRANT_NO_OFFER, "that entry (flags {a}, domain {b:d}) is no offer to take a frame from the caller", "grants_pair")\
    X(GRANT_TRANSFER_FRAME, "{frame}: it cannot go to domain {b:d} now", "grants_pair")                                \
    X(GRANT_IN_USE, "grant {a:d} or {b:d} is in use, so they cannot change places", "grants")                          \
    X(GRANT_TOO_MANY_FRAMES, "{a:d} frames for a grant table that may have {b:d}", "grants")                           \
    X(GRANT_NO_MEMORY, "no memory for a grant table of {a:d} frames", "grants")                                        \
    X(GRANT_ONE_ONLY, "sub-operation {b:d} takes one structure, not {a:d}", "grants")                                  \
    X(GRANT_COUNT, "{a:d} structures", "grants")                                                                       \
    X(GRANT_VERSION, "grant tables are of version 1 here, not {a:d}", "grants")                                        \
    X(GRANT_CACHE_RANGE, "{b:d} bytes from offset {a:d}: a cache flush stays within a page and knows two bits", "grants")\
    X(GRANT_CACHE_REF, "a cache flush by grant reference ({a:d}) is not possible", "grants")

/* Scheduling, vcpus, time. */
#define RULES_SCHED(X)                                                                                                 \
    X(NO_SUCH_VCPU, "the domain has no vcpu {a:d}", "vcpu_op")                                                         \
    X(POLL_TOO_MANY, "SCHEDOP_poll takes at most {b:d} ports, not {a:d}", "events")                                    \
    X(VCPU_RUNS, "vcpu {a:d} has its state already, so it cannot be initialised", "vcpu_op")                           \
    X(VCPU_NO_STATE, "vcpu {a:d} was never initialised", "vcpu_op")                                                    \
    X(VCPU_NOT_SELF, "only vcpu {a:d} itself may do that", "vcpu_op")                                                  \
    X(VCPU_CONTEXT, "the state given for vcpu {a:d} is not possible", "vcpu_op")                                       \
    X(VCPU_INFO_PLACE, "vcpu_info does not fit at offset {a} of the frame", "vcpu_op")                                 \
    X(VCPU_INFO_FRAME, "{frame}, so no vcpu_info can be there", "vcpu_op")                                             \
    X(VCPU_INFO_SET, "vcpu {a:d} has registered its vcpu_info already", "vcpu_op")                                     \
    X(NOT_PINNED, "vcpus are not pinned to processors", "vcpu_op")                                                     \
    X(PERIOD_RANGE, "a period of {a:d} ns is too short or too long", "vcpu_op")                                        \
    X(WATCHDOG, "there is no such watchdog: {a:d}", "sched_op")                                                        \
    X(SHUTDOWN_CODE_SET, "the domain has a shutdown code already", "sched_op")

/* Descriptors, callbacks, registers, exceptions. */
#define RULES_CPU(X)                                                                                                   \
    X(NON_CANONICAL, "address {a} is not canonical", "callbacks")                                                      \
    X(NO_SUCH_CALLBACK, "there is no callback of type {a:d}", "callbacks")                                             \
    X(CALLBACK_STAYS, "the callback of type {a:d} can be replaced, not taken back", "callbacks")                       \
    X(SEGMENT_BASE, "segment {a:d} (SEGBASE_*) cannot have the base {b}", "segments")                                  \
    X(DEBUG_REGISTER, "debug register {a:d} does not exist or cannot hold {b}", "debugreg")                            \
    X(MULTICALL_NESTED, "a multicall (its entry at {a}) cannot hold another", "multicall")

/* Versions, assists, devices, Parador's own calls. */
#define RULES_CALLS(X)                                                                                                 \
    X(NO_SUCH_ASSIST, "there is no vm_assist type {a:d}", "version")                                                   \
    X(NO_SUCH_SUBMAP, "feature submap {a:d} does not exist, only submap 0 does", "version")                            \
    X(NO_BUILD_ID, "Parador has no build id", "calls")                                                                 \
    X(NOT_NULL, "this sub-operation takes no argument, not {a}", "calls")                                              \
    X(IOPL_RANGE, "{a:d} is not a privilege level", "privileged")                                                      \
    X(IOBITMAP, "an I/O bitmap at {a} for {b:d} ports: beyond 65536 ports, or not the guest's memory", "privileged")   \
    X(NO_DEVICE, "physdev_op {a:d} asks for an interrupt or device that Parador does not have", "calls")               \
    X(INTERFACE_VERSION, "interface version {a} of the caller is not {b}", "calls")                                    \
    X(EXIT_STATUS, "exit status {a} is not in 0 to 255", "calls")                                                      \
    X(DOMAIN_0, "domain 0 cannot be destroyed by itself", "calls")
/* clang-format on */

enum rule {
#define X(name, sentence, test) R_##name,
    RULES(X)
#undef X
        NR_RULES
};

struct refusal {
    uint64_t a, b;
    uint64_t frame_word; /* frame a's word and owner at that moment, if a is a frame */
    uint32_t frame_owner;
    int32_t error;
    uint32_t rule; /* enum rule */
    uint32_t count;
    uint64_t rip;
};

/* Remembers the refusal in the current vcpu and returns `error` (a negative errno). Cold on purpose. */
int refuse(int error, enum rule rule, uint64_t a, uint64_t b) __attribute__((cold));

/* frame_owner when the reader may not know whose frame it is (PARADOR_why of an ordinary domain). */
#define OWNER_SECRET 0xfffffffdu

/* The sentence for r, at most size bytes with the final zero. */
void refusal_text(const struct refusal *r, char *buf, size_t size);

#endif
