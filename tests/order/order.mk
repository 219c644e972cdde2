# SPDX-License-Identifier: MIT
# What the memory orders of locks, jobs and caches promise, watched by ThreadSanitizer: see order.c.

order: ## that what is handed from CPU to CPU is seen there; a weaker memory order is a race
	@$(MAKE) $(AT_ONCE) ARCH=native order-run

ifeq ($(ARCH),native)
ORDER := $(BUILD)/order
ORDER_SOURCES := $(wildcard tests/order/*.c) $(wildcard kernel/mm/*.c) kernel/lock.c kernel/smp.c \
	kernel/machine_mmu.c kernel/lab_events.c protocol/stress_rest.c kernel/error.c kernel/lib/format.c
ORDER_OBJECTS := $(ORDER_SOURCES:%=$(ORDER)/%.o)
ORDER_FLAGS := $(CPPFLAGS) $(CFLAGS_COMMON) -O1 -fsanitize=thread -DINTERLEAVE

$(ORDER)/%.o: % $(BUILD)/flags tests/order/order.mk
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC order $<")
	$(Q)$(CC) $(ORDER_FLAGS) -c -o $@ $<

$(ORDER)/order: $(ORDER_OBJECTS)
	$(if $(V),,@echo "  LINK $@")
	$(Q)$(CC) -fsanitize=thread -o $@ $^ -lcmocka

# The planted one is to be found.
unit-run: order-run
order-run: $(ORDER)/order
	@for case in $$($<); do \
		$< $$case >$<.log 2>&1 && is=green || is=red; \
		test $$case = planted && wanted=red || wanted=green; \
		test $$is = $$wanted || { cat $<.log; echo "unit tests FAILED: order $$case"; exit 1; }; \
	done
	@echo "order: passed, $$($< | wc -l) cases"

-include $(ORDER_OBJECTS:.o=.d)
endif
.PHONY: order order-run
