# Thin: each target makes .venv if it is missing, then says what a person would type.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# What runs on every change; the rest takes longer and has its own targets.
TESTS := --numprocesses 2 --dist loadfile --no-loadscope-reorder --ignore tests/benchmarks --ignore-glob 'tests/faults/test_fu*' --ignore tests/faults/test_concurrent_runs.py -m 'not faults'

.PHONY: quickstart test types imports lint coverage lowest audit bench faults mutants docs docs-graph readme clean

quickstart: .venv/quickstart
	$(BIN)/kdbench run quickstart

# Types take one core for as long as documentation and imports take another.
test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory --jobs 2 types docs imports
	$(BIN)/pytest $(TESTS)

types: .venv/dev
	$(BIN)/mypy

imports: .venv/dev
	$(BIN)/lint-imports

lint: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The same tests, with the lines and branches that they execute; takes twice as long. Lists what no test reaches.
coverage: .venv/dev
	rm -rf .coverage && mkdir .coverage
	$(BIN)/coverage run -m pytest $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The same tests with the oldest releases that pyproject.toml allows.
lowest: .lowest/dev
	.lowest/bin/pytest $(TESTS)

# Known vulnerabilities of what is installed. Asks PyPI.
audit: .venv/dev
	test -x $(BIN)/pip-audit || $(BIN)/pip install --quiet pip-audit
	$(BIN)/pip-audit --skip-editable

bench: .venv/dev
	$(BIN)/python -m tests.benchmarks.limits
	$(BIN)/python -m pytest tests/benchmarks -s --override-ini testpaths=tests/benchmarks

# 10,000 inputs for every reader of files, compared with slow and strict ones; then full disks, and kills of processes in the middle
# of their work: what resume and atomic writing promise. Ends with a table of what was tried; docs/robustness.md shows it.
faults: .venv/dev
	$(BIN)/python -m tests.faults --write

# Applies one-line mutants of what guards numbers, one at a time; a test must fail with each. Resumes: results are in
# .mutants.json. `make mutants WORDS=statistics` takes those of some files.
mutants: .venv/dev
	$(BIN)/python -m tests.mutants $(WORDS)

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The picture of packages in docs/architecture.md. Fails where packages import each other in a circle.
docs-graph: .venv/dev
	$(BIN)/python -m docs.tools.generate --write docs/images/packages.svg

# Everything generated: parts of README.md and docs/, pictures, results/README.md.
readme: .venv/dev
	$(BIN)/python -m docs.tools.generate --write

.venv/quickstart: pyproject.toml
	@echo "Installing into .venv: about two minutes and 6 GB, most of it PyTorch."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[quickstart]'
	touch $@

.venv/docs: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

.venv/dev: pyproject.toml
	@echo "Installing into .venv: about two minutes and 6 GB, most of it PyTorch."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[quickstart,dev,docs]'
	touch $@ .venv/quickstart .venv/docs

.lowest/dev: pyproject.toml
	test -x .lowest/bin/python || $(PYTHON) -m venv .lowest
	.lowest/bin/pip install --quiet uv
	.lowest/bin/uv pip install --quiet --python .lowest/bin/python --resolution lowest-direct --editable '.[quickstart,dev,docs]'
	touch $@

clean:
	rm -rf .venv .lowest site
