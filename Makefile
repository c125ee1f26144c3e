# `make run` and `make test` set everything up by themselves; VENV=/elsewhere puts the environment elsewhere.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# vLLM wants other versions of half of it, so its tests have an environment of their own.
VLLM_VENV ?= .venv-vllm
# Test processes: one for each core, but no more than memory is usually there for.
WORKERS ?= logical --maxprocesses 4

.PHONY: run test test-vllm check lint docs dist publish-docs architectures tutorials clean

run: $(VENV)/.installed
	$(BIN)/mwork run

test: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not vllm" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-vllm: $(VLLM_VENV)/.installed
	OMP_NUM_THREADS=$$(nproc) $(VLLM_VENV)/bin/python -m pytest -m vllm tests/integration/test_vllm*.py

check: lint test docs

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# The repository's address, where the package index shall send readers; without one its page has no such links.
dist: export MWORK_REPOSITORY_URL ?=
dist: export MWORK_REVISION ?=
dist: $(VENV)/.installed
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/twine check --strict dist/*

DOCS_VERSION ?= dev
publish-docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mike deploy --push --update-aliases $(DOCS_VERSION) $(DOCS_ALIAS)
	$(if $(DOCS_ALIAS),$(BIN)/mike set-default --push $(DOCS_ALIAS))

architectures: $(VENV)/.installed
	$(BIN)/python docs/architectures.py

tutorials: $(VENV)/.installed
	$(BIN)/python docs/run_tutorials.py

$(VENV)/.installed: pyproject.toml constraints.txt mwork_eval_autoload.pth
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c constraints.txt -e ".[demo,thai,segment,langid,plot,ray,docs,dev]"
	touch $@

$(VLLM_VENV)/.installed: pyproject.toml constraints.txt .ci/vllm_environment.py
	$(PYTHON) .ci/vllm_environment.py $(VLLM_VENV)
	touch $@

clean:
	rm -rf $(VENV) $(VLLM_VENV) build dist site mwork-run .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
