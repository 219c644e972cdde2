# SPDX-License-Identifier: MIT
doc: ## protocol/COMMANDS.md and the table's number in pages, from the native guest's help
	@$(MAKE) ARCH=native image
	$(Q)printf '> help\n' | build/native/pfnlab | \
		$(PYTHON) protocol/commands_doc.py kernel/errors.def >build/COMMANDS.md
	$(Q)mv build/COMMANDS.md protocol/COMMANDS.md
	$(Q)printf '> help\n' | build/native/pfnlab | \
		$(PYTHON) protocol/schema_doc.py protocol/PROTOCOL.md README.md
.PHONY: doc
