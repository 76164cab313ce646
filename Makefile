# appfleet's workshop. `make help` tells what there is.
# .venv is made when it is missing, from a Python 3.11+ that is found on PATH.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := appfleet engine tests benchmarks tools

# What speaks to AWS through the client; and the SDK against the simulator.
NEWER := .venvs/newer
NEWER_STAMP := $(NEWER)/.installed
NEWER_TESTS := tests/unit/adapters/aws tests/contract tests/unit/simulator/faces/test_sdk.py tests/e2e/test_reaching.py
PART ?=

.PHONY: help demo test check check-newer check-versions check-wheel check-docs format bench docs clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -e 's/:.*##/\t/'

$(STAMP): pyproject.toml constraints/pinned.txt tools/find_python.sh
	test -x $(BIN)/python || "$$(sh tools/find_python.sh)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/pinned.txt -e '.[dev]'
	touch $(STAMP)

$(NEWER_STAMP): $(STAMP) constraints/newer.txt tools/venvs.py
	$(BIN)/python -m tools.venvs $(NEWER) --newer
	touch $(NEWER_STAMP)

demo: $(STAMP)  ## the example fleet, created in a simulated SageMaker, then run again
	$(BIN)/python tools/demo.py

test: $(STAMP)  ## the tests alone, quickest way round
	$(BIN)/python -m pytest -q -n 4 --dist worksteal

check: $(STAMP)  ## all that CI runs: format, lint, types, layers, then tests with coverage
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 4 --dist worksteal --cov --cov-report= --cov-report=json:.coverage.json -p tools.coverage_gate

check-newer: $(NEWER_STAMP)  ## the tests of what speaks to AWS, with the newest aiobotocore and botocore
	$(NEWER)/bin/python -m pytest -q -n 4 --dist worksteal -p no:cacheprovider $(NEWER_TESTS)

check-versions: $(STAMP)  ## the tests with each other Python that is found; PART=--part for what CI tries
	$(BIN)/python -m tools.check_versions $(PART)

check-wheel: $(STAMP)  ## what a new user does, from the wheel and from the sdist, timed; PART=--part for what CI tries
	$(BIN)/python -m tools.check_wheel $(PART)

check-docs: $(STAMP)  ## the pages as a site, built strictly into build/site
	$(BIN)/python -m mkdocs build --strict

format: $(STAMP)  ## rewrite the sources in the one format
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: $(STAMP)  ## the measurements behind BENCHMARKS.md
	$(BIN)/python benchmarks/run_all.py

docs: $(STAMP)  ## write again what is generated in docs/
	$(BIN)/python tools/make_docs.py

clean:  ## remove what the above made
	rm -rf $(VENV) .venvs build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*

SEEDS ?= 10000
JOBS ?= 2
.PHONY: simulate mutants

SECONDS ?= 300
SEED ?= 1
.PHONY: fuzz

fuzz: $(STAMP)  ## hostile inputs for everything that reads one: SECONDS=300 SEED=1 JOBS=2
	$(BIN)/python -m tools.fuzz --seconds $(SECONDS) --seed $(SEED) --jobs $(JOBS)

simulate: $(STAMP)  ## nights of faults through the production executor: SEEDS=10000 JOBS=2
	$(BIN)/python tools/simulate.py --seeds $(SEEDS) --jobs $(JOBS)

mutants: $(STAMP)  ## deliberate bugs, each of which the simulation has to find
	$(BIN)/python tools/mutants.py

.PHONY: check-browser pictures

check-browser: $(STAMP)  ## the report of 5,000 apps in headless Chromium; says so when there is none
	$(BIN)/python -m tools.check_browser

pictures: $(STAMP)  ## draw the pictures of the documents again; needs Chromium
	$(BIN)/python -m tools.pictures
