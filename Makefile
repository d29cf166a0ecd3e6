# The contributor's whole vocabulary. Each target sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PYTHONWARNINGS=ignore PORTCULLIS_REQUIRE_COMPILED= PORTCULLIS_PURE=1 \
	$(BIN)/python -m pip --disable-pip-version-check install -q --no-build-isolation

# A file's tests stay together, as they may share a gateway; how many workers, and which files
# begin, is in tests/conftest.py.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

# The tests start hundreds of interpreters: what one has compiled to bytecode, the others load.
export PYTHONDONTWRITEBYTECODE =

.PHONY: build run test bench lint interop format clean

# Always asks the compiler's front end, which compares times itself: a stamp file here would not
# see an extension that was deleted.
build: $(VENV)/.installed
	$(BIN)/python setup.py -q build_ext --inplace
	@$(BIN)/python -c "from portcullis import _build; print(_build.report())"

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) "setuptools>=77" "cython>=3.2,<4"
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) -e ".[dev]"
	@touch $@

$(VENV)/.interop: $(VENV)/.dev
	$(PIP) -e ".[dev,interop]"
	@touch $@

run: build
	$(BIN)/portcullis serve

test: build $(VENV)/.dev
	$(BIN)/python -m pytest $(PARALLEL)
	PORTCULLIS_REQUIRE_COMPILED= PORTCULLIS_PURE=1 $(BIN)/python -m pytest $(PARALLEL)

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
	find portcullis \( -name '*.so' -o -name '*.c' -o -name '*.html' \) -delete
