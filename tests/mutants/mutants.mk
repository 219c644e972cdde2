# SPDX-License-Identifier: MIT
mutants: ## break the sources line by line: a test must notice each; NAME= chooses
	@$(MAKE) ARCH=native image unit-run >/dev/null
	$(Q)$(PYTHON) tests/mutants/run.py $(if $(JOBS),--jobs $(JOBS)) $(if $(NAME),"$(NAME)")
.PHONY: mutants
