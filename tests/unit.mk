# SPDX-License-Identifier: MIT
# Unit tests: each tests/unit/test_NAME.c is a program. It is linked with an archive of everything
# that needs no machine, so that it gets what it calls and may stand in for what it does not.

# What allocators need of CPUs where there is one, for programs without the rest of the kernel.
LONE_CPU := kernel/lock.c kernel/lib/format.c tests/unit/lone_cpu.c

unit: ## the unit tests in C, under ASan and UBSan; TEST=NAME runs one
	@$(MAKE) $(AT_ONCE) ARCH=native unit-run

ifeq ($(ARCH),native)
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_$(or $(TEST),*).c))
ifeq ($(UNIT_TESTS),)
$(if $(filter unit-run,$(MAKECMDGOALS)),$(error there is no unit test '$(TEST)'))
endif
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%)
# Parts of the ports that are plain functions and run anywhere; ports add to it.
include $(wildcard arch/*/unit.mk)
# What several tests share.
UNIT_SOURCES += $(filter-out tests/unit/test_%.c tests/unit/support.c,$(wildcard tests/unit/*.c))
UNIT_OBJECTS := $(filter-out %/kernel/main.c.o,\
	$(addsuffix .o,$(addprefix $(BUILD)/,$(UNIT_SOURCES) $(filter-out $(SKIP),$(KERNEL_SOURCES)))))

$(BUILD)/unit.a: $(UNIT_OBJECTS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.c.o $(BUILD)/tests/unit/support.c.o $(BUILD)/unit.a
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka

# Each runs as soon as it is linked. What fails does not keep the others from running.
$(UNIT_TESTS:%=unit-run-%): unit-run-%: $(BUILD)/tests/unit/%
	@rm -f $<.failed
	@if $< >$<.log 2>&1; then sed -n 's|^\[  PASSED  \]|unit $(*:test_%=%): passed|p' $<.log; \
		else cat $<.log; touch $<.failed; fi

unit-run: $(UNIT_TESTS:%=unit-run-%)
	@failed=; for name in $(UNIT_TESTS); do \
		[ ! -e $(BUILD)/tests/unit/$$name.failed ] || failed="$$failed $$name"; done; \
	test -z "$$failed" || { echo "unit tests FAILED:$$failed"; exit 1; }

-include $(UNIT_PROGRAMS:=.c.d) $(UNIT_OBJECTS:.o=.d)
endif
.PHONY: unit unit-run
