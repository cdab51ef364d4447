# SPDX-License-Identifier: MIT
# tests/guest/NAME/*.c is a bootable guest each; tests/host/NAME_test.c runs on the build machine under Criterion.
GUEST_TESTS := $(notdir $(patsubst %/,%,$(dir $(wildcard tests/guest/*/main.c))))
guest-tests: $(addprefix $(B)/tests/guest/,$(GUEST_TESTS))
.PHONY: guest-tests
.SECONDEXPANSION:
$(addprefix $(B)/tests/guest/,$(GUEST_TESTS)): $(B)/tests/guest/%: $$(call pvobjs,$$(wildcard tests/guest/$$*/*.c tests/guest/$$*/*.S)) $(call pvobjs,$(wildcard tests/guest/*.c)) $(B)/libpv.a toolchain/guest.lds
	$(call say,LD)
	$(link-guest)
