# The contributor's whole vocabulary. Each target sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOT := $(shell find portcullis -name '*.py' -o -name '*.pxd')

.PHONY: build run test bench lint interop format clean

build: $(VENV)/.built

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade pip "setuptools>=77" "cython>=3.1,<4"
	PORTCULLIS_PURE=1 $(BIN)/python -m pip install -q --no-build-isolation -e .
	@touch $@

$(VENV)/.built: $(VENV)/.installed setup.py $(HOT)
	$(BIN)/python setup.py -q build_ext --inplace
	@$(BIN)/python -m portcullis.tools.main --version
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	PORTCULLIS_PURE=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[dev]"
	@touch $@

$(VENV)/.interop: $(VENV)/.dev
	PORTCULLIS_PURE=1 $(BIN)/python -m pip install -q --no-build-isolation -e ".[dev,interop]"
	@touch $@

run: build
	$(BIN)/portcullis serve

test: build $(VENV)/.dev
	$(BIN)/python -m pytest
	PORTCULLIS_PURE=1 $(BIN)/python -m pytest

bench: build
	$(BIN)/portcullis bench

lint: build $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

interop: build $(VENV)/.interop
	$(BIN)/python -m pytest -m interop tests/interop

clean:
	rm -rf $(VENV) build dist *.egg-info
	find portcullis -name '*.so' -delete -o -name '*.c' -delete -o -name '*.html' -delete
