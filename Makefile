# Two commands need nothing but Python 3.11+ and make: `make demo` and `make test`. Each sets up .venv by itself.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help demo test check format clean

help:
	@echo "make demo    set up and restore a real picture"
	@echo "make test    set up, check and run all tests"
	@echo "make check   format, lint, types, import layers"
	@echo "make format  mend what the formatter and the linter can mend"
	@echo "make clean   remove the environment and everything built"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unblemish needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[train,compare,export,fast]" --group dev
	touch $@

demo: $(INSTALLED)
	$(BIN)/unblemish restore examples/old_photo.jpg --output build/demo/old_photo_restored.jpg --overwrite
	@echo "Before: examples/old_photo.jpg   After: build/demo/old_photo_restored.jpg"

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
