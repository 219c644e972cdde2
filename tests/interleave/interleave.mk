# SPDX-License-Identifier: MIT
# The allocators under chosen schedules: built with yield points, run by `make unit`.

interleave: ## chosen schedules of two and three CPUs; a failing one tells how to run it again
	@$(MAKE) $(AT_ONCE) ARCH=native interleave-run

ifeq ($(ARCH),native)
INTERLEAVE := $(BUILD)/interleave
INTERLEAVE_SOURCES := $(wildcard tests/interleave/*.c) $(wildcard kernel/mm/*.c) kernel/lock.c \
	kernel/error.c kernel/lib/format.c
INTERLEAVE_OBJECTS := $(INTERLEAVE_SOURCES:%=$(INTERLEAVE)/%.o)

$(INTERLEAVE)/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC interleave $<")
	$(Q)$(FLAGS) -DINTERLEAVE -c -o $@ $<

$(INTERLEAVE)/interleave: $(INTERLEAVE_OBJECTS)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcmocka

unit-run: interleave-run
interleave-run: $(INTERLEAVE)/interleave
	@$< >$<.log 2>&1 || { cat $<.log; echo "unit tests FAILED: interleave"; exit 1; }
	@echo "interleave: passed, $$(grep -c passed $<.log) scenarios"
	@grep planted- $<.log

-include $(INTERLEAVE_OBJECTS:.o=.d)
endif
.PHONY: interleave interleave-run
