# `make run` and `make test` set everything up by themselves; VENV=/elsewhere puts the environment elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check lint clean

run: $(VENV)/.installed
	$(BIN)/mwork run

test: $(VENV)/.installed
	$(BIN)/python -m pytest -m ""

check: lint test

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.installed: pyproject.toml constraints.txt mwork_eval_autoload.pth
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c constraints.txt -e ".[demo,thai,langid,plot,ray,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist mwork-run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
