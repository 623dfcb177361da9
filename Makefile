# Everything that these targets need is set up in .venv; `make help` lists them.
# Needed on the machine: GNU make, a POSIX shell and Python >= 3.11 with venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
# relative, because make splits a path at its blanks
BIN := $(VENV)/bin
DAGSTER_HOME_DIR := .defender/dagster
AZURITE_VERSION := 3.37.0
MERMAID_VERSION := 12.3.0
IFRAME_WORKER_VERSION := 1.0.4
UI_PORT ?= 3000
PYTEST_ARGS ?=
BENCH_ARGS ?=
UPGRADE ?=
, := ,
SETTINGS := AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_ACCOUNT_URL DEFENDER_EXPORT_DIR DEFENDER_LAKE_URI \
	DEFENDER_LAKE_CONNECTION_STRING DEFENDER_START_DATE DEFENDER_LOOKBACK_DAYS DEFENDER_RETENTION_DAYS \
	DEFENDER_RISK_WEIGHTS DEFENDER_MUTED DEFENDER_TEAMS_WEBHOOK DEFENDER_SLACK_WEBHOOK DEFENDER_NOTIFY_RISK DEFENDER_UI_URL

# The first of these that really runs (a version manager's shim may exist and fail), is new enough and can make a virtual environment.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

INSTALLED := $(VENV)/.installed
SCALE := $(VENV)/.scale
SERVERS := postgresql redis-server
EMULATOR := $(VENV)/.azurite-$(AZURITE_VERSION)
RIVALS := $(VENV)/rivals/.installed
PINNER := $(VENV)/pinner
INSTANCE := $(DAGSTER_HOME_DIR)/dagster.yaml

# What make or a login shell exports must not reach into the virtual environment.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## Simulate two small tenants, materialize their days, show leads and stories
	@$(BIN)/defender-assets demo

# `dagster dev` warns that `dg dev` supersedes it; both run the same code, and `dagster dev` needs no development tool.
# The demo has a Dagster instance of its own, so that its runs never appear beside those of real data.
.PHONY: ui
ui: $(INSTALLED) $(INSTANCE) ## Dagster's UI with the sensors on, at 127.0.0.1:3000 (UI_PORT=…)
	@echo "Dagster: http://127.0.0.1:$(UI_PORT) (stop with Ctrl-C). Its word about dagster.yaml is no worry: DAGSTER_HOME holds a copy."
	@home=$$($(BIN)/defender-assets demo --dagster-home) && \
	PYTHONWARNINGS='ignore:Function `dev_command`' DAGSTER_HOME="$${home:-$(CURDIR)/$(DAGSTER_HOME_DIR)}" \
	$(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p $(UI_PORT)

# A file's tests share their fixtures, so a file stays with one process; files are dealt out in their order, the quick ones first.
.PHONY: test
test: $(INSTALLED) $(EMULATOR) browser ## Run the whole test suite, emulator and browser included (PYTEST_ARGS=…)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# $(call from-debian,TARGET,WHAT,PACKAGES,TEST): what TARGET needs from the machine, installed where TEST finds none of it.
define from-debian
{ $(4); } >/dev/null 2>&1 || { \
	command -v apt-get >/dev/null 2>&1 && echo "Installing $(3)" && \
	{ apt-get install -y -qq $(3) >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq $(3) >/dev/null; }; }; } || { \
	echo "make $(1) needs $(2), and could not install it: as root, apt-get install $(3)" >&2; exit 1; }
endef

.PHONY: browser
browser:
	@$(call from-debian,test,the browser Chromium,chromium,command -v chromium || command -v chromium-browser)

# PostgreSQL keeps its programs outside of PATH.
.PHONY: servers
servers:
	@$(call from-debian,test-scale,PostgreSQL and Redis,$(SERVERS),{ ls /usr/lib/postgresql/*/bin/initdb || command -v initdb; } && command -v redis-server)

.PHONY: test-scale
test-scale: $(INSTALLED) $(EMULATOR) $(SCALE) servers ## Test deploy/: PostgreSQL, Redis, several workers, one of them killed
	@$(BIN)/python -m pytest defender_assets_tests/integration/scale -m scale -o faulthandler_timeout=3600 $(PYTEST_ARGS)

.PHONY: soak
soak: $(INSTALLED) $(EMULATOR) ## Faults, kills and runs at once for long (SOAK_STEPS= SOAK_MINUTES= SOAK_GROWTHS= SOAK_KILLS= SOAK_PAIRS= SEED=)
	@$(BIN)/python -m defender_assets_tests.faults.soak

.PHONY: bench
bench: $(INSTALLED) $(EMULATOR) $(RIVALS) ## Measure throughput beside rivals (BENCH_ARGS=…: other benchmarks, other sizes)
	@test -d benchmarks || { echo "make bench: there is no benchmarks/ here" >&2; exit 1; }
	@$(BIN)/python -m benchmarks $(if $(BENCH_ARGS),$(BENCH_ARGS),throughput)

.PHONY: bench-full
bench-full: $(INSTALLED) $(EMULATOR) $(RIVALS) ## Throughput with 1 GB and 10 GB, a day of 1 GB that grows, a listing of 10,800 blobs: many hours
	@$(BIN)/python -m benchmarks throughput --megabytes 10 100 1000 10000
	@$(BIN)/python -m benchmarks increment
	@$(BIN)/python -m benchmarks listing

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, layers, that dg loads the definitions, and the documents with their links
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(MAKE) check-definitions
	@$(MAKE) docs

# An empty directory that is also the home: no .env, no setting of the environment and no configuration of the user reaches
# the definitions, and what dg writes goes with the directory.
DG := cd "$$folder" && env $(SETTINGS:%=-u %) -u DG_CLI_CONFIG -u XDG_CONFIG_HOME HOME="$$folder" DAGSTER_HOME="$$folder" \
	VIRTUAL_ENV="$(CURDIR)/$(VENV)" "$(CURDIR)/$(BIN)/dg"

.PHONY: check-definitions
check-definitions: $(INSTALLED)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	ln -s "$(CURDIR)/defender_assets" "$(CURDIR)/pyproject.toml" "$(CURDIR)/dagster.yaml" "$$folder" && \
	for what in check list; do \
		{ $(DG) $$what defs >"$$folder/output" 2>&1; } || { cat "$$folder/output" >&2; exit 1; }; \
	done && echo "Success: dg loads the definitions and lists them"

.PHONY: format
format: $(INSTALLED) ## Format the code and mend what the linter can mend
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: setup
setup: $(INSTALLED) $(EMULATOR) ## Set up .venv: the package, its tools and the Azure emulator

# $(1): the file; $(2): what it is; $(3): how uv is to read it. What stands in the file stays, unless UPGRADE=--upgrade.
define pin
	@test -x $(PINNER)/bin/uv || { $(BIN)/python -m venv $(PINNER) && $(PINNER)/bin/python -m pip install -qq --disable-pip-version-check uv; }
	@cp $(1) $(1).new && $(PINNER)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(3) -o $(1).new >/dev/null
	@! grep -n '://' $(1).new || { rm $(1).new; echo "make pins: an address got into $(1)" >&2; exit 1; }
	@{ echo "# $(2)"; echo "# Written by \`make pins\` from pyproject.toml; not edited by hand."; grep -v '^#' $(1).new; } > $(1)
	@rm $(1).new
endef

.PHONY: pins
pins: $(VENV)/bin/python ## Bring the pins in line with pyproject.toml (UPGRADE=--upgrade: the newest of everything)
	$(call pin,requirements.txt,Every package that make installs$(,) for Python 3.11 and newer$(,) by version and hash.,$(UPGRADE) --extra dev pyproject.toml)
	$(call pin,deploy/requirements.txt,What a server needs$(,) the extra scale included$(,) in the versions of ../requirements.txt$(,) by hash.,--constraint requirements.txt --extra scale pyproject.toml)
	$(call pin,benchmarks/rivals.txt,What the benchmarks compare with; the product needs none of it.,--constraint requirements.txt --group rivals)

# The site has the repository's own layout, so that links hold in both.
SITE := .site/source
MERMAID := $(VENV)/mermaid-$(MERMAID_VERSION)/node_modules/mermaid/dist/mermaid.min.js
WEIGHTS := defender_assets/core/leads/risk/weights.toml
IFRAME_WORKER := $(VENV)/iframe-worker-$(IFRAME_WORKER_VERSION)/node_modules/iframe-worker/shim/index.js

.PHONY: docs
docs: $(INSTALLED) $(MERMAID) $(IFRAME_WORKER) ## Build the documents as a site that needs no network: .site/html
	@rm -rf .site && mkdir -p $(SITE) && cp -R README.md CHANGELOG.md CONTRIBUTING.md LICENSE .env.example dagster.yaml docs deploy $(SITE) && \
	rm -rf $(SITE)/docs/site && cp $(MERMAID) docs/site/site.css docs/site/diagrams.js $(SITE) && cp $(IFRAME_WORKER) $(SITE)/iframe-worker.js && \
	mkdir -p $(SITE)/$(dir $(WEIGHTS)) && cp $(WEIGHTS) $(SITE)/$(WEIGHTS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict -f docs/site/mkdocs.yml && test -s .site/html/search/search_index.js
	@! grep -rnE '<(script|link rel="stylesheet")[^>]*"https?:' .site/html --include='*.html' || { echo "make docs: a page fetches something when it is read" >&2; exit 1; }
	@echo "Success: .site/html/index.html"

# $(1): the folder; $(2): package@version.
from-npm = mkdir -p $(1) && PATH="$(CURDIR)/$(BIN):$$PATH" npm install --prefix $(1) --no-package-lock --no-audit --no-fund --loglevel=error $(2) >/dev/null

$(MERMAID): | $(INSTALLED)
	@$(call from-npm,$(VENV)/mermaid-$(MERMAID_VERSION),mermaid@$(MERMAID_VERSION))

$(IFRAME_WORKER): | $(INSTALLED)
	@$(call from-npm,$(VENV)/iframe-worker-$(IFRAME_WORKER_VERSION),iframe-worker@$(IFRAME_WORKER_VERSION))

.PHONY: clean
clean: ## Remove .venv, the demo's data and all caches
	@rm -rf $(VENV) .site .defender/demo .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed and none was found: install it, or name one with make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear $(VENV)

$(INSTALLED): requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the pinned packages"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(SCALE): deploy/requirements.txt $(INSTALLED)
	@echo "Installing what deploy/ needs beside it"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r deploy/requirements.txt
	@touch $@

$(EMULATOR): | $(INSTALLED)
	@echo "Installing the Azure Storage emulator"
	@$(call from-npm,$(VENV)/azurite,azurite@$(AZURITE_VERSION))
	@touch $@

# What others would use, in an environment of its own: none of it is a dependency of the product.
$(RIVALS): benchmarks/rivals.txt | $(VENV)/bin/python
	@echo "Installing what the benchmarks compare with"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r benchmarks/rivals.txt
	@touch $@

$(INSTANCE): dagster.yaml
	@mkdir -p $(@D)
	@cp dagster.yaml $@
