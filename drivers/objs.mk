# SPDX-License-Identifier: MIT
# Split drivers: linked into guests that use them.
DRIVERS_SRC := $(wildcard drivers/*.c drivers/*/*.c)
$(B)/drivers.a: $(call pvobjs,$(DRIVERS_SRC))
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
