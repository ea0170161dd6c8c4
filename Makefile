# `make` alone lists the targets. Requires Python 3.11 or later with pip, and a package index.

PYTHON ?= python3
# Meltano may need another Python, because it does not support every version.
MELTANO_PYTHON ?= $(PYTHON)
# Rows of the local Dynamics 365.
ROWS ?= 50000

# Its service: dataverse or finance-operations; `make sandbox` also knows business-central.
SERVICE ?= dataverse

# The port of `make sandbox`, which stays the same, so that settings stay valid.
PORT ?= 8365

# Histories per test of the simulation, and schedules of faults per test of the storms.
HISTORIES ?= 300
SCHEDULES ?= 2000

# Rows that the soak test reads.
SOAK_ROWS ?= 20000000

# The extras of the Docker image: those for Arrow would make it several times as large.
IMAGE_EXTRAS := azure certificate configure ntlm

# The version of Apache Spark that `make spark-test` runs, and the classes of PySpark for the other
# tests: its client for Spark Connect has no Java in it.
SPARK ?= 4.3.0
SPARK_CLASSES := pyspark-client==4.2.0

# Maximum rounds of the benchmarks, and the size of their tables: full or small.
ROUNDS ?= 3
SCALE ?= full
BENCH := bench-tap bench-target-postgres bench-ms-dynamics bench-airbyte bench-dlt bench-dataverse \
	$(if $(shell command -v java),spark-$(SPARK))
BENCHMARKS := benchmarks --spark $(SPARK)
ifeq ($(SERVICE),finance-operations)
BENCH := bench-tap bench-dlt
BENCHMARKS := benchmarks.finance_operations
endif

# Environments of the tests, in addition to .venv: the tap without extras, and other programs.
NODE := tests/servers/oidc/node_modules tests/servers/axe/node_modules
TEST := .venv-plain .venv-meltano .venv-singer-tools .venv-dataverse-client $(NODE)

MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv has its own certificate authorities; those of a company are installed on the machine.
export UV_SYSTEM_CERTS ?= true
# Compile once at installation, in case Python can't write bytecode later.
export UV_COMPILE_BYTECODE ?= true

# A new environment, without pip: on Debian, venv needs a separate package for it.
define environment
@$(1) -c "import sys; sys.version_info >= (3, 11) or sys.exit( \
	'Python 3.11 or later is needed; $(1) is %d.%d. Name another: make PYTHON=python3.12' \
	% sys.version_info[:2])"
@echo "Making the environment $(2)"
@$(1) -m venv --without-pip $(2)
endef

# uv installs in seconds what takes pip half a minute, and Meltano uses it too.
INSTALL := .venv/bin/uv pip install --quiet --python

# Create an environment again if its installation failed.
.DELETE_ON_ERROR:
.PHONY: help demo sandbox test screenshots simulate storms soak spark-test audit bench hub lock \
	release-check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/demo-installed .venv-meltano/installed ## Load a local Dynamics 365 into a local PostgreSQL, in 2 minutes
	@.venv/bin/python -m demo --service $(SERVICE) --rows $(ROWS)

sandbox: .venv/demo-installed ## Run a local Dynamics 365; Ctrl-C ends it
	@.venv/bin/python -m sandbox --service $(SERVICE) --rows $(ROWS) --port $(PORT)

# The tests start hundreds of processes: without bytecode, each compiles the tap, and each worker all
# tests.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/test-installed $(TEST:%=%/installed) ## Check style and types, and run all tests
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pytest --numprocesses 4 --dist loadgroup

screenshots: .venv/test-installed .venv-meltano/installed ## Take the pictures of docs/configure.md again
	REPLACE_SCREENSHOTS=1 .venv/bin/pytest tests/configure/test_whole_way.py -k pictures

simulate: .venv/test-installed .venv-meltano/installed ## Run many generated histories of changes and interruptions
	SIMULATED_HISTORIES=$(HISTORIES) .venv/bin/pytest tests/simulation --numprocesses 2 --dist loadgroup

storms: .venv/test-installed ## Run many generated schedules of faults
	STORM_SCHEDULES=$(SCHEDULES) .venv/bin/pytest tests/storms --numprocesses 2 --dist load

soak: .venv/test-installed ## Read millions of rows under faults, in bounded memory
	@.venv/bin/python -m soak --rows $(SOAK_ROWS)

# Apache Spark starts a Java virtual machine, and its package has 450 MB.
spark-test: .venv/test-installed .venv-spark-$(SPARK)/installed ## Run the data source in Apache Spark; SPARK=4.0.5 for another version
	SPARK=$(SPARK) .venv/bin/pytest tests/spark/in_spark

# All dependencies: the versions in the lock, and the newest ones. If advisories can't be downloaded,
# pip-audit treats every package as unknown, and fails.
audit: .venv-audit/installed ## Check dependencies for known vulnerabilities, and workflows for unsafe steps
	@.venv/bin/uv pip compile --quiet --all-extras --generate-hashes pyproject.toml \
		--output-file $(<D)/newest.txt > /dev/null
	@for file in requirements.lock $(<D)/newest.txt; do \
		.venv-audit/bin/pip-audit --strict --disable-pip --requirement $$file || { \
		echo "$$file has vulnerabilities, or advisories can't be downloaded: see pip-audit's output." ; \
		exit 1; } ; done
	@.venv-audit/bin/zizmor --offline --quiet .github

bench: .venv-bench/installed $(BENCH:%=.venv-%/installed) ## Measure speed against other extractors; results in benchmarks/
	@.venv-bench/bin/python -m $(BENCHMARKS) --rounds $(ROUNDS) --scale $(SCALE)

hub: .venv/test-installed ## Write the definition for MeltanoHub
	@.venv/bin/python -m tools.hub

# For every system and every Python that the package supports. It names no package index.
lock: .venv/bin/uv ## Lock the newest versions of the dependencies, for the Docker image
	@.venv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
		$(IMAGE_EXTRAS:%=--extra %) --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' pyproject.toml --output-file requirements.lock > /dev/null

release-check: .venv/test-installed .venv-release/installed ## Build the package, and try it as users get it
	@.venv/bin/python -m tools.release --sbom
	@.venv-release/bin/twine check --strict dist/*.whl dist/*.tar.gz

clean: ## Remove the environments and the files of tools
	rm -rf .venv .venv-* $(NODE) .meltano .*_cache .hypothesis build dist output

.venv/bin/uv:
	$(call environment,$(PYTHON),.venv)
	@$(PYTHON) -m pip --python .venv/bin/python install -qq uv

.venv/demo-installed: pyproject.toml | .venv/bin/uv
	@$(INSTALL) .venv --editable . --group demo
	@touch $@

.venv/test-installed: pyproject.toml | .venv/bin/uv
	@$(INSTALL) .venv --editable '.[arrow,azure,certificate,configure,delta,duckdb,ntlm,postgresql]' --group dev
	@$(INSTALL) .venv --no-deps $(SPARK_CLASSES)
	@touch $@

# Created again each time, because the tap that Meltano installed in it has the old pyproject.toml.
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

# Spark needs pandas up to 4.0.
.venv-spark-%/installed: pyproject.toml | .venv/bin/uv
	@rm -rf .venv-spark-$*
	$(call environment,$(PYTHON),.venv-spark-$*)
	@$(INSTALL) .venv-spark-$* --editable '.[spark]' pyspark==$* deltalake \
		$(if $(filter 3.% 4.0.%,$*),'pandas<3')
	@touch $@

.venv-plain/installed: pyproject.toml | .venv/bin/uv
	@rm -rf $(@D)
	$(call environment,$(PYTHON),$(@D))
	@$(INSTALL) $(@D) --editable .
	@touch $@

.venv-bench-tap/installed: pyproject.toml | .venv/bin/uv
	@rm -rf $(@D)
	$(call environment,$(PYTHON),$(@D))
	@$(INSTALL) $(@D) --editable '.[arrow,delta,duckdb,postgresql]'
	@touch $@

# Without Node.js, or if npm can't install, the tests that need it are skipped and say so.
tests/servers/%/node_modules/installed: tests/servers/%/package.json
	@if ! command -v npm > /dev/null || npm install --prefix $(<D) --no-package-lock \
		--no-audit --no-fund --fetch-retries=1 --silent; then mkdir -p $(@D) && touch $@; \
	else echo "npm can't install $*: the tests that need it are skipped"; fi

# A peer that can't be installed is left out of the benchmarks, with the reason.
.venv-bench-%/installed: pyproject.toml | .venv/bin/uv
	@rm -rf .venv-bench-$*
	$(call environment,$(PYTHON),.venv-bench-$*)
	@$(INSTALL) .venv-bench-$* --group bench-$* 2> .venv-bench-$*/log || \
		mv .venv-bench-$*/log .venv-bench-$*/failed
	@touch $@
