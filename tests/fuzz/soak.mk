# SPDX-License-Identifier: MIT
# Soaks: what takes too long for every run of the tests.

SOAK_COMMANDS ?= 100000
# native leads: it is the fastest, and what it answers is what the commands build on.
SOAK_GUESTS ?= native $(filter-out native,$(ARCHES))

soak-twins: ## 100,000 random commands on all machines in lockstep; SEED=N SOAK_COMMANDS=N repeat one
	@$(MAKE) all
	$(Q)$(PYTHON) tests/fuzz/soak_twins.py --commands $(SOAK_COMMANDS) \
		$(if $(SEED),--seed $(SEED)) $(SOAK_GUESTS)

.PHONY: soak-twins
