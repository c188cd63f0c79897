# Two commands do everything on a fresh machine, each with its own set-up:
#
#     make demo     works a day of parent orders and leaves a report to open
#     make test     runs all tests
#
# `make` alone lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PEERS := .venv-peers
LEARNERS := .venv-learners
BIN := $(VENV)/bin
OUT := out

KERNEL_TESTS := $(addprefix tests/,market ingest schedule engine guard)

DATA ?=
BENCH ?=
TEST_LIMIT ?= 30m

# Every module in benchmarks/ that can be run is a benchmark, but for the one that marks old figures.
BENCHMARKS = $(or $(BENCH),$(filter-out figures,\
    $(patsubst benchmarks/%.py,%,$(shell grep -l '^if __name__' benchmarks/*.py))))

# The first Python that is new enough. `make setup PYTHON=...` names one.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done),python3)

.PHONY: help setup demo test lint types bench clean

help: ## What can be made
	@echo "paceline: work a parent order at little cost, under hard limits, and prove it."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s  %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make demo DATA=days/          the same on recorded LOBSTER days"
	@echo "  make bench BENCH=replay_l3    one benchmark"
	@echo "  make setup PYTHON=python3.12  with a Python of your choice"

setup: $(VENV)/.done ## .venv with the exact versions of constraints.txt

demo: setup ## A day of parent orders, and a report to open
	@$(BIN)/paceline demo --out $(OUT)/demo $(if $(DATA),--data "$(DATA)")

test: setup ## All tests, and those of the kernels again without the compiler
	timeout $(TEST_LIMIT) $(BIN)/python -m pytest -q -n auto
	NUMBA_DISABLE_JIT=1 timeout $(TEST_LIMIT) \
	    $(BIN)/python -m pytest -q -n auto -m "not recorded" $(KERNEL_TESTS)

lint: setup ## Style, by ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Types, by mypy
	$(BIN)/mypy

bench: setup $(PEERS)/.done $(LEARNERS)/.done ## Every benchmark; a line of JSON each, kept in out/bench.jsonl
	@mkdir -p $(OUT)
	$(if $(BENCH),,@rm -f $(OUT)/bench.jsonl)
	@failed=; for name in $(BENCHMARKS); do \
	    $(BIN)/python -m "benchmarks.$$name" | tee -a $(OUT)/bench.jsonl || failed+=" $$name"; done; \
	[ -z "$$failed" ] || { echo "bench: failed or below its bar:$$failed" >&2; exit 1; }

clean: ## Remove everything that was made
	rm -rf $(VENV) $(PEERS) $(LEARNERS) $(OUT) build dist src/*.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Makes the virtual environment $(1), or says in one line what is missing.
define environment
@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { echo "setup: $(PYTHON) is not Python 3.11 or newer;" \
    "install one, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "setup: $(PYTHON) cannot make virtual" \
    "environments; run: sudo apt install python3-venv" >&2; exit 1; }
@echo "setup: $(1), once, a minute or two"
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef
INSTALL = bin/python -m pip install -q --disable-pip-version-check

$(VENV)/.done: pyproject.toml constraints.txt
	$(call environment,$(VENV))
	@$(VENV)/$(INSTALL) -c constraints.txt setuptools
	@$(VENV)/$(INSTALL) -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

$(PEERS)/.done: benchmarks/peers/requirements.txt
	$(call environment,$(PEERS))
	@$(PEERS)/$(INSTALL) -r $<
	@touch $@

$(LEARNERS)/.done: benchmarks/peers/learners.txt
	$(call environment,$(LEARNERS))
	@$(LEARNERS)/$(INSTALL) -r $<
	@touch $@
