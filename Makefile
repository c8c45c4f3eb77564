# Everything sets itself up: `make demo` and `make test` are all that a new user needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOMAINS := $(patsubst %/pyproject.toml,%,$(wildcard domains/*/pyproject.toml))
PYTEST := $(BIN)/python -m pytest
# How many test files run at the same time; each process starts the services that its tests need.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast check format serve bench docs clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP) ## Create .venv and install Rejoinder, its domains and the tools

$(STAMP): pyproject.toml $(addsuffix /pyproject.toml,$(DOMAINS))
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[all]' --group dev $(addprefix --editable ./,$(DOMAINS))
	touch $(STAMP)

demo: $(STAMP) ## Run the main job on real data: before and after 200 corrections
	$(BIN)/rejoinder demo

test: $(STAMP) ## Run all tests, those with real services included where their programs are installed
	$(PYTEST) --numprocesses $(JOBS) --dist loadfile

test-fast: $(STAMP) ## Run the tests that take a moment
	$(PYTEST) -m "not slow and not service"

check: $(STAMP) ## Check style, types, import directions and generated docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/rejoinder settings docs --check
	$(BIN)/rejoinder plugins docs --check

format: $(STAMP) ## Put the code into its standard form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

serve: $(STAMP) ## Serve the API on http://127.0.0.1:8080
	$(BIN)/rejoinder serve

bench: $(STAMP) ## Run every benchmark; tables on the screen, JSON in benchmark-results/
	mkdir -p benchmark-results
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script --json benchmark-results/$$(basename $$script .py).json || exit 1; done

docs: $(STAMP) ## Write the generated parts of docs/ anew
	$(BIN)/rejoinder settings docs
	$(BIN)/rejoinder plugins docs

clean: ## Remove what the commands above made
	rm -rf $(VENV) demo-report benchmark-results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
