# SPDX-License-Identifier: MIT
PROVEN := bit_of,bit_lowest,bitmap_test,bitmap_set,bitmap_clear,bitmap_write

# Both kinds of machine: a word is the same, how the lowest bit of it is found is not.
PROOF_TARGETS := x86_64 i386

# Nothing is computed ahead of the branch that asks whether it may be; a signed shift asks.
NOT_AHEAD := -phi-node-folding-threshold=0 -two-entry-phi-node-folding-threshold=0
SHIFTS := -fsanitize=shift-base -fsanitize-trap=shift-base

# Of a processor, for each claim on each target: five times what the dearest one takes.
PROOF_SECONDS ?= 300

prove: prove-bitmap $(PROOF_TARGETS:%=prove-%) ## what tests/proof claims (minutes; installs 300 MB)
	$(Q)$(PYTHON) tests/proof/prove.py --seconds $(PROOF_SECONDS) $(JOBS:%=-j%) \
		build/proof $(PROOF_TARGETS)

prove-bitmap:
	@./arch/deps.sh prove
	@mkdir -p build/proof
	@[ -f ~/.why3.conf ] || why3 config detect >/dev/null 2>&1
	$(Q)frama-c -no-autoload-plugins -load-module wp,rtegen -cpp-extra-args="-I. -D__x86_64__" \
		-wp -wp-rte -wp-prover cvc4,z3 -wp-timeout 20 -wp-fct $(PROVEN) tests/proof/bitmap.c \
		> build/proof/bitmap.log; grep -vE ': Valid' build/proof/bitmap.log
	@grep -qE 'Proved goals: +([0-9]+) / \1$$' build/proof/bitmap.log

$(PROOF_TARGETS:%=prove-%): prove-%:
	@./arch/deps.sh prove
	@mkdir -p build/proof
	$(Q)for c in wrong claims; do \
		clang$(LLVM_SUFFIX) --target=$*-linux-gnu -std=c11 -ffreestanding -I. $(WARNINGS) \
			-Wconditional-uninitialized -Wno-bitwise-instead-of-logical $(SHIFTS) -O1 \
			-Xclang -disable-llvm-passes -fno-discard-value-names -S -emit-llvm \
			-o build/proof/$*-$$c.raw.ll tests/proof/$$c.c && \
		opt$(LLVM_SUFFIX) -S -passes='function(sroa,simplifycfg)' $(NOT_AHEAD) \
			-o build/proof/$*-$$c.ll build/proof/$*-$$c.raw.ll || exit; \
	done
.PHONY: prove prove-bitmap $(PROOF_TARGETS:%=prove-%)
