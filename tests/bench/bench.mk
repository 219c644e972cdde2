# SPDX-License-Identifier: MIT
# The benchmark: engine workloads counted by callgrind, starts and the line by the clock.

bench: ## the benchmark's table (some minutes); nothing in `make test` asserts a time
	@./arch/deps.sh
	@$(MAKE) $(addprefix ready-,$(ARCHES))
	@$(MAKE) bench-programs
	@PYTHONPATH=host $(PYTHON) tests/bench/bench.py build/bench/engine_bench \
		build/bench/virtual_bench build/bench/cpus_bench

bench-check: ## the benchmark itself: it sees a slowed engine and two that are wrong
	@./arch/deps.sh
	@$(MAKE) ARCH=native build/bench/engine_bench
	@$(PYTHON) tests/bench/check.py build/bench/engine_bench

bench-programs:
	@$(MAKE) ARCH=native build/bench/engine_bench build/bench/virtual_bench build/bench/cpus_bench

# An optimised build without sanitizers: what is counted is the engine, not its instrumentation.
ifeq ($(ARCH),native)
BENCH_SOURCES := tests/bench/engine_bench.c tests/bench/engine_worst.c \
	tests/bench/engine_quality.c tests/bench/engine_wrong.c kernel/error.c $(LONE_CPU) \
	$(wildcard kernel/mm/*.c)
BENCH_OBJECTS := $(BENCH_SOURCES:%=build/bench/%.o)
BENCH_CC := $(CC) $(CPPFLAGS) -std=c11 -g -O2 $(WARNINGS)

build/bench/%.o: %
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) -MMD -MP -c -o $@ $<

build/bench/engine_bench: $(BENCH_OBJECTS)
	$(Q)$(BENCH_CC) -static -o $@ $^

VIRTUAL_SOURCES := tests/bench/virtual_bench.c arch/x86/pte.c arch/common/radix.c \
	arch/common/radix_protect.c arch/common/space.c kernel/error.c $(LONE_CPU) \
	$(wildcard kernel/mm/*.c)
VIRTUAL_OBJECTS := $(VIRTUAL_SOURCES:%=build/bench/%.o)

build/bench/virtual_bench: $(VIRTUAL_OBJECTS)
	$(Q)$(BENCH_CC) -static -o $@ $^

CPUS_SOURCES := tests/bench/cpus_bench.c kernel/lock.c kernel/lib/format.c kernel/error.c \
	$(wildcard kernel/mm/*.c)
CPUS_OBJECTS := $(CPUS_SOURCES:%=build/bench/%.o)

build/bench/cpus_bench: $(CPUS_OBJECTS)
	$(Q)$(BENCH_CC) -o $@ $^

-include $(BENCH_OBJECTS:.o=.d) $(VIRTUAL_OBJECTS:.o=.d) $(CPUS_OBJECTS:.o=.d)
endif
.PHONY: bench bench-check bench-programs
