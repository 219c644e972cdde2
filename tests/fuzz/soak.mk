# SPDX-License-Identifier: MIT
# Soaks: what takes too long for every run of the tests.

SOAK_COMMANDS ?= 100000
# native leads: it is the fastest, and what it answers is what the commands build on.
SOAK_GUESTS ?= native $(filter-out native,$(ARCHES))

soak-twins: ## 100,000 random commands on all machines in lockstep; SEED=N SOAK_COMMANDS=N repeat one
	@$(MAKE) all
	$(Q)$(PYTHON) tests/fuzz/soak_twins.py --commands $(SOAK_COMMANDS) \
		$(if $(SEED),--seed $(SEED)) $(SOAK_GUESTS)

hostile: ## lines that nobody should send: HOSTILE_LINES=N (100,000) to each of SOAK_GUESTS; SEED=N
	@$(MAKE) all
	$(Q)$(PYTHON) tests/fuzz/hostile.py --lines $(or $(HOSTILE_LINES),100000) \
		$(if $(SEED),--seed $(SEED)) $(SOAK_GUESTS)

soak: ## all kinds of fuzzing, each for TIME seconds (60), or COMMANDS=N: a table of figures; SEED=N
	@./arch/deps.sh fuzz
	@$(MAKE) all
	@$(MAKE) ARCH=native build/native/tests/fuzz/fuzz_line build/native/tests/fuzz/fuzz_ops \
		build/fuzz/clang-19/fuzz_line build/fuzz/clang-19/fuzz_ops build/fuzz/clang-19/line.dict
	$(Q)$(PYTHON) tests/fuzz/soak.py --time $(or $(TIME),60) \
		$(if $(COMMANDS),--commands $(COMMANDS)) $(if $(SEED),--seed $(SEED)) \
		$(SOAK_GUESTS)

STRESS_GUESTS ?= tsan $(filter-out native,$(ARCHES))
soak-stress: ## all processors of each of STRESS_GUESTS at work for TIME seconds (600); CPUS=N SEED=N
	@$(MAKE) all
	@$(MAKE) tsan
	$(Q)$(PYTHON) tests/fuzz/soak_stress.py --time $(or $(TIME),600) --cpus $(or $(CPUS),4) \
		$(if $(SEED),--seed $(SEED)) $(STRESS_GUESTS)

ORACLE_OPS ?= 10000000
soak-oracle: ## 10 million random operations of the page engine against its oracle; ORACLE_OPS=N SEED=N
	@$(MAKE) ARCH=native build/bench/page_oracle
	$(Q)PFNLAB_ORACLE_OPS=$(ORACLE_OPS) $(if $(SEED),PFNLAB_ORACLE_SEED=$(SEED)) build/bench/page_oracle

# The unit test of `make unit`, optimised as the benchmark is: the oracle asks for many cycles.
ifeq ($(ARCH),native)
ORACLE_SOURCES := tests/unit/test_page_oracle.c $(wildcard tests/unit/page_*.c) \
	tests/unit/support.c kernel/error.c $(LONE_CPU) $(wildcard kernel/mm/*.c)
ORACLE_OBJECTS := $(ORACLE_SOURCES:%=build/bench/%.o)

build/bench/page_oracle: $(ORACLE_OBJECTS)
	$(Q)$(BENCH_CC) -o $@ $^ -lcmocka

-include $(ORACLE_OBJECTS:.o=.d)
endif
.PHONY: soak soak-twins soak-oracle soak-stress hostile
