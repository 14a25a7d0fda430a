# `make` alone lists what there is. All of it needs only Python, make and a package registry.

PYTHON ?= python3
ARGS ?=
CALLS ?= 100000
SHELL := bash

BIN := .venv/bin
CODE = $(wildcard src tests tools bench docs examples)
READY := .venv/.locked .venv/.package

.DEFAULT_GOAL := help
PARTS := collector prometheus kafka alertmanager amtool compose
.PHONY: help demo test bench capacity speed lint types check fmt record docs dashboards pictures site lock build clean faults ledger soak $(PARTS)
# Beside the development environment, each pinned in requirements/<name>.txt: its lowest Python,
# and the tests that run in it.
EXTRA := oldest litellm
LOWEST_oldest := 3.10
LOWEST_litellm := 3.11
# The asynchronous side shares all but the transport with the other one: a few cases show it.
TESTS_oldest := tests/test_exactness.py -k '(-invoke or -stream) or ((-ainvoke or -astream) and \
	(-ok- or -length- or -cache_read- or -error_429- or -stream_break-))'
TESTS_litellm := tests/test_exactness.py tests/test_wire.py tests/test_secrets.py -k litellm
.PHONY: $(EXTRA:%=test-%)
.PRECIOUS: .venv-%/.locked

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Show Replymeter at work, on recorded replies of every provider
	@$(BIN)/replymeter demo

test: $(READY) ## Run the tests, on every core; ARGS="-k usage" picks some
	@$(BIN)/pytest --numprocesses auto --dist loadgroup $(ARGS)

bench: $(READY) ## Measure what Replymeter adds to a call; ARGS=5 rounds, PEERS=1, CALLGRIND=1
	@$(BIN)/python -m bench $(if $(PEERS),--peers) $(if $(CALLGRIND),--callgrind) $(ARGS)

speed: $(READY) ## Count the bytecodes of a call, fail when they grew; ARGS=--accept takes them
	@PYTHONHASHSEED=0 $(BIN)/python -m bench.bytecodes $(ARGS)

test-oldest: ## Test the numbers of the oldest LangChain, SDKs and OpenTelemetry that are supported
test-litellm: ## Test LiteLLM, which needs an environment of its own
# Warnings of older packages are not Replymeter's.
$(EXTRA:%=test-%): test-%: $(READY)
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= tuple(map(int, "$(LOWEST_$*)".split("."))))'; \
	then echo 'Skipped: the packages of $* need Python $(LOWEST_$*).'; \
	else $(MAKE) --no-print-directory .venv-$*/.locked && PYTHONPATH=src \
		.venv-$*/bin/python -m pytest --quiet -W ignore --numprocesses 2 $(TESTS_$*) $(ARGS); fi

lint: $(READY) ## Check the style and the format
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

types: $(READY) ## Check the types
	@$(BIN)/mypy $(CODE)

check: ## Run everything that CI runs
	@bash .ci/run

fmt: $(READY) ## Fix the style where that is safe, and the format
	@$(BIN)/ruff check --fix-only $(CODE)
	@$(BIN)/ruff format $(CODE)

record: $(READY) ## Run the real provider classes again, write what they reply; ARGS=groq picks one
	@$(BIN)/python tools/record.py $(ARGS)

docs: $(READY) ## Write the generated parts of the documentation again
	@$(BIN)/python tools/docs.py
	@$(BIN)/python -m tools.provider_page
	@$(BIN)/python tools/collector_config.py

dashboards: $(READY) ## Write the Grafana dashboards, their alerts and Kubernetes objects again
	@$(BIN)/python tools/dashboards.py

pictures: $(READY) ## Draw the dashboards into docs/pictures (needs Go, npm and chromium; 12 min)
	@$(BIN)/python -m tools.pictures.pictures

site: $(READY) ## Run the Python in the documentation, and build the site into build/site
	@$(BIN)/python -m pytest --quiet -p tools.code_blocks README.md docs
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/site
	@echo build/site/index.html

soak: $(READY) ## Call in every way at once, count all, look what is left (10 min); ARGS="--seconds 60"
	@$(BIN)/python -m tests.soak $(ARGS)

faults: $(READY) ## Run processes into every fault, count what is lost, write docs/faults.md (minutes)
	@$(BIN)/python tools/faults.py $(ARGS)

ledger: $(READY) ## Make 100,000 calls in 4 processes, compare every series in Prometheus (minutes)
	@$(BIN)/python -m tests.end_to_end.hundred_thousand $(CALLS)

capacity: $(READY) ## Measure what a process, an agent, Prometheus take; write docs/capacity.md (minutes)
	@$(BIN)/python -m bench.capacity $(ARGS)

lock: $(READY) ## Pin requirements/*.in again; ARGS=--upgrade moves every pin
	@$(call pin,dev,3.10)
	@$(call pin,oldest,$(LOWEST_oldest))
	@$(call pin,litellm,$(LOWEST_litellm))
	@if grep -n '://' requirements/*.txt; then echo 'The lock names a host.' >&2; exit 1; fi

define pin
$(BIN)/uv pip compile --quiet --universal --python-version $(2) --generate-hashes \
	--custom-compile-command 'make lock' $(ARGS) \
	--output-file requirements/$(1).txt requirements/$(1).in
endef

build: $(READY) ## Build the sdist and the wheel into dist/, and check what the wheel holds
	@rm -rf dist
	@$(BIN)/python -m build --quiet --no-isolation --outdir dist .
	@diff <(cd src && find replymeter -type f ! -name '*.pyc' ! -name '.*' | LC_ALL=C sort) \
		<($(BIN)/python -m zipfile --list dist/*.whl \
			| awk '/^replymeter\// { print $$1 }' | LC_ALL=C sort) \
		|| { echo 'The wheel does not hold exactly the files of src/replymeter.' >&2; exit 1; }
	@ls dist/*

collector: ## Build the OpenTelemetry Collector (needs Go; once, then cached), print where it is
prometheus: ## Build Prometheus and promtool (needs Go; once, then cached), print where they are
kafka: ## Fetch the Kafka broker (needs Java and Maven; once, then cached), print where it is
alertmanager: ## Find Alertmanager, or unpack Debian's, print where it is
amtool: ## Find amtool, or unpack Debian's, print where it is
compose: ## Build Docker Compose (needs Go; once, then cached), print where it is
$(PARTS):
	@$(PYTHON) tools/components.py $@

clean: ## Remove everything that these targets made, the environment too
	@rm -rf .venv .venv-peers $(EXTRA:%=.venv-%) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp is written last, so an install that failed or was stopped leaves none,
# and the next run starts it again from nothing.

.venv/.locked: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo 'Replymeter needs Python 3.10 or newer, which $(PYTHON) is not.' \
			'Name another: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo 'This Python cannot make environments.' \
			'On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@echo 'Installing the pinned development environment into .venv (about a minute at most) ...'
	@$(PYTHON) -m venv --clear .venv
	@awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements/dev.txt >.venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		-r .venv/uv.txt
	@$(call install,.venv,requirements/dev.txt)
	@touch $@

.venv-%/.locked: requirements/%.txt | .venv/.locked
	@echo 'Installing requirements/$*.txt into $(@D) ...'
	@$(BIN)/python -m venv --clear $(@D)
	@$(call install,$(@D),$<)
	@touch $@

# pip can take four times as long, but it knows the indexes that its own settings name.
define install
$(BIN)/uv pip install --quiet --python $(1)/bin/python --require-hashes --no-deps -r $(2) \
	|| { echo 'Trying again with pip ...'; $(1)/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --no-deps -r $(2); }
endef

.venv/.package: .venv/.locked pyproject.toml
	@echo 'Installing Replymeter itself, editable ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		--no-deps --editable .
	@touch $@
