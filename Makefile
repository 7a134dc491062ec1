# Everything happens in .venv in this folder; nothing is installed system-wide and no root is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:
	@echo "make demo   watch a deploy run out of memory and pass on a larger instance (under a minute, no cloud)"
	@echo "make test   run the tests"
	@echo "make check  run the linters, the type checker and the import contracts"
	@echo "make bench  measure what scale costs"

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[demo,dev]'
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/scale demo

test: $(VENV)/.installed
	$(BIN)/python -m pytest

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/guard_throughput.py

clean:
	rm -rf $(VENV)
