# SPDX-License-Identifier: MIT
PROVEN := bit_of,bit_lowest,bitmap_test,bitmap_set,bitmap_clear,bitmap_write

prove: ## the contracts of tests/proof, by Frama-C (a minute; installs 250 MB)
	@./arch/deps.sh prove
	@[ -f ~/.why3.conf ] || why3 config detect >/dev/null 2>&1
	$(Q)frama-c -no-autoload-plugins -load-module wp,rtegen -cpp-extra-args="-I. -D__x86_64__" \
		-wp -wp-rte -wp-prover cvc4,z3 -wp-timeout 20 -wp-fct $(PROVEN) tests/proof/bitmap.c \
		| tee build/proof.log | grep -vE ': Valid'
	@grep -qE 'Proved goals: +([0-9]+) / \1$$' build/proof.log
.PHONY: prove
