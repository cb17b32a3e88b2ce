# Thin: each target makes .venv if it is missing, then says what a person would type.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: quickstart test lint bench readme clean

quickstart: .venv/quickstart
	$(BIN)/kdbench run suites/quickstart.yaml

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --ignore tests/benchmarks

lint: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

readme: .venv/dev
	$(BIN)/python tests/docs/test_readme.py --write

bench: .venv/dev
	$(BIN)/python -m pytest tests/benchmarks -s --override-ini testpaths=tests/benchmarks

.venv/quickstart: pyproject.toml
	@echo "Installing into .venv: about two minutes and 6 GB, most of it PyTorch."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[quickstart]'
	touch $@

.venv/dev: pyproject.toml
	@echo "Installing into .venv: about two minutes and 6 GB, most of it PyTorch."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[quickstart,dev]'
	touch $@ .venv/quickstart

clean:
	rm -rf .venv
