# SPDX-License-Identifier: MIT
# Parador's one Makefile. `make help` lists the targets; what is built lands in build/.
# Each folder's objs.mk names its objects; two builds of the hypervisor come from one source:
# build/parador (release, what is measured) and build/parador-debug (assertions and invariant checker).

B      ?= build
CC      = $(CROSS)gcc
V      ?=

ifneq (,$(findstring clang,$(CC)))
TARGET  := --target=x86_64-unknown-elf
LD       = ld.lld
OBJCOPY  = $(firstword $(wildcard /usr/lib/llvm-*/bin/llvm-objcopy) objcopy)
AR       = $(firstword $(wildcard /usr/lib/llvm-*/bin/llvm-ar) ar)
else
TARGET  :=
LD       = $(CROSS)ld
OBJCOPY  = $(CROSS)objcopy
AR       = $(CROSS)ar
endif
HOSTCC  ?= cc
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo "  $(1)	$(patsubst $(B)/%,%,$@)")

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(CI),-Werror)
FREE    := $(TARGET) -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-stack-protector -mno-red-zone -fcf-protection=none \
           -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common -mgeneral-regs-only $(WARN) \
           -I. -I$(B)/include -D__XEN_INTERFACE_VERSION__=0x00040d00 -MMD -MP
HVFLAGS := $(FREE) -Ihypervisor -fpie -fvisibility=hidden -DPARADOR -D__XEN__
PVFLAGS := $(FREE) -fno-pic -mcmodel=kernel

all: $(B)/parador $(B)/parador.syms $(B)/pvkernel
.PHONY: all
.DELETE_ON_ERROR:
.SECONDARY:

# The public ABI headers, and nothing else of the host's /usr/include.
XENHDRS ?= /usr/include/xen
$(B)/include/xen:
	$(Q)mkdir -p $(B)/include && ln -sfn $(XENHDRS) $@

# Objects depend on the flags they were built with.
FLAGS   := $(CC) $(HVFLAGS) $(PVFLAGS)
$(B)/flags: FORCE | $(B)/include/xen
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
FORCE:
.PHONY: FORCE

include hypervisor/objs.mk
include libpv/objs.mk
include drivers/objs.mk
include pvkernel/objs.mk
include tests/objs.mk
-include toolchain/run.mk

-include $(shell find $(B) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B)
.PHONY: clean
