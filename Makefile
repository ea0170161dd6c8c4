# `make` alone lists what there is. Needs Python 3.11 or later with pip, and a package registry.

PYTHON ?= python3
# Meltano may come from another Python: not every one has it.
MELTANO_PYTHON ?= $(PYTHON)
# Rows of the local Dynamics 365.
ROWS ?= 50000

# Of the simulation: histories for each of its tests. Of the storms: schedules of faults for each.
HISTORIES ?= 300
SCHEDULES ?= 2000

# Of the soak: rows to read.
SOAK_ROWS ?= 20000000

# Of the benchmarks: rounds at most, and how large the tables are, full or small.
ROUNDS ?= 3
SCALE ?= full
BENCH := bench-tap bench-target-postgres bench-ms-dynamics bench-airbyte bench-dlt bench-dataverse

# Of the tests, beside .venv: the tap without extras, and programs that nobody here wrote.
OIDC := tests/servers/oidc/node_modules
TEST := .venv-plain .venv-meltano .venv-singer-tools .venv-dataverse-client $(OIDC)

MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv has certificate authorities of its own; a company's are the machine's.
export UV_SYSTEM_CERTS ?= true
# Once, rather than at each start of a program where Python may not keep what it compiled.
export UV_COMPILE_BYTECODE ?= true

# A new environment. Without venv's pip: Debian has that in a package apart.
define environment
@$(1) -c "import sys; sys.version_info >= (3, 11) or sys.exit( \
	'Python 3.11 or later is needed; $(1) is %d.%d. Name another: make PYTHON=python3.12' \
	% sys.version_info[:2])"
@echo "Making the environment $(2)"
@$(1) -m venv --without-pip $(2)
endef

# uv needs seconds for what takes pip half a minute, and Meltano has it with it anyway.
INSTALL := .venv/bin/uv pip install --quiet --python

# An environment half made is made again.
.DELETE_ON_ERROR:
.PHONY: help demo sandbox test simulate storms soak audit bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo-installed .venv-meltano/installed ## Dynamics 365 to PostgreSQL, all on this machine, in two minutes
	@.venv/bin/python -m demo --rows $(ROWS)

sandbox: .venv/demo-installed ## Run a local Dynamics 365 to work with; Ctrl-C ends it
	@.venv/bin/python -m sandbox --rows $(ROWS)

test: .venv/test-installed $(TEST:%=%/installed) ## Check style and types, and run all tests
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pytest --numprocesses 2 --dist loadgroup

simulate: .venv/test-installed .venv-meltano/installed ## Try many made-up histories of changes and interruptions
	SIMULATED_HISTORIES=$(HISTORIES) .venv/bin/pytest tests/simulation --numprocesses 2 --dist loadgroup

storms: .venv/test-installed ## Try many made-up schedules of faults
	STORM_SCHEDULES=$(SCHEDULES) .venv/bin/pytest tests/storms --numprocesses 2 --dist load

soak: .venv/test-installed ## Read millions of rows under faults, in bounded memory
	@.venv/bin/python -m soak --rows $(SOAK_ROWS)

# All dependencies, in the versions that are newest today. Where advisories can't be had, pip-audit
# takes every package for one that it doesn't know, and fails.
audit: .venv-audit/installed ## Look for known vulnerabilities in what the tap is installed with
	@.venv/bin/uv pip compile --quiet --all-extras --generate-hashes pyproject.toml \
		--output-file $(<D)/audited.txt > /dev/null
	@.venv-audit/bin/pip-audit --strict --disable-pip --requirement $(<D)/audited.txt || { \
		echo "There are vulnerabilities, or no advisories to be had: pip-audit says which." ; false; }

bench: .venv-bench/installed $(BENCH:%=.venv-%/installed) ## Measure speed against other extractors; results in benchmarks/
	@.venv-bench/bin/python -m benchmarks --rounds $(ROUNDS) --scale $(SCALE)

clean: ## Remove the environments and all that tools left behind
	rm -rf .venv .venv-* $(OIDC) .meltano .*_cache .hypothesis build dist output

.venv/bin/uv:
	$(call environment,$(PYTHON),.venv)
	@$(PYTHON) -m pip --python .venv/bin/python install -qq uv

.venv/demo-installed: pyproject.toml | .venv/bin/uv
	@$(INSTALL) .venv --editable . --group demo
	@touch $@

.venv/test-installed: pyproject.toml | .venv/bin/uv
	@$(INSTALL) .venv --editable '.[azure,certificate,ntlm]' --group dev
	@touch $@

# Made anew each time: the tap that Meltano installed in it is of the old pyproject.toml too.
.venv-meltano/installed: pyproject.toml | .venv/bin/uv
	@rm -rf .venv-meltano
	$(call environment,$(MELTANO_PYTHON),.venv-meltano)
	@$(INSTALL) .venv-meltano --group meltano
	@touch $@

.venv-%/installed: pyproject.toml | .venv/bin/uv
	@rm -rf .venv-$*
	$(call environment,$(PYTHON),.venv-$*)
	@$(INSTALL) .venv-$* --group $*
	@touch $@

.venv-plain/installed .venv-bench-tap/installed: pyproject.toml | .venv/bin/uv
	@rm -rf $(@D)
	$(call environment,$(PYTHON),$(@D))
	@$(INSTALL) $(@D) --editable .
	@touch $@

# Without Node.js, or where npm can't install, the tests that need it are skipped, and say so.
$(OIDC)/installed: tests/servers/oidc/package.json
	@if ! command -v npm > /dev/null || npm install --prefix tests/servers/oidc --no-package-lock \
		--no-audit --no-fund --fetch-retries=1 --silent; then mkdir -p $(@D) && touch $@; \
	else echo "npm can't install oidc-provider: the tests that need it are skipped"; fi

# A peer that can't be installed is left out of the benchmarks, with the reason.
.venv-bench-%/installed: pyproject.toml | .venv/bin/uv
	@rm -rf .venv-bench-$*
	$(call environment,$(PYTHON),.venv-bench-$*)
	@$(INSTALL) .venv-bench-$* --group bench-$* 2> .venv-bench-$*/log || \
		mv .venv-bench-$*/log .venv-bench-$*/failed
	@touch $@
