# SPDX-License-Identifier: MIT
# What of kernel/mm and protocol/ the tests run, lines and branches, counted by gcov in a copy of the
# tree. Errors if less is run than tests/coverage/exceptions.txt tells, line by line.

COVERAGE_TREE := build/coverage/tree
COVERAGE_GUESTS ?= $(filter-out native,$(ARCHES))
COVERAGE_TESTS ?= tests/scenarios tests/protocol tests/fuzz tests/host/test_guest.py
COVERAGE_PANICS := tests/machine/test_processors.py -k 'panic and native'

coverage: ## lines and branches of kernel/mm and protocol/ that the tests run, and those they do not
	@./arch/deps.sh coverage
	@rm -rf $(COVERAGE_TREE) && mkdir -p $(COVERAGE_TREE)
	@git ls-files --cached --others --exclude-standard | \
		while read -r file; do [ ! -f "$$file" ] || echo "$$file"; done | \
		tar -cT - | tar -xC $(COVERAGE_TREE)
	@COVERAGE=1 $(MAKE) $(AT_ONCE) -C $(COVERAGE_TREE) ARCH=native image unit-run
	@cd $(COVERAGE_TREE) && COVERAGE=1 $(PYTHON) -m pytest -q -n $(WORKERS) $(COVERAGE_TESTS) --guest native \
		-p no:cacheprovider $(PYTEST_ARGS) || echo 'not all tests passed: what follows is less than they run'
	@cd $(COVERAGE_TREE) && COVERAGE=1 $(PYTHON) -m pytest -q $(COVERAGE_PANICS) \
		-p no:cacheprovider $(PYTEST_ARGS) || echo 'not all panics came'
	@cd $(COVERAGE_TREE) && gcovr -r . --filter 'kernel/mm/' --filter 'protocol/' \
		--exclude-throw-branches --json ../native.json build/native
	@for arch in $(COVERAGE_GUESTS); do $(MAKE) $(AT_ONCE) ARCH=$$arch image && \
		$(PYTHON) tests/coverage/guest.py $$arch build/coverage/guest-$$arch.json || exit; done
	@$(PYTHON) tests/coverage/report.py build/coverage/native.json \
		$(COVERAGE_GUESTS:%=build/coverage/guest-%.json)
.PHONY: coverage
