# `make` or `make help` lists the targets. Every target sets up what it needs first.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PYTHON ?=
ARGS ?=
export PYTHON
# A file's tests share what they train: each file is one worker's, the longest first.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

# Made anew when what is to be installed changes.
READY := $(VENV)/.ready
$(READY): uv.lock pyproject.toml setup.sh
	@./setup.sh
	@touch $@

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Set up .venv: uv, a Python that fits, all packages

.PHONY: run
run: $(READY) ## Run the pipeline on the built-in sample; ARGS="--data DIR" for your own ratings
	@$(VENV)/bin/reelflow run $(ARGS)

.PHONY: serve
serve: $(READY) ## Serve the pushed model: page and API; ARGS="--port 8080" for another port
	@exec $(VENV)/bin/reelflow serve $(ARGS)

.PHONY: test
test: $(READY) ## Run all tests, with coverage; ARGS="-k name" for some, ARGS="-n 0" in one process
	@$(VENV)/bin/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered $(ARGS)

.PHONY: test-quick
test-quick: $(READY) ## Run the tests that take seconds
	@$(VENV)/bin/python -m pytest $(PARALLEL) -m "not slow" $(ARGS)

.PHONY: verify-kubeflow
verify-kubeflow: $(READY) ## Run the Kubeflow package's tasks here, with MariaDB (long)
	@$(VENV)/bin/python -u -m tests.kubeflow.verify $(ARGS)

.PHONY: verify-flink
verify-flink: $(READY) ## Run Beam on a local Flink cluster that loses machines, and compare; minutes, 1 GB
	@$(VENV)/bin/python -u -m tests.flink.verify $(ARGS)

.PHONY: verify-distributed
verify-distributed: $(READY) ## Train by parameter servers that are killed, and compare with one machine; minutes
	@$(VENV)/bin/python -u -m tests.distributed.verify $(ARGS)

.PHONY: verify-debian
verify-debian: ## Run the end-to-end test on TFX 1.21 in a Debian 13 root; as root, minutes, 10 GB
	@tests/debian13/run.sh $(ARGS)

.PHONY: soak
soak: $(READY) ## Take 200 scheduled turns with faults, and print a table; half an hour; ARGS="--turns 40"
	@$(VENV)/bin/python -u -m tests.soak $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure speed in short forms, a few minutes in all; docs/performance.md has the long ones
	@for name in ingest evaluation serving training losses pipeline scale; do \
		$(VENV)/bin/python -m benchmarks.$$name --short || exit 1; done

.PHONY: lint
lint: $(READY) ## Check style and formatting
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/lint-imports

.PHONY: types
types: $(READY) ## Check types
	@$(VENV)/bin/mypy

.PHONY: format
format: $(READY) ## Format the code and mend what can be mended
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

.PHONY: docs
docs: $(READY) ## Write docs/configuration.md anew from the configuration's models
	@$(VENV)/bin/python -m reelflow.config.reference docs/configuration.md

# Run once, in their order: later ones read what the first one made.
RUN_NOTEBOOKS := .site/notebooks/.run
$(RUN_NOTEBOOKS): $(wildcard docs/notebooks/*.ipynb) | $(READY)
	@mkdir -p $(@D) && cp $^ $(@D)
	@cd $(@D) && for name in *.ipynb; do \
		$(CURDIR)/$(VENV)/bin/jupyter-execute --inplace $$name || exit 1; done
	@touch $@

.PHONY: site
site: $(READY) $(RUN_NOTEBOOKS) ## Write the documents as pages into site/, with a run on the sample; minutes at first
	@$(VENV)/bin/reelflow run --output .site/sample
	@PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict
	@echo "Open site/index.html"

.PHONY: pictures
pictures: $(READY) ## Take docs/images anew: a run, its report, the page (needs Chromium)
	@$(VENV)/bin/python -m tests.pictures

.PHONY: audit
audit: ## Look for the locked packages in OSV's list of advisories; needs a network
	@./setup.sh audit $(ARGS)

.PHONY: lock
lock: ## Resolve the dependencies anew into uv.lock
	@./setup.sh uv lock

.PHONY: clean
clean: ## Remove caches; leaves .venv, data and output
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .coverage coverage.xml dist
	@find . -name __pycache__ -not -path './$(VENV)/*' -not -path './.verify/*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove .venv, the private uv and what was verified as well
	@rm -rf $(VENV) .uv .verify .site site
