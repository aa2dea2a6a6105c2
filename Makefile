# Every target works on a fresh clone with Python 3.11+ and nothing else set up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench docs clean

demo: $(READY)  ## the whole pipeline on a synthetic organism: CPU, offline, minutes
	@$(BIN)/llama-gene demo

test: $(READY)  ## every test; those on real data need LLAMA_GENE_DATA
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(READY)  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## quick benchmarks against peers, a table each
	@for file in benchmarks/[!_]*.py; do echo "== $$file"; $(BIN)/python $$file --quick || exit 1; done

docs: $(READY)  ## the documentation site, under site/
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,check]'
	@touch $(READY)

clean:
	rm -rf $(VENV) site build dist
