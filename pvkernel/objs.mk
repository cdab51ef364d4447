# SPDX-License-Identifier: MIT
# The teaching kernel: core/ knows no machine, arch/pv/ is its port to the PV ABI, user/ holds its programs.
PVKERNEL_SRC := $(wildcard pvkernel/core/*.c pvkernel/arch/pv/*.c pvkernel/arch/pv/*.S)
$(B)/pvkernel: $(call pvobjs,$(PVKERNEL_SRC)) $(B)/drivers.a $(B)/libpv.a toolchain/guest.lds
	$(call say,LD)
	$(link-guest)
