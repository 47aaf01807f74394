# One verb per line of work. Needs python3 (3.11 or newer) with pip and venv; everything else lands in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

# pyright takes the first python that it finds (its --pythonpath is not heard by --verifytypes).
export PATH := $(CURDIR)/$(BIN):$(PATH)
# The pyright wrapper would ask the package registry for a newer release on every run.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# deepeval reports its use unless told otherwise.
export DEEPEVAL_TELEMETRY_OPT_OUT := 1

.DEFAULT_GOAL := help
.PHONY: help install format check test test-all interop demo bench docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## Create .venv and install Interlock with the pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Interlock needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing into $(VENV) (a minute or two the first time) ..."
	@$(PIP) install -q -c constraints.txt -e ".[dev,evals]"
	@touch $@

format: $(STAMP) ## Format the code and fix what the linter can fix
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

check: $(STAMP) ## Every static gate: format, lint, types, imports, size, docs
	@echo "format"  && $(BIN)/ruff format --quiet --check . || { echo "To repair this, run: make format"; exit 1; }
	@echo "lint"    && $(BIN)/ruff check --quiet .
	@echo "types"   && $(BIN)/pyright
	@echo "face"    && $(BIN)/pyright --verifytypes interlock --ignoreexternal --outputjson | $(BIN)/python -m tests.typed.completeness
	@echo "imports" && out=$$($(BIN)/lint-imports --no-logo) || { echo "$$out"; exit 1; }
	@echo "house"   && $(BIN)/python -m pytest -q tests/unit/test_size.py tests/unit/test_docs*.py tests/unit/test_house.py

test: $(STAMP) ## The first ring of tests, with branch coverage (the threshold stands in pyproject.toml)
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m pytest -q -n 2 -m "not long" --cov --cov-report=term --ignore=tests/interop --ignore=tests/wire tests

interop: $(STAMP) ## Agents of other frameworks, each in an environment of its own, both directions; prints the table
	@rm -f .interlock/interop.json
	@$(BIN)/python -m tests.interop.environments tests/interop/peers/*.txt
	@$(BIN)/python -m pytest -q --durations=10 tests/interop; done=$$?; $(BIN)/python -m tests.interop.board; exit $$done

test-all: $(STAMP) ## The second ring: long tests, then other frameworks and a real model proxy in their environments
	@rm -f .interlock/interop.json
	@$(BIN)/python -m tests.interop.environments tests/interop/peers/*.txt tests/wire/*.txt
	@$(BIN)/python -m pytest -q -n 2 -m long tests
	@$(BIN)/python -m pytest -q --durations=10 tests/interop tests/wire; done=$$?; \
		$(BIN)/python -m tests.interop.board; exit $$done

demo: $(STAMP) ## Play the demo: five acts on a support desk, without a key or a network
	@$(BIN)/python -m graphs.demo

bench: $(STAMP) ## Measure, and print the figures of docs/benchmarks.md
	@$(BIN)/python -m tests.bench

docs: $(STAMP) ## Run every Python block of the README and the docs, and check links and the page of commands
	@$(BIN)/python -m pytest -q tests/unit/test_docs*.py

clean: ## Remove .venv, caches and builds (never run data)
	@rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .pytest_cache .ruff_cache .import_linter_cache \
		.hypothesis .deepeval
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
