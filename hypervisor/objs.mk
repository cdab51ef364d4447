# SPDX-License-Identifier: MIT
# Two builds from one source: hv (release) and hv-debug (assertions, invariant checker, lock order).
HV_SRC  := $(wildcard hypervisor/*/*.c hypervisor/*/*.S)
HV_SRC  := $(filter-out hypervisor/x86/offsets.c hypervisor/boot/wrap.S,$(HV_SRC))
HV_OBJ  := $(patsubst %,%.o,$(basename $(HV_SRC)))

define hv-build
$(B)/$(1)/offsets.h: hypervisor/x86/offsets.c $(B)/flags
	$$(call say,GEN)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(HVFLAGS) $(2) -MF $(B)/$(1)/offsets.d -MT $$@ -S -o - $$< | sed -n 's/^.*@offset \([A-Za-z0-9_]*\) [$$$$]*\(-*[0-9]*\).*/#define \1 \2/p' > $$@
$(B)/$(1)/%.o: %.c $(B)/flags
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(HVFLAGS) $(2) -c -o $$@ $$<
$(B)/$(1)/%.o: %.S $(B)/flags $(B)/$(1)/offsets.h
	$$(call say,AS)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(HVFLAGS) $(2) -I$(B)/$(1) -D__ASSEMBLY__ -c -o $$@ $$<
$(B)/$(3).syms: $(addprefix $(B)/$(1)/,$(HV_OBJ)) hypervisor/parador.lds
	$$(call say,LD)
	$$(Q)$$(LD) -m elf_x86_64 -static -nostdlib -z max-page-size=4096 --build-id=none -T hypervisor/parador.lds -o $$@ $$(filter %.o,$$^)
# QEMU's -kernel takes only an ELF32 image: the flat image travels inside one.
$(B)/$(3): $(B)/$(3).syms hypervisor/boot/wrap.S hypervisor/boot/wrap.lds
	$$(call say,WRAP)
	$$(Q)$$(OBJCOPY) -O binary $$< $(B)/$(1)/flat.bin
	$$(Q)$$(CC) $$(TARGET) -m32 -I$(B)/$(1) -c -o $(B)/$(1)/wrap.o hypervisor/boot/wrap.S
	$$(Q)$$(LD) -m elf_i386 -nostdlib --build-id=none -T hypervisor/boot/wrap.lds -o $$@ $(B)/$(1)/wrap.o
endef
$(eval $(call hv-build,hv,,parador))
$(eval $(call hv-build,hv-debug,-DDEBUG,parador-debug))
