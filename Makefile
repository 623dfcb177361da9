# The targets install what they need into .venv; `make help` lists them.
# Required on the machine: GNU make, a POSIX shell and Python >= 3.11 with venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
# relative, because make splits a path at spaces
BIN := $(VENV)/bin
DAGSTER_HOME_DIR := .defender/dagster
UI_PORT ?= 3000
PYTEST_ARGS ?=
WORKERS ?=
BENCH_ARGS ?=
UPGRADE ?=
, := ,
SETTINGS := AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_ACCOUNT_URL DEFENDER_EXPORT_DIR DEFENDER_LAKE_URI \
	DEFENDER_LAKE_CONNECTION_STRING DEFENDER_START_DATE DEFENDER_LOOKBACK_DAYS DEFENDER_SENSOR_SECONDS \
	DEFENDER_RETENTION_DAYS DEFENDER_LEAVE_OUT DEFENDER_RISK_WEIGHTS DEFENDER_MUTED DEFENDER_AUTHOR DEFENDER_TEAMS_WEBHOOK \
	DEFENDER_SLACK_WEBHOOK DEFENDER_NOTIFY_RISK DEFENDER_UI_URL DEFENDER_PORTAL_URL

# The first interpreter that runs (a version manager's shim may exist and fail), is new enough and can create a virtual environment.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

INSTALLED := $(VENV)/.installed
SCALE := $(VENV)/.scale
SERVERS := postgresql redis-server
# package.json and npm-shrinkwrap.json of what comes from npm
EMULATOR_PINS := defender_assets_tests/support/azurite
SITE_PINS := docs/site
EMULATOR := $(VENV)/azurite/.installed
SITE_SCRIPTS := $(VENV)/site/.installed
RIVALS := $(VENV)/rivals/.installed
PINNER := $(VENV)/pinner
INSTANCE := $(DAGSTER_HOME_DIR)/dagster.yaml

# Variables that make or a login shell exports must not affect the virtual environment, nor keep each process compiling again.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

# A command that takes long shows that it goes on; $(1) says what it does.
slowly = $(BIN)/python .ci/show_progress.py "$(1)"
PIP := --disable-pip-version-check --no-input --progress-bar off

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## Simulate two small tenants, materialize their days, show leads and stories
	@$(BIN)/defender-assets demo

# The demo has a Dagster instance of its own, so that its runs never appear beside those of real data.
.PHONY: ui
ui: $(INSTALLED) $(INSTANCE) ## Dagster's UI with the sensors on, at 127.0.0.1:3000 (UI_PORT=…)
	@exec $(BIN)/defender-assets ui --port $(UI_PORT)

# The tests of a file share fixtures, so one process runs the whole file. Files are distributed in order, quick ones first.
# There are two workers more than processors, at most 5: tests of whole installations wait for other processes.
.PHONY: test
test: $(INSTALLED) $(EMULATOR) browser ## Run the whole test suite, emulator and browser included (PYTEST_ARGS=…)
	@$(BIN)/python -m pytest -n $(or $(WORKERS),$$($(BIN)/python -c "import os; print(min((os.cpu_count() or 1) + 2, 5))")) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# $(call from-debian,TARGET,WHAT,PACKAGES,TEST): install the PACKAGES that TARGET needs, unless the command TEST succeeds.
define from-debian
{ $(4); } >/dev/null 2>&1 || { \
	command -v apt-get >/dev/null 2>&1 && echo "Installing $(3)" && \
	{ apt-get install -y -qq $(3) >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq $(3) >/dev/null; }; }; } || { \
	echo "make $(1) needs $(2), and could not install it: as root, apt-get install $(3)" >&2; exit 1; }
endef

.PHONY: browser
browser:
	@$(call from-debian,test,the browser Chromium,chromium,command -v chromium || command -v chromium-browser)

# Debian installs PostgreSQL's server programs outside PATH.
.PHONY: servers
servers:
	@$(call from-debian,test-scale,PostgreSQL and Redis,$(SERVERS),{ ls /usr/lib/postgresql/*/bin/initdb || command -v initdb; } && command -v redis-server)

.PHONY: test-scale
test-scale: $(INSTALLED) $(EMULATOR) $(SCALE) servers ## Test deploy/ with PostgreSQL, Redis and several workers, one of which is killed
	@$(BIN)/python -m pytest defender_assets_tests/integration/scale -m scale -o faulthandler_timeout=3600 $(PYTEST_ARGS)

.PHONY: soak
soak: $(INSTALLED) $(EMULATOR) ## Repeat faults, kills and concurrent runs many times (SOAK_STEPS= SOAK_MINUTES= SOAK_GROWTHS= SOAK_KILLS= SOAK_PAIRS= SOAK_LINES= SOAK_WORLDS= SEED=)
	@$(BIN)/python -m defender_assets_tests.faults.soak

.PHONY: bench
bench: $(INSTALLED) $(EMULATOR) $(RIVALS) ## Measure throughput and compare it with other tools (BENCH_ARGS=…: other benchmarks, other sizes)
	@test -d benchmarks || { echo "make bench: the directory benchmarks/ is missing" >&2; exit 1; }
	@$(BIN)/python -m benchmarks $(if $(BENCH_ARGS),$(BENCH_ARGS),throughput)

.PHONY: bench-full
bench-full: $(INSTALLED) $(EMULATOR) $(RIVALS) ## Measure 1 GB and 10 GB, a growing day of 1 GB and a listing of 10,800 blobs; takes many hours
	@$(BIN)/python -m benchmarks throughput --megabytes 10 100 1000 10000
	@$(BIN)/python -m benchmarks increment
	@$(BIN)/python -m benchmarks listing

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, layers, the definitions (with dg and dagster), the documents and their links
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(MAKE) check-definitions
	@$(MAKE) docs

# dg and dagster run in an empty temporary directory that is also their home: no .env, environment setting or user configuration
# affects the definitions, and their files are deleted with the directory.
ISOLATED := cd "$$folder" && env $(SETTINGS:%=-u %) -u DG_CLI_CONFIG -u XDG_CONFIG_HOME HOME="$$folder" DAGSTER_HOME="$$folder" \
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" "$(CURDIR)/$(BIN)"

.PHONY: check-definitions
check-definitions: $(INSTALLED)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	ln -s "$(CURDIR)/defender_assets" "$(CURDIR)/pyproject.toml" "$(CURDIR)/dagster.yaml" "$(CURDIR)/workspace.yaml" "$$folder" && \
	for what in "dg check defs" "dg list defs" "dagster definitions validate -w workspace.yaml"; do \
		{ $(ISOLATED)/$$what >"$$folder/output" 2>&1; } || { cat "$$folder/output" >&2; exit 1; }; \
	done && echo "Success: dg loads the definitions and lists them, and dagster validates them"

.PHONY: format
format: $(INSTALLED) ## Format the code and apply the linter's automatic fixes
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: setup
setup: $(INSTALLED) $(EMULATOR) ## Set up .venv: the package, its tools and the Azure emulator

# $(1): the file; $(2): its description; $(3): uv's options and input. Existing pins stay, unless UPGRADE=--upgrade.
define pin
	@test -x $(PINNER)/bin/uv || { $(BIN)/python -m venv $(PINNER) && $(PINNER)/bin/python -m pip install -qq --disable-pip-version-check uv; }
	@cp $(1) $(1).new && $(PINNER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(3) -o $(1).new >/dev/null
	@! grep -n '://' $(1).new || { rm $(1).new; echo "make pins: $(1) would contain an address" >&2; exit 1; }
	@{ echo "# $(2)"; echo "# Written by \`make pins\` from pyproject.toml; not edited by hand."; grep -v '^#' $(1).new; } > $(1)
	@rm $(1).new
endef

.PHONY: pins
pins: $(VENV)/bin/python ## Update the pins from pyproject.toml (UPGRADE=--upgrade: newest versions)
	$(call pin,requirements.txt,Every package that make installs$(,) for Python 3.11 and newer$(,) by version and hash.,$(UPGRADE) --extra dev pyproject.toml)
	$(call pin,deploy/requirements.txt,What a server needs$(,) the extra scale included$(,) in the versions of ../requirements.txt$(,) by hash.,--constraint requirements.txt --extra scale pyproject.toml)
	$(call pin,benchmarks/rivals.txt,What the benchmarks compare with; the product needs none of it.,--constraint requirements.txt --group rivals)
	@PATH="$(CURDIR)/$(BIN):$$PATH" python .ci/pin_npm.py $(UPGRADE) $(EMULATOR_PINS) $(SITE_PINS)

# The site has the same layout as the repository, so that links work in both.
SITE := .site/source
MERMAID := $(VENV)/site/node_modules/mermaid/dist/mermaid.min.js
WEIGHTS := defender_assets/core/leads/risk/weights.toml
IFRAME_WORKER := $(VENV)/site/node_modules/iframe-worker/shim/index.js

.PHONY: docs
docs: $(INSTALLED) $(SITE_SCRIPTS) ## Build the documents as an offline site in .site/html
	@rm -rf .site && mkdir -p $(SITE) && cp -R README.md CHANGELOG.md CONTRIBUTING.md LICENSE .env.example dagster.yaml docs deploy $(SITE) && \
	rm -rf $(SITE)/docs/site && cp $(MERMAID) docs/site/site.css docs/site/diagrams.js $(SITE) && cp $(IFRAME_WORKER) $(SITE)/iframe-worker.js && \
	mkdir -p $(SITE)/$(dir $(WEIGHTS)) && cp $(WEIGHTS) $(SITE)/$(WEIGHTS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict -f docs/site/mkdocs.yml && test -s .site/html/search/search_index.js
	@! grep -rnE '<(script|link rel="stylesheet")[^>]*"https?:' .site/html --include='*.html' || { echo "make docs: a page loads a file from the network" >&2; exit 1; }
	@echo "Success: .site/html/index.html"

# $(1): the directory of the pins; $(2): the folder; $(3): what it is. `npm ci` installs exactly what is pinned, each package by its hash, and runs no
# script of a package.
from-npm = rm -rf $(2) && mkdir -p $(2) && cp $(1)/package.json $(1)/npm-shrinkwrap.json $(2) && \
	PATH="$(CURDIR)/$(BIN):$$PATH" $(call slowly,$(3)) npm ci --prefix $(2) --ignore-scripts --no-audit --no-fund --loglevel=error

$(SITE_SCRIPTS): $(SITE_PINS)/npm-shrinkwrap.json | $(INSTALLED)
	@$(call from-npm,$(SITE_PINS),$(@D),Installing the scripts of the documents)
	@touch $@

.PHONY: clean
clean: ## Remove .venv, the demo's data and all caches
	@rm -rf $(VENV) .site .defender/demo .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv was found: install it, or set it with make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear $(VENV)

# When pip is killed, a package may lack files, and pip later takes it for installed. It writes INSTALLER after a package's files.
$(INSTALLED): requirements.txt pyproject.toml | $(VENV)/bin/python
	@for each in $(VENV)/lib/python3*/site-packages/*.dist-info; do test -e "$$each/INSTALLER" || rm -rf "$$each"; done
	@$(call slowly,Installing the pinned packages) $(BIN)/python -m pip install $(PIP) --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(SCALE): deploy/requirements.txt $(INSTALLED)
	@$(call slowly,Installing the additional packages of deploy/) $(BIN)/python -m pip install $(PIP) --require-hashes -r deploy/requirements.txt
	@touch $@

$(EMULATOR): $(EMULATOR_PINS)/npm-shrinkwrap.json | $(INSTALLED)
	@$(call from-npm,$(EMULATOR_PINS),$(@D),Installing the Azure Storage emulator)
	@touch $@

# The tools to compare with, in a separate environment: the product depends on none of them.
$(RIVALS): benchmarks/rivals.txt | $(VENV)/bin/python
	@$(BIN)/python -m venv $(@D)
	@$(call slowly,Installing the tools that the benchmarks compare with) $(@D)/bin/python -m pip install $(PIP) --require-hashes -r benchmarks/rivals.txt
	@touch $@

$(INSTANCE): dagster.yaml
	@mkdir -p $(@D)
	@cp dagster.yaml $@
