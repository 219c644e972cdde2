# SPDX-License-Identifier: MIT
# Coverage-guided fuzzing of the native guest. A target is tests/fuzz/fuzz_NAME.c; its corpus is
# tests/fuzz/corpus/NAME, what was ever found is tests/fuzz/found/NAME. `make test` runs both through
# the same targets, built by the compiler of the native guest.

TIME ?= 60
FUZZ_CC ?= clang-19
FUZZ_TARGETS := line ops

fuzz: ## search for new paths of the native guest, by libFuzzer; TIME=SECONDS each, JOBS=N, TARGET=
	@./arch/deps.sh fuzz
	@$(MAKE) -k ARCH=native FUZZ_CC='$(FUZZ_CC)' fuzz-run
fuzz-minimise: ## merge what `make fuzz` kept into the corpus, as few files as reach as much
	@./arch/deps.sh fuzz
	@$(MAKE) ARCH=native fuzz-merge
fuzz-afl: ## the same targets under AFL++; TIME=SECONDS each, JOBS=N that tell each other what they find
	@./arch/deps.sh afl
	@$(MAKE) ARCH=native FUZZ_CC=afl-clang-fast fuzz-afl-run

ifeq ($(ARCH),native)
# All of the guest but its console and its start.
FUZZ_line := tests/fuzz/fuzz_line.c \
	$(filter-out %/main.c %/console.c $(KEEP),$(SOURCES)) \
	$(filter-out kernel/main.c $(SKIP),$(KERNEL_SOURCES))
FUZZ_ops := tests/fuzz/fuzz_ops.c $(wildcard tests/fuzz/ops_*.c) \
	$(wildcard kernel/mm/*.c) kernel/error.c $(LONE_CPU)
# What the targets compare with, and the checks: quick, and not what is searched for paths.
FUZZ_MODELS := tests/unit/page_oracle.c tests/unit/page_oracle_query.c
FUZZ_QUICK := $(FUZZ_MODELS) kernel/mm/page_check.c tests/fuzz/ops_%.c
FUZZ_LINK_line := -Wl,--wrap=cmd_panic,--wrap=cmd_corrupt
TARGET ?= $(FUZZ_TARGETS)

# ---- by a fuzzer ----
FUZZ_BUILD := build/fuzz/$(notdir $(FUZZ_CC))
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_FLAGS := $(FUZZ_CC) $(CPPFLAGS) $(CFLAGS_COMMON) -O2 -Wno-gnu-folding-constant
FUZZ_INPUT = -dict=$(FUZZ_BUILD)/line.dict -max_len=$(if $(filter line,$*),4096,1024)

$(FUZZ_BUILD)/%.o: %
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC fuzz $<")
	$(Q)$(FUZZ_FLAGS) $(if $(filter $(FUZZ_QUICK),$<),,-fsanitize=fuzzer-no-link \
		$(FUZZ_SANITIZE)) $(if $(filter kernel/mm/%,$<),-fno-sanitize-coverage=trace-cmp) -c -o $@ $<

define fuzz_program
FUZZ_OBJECTS_$1 := $$(FUZZ_$1:%=$$(FUZZ_BUILD)/%.o) $$(FUZZ_BUILD)/tests/fuzz/fuzz.c.o \
	$(if $(filter ops,$1),$$(FUZZ_MODELS:%=$$(FUZZ_BUILD)/%.o))
$$(FUZZ_BUILD)/fuzz_$1: $$(FUZZ_OBJECTS_$1)
	$$(Q)$$(FUZZ_FLAGS) -fsanitize=fuzzer $$(FUZZ_SANITIZE) $$(FUZZ_LINK_$1) -o $$@ $$^

# By the native guest's compiler, without a fuzzer.
$$(BUILD)/tests/fuzz/fuzz_$1: $$(FUZZ_$1:%=$$(BUILD)/%.o) $$(BUILD)/tests/fuzz/fuzz.c.o \
		$$(BUILD)/tests/fuzz/replay.c.o $(if $(filter ops,$1),$$(FUZZ_MODELS:%=$$(BUILD)/%.o))
	$$(if $$(V),,@echo "  LINK $$@")
	$$(Q)$$(CC) $$(LDFLAGS) $$(FUZZ_LINK_$1) -o $$@ $$^
FUZZ_DEPENDENCIES += $$(FUZZ_OBJECTS_$1:.o=.d) $$(FUZZ_$1:%=$$(BUILD)/%.d) \
	$$(BUILD)/tests/fuzz/fuzz.c.d $$(BUILD)/tests/fuzz/replay.c.d
endef
$(foreach name,$(FUZZ_TARGETS),$(eval $(call fuzz_program,$(name))))

$(FUZZ_BUILD)/line.dict: tests/fuzz/dictionary.py $(IMAGES)
	@mkdir -p $(@D)
	$(Q)printf '> help\n' | $(IMAGES) | $(PYTHON) $< >$@

FUZZ_TELL = echo "found: $$file; as a test it goes to tests/fuzz/found/$*"; \
	PFNLAB_SCRIPT=1 $(BUILD)/tests/fuzz/fuzz_$* "$$file"

fuzz-run: $(TARGET:%=fuzz-run-%)
fuzz-run-%: $(FUZZ_BUILD)/fuzz_% $(FUZZ_BUILD)/line.dict $(BUILD)/tests/fuzz/fuzz_%
	@mkdir -p build/fuzz/corpus/$* build/fuzz/found
	@ASAN_OPTIONS=detect_leaks=0 $(FUZZ_BUILD)/fuzz_$* $(FUZZ_INPUT) -max_total_time=$(TIME) \
		$(if $(filter-out 1,$(JOBS)),-fork=$(JOBS)) -print_final_stats=1 -timeout=20 \
		-artifact_prefix=build/fuzz/found/$*- build/fuzz/corpus/$* tests/fuzz/corpus/$* \
		$(wildcard tests/fuzz/found/$*) \
	|| { for file in $$(ls -t build/fuzz/found/$*-* | head -n 1); do $(FUZZ_TELL); done; exit 1; }

# What the fuzzer kept, and the corpus that was: as few files as reach every edge that they do
# (by operations: as often).
fuzz-merge: $(TARGET:%=fuzz-merge-%)
fuzz-merge-%: $(FUZZ_BUILD)/fuzz_%
	@rm -rf build/fuzz/merged && mkdir -p build/fuzz/merged build/fuzz/corpus/$*
	@ASAN_OPTIONS=detect_leaks=0 $(FUZZ_BUILD)/fuzz_$* -set_cover_merge=1 \
		$(if $(filter line,$*),-use_counters=0) build/fuzz/merged tests/fuzz/corpus/$* build/fuzz/corpus/$*
	@rm -rf tests/fuzz/corpus/$* && mv build/fuzz/merged tests/fuzz/corpus/$*

# Names that are one host's own, so that directories of several hosts can be copied together.
AFL_HOST = $$(hostname | tr -cd '[:alnum:]' | cut -c 1-20)
fuzz-afl-run: $(TARGET:%=fuzz-afl-run-%)
fuzz-afl-run-%: $(FUZZ_BUILD)/fuzz_% $(FUZZ_BUILD)/line.dict $(BUILD)/tests/fuzz/fuzz_%
	@mkdir -p build/fuzz/afl
	@for n in $$(seq $(or $(JOBS),1)); do \
		AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 \
			AFL_AUTORESUME=1 afl-fuzz \
			$$([ $$n = 1 ] && echo -M || echo -S) $(AFL_HOST)-$$n -i tests/fuzz/corpus/$* \
			-o build/fuzz/afl/$* -x $(FUZZ_BUILD)/line.dict -V $(TIME) \
			-- $(FUZZ_BUILD)/fuzz_$* >build/fuzz/afl/$*-$$n.log 2>&1 & \
	done; wait
	@for stats in build/fuzz/afl/$*/*/fuzzer_stats; do echo "$$stats: $$(sed -nE \
		's/^(execs_done|execs_per_sec|corpus_found|corpus_imported|saved_crashes) *: (.*)/\1 \2/p' \
		$$stats | tr '\n' ' ')"; done
	@none=yes; for file in build/fuzz/afl/$*/*/crashes/id*; do \
		[ ! -e "$$file" ] || { none=; $(FUZZ_TELL); }; done; [ "$$none" ]

# ---- in the tests ----
unit-run: fuzz-replay
fuzz-replay: $(FUZZ_TARGETS:%=fuzz-replay-%)
fuzz-replay-%: $(BUILD)/tests/fuzz/fuzz_%
	@ASAN_OPTIONS=detect_leaks=0 $< tests/fuzz/corpus/$* $(wildcard tests/fuzz/found/$*) \
		>$<.log 2>&1 || { cat $<.log; exit 1; }
	@echo "fuzz $*: passed, $$(tail -n 1 $<.log)"

-include $(FUZZ_DEPENDENCIES)
endif
.PHONY: fuzz fuzz-minimise fuzz-afl fuzz-run fuzz-merge fuzz-afl-run fuzz-replay
