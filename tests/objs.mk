# SPDX-License-Identifier: MIT
# tests/guest/NAME/main.c (and what lies beside it) is a bootable guest each, linked with tests/guest/*.c (the harness)
# and libpv. tests/host/NAME_test.c runs on the build machine under Criterion, with the sanitizers; its line
# `// sources: hypervisor/mm/page_type.c ...` names what it is linked with. NAME_race_test.c: the same on several CPUs. tests/bench/ is one guest, build/bench; tests/hostile/ is build/hostile.
# tests/fuzz/NAME_fuzz.c is a libFuzzer target, built by clang whatever CC is.

GUEST_TESTS := $(notdir $(patsubst %/,%,$(dir $(wildcard tests/guest/*/main.c))))
HOST_TESTS  := $(basename $(notdir $(wildcard tests/host/*_test.c)))
FUZZ_NAMES  := $(patsubst %_fuzz,%,$(basename $(notdir $(wildcard tests/fuzz/*_fuzz.c))))
BENCH_SRC   := $(wildcard tests/bench/*.c tests/bench/*.S)
HOSTILE_SRC := $(wildcard tests/hostile/*.c)

guest-tests: $(addprefix $(B)/tests/guest/,$(GUEST_TESTS))
host-tests: $(addprefix $(B)/host/,$(HOST_TESTS))
bench-guest: $(if $(BENCH_SRC),$(B)/bench)
fuzz-targets: $(addprefix $(B)/fuzz/,$(FUZZ_NAMES))
.PHONY: guest-tests host-tests bench-guest fuzz-targets

$(B)/bench: $(call pvobjs,$(BENCH_SRC) $(wildcard tests/guest/*.c tests/guest/*.S)) $(B)/libpv.a toolchain/guest.lds
	$(call say,LD)
	$(link-guest)

$(B)/hostile: $(call pvobjs,$(HOSTILE_SRC)) $(B)/libpv.a toolchain/guest.lds
	$(call say,LD)
	$(link-guest)

hostobjs = $(patsubst %,$(B)/host/obj/%.o,$(basename $(1)))
sources  = $(shell sed -n 's|^// sources: *||p' $(1))

$(B)/host/obj/%.o: %.c $(B)/flags
	$(call say,HOSTCC)
	$(Q)mkdir -p $(@D) && $(HOSTCC) $(HOSTFLAGS) -c -o $@ $<

# Tests named *_race_test, and what they are linked with: the thread sanitizer instead of the others, and a frame of
# their own instead of Criterion.
RACE_TESTS := $(filter %_race_test,$(HOST_TESTS))
RACEFLAGS  := -Itests/host/race $(filter-out -fsanitize=% -fno-sanitize%,$(HOSTFLAGS)) -fsanitize=thread -DTHREAD_SANITIZER \
              $(if $(findstring clang,$(HOSTCC)),-mllvm -tsan-distinguish-volatile,--param tsan-distinguish-volatile=1)
raceobjs    = $(patsubst %,$(B)/host/race/%.o,$(basename $(1)))

$(B)/host/race/%.o: %.c $(B)/flags
	$(call say,HOSTCC)
	$(Q)mkdir -p $(@D) && $(HOSTCC) $(RACEFLAGS) -c -o $@ $<

# Coverage guides the fuzzer, so what is only scenery (the fakes of tests/host/) isn't counted.
FUZZCC    := $(if $(findstring clang,$(HOSTCC)),$(HOSTCC),clang)
FUZZFLAGS := -Itests/fuzz $(HOSTFLAGS)
fuzzobjs   = $(patsubst %,$(B)/fuzz/obj/%.o,$(basename $(1)))

$(B)/fuzz/obj/%.o: %.c $(B)/flags
	$(call say,FUZZCC)
	$(Q)mkdir -p $(@D) && $(FUZZCC) $(FUZZFLAGS) $(if $(filter tests/host/%,$<),,-fsanitize=fuzzer-no-link) -c -o $@ $<

# The prerequisites below are computed from the target's own name, when it is wanted.
.SECONDEXPANSION:
$(addprefix $(B)/host/,$(filter-out $(RACE_TESTS),$(HOST_TESTS))): $(B)/host/%: $$(call hostobjs,tests/host/$$*.c $$(call sources,tests/host/$$*.c))
	$(call say,HOSTLD)
	$(Q)mkdir -p $(@D) && $(HOSTCC) $(HOSTFLAGS) -o $@ $^ -lcriterion

$(addprefix $(B)/host/,$(RACE_TESTS)): $(B)/host/%: $$(call raceobjs,tests/host/$$*.c $$(call sources,tests/host/$$*.c))
	$(call say,HOSTLD)
	$(Q)mkdir -p $(@D) && $(HOSTCC) -fsanitize=thread -o $@ $^

$(addprefix $(B)/fuzz/,$(FUZZ_NAMES)): $(B)/fuzz/%: $$(call fuzzobjs,tests/fuzz/$$*_fuzz.c $$(call sources,tests/fuzz/$$*_fuzz.c))
	$(call say,FUZZLD)
	$(Q)mkdir -p $(@D) && $(FUZZCC) $(FUZZFLAGS) -fsanitize=fuzzer -o $@ $^

$(addprefix $(B)/tests/guest/,$(GUEST_TESTS)): $(B)/tests/guest/%: $$(call pvobjs,$$(wildcard tests/guest/$$*/*.c tests/guest/$$*/*.S)) $(call pvobjs,$(wildcard tests/guest/*.c tests/guest/*.S)) $(B)/libpv.a toolchain/guest.lds
	$(call say,LD)
	$(link-guest)
