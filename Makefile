# `make` alone lists what there is. Everything happens in .venv, made on first use.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check fix faults bench wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

demo: $(BIN)/.ready ## the example study, for real: examples/ensemble.yaml on this machine
	$(BIN)/cloudburst apply examples/ensemble.yaml

test: $(BIN)/.ready ## every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -m 'not faults'

check: $(BIN)/.ready ## lint, types and the fast tests, in under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n $(JOBS) -m 'not slow and not faults'

fix: $(BIN)/.ready ## format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

faults: $(BIN)/.ready ## kill every part at every moment; writes docs/faults.md
	$(BIN)/pytest -v tests/faults --faults-table docs/faults.md

bench: $(BIN)/.ready ## what is measured, beside the peers it is measured against
	$(BIN)/python bench/run.py

wheel: $(BIN)/.ready ## the wheel, in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## everything that was made here
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
