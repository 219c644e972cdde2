# SPDX-License-Identifier: MIT
#
# `make help` lists the targets. An architecture is a folder arch/NAME with an arch.mk in it; this
# file knows none by name, except that unit tests run on `native`, the host.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ARCHES := $(patsubst arch/%/arch.mk,%,$(wildcard arch/*/arch.mk))
PYTHON ?= /usr/bin/python3
Q := $(if $(V),,@)
# For a make in a folder of its own: as many recipes at once as there are processors, or JOBS=N,
# unless whoever called has said how many, by -j.
AT_ONCE = -O $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(or $(JOBS),$(shell nproc)))

# TSAN=1 is for native: other sanitizers, a folder of its own.
# LLVM=1 builds with clang-19 and lld-19, into a folder of its own; LLVM=-20 with those of that name.
LLVM_SUFFIX := $(or $(filter -%,$(LLVM)),-19)

WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wundef
CPPFLAGS := -I.
CFLAGS_COMMON := -std=c11 -g $(WARNINGS) -fno-omit-frame-pointer -MMD -MP

KERNEL_SOURCES := $(sort $(wildcard kernel/*.c kernel/mm/*.c kernel/lib/*.c protocol/*.c))

ifdef ARCH
ifeq ($(filter $(ARCH),$(ARCHES)),)
$(error there is no architecture '$(ARCH)'; there is: $(ARCHES))
endif
BUILD := build/$(if $(LLVM),llvm/)$(if $(TSAN),tsan/)$(ARCH)

# An arch.mk sets CC, CFLAGS, SOURCES (its own), SKIP (kernel sources that it does without), IMAGES
# (what is to be built), ISO (if it has one), and has the rules that make these from $(OBJECTS).
OBJECTS = $(addsuffix .o,$(addprefix $(BUILD)/,\
	$(SOURCES) $(filter-out $(SKIP),$(KERNEL_SOURCES))))
include arch/$(ARCH)/arch.mk

FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS_COMMON) $(CFLAGS)

image: $(IMAGES)
ready: image $(ISO)
iso: $(ISO)
	$(if $(ISO),@echo 'made $(ISO)',$(error $(ARCH) has no ISO))

$(BUILD)/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $(ARCH) $<")
	$(Q)$(FLAGS) $(CFLAGS_$(subst /,_,$<)) -c -o $@ $<

# Changes when the flags change, and only then: objects of other flags are stale.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS) $(LDFLAGS) $(OBJECTS)' | cmp -s - $@ || echo '$(FLAGS) $(LDFLAGS) $(OBJECTS)' >$@

-include $(OBJECTS:.o=.d)
endif

# Whoever has targets of their own: tests/NAME.mk or tests/NAME/*.mk.
include $(wildcard tests/*.mk tests/*/*.mk)

ifdef ARCH
all: image
else
all: $(addprefix all-,$(ARCHES)) ## every architecture; with ARCH=NAME only that one
all-%:
	@$(MAKE) $(AT_ONCE) ARCH=$* image
ready-%:
	@$(MAKE) $(AT_ONCE) ARCH=$* ready
iso:
	@echo 'which architecture? make iso ARCH=NAME' >&2; exit 2
endif

llvm: $(ARCHES:%=llvm-%) ## every architecture with clang and lld, as LLVM=1 ./run-guest.sh boots it
llvm-deps:
	@./arch/deps.sh llvm
llvm-%: llvm-deps
	@$(MAKE) $(AT_ONCE) LLVM=1 ARCH=$* image

tsan: ## the native guest under ThreadSanitizer instead of ASan and UBSan
	@$(MAKE) $(AT_ONCE) TSAN=1 ARCH=native image

deps: ## install the Debian packages that are missing, telling which and why
	@./arch/deps.sh

# What is to be there and to pass before the scenarios, at once: no two of these make the same file.
# The longest go first.
BEFORE := lint-types native-tested $(patsubst %,ready-%,$(filter-out native,$(ARCHES))) \
	$(ARCHES:%=llvm-%) tsan static bench-programs lint-python lint-scripts

# Tests run side by side, each worker with guests of its own. They wait for a third of their time:
# three share two processors.
WORKERS = $(or $(JOBS),$(shell echo $$(($$(nproc) * 3 / 2))))

test: deps ## everything: build all, unit tests, lint, scenarios on all machines; JOBS=N at once
	@$(MAKE) $(AT_ONCE) $(BEFORE)
	$(Q)$(PYTHON) -m pytest -q -rs -n $(WORKERS) tests $(PYTEST_ARGS)
native-tested:
	@$(MAKE) $(AT_ONCE) ARCH=native ready unit-run

SCRIPTS := run-guest.sh .ci/run $(wildcard arch/*.sh arch/*/*.sh)
lint: lint-scripts lint-python lint-types ## the style of scripts and Python, the types of Python
lint-scripts:
	$(Q)shellcheck -x $(SCRIPTS)
lint-python:
	$(Q)$(PYTHON) -m flake8 --max-line-length 100 arch host tests protocol
lint-types:
	$(Q)MYPYPATH=host $(PYTHON) -m mypy --strict host/pfnlab $(wildcard arch/*/*.py)

gdb: ## with ARCH=NAME: the guest, and gdb on it
	@./arch/deps.sh gdb
	$(Q)PYTHONPATH=host $(PYTHON) -m pfnlab gdb $(or $(ARCH),x86_64)

iso: ## with ARCH=NAME: the GRUB rescue ISO
help: ## this list
	@echo 'architectures: $(ARCHES)    variables: ARCH=NAME LLVM=1 V=1'
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | sort | expand -t 12

clean: ## remove everything that was built
	rm -rf build

FORCE:
.PHONY: all image ready gdb iso llvm llvm-deps tsan deps test native-tested help clean FORCE \
	lint lint-scripts lint-python lint-types
.SECONDARY:
