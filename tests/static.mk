# SPDX-License-Identifier: MIT
# What reads the C code without running it. A file is read again only when it or a header changed.

static: ## gcc -fanalyzer and cppcheck on what needs no machine
	@$(MAKE) $(AT_ONCE) ARCH=native static-run

lint: static

ifeq ($(ARCH),native)
STATIC_SOURCES := $(sort $(KERNEL_SOURCES) $(filter arch/%,$(UNIT_SOURCES)))
STATIC_OBJECTS := $(STATIC_SOURCES:%=build/static/%.o)

build/static/%.o: %
	@mkdir -p $(@D)
	$(if $(V),,@echo "  ANALYZE $<")
	$(Q)gcc $(CPPFLAGS) $(CFLAGS_COMMON) -O1 -fanalyzer $(STATIC_FLAGS_$<) -c -o $@ $<

# place_spot() and areas_join() fill in what they are said to read.
static-run: $(STATIC_OBJECTS)
	$(Q)cppcheck --quiet --std=c11 -I. --enable=warning,performance,portability \
		--cppcheck-build-dir=build/static --error-exitcode=1 \
		--suppress=ctuuninitvar:kernel/mm/page_place.c \
		--suppress=uninitvar:protocol/handlers.c $(STATIC_SOURCES)

-include $(STATIC_OBJECTS:.o=.d)
endif
.PHONY: static static-run
