# SPDX-License-Identifier: MIT
# Tools that run on the build machine. count.so is loaded by QEMU (make bench); QEMU itself resolves what it calls.

$(B)/count.so: $(wildcard toolchain/plugin/*.[ch]) tests/bench/mark.h $(B)/flags
	$(call say,HOSTLD)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g -fPIC -shared $(WARN) -I. -o $@ $(filter %.c,$^)
