# SPDX-License-Identifier: MIT
# The benchmark: engine workloads counted by callgrind, starts and the line by the clock.

bench: ## the benchmark's table (some minutes); MARKDOWN=1: as in README.md; RECORD=1: there
	@./arch/deps.sh
	@./arch/deps.sh peers || echo 'pfnlab: without the peers' >&2
	@$(MAKE) $(addprefix ready-,$(ARCHES))
	@$(MAKE) bench-programs
	@./arch/deps.sh fuzz && $(MAKE) ARCH=native build/fuzz/$(FUZZ_CC)/fuzz_ops \
		|| echo 'pfnlab: without a fuzzer' >&2
	@PYTHONPATH=host $(PYTHON) tests/bench/bench.py build/bench \
		$(if $(RECORD),record,$(MARKDOWN:1=markdown))

bench-long: ## `make test` by the clock, the oracle's 10 million; LONG='test oracle'; RECORD=1
	@PYTHONPATH=host $(PYTHON) tests/bench/long_runs.py $(if $(RECORD),record) \
		$(or $(LONG),test oracle)

bench-counts: ## are the counts those that are recorded? (minutes); RECORD=1: they are from now on
	@./arch/deps.sh
	@$(MAKE) bench-programs
	@PYTHONPATH=host $(PYTHON) tests/bench/bench.py build/bench \
		$(if $(RECORD),record-counts,compare)

profile: ## where the instructions and cache lines of the hot paths go; WORKLOAD=NAME only that one
	@./arch/deps.sh
	@$(MAKE) $(AT_ONCE) ARCH=native $(addprefix build/bench/,engine_bench lines_bench \
		virtual_bench cpus_bench)
	@PYTHONPATH=host $(PYTHON) tests/bench/profile.py build/bench $(WORKLOAD)

bench-check: ## the benchmark itself: it sees a slowed engine and two that are wrong
	@./arch/deps.sh
	@$(MAKE) $(AT_ONCE) ARCH=native build/bench/engine_bench
	@$(PYTHON) tests/bench/check.py build/bench/engine_bench

bench-programs:
	@$(MAKE) $(AT_ONCE) ARCH=native build/bench/engine_bench $(addprefix build/bench/,\
		virtual_bench cpus_bench peer_bench lines_bench line_client first_x86_64.elf first_s390x.elf)

# An optimised build without sanitizers: what is counted is the engine, not its instrumentation.
ifeq ($(ARCH),native)
BENCH_SOURCES := tests/bench/engine_bench.c tests/bench/engine_worst.c \
	tests/bench/engine_quality.c tests/bench/engine_wrong.c tests/bench/steady.c kernel/error.c \
	$(LONE_CPU) $(wildcard kernel/mm/*.c)
BENCH_MAINS := $(addprefix tests/bench/,engine_main.c peer_main.c lines_main.c line_client.c)
BENCH_OBJECTS := $(BENCH_SOURCES:%=build/bench/%.o)
BENCH_CC := $(CC) $(CPPFLAGS) -std=c11 -g -O2 $(WARNINGS)

build/bench/%.o: %
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) -MMD -MP -c -o $@ $<

# Of these functions the C library has several, and the processor chooses.
OWN_STRING := build/bench/kernel/lib/string.c.o

build/bench/engine_bench: build/bench/tests/bench/engine_main.c.o $(BENCH_OBJECTS) $(OWN_STRING)
	$(Q)$(BENCH_CC) -static -o $@ $^

build/bench/peer_bench: build/bench/tests/bench/peer_main.c.o $(BENCH_OBJECTS)
	$(Q)$(BENCH_CC) -o $@ $^

# The engines as for the thread sanitizer, whose runtime is tests/bench/lines_main.c.
LINES_COUNTED := $(filter-out kernel/mm/pages%,$(wildcard kernel/mm/page*.c kernel/mm/list*.c))
LINES_OBJECTS := $(LINES_COUNTED:%=build/lines/%.o) build/bench/tests/bench/lines_main.c.o \
	$(patsubst %,build/bench/%.o,$(filter-out $(LINES_COUNTED),$(BENCH_SOURCES)))

build/lines/%.o: %
	@mkdir -p $(@D)
	$(Q)$(BENCH_CC) -fsanitize=thread -MMD -MP -c -o $@ $<

build/bench/lines_bench: $(LINES_OBJECTS)
	$(Q)$(BENCH_CC) -static -o $@ $^

build/bench/line_client: build/bench/tests/bench/line_client.c.o build/bench/kernel/lib/crc.c.o
	$(Q)$(BENCH_CC) -o $@ $^

# What an emulator takes for itself: tests/bench/machine_bench.py.
build/bench/first_x86_64.elf: tests/bench/first_x86_64.S
	@mkdir -p $(@D)
	$(Q)$(CC) -m32 -nostdlib -static -Wl,-Ttext=0x100000,--build-id=none -o $@ $<

build/bench/first_s390x.elf: tests/bench/first_s390x.S
	@mkdir -p $(@D)
	$(Q)s390x-linux-gnu-gcc -nostdlib -static -Wl,-Ttext=0x10000,--build-id=none -o $@ $<

VIRTUAL_SOURCES := tests/bench/virtual_bench.c arch/x86/pte.c arch/common/radix.c \
	arch/common/radix_protect.c arch/common/space.c kernel/error.c $(LONE_CPU) \
	$(wildcard kernel/mm/*.c)
VIRTUAL_OBJECTS := $(VIRTUAL_SOURCES:%=build/bench/%.o)

build/bench/virtual_bench: $(VIRTUAL_OBJECTS) $(OWN_STRING)
	$(Q)$(BENCH_CC) -static -o $@ $^

CPUS_SOURCES := tests/bench/cpus_bench.c kernel/lock.c kernel/lib/format.c kernel/error.c \
	$(wildcard kernel/mm/*.c)
CPUS_OBJECTS := $(CPUS_SOURCES:%=build/bench/%.o)

build/bench/cpus_bench: $(CPUS_OBJECTS)
	$(Q)$(BENCH_CC) -o $@ $^

-include $(BENCH_OBJECTS:.o=.d) $(OWN_STRING:.o=.d) $(VIRTUAL_OBJECTS:.o=.d) $(CPUS_OBJECTS:.o=.d) \
	$(LINES_COUNTED:%=build/lines/%.d) $(BENCH_MAINS:%=build/bench/%.d)
endif
.PHONY: bench bench-check bench-counts bench-long bench-programs profile
