# SPDX-License-Identifier: MIT
# The teaching kernel: core/ knows no machine, arch/pv/ is its port to the PV ABI, user/ holds its programs.
PVKERNEL_SRC := $(wildcard pvkernel/core/*.c pvkernel/arch/pv/*.c pvkernel/arch/pv/*.S)
$(B)/pvkernel: $(call pvobjs,$(PVKERNEL_SRC)) $(B)/drivers.a $(B)/libpv.a toolchain/guest.lds
	$(call say,LD)
	$(link-guest)

# The same without what only reports read: the file `guest` of domain 0's ramdisk, for xl create.
$(B)/guest: $(B)/pvkernel
	$(call say,STRIP)
	$(Q)$(OBJCOPY) --strip-all $< $@

# Programs for the ramdisk: pvkernel/user/NAME.c each, linked with pvkernel/user/lib/ as static ELF files.
USER_PROGS := $(basename $(notdir $(wildcard pvkernel/user/*.c)))
USERFLAGS   = $(FREE) -fno-pic -Ipvkernel/user/lib
userobjs    = $(patsubst %,$(B)/userobj/%.o,$(basename $(1)))
user: $(addprefix $(B)/user/,$(USER_PROGS))
.PHONY: user
$(B)/userobj/%.o: %.c $(B)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(USERFLAGS) -c -o $@ $<
$(B)/userobj/%.o: %.S $(B)/flags
	$(call say,AS)
	$(Q)mkdir -p $(@D) && $(CC) $(USERFLAGS) -D__ASSEMBLY__ -c -o $@ $<
$(addprefix $(B)/user/,$(USER_PROGS)): $(B)/user/%: $(B)/userobj/pvkernel/user/%.o $(call userobjs,$(wildcard pvkernel/user/lib/*.c pvkernel/user/lib/*.S)) pvkernel/user/user.lds
	$(call say,LD)
	$(Q)mkdir -p $(@D) && $(LD) -m elf_x86_64 -static -nostdlib -z max-page-size=4096 -T pvkernel/user/user.lds -o $@ $(filter %.o,$^)
