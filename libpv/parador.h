/* SPDX-License-Identifier: MIT
 *
 * Parador's own hypercall: the sub-operations of __HYPERVISOR_arch_0.
 *
 *     long arch_0(unsigned int op, void *arg)
 *
 * On stock Xen this number is its machine-check call, which gives -EFAULT or -EPERM for what we pass
 * (measured on 4.17), so a guest may try PARADOR_machine_info anywhere: 0 means Parador. Structures have
 * fixed sizes and no pointers but where a comment says so. This header is shared by hypervisor and guests,
 * like the headers of Xen's public ABI.
 */
#pragma once

#include <stdint.h>

/* Domain 0: the idx-th living domain. -ENOENT past the last. */
#define PARADOR_domain_info 0
struct parador_domain_info {
    uint32_t idx;   /* in: 0, 1, ... */
    uint16_t domid; /* out, all that follows */
    uint8_t dying;  /* shut down, crashed or being destroyed */
    uint8_t crashed;
    char name[32];
    uint64_t store_mfn, console_mfn;   /* 0: none (domain 0) */
    uint32_t store_port, console_port; /* the domain's own, unbound towards domain 0 at boot */
    uint32_t nr_vcpus;
    uint32_t nr_ports;  /* event channel ports in use */
    uint32_t nr_grants; /* foreign grants that the domain has mapped */
    uint32_t pad;
    uint64_t tot_pages, max_pages;
    uint64_t cpu_time_ns;
    uint64_t nr_hypercalls;
    uint64_t nr_exceptions; /* bounced or emulated */
};

/* Domain 0: what a script ended with; the machine's exit status. arg points to an int32_t. */
#define PARADOR_exit_status 1

/* Any domain: the sentence for its last refusal, whichever vcpu called (domain 0: that of `domid`; of a
 * domain that crashed, why it did, even when it is gone). */
#define PARADOR_why 2
struct parador_why {
    uint16_t domid;   /* in: DOMID_SELF or, for domain 0, another's */
    uint16_t crashed; /* out: 1: text says why the domain crashed, the other fields are 0 */
    int32_t error;    /* out: the errno that the refusal gave (negative), 0: nothing was refused */
    uint32_t rule;    /* out: number of the rule, see docs/refusals.md */
    uint32_t count;   /* out: refusals of that vcpu so far */
    char text[240];   /* out: a sentence */
};

/* Any domain: figures of the machine. */
#define PARADOR_machine_info 3
struct parador_machine_info {
    uint64_t total_frames, free_frames, hypervisor_frames;
    uint32_t nr_cpus, nr_domains;
    uint32_t tsc_khz;
    uint32_t debug; /* 1: built with the invariant checker */
};

/* Any domain, debug builds (else -ENOSYS): runs the invariant checker; 0, or -EINVAL after printing what is
 * wrong. */
#define PARADOR_check 4

/* Domain 0: destroys domain *arg (uint32_t). -ESRCH, -EINVAL for domain 0. */
#define PARADOR_destroy 5

/* Domain 0: whether (uint32_t *arg != 0) its lines go without a mark while it has the keyboard, because it
 * shows the terminal of another, who moves the cursor. */
#define PARADOR_plain 6
