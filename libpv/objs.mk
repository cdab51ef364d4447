# SPDX-License-Identifier: MIT
# libpv: what any PV guest needs. Guest objects of every folder are built by the rules here.
LIBPV_SRC := $(wildcard libpv/*.c libpv/*.S)
pvobjs     = $(patsubst %,$(B)/pv/%.o,$(basename $(1)))

$(B)/pv/%.o: %.c $(B)/flags
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(PVFLAGS) -c -o $@ $<
$(B)/pv/%.o: %.S $(B)/flags
	$(call say,AS)
	$(Q)mkdir -p $(@D) && $(CC) $(PVFLAGS) -D__ASSEMBLY__ -c -o $@ $<

$(B)/libpv.a: $(call pvobjs,$(LIBPV_SRC))
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# link-guest: all prerequisites, libpv last, by the guests' linker script.
link-guest = $(Q)mkdir -p $(@D) && $(LD) -m elf_x86_64 -static -nostdlib -z max-page-size=4096 -T toolchain/guest.lds -o $@ $(filter %.o,$^) $(filter %.a,$^)
