# `make` alone lists what there is. Everything happens in .venv, made on first use.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

# Tests start thousands of Pythons: without what others compiled, each would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check fix faults fuzz lab lab-clean bench requirements reference wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

demo: $(BIN)/.ready ## the example study, for real: examples/ensemble.yaml on this machine
	$(BIN)/cloudburst apply examples/ensemble.yaml

# One process more than there are processors: the tests on the lab mostly wait for machines.
test: $(BIN)/.ready ## every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n $$(($(JOBS) + 1)) --dist loadgroup -m 'not faults'

check: $(BIN)/.ready ## lint, types and the fast tests, in under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q -n $(JOBS) -m 'not slow and not faults'

fix: $(BIN)/.ready ## format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

faults: $(BIN)/.ready ## break every part at every moment, here and on the lab; writes docs/faults.md
	$(BIN)/pytest -v tests/faults tests/lab/faults tests/run/digitalocean/test_whole_life.py --faults-table docs/faults.md

FUZZ_SECONDS ?= 3600

fuzz: $(BIN)/.ready ## hostile files for the reader, for FUZZ_SECONDS (an hour); what breaks is in build/fuzz/found (Linux)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group fuzz
	nice -n 10 $(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

lab: $(BIN)/.ready ## a Docker Swarm of four hosts on this machine, to play in (docs/lab.md)
	$(BIN)/python -m tests.lab start

lab-clean: $(BIN)/.ready ## remove what a killed lab left
	$(BIN)/python -m tests.lab clean

bench: $(BIN)/.ready ## what is measured, beside the peers it is measured against
	$(BIN)/python bench/run.py

REQUIREMENTS := $(patsubst %.in,%.txt,$(wildcard stack/requirements/*.in))

requirements: $(BIN)/.ready ## lock anew what the programs of the stack need, with hashes
	rm -f $(REQUIREMENTS)
	$(MAKE) --no-print-directory $(REQUIREMENTS)

stack/requirements/%.txt: stack/requirements/%.in
	$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --custom-compile-command 'make requirements' --output-file $@ $<

reference: $(BIN)/.ready ## docs/reference.md, from the schema
	$(BIN)/python docs/reference.py

wheel: $(BIN)/.ready ## the wheel, in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## everything that was made here
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
