# SPDX-License-Identifier: MIT
# Parador's one Makefile. `make help` lists the targets; what is built lands in build/.
#
# Each folder's objs.mk names its objects. Two builds of the hypervisor come from one source: build/parador (release, what
# is measured) and build/parador-debug (assertions and invariant checker). This file builds; what runs, tests and measures
# is toolchain/run, to which the targets at the end hand over. GNU make 3.81 is enough.

B ?= build
ifneq ($(words $(B)),1)
$(error B=$(B): make can't build in a folder with a space in its name)
endif

# The compiler: gcc, or clang with lld (`make CC=clang`, the default where the machine is no x86-64: it needs no cross gcc).
ifeq ($(origin CC),default)
CC := $(if $(CROSS),$(CROSS)gcc,$(if $(filter x86_64,$(shell uname -m)),gcc,clang))
endif
ifneq (,$(findstring clang,$(CC)))
LLVM    := $(lastword $(sort $(wildcard /usr/lib/llvm-*/bin/llvm-objcopy)))
TARGET  := --target=x86_64-unknown-elf
LD      := ld.lld
OBJCOPY := $(if $(LLVM),$(LLVM),$(if $(filter x86_64,$(shell uname -m)),objcopy,llvm-objcopy))
AR      := $(if $(LLVM),$(dir $(LLVM))llvm-ar,ar)
HOSTCC  ?= $(CC)
TUNE    := -mstack-alignment=8
else
TARGET  :=
TUNE    := -mpreferred-stack-boundary=3 --param=logical-op-non-short-circuit=0
LD      := $(CROSS)ld
OBJCOPY := $(CROSS)objcopy
AR      := $(CROSS)ar
HOSTCC  ?= cc
endif
Q   := $(if $(V),,@)
say  = $(if $(V),,@echo "  $(1)	$(patsubst $(B)/%,%,$@)")

# Rows of a table have one signature, so a parameter that its function doesn't use is no mistake.
WARN      := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(CI),-Werror)
ABI       := -D__XEN_TOOLS__
FREE      := $(TARGET) -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-stack-protector -mno-red-zone -fcf-protection=none \
             -fno-asynchronous-unwind-tables -fomit-frame-pointer -fno-strict-aliasing -fno-common -mgeneral-regs-only $(WARN) \
             -I. -I$(B)/include $(ABI) -MMD -MP
# Parador uses no vector registers, so its stack need not stand at multiples of 16; and of several conditions that nearly
# never hold, each is a branch of its own: fewer instructions than one branch on all.
HVFLAGS   := $(FREE) $(TUNE) -Ihypervisor -fpie -fvisibility=hidden -DPARADOR
PVFLAGS   := $(FREE) -fno-pic -mcmodel=kernel
HOSTFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer $(WARN) \
             -DHOST_TEST -I. -Ihypervisor -I$(B)/include $(ABI) -MMD -MP

all: $(B)/parador $(B)/parador.syms $(B)/pvkernel $(B)/guest
.PHONY: all
.DELETE_ON_ERROR:
.SECONDARY:

# The public ABI headers, and nothing else of the host's /usr/include.
XENHDRS ?= /usr/include/xen
$(B)/include/xen:
	@test -e $(XENHDRS)/xen.h || { echo "make: no $(XENHDRS)/xen.h (package libxen-dev); 'make setup' installs what is missing" >&2; exit 2; }
	$(Q)mkdir -p $(B)/include && ln -sfn $(XENHDRS) $@

# Objects depend on the flags they were built with.
FLAGS := $(CC) $(HVFLAGS) $(PVFLAGS) $(HOSTCC) $(HOSTFLAGS)
$(B)/flags: FORCE | $(B)/include/xen
	@command -v $(firstword $(CC)) >/dev/null || { echo "make: no compiler $(CC); 'make setup' installs what is missing" >&2; exit 2; }
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
FORCE:
.PHONY: FORCE

include hypervisor/objs.mk
include libpv/objs.mk
include drivers/objs.mk
include pvkernel/objs.mk
include tests/objs.mk
include toolchain/objs.mk

-include $(shell find $(B) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B)
.PHONY: clean

# make print-HVFLAGS: a variable's value, for the checks.
print-%:
	@echo '$($*)'

# What runs something. The axes travel as environment variables, word for word (no shell and no second expansion by make
# between the user and the runner), so that spaces, quotes and dollar signs in them survive.
AXES    := ON BOOT GUEST DISK FILES MEM SMP VCPUS ICOUNT DOMAINS SCRIPT SEEDS STEPS RECORD PLOT GDB ACCEL TEST MINUTES DEBUG APPEND ARGS
$(foreach v,$(AXES),$(if $(filter undefined,$(origin $(v))),,$(eval override $(v) := $$(value $(v)))))
export $(AXES) B CC CROSS V

DRIVERS := run iso test fuzz fuzz-host mutants bench gdb rewind check prove docs doctor setup help
$(DRIVERS):
	@exec sh toolchain/start $@
.PHONY: $(DRIVERS)
