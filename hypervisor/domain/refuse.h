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
 * A row: name, the sentence, the guest test that breaks the rule (or host/NAME for what a guest cannot bring
 * about). In a sentence {a} and {b} are the two arguments in hexadecimal, {a:d} in
 * decimal, {a:dom} as a domain, {b:use} as a use that a frame was wanted for, {b:port} as the state of a
 * port, {call} is the name of hypercall a, and {frame} tells what frame a was (type, owner, pinned or not)
 * when it was refused.
 */
#pragma once

#include "lib/types.h"

/* clang-format off */
#define RULES(X)                                                                                                       \
    RULES_GENERAL(X) RULES_MM(X) RULES_EVTCHN(X) RULES_GRANT(X) RULES_SCHED(X) RULES_CPU(X) RULES_CALLS(X)

/* Plumbing: pointers, numbers, privileges. */
#define RULES_GENERAL(X)                                                                                               \
    X(NONE, "nothing was refused", "")                                                                                 \
    X(BAD_POINTER, "guest pointer {a}: not the guest's own memory, not mapped, or read-only where a result goes", "bad_pointers")\
    X(NO_SUCH_CALL, "there is no hypercall {a:d}", "bad_numbers")                                                      \
    X(NO_SUCH_OP, "{call} has no sub-operation {b:d}", "bad_numbers")                                                  \
    X(NOT_PRIVILEGED, "only domain 0 may do that ({call}, sub-operation {b:d})", "not_privileged")                     \
    X(NO_SUCH_DOMAIN, "there is no {a:dom}", "bad_numbers")                                                            \
    X(DOMAIN_DYING, "{a:dom} is at its end", "destroy_states")                                                         \
    X(RESERVED_BITS, "a field that must be zero holds {a}", "bad_numbers")

/* Frames, page types, page tables: mm/. */
#define RULES_MM(X)                                                                                                    \
    X(BAD_MFN, "frame {a} does not exist", "mmu_update")                                                               \
    X(FRAME_FOREIGN, "{frame}, so {b:dom} cannot use it", "pin")                                                       \
    X(FRAME_TYPE_BUSY, "{frame}, so it {b:use}", "pin")                                                                \
    X(TOO_MANY_REFS, "{frame}, and has as many references as can be counted", "host/page_type_test")                   \
    X(ENTRY_FLAGS, "page-table entry {a} has bits that no guest may set: {b}", "pin")                                  \
    X(DEVICE_FRAME, "frame {a} is no memory, and only domain 0 may map devices (but for the interrupt controllers)", "hostile_frames")\
    X(NOT_DEVICE_FRAME, "{frame}, so it cannot be mapped as a device", "hostile_frames")                               \
    X(HYPERVISOR_SLOT, "slot {a:d} of a top-level table is Parador's", "mmu_update")                                   \
    X(NOT_MAPPED, "no page table maps address {a}, so there is no entry to change", "va_mapping")                      \
    X(UPDATE_COMMAND, "{a:d} is no command of mmu_update", "mmu_update")                                               \
    X(ALREADY_PINNED, "{frame}, so it cannot be pinned again", "pin")                                                  \
    X(TABLE_NOT_PINNED, "{frame}, so there is no pin to drop", "pin")                                                  \
    X(LDT_PLACE, "an LDT of {b:d} entries at {a} is too long, unaligned, or in Parador's slots", "descriptors")        \
    X(FOREIGN_DOMAIN, "{a:dom} is not the caller, and only domain 0 may act for others", "mmu_update")                 \
    X(NOT_OWN_CALL, "that operation is for the caller's own tables, not for {a:dom}", "hostile_frames")                \
    X(NO_CACHE_CONTROL, "only a domain with devices may flush caches", "hostile_frames")                               \
    X(GDT_TOO_LONG, "a guest's GDT has at most 7168 entries, not {a:d}", "descriptors")                                \
    X(BAD_DESCRIPTOR, "descriptor {a} is a system descriptor or leads out of ring 3", "descriptors")                   \
    X(BAD_DESCRIPTOR_FRAME, "{frame}; it holds a descriptor that is a system one or leads out of ring 3", "descriptors")\
    X(MISALIGNED, "address {a} is no multiple of {b:d}", "descriptors")                                                \
    X(NO_MEMORY, "{a:d} contiguous frames for {b:dom}: beyond its maximum, or the machine has none", "memory_limits")  \
    X(EXTENTS, "{a:d} extents of 2^{b:d} frames: too many or too large, or their list is not the guest's memory", "memory")\
    X(EXCHANGE, "the two sides of an exchange do not match: {a:d} against {b:d}", "memory")                            \
    X(NO_MEMORY_MAP, "a PV domain has no memory map of its own", "memory")                                             \
    X(NO_PHYSMAP, "a PV domain has no physical address space to change", "hostile_frames")                             \
    X(FRAME_NOT_GIVABLE, "{frame}, in use or not the caller's, so it cannot be given away", "hostile_frames")

/* Event channels. */
#define RULES_EVTCHN(X)                                                                                                \
    X(PORT_RANGE, "port {a:d} is beyond the domain's ports", "events")                                                 \
    X(PORT_STATE, "port {a:d} is {b:port}, which that call does not take", "events")                                   \
    X(PORT_NOT_FOR_YOU, "port {a:d} of {b:dom} is not an unbound port that waits for the caller", "events")            \
    X(PORTS_ALL_USED, "all {a:d} ports are in use", "events")                                                          \
    X(PORTS_NO_MEMORY, "no memory for the port {a:d} and those after it", "exhaust_machine")                           \
    X(VIRQ_RANGE, "there is no VIRQ {a:d}", "events")                                                                  \
    X(VIRQ_GLOBAL, "VIRQ {a:d} belongs to the domain, so only vcpu 0 can bind it, not vcpu {b:d}", "bad_numbers")      \
    X(VIRQ_BOUND, "VIRQ {a:d} is bound already, to port {b:d}", "events")                                              \
    X(PIRQ_RANGE, "there is no interrupt line {a:d}", "bad_numbers")                                                   \
    X(PIRQ_NOT_YOURS, "interrupt line {a:d} is not the domain's", "bad_numbers")                                       \
    X(RESET_RUNNING, "{a:dom} runs, so only itself can reset its event channels", "dom0_control")                      \
    X(NOT_TWO_LEVEL, "event channels are two-level here: no priorities and no queues", "bad_numbers")

/* Grants. */
#define RULES_GRANT(X)                                                                                                 \
    X(GRANT_REF_RANGE, "grant reference {a:d} is beyond the grant table of {b:dom}", "grants")                         \
    X(GRANT_DYING, "grant {a:d} of {b:dom}: that domain is at its end", "pair_dying")                                  \
    X(GRANT_BUSY, "grant {a:d} is in use by {b:dom}, or as often as can be counted", "grant_limits")                   \
    X(GRANT_NOT_FOR_YOU, "that entry (flags {a}, for {b:dom}) gives the caller no access", "grants")                   \
    X(GRANT_READ_ONLY, "that entry (flags {a}) gives read-only access", "grants")                                      \
    X(GRANT_UNSTABLE, "the granter keeps changing that entry (flags {a}, for {b:dom})", "host/grant_test")             \
    X(GRANT_BAD_FRAME, "{frame}, so {b:dom} cannot give that access to it", "grants")                                  \
    X(GRANT_NO_KIND, "flags {a} ask for no mapping, neither host nor device", "grants")                                \
    X(GRANT_NO_HANDLES, "all {a:d} mappings that a domain may have are in use", "grant_handles")                       \
    X(GRANT_BAD_HANDLE, "handle {a:d} is no mapping", "grants")                                                        \
    X(GRANT_BAD_DEVICE_ADDRESS, "device address {a} is not that of the granted frame {b}", "grant_limits")             \
    X(GRANT_REPLACE_PTE, "a mapping made by its entry cannot be replaced by address ({a})", "grant_limits")            \
    X(GRANT_COPY_ARG, "{a:d} bytes from offset {b:d}: a copy stays within a page on both sides", "grants")             \
    X(GRANT_COPY_FOREIGN, "frame {a} of {b:dom} is not granted, and only own frames may be named by number", "pair_grants")\
    X(GRANT_NO_OFFER, "that entry (flags {a}, for {b:dom}) is no offer to take a frame from the caller", "pair_grants")\
    X(GRANT_TRANSFER_FRAME, "{frame}, so it cannot go to {b:dom} now", "pair_grants")                                  \
    X(GRANT_IN_USE, "grant {a:d} or {b:d} is in use, so they cannot change places", "grant_limits")                    \
    X(GRANT_TOO_MANY_FRAMES, "{a:d} frames for a grant table that may have {b:d}", "grants")                           \
    X(GRANT_NO_MEMORY, "no memory for a grant table of {a:d} frames", "exhaust_machine")                               \
    X(GRANT_ONE_ONLY, "sub-operation {b:d} takes one structure, not {a:d}", "grants")                                  \
    X(GRANT_COUNT, "{a:d} structures are more than a call can have", "grant_limits")                                   \
    X(GRANT_VERSION, "grant tables are of version 1 here, not {a:d}", "grants")                                        \
    X(GRANT_CACHE_RANGE, "{b:d} bytes from offset {a:d}: a cache flush stays within a page and knows two bits", "grant_limits")\
    X(GRANT_CACHE_INVALIDATE, "a cache can be written back, not thrown away", "grant_limits")

/* Scheduling, vcpus, time. */
#define RULES_SCHED(X)                                                                                                 \
    X(NO_SUCH_VCPU, "the domain has no vcpu {a:d}", "vcpu")                                                            \
    X(POLL_TOO_MANY, "SCHEDOP_poll takes at most {b:d} ports, not {a:d}", "events")                                    \
    X(VCPU_RUNS, "vcpu {a:d} has its state already, so it cannot be initialised", "vcpu")                              \
    X(VCPU_NO_STATE, "vcpu {a:d} was never initialised", "two_vcpus")                                                  \
    X(VCPU_NOT_SELF, "only vcpu {a:d} itself may do that", "two_vcpus")                                                \
    X(VCPU_CONTEXT, "the state given for vcpu {a:d} is not possible", "two_vcpus")                                     \
    X(VCPU_INFO_PLACE, "vcpu_info cannot be at offset {a} of the frame: not aligned, or over its end", "vcpu")         \
    X(VCPU_INFO_SET, "vcpu {a:d} has registered its vcpu_info already", "vcpu")                                        \
    X(NOT_PINNED, "vcpus are not pinned to processors", "vcpu")                                                        \
    X(PERIOD_RANGE, "a period of {a:d} ns is too short or too long", "timer")                                          \
    X(WATCHDOG, "there is no watchdog {a:d} that the domain could set now", "watchdog")

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
    X(NO_SUCH_ASSIST, "there is no vm_assist type {a:d}", "bad_numbers")                                               \
    X(NO_SUCH_SUBMAP, "feature submap {a:d} does not exist, only submap 0 does", "version")                            \
    X(NO_BUILD_ID, "Parador has no build id", "bad_numbers")                                                           \
    X(NOT_NULL, "this sub-operation takes no argument, not {a}", "bad_numbers")                                        \
    X(IOPL_RANGE, "{a:d} is not a privilege level", "privileged")                                                      \
    X(IOBITMAP, "an I/O bitmap at {a} for {b:d} ports: beyond 65536 ports, or not the guest's memory", "privileged")   \
    X(NO_DEVICE, "physdev_op {a:d} asks for an interrupt or device that Parador does not have", "bad_numbers")         \
    X(INTERFACE_VERSION, "interface version {a} of the caller is not {b}", "bad_numbers")                              \
    X(EXIT_STATUS, "exit status {a} is not in 0 to 255", "dom0_control")                                               \
    X(DOMAIN_0, "domain 0 cannot do that to itself", "dom0_control")                                                   \
    X(DOMAIN_EXISTS, "there is a {a:dom} already, or no number is left", "domctl")                                     \
    X(DOMAIN_CONFIG, "no domain of that kind (flags {a}) or with {b:d} vcpus can be made", "domctl")                   \
    X(DOMAIN_PAUSES, "{b:dom} was paused {a:d} times, so that call cannot be", "domctl")                               \
    X(AFFINITY, "a vcpu cannot be bound so (flags {a}): none of the CPUs {b} exists, or it is not the hard affinity", "domctl") \
    X(TSC_MODE, "no tsc_mode {a:d} for {b:dom}: 0 or 2, as Parador never emulates rdtsc", "domctl")
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
    uint32_t index; /* where a walk found it: this entry of that table's frame; table 0: no walk */
    uint64_t table;
    int32_t error;
    uint32_t rule; /* enum rule */
    uint32_t count;
    uint64_t rip;
    uint64_t call; /* the number of the hypercall, as hypercalls_made() counts */
};

/* Remembers the refusal in the current vcpu and returns `error` (a negative errno). Cold on purpose. */
int refuse(int error, enum rule rule, uint64_t a, uint64_t b) __attribute__((cold));

/* frame_owner when the reader may not know whose frame it is (PARADOR_why of an ordinary domain). */
#define OWNER_SECRET 0xfffffffdu

/* The refusal that was just made goes out as another errno. Returns it. */
int refuse_as(int error) __attribute__((cold));

/* A walk of a table ends for what was just refused at entry `index` of frame `table`. The first, that is the
 * deepest table, is the one that is remembered. */
void refuse_entry(uint64_t table, unsigned int index) __attribute__((cold));

/* The sentence for r, at most size bytes with the final zero. */
void refusal_text(const struct refusal *r, char *buf, size_t size);

/* Debug builds: prints one line with the names of all rules that refused something since boot. */
void refusals_report(void);
