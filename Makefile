# Everything a newcomer needs: `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=

.PHONY: help install demo test prove check audit format bench clean

help:
	@echo "make demo    try Easel in the browser, without Discord (ARGS=--once: show and end)"
	@echo "make test    run every test"
	@echo "make prove   run the slow proofs in full, which takes hours"
	@echo "make check   format, lint and types: says yes or no"
	@echo "make audit   look for known weaknesses of what is installed"
	@echo "make format  put the format right"
	@echo "make bench   measure the figures of docs/benchmarks.md"
	@echo "make clean   remove the virtual environment"

install: $(STAMP)

# torch and torchvision first and together, so that pip takes a matching pair.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Easel needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'torch>=2.10' 'torchvision>=0.25'
	$(PIP) install --quiet --editable '.[demo,weights,dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/python main.py demo $(ARGS)

# Many tests wait more than they compute; two processes of one thread each keep two cores busy.
# The bot's scenarios run in one process, which sees that nothing goes without one.
test: $(STAMP)
ifeq ($(ARGS),)
	@echo "The bot's scenarios first, in one process; then everything else, in two."
	$(BIN)/python -m pytest tests/bot
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/bot
else
	$(BIN)/python -m pytest $(ARGS)
endif

# What the tests run a part of: every kill, arrangement and broken version.
prove: $(STAMP)
	EASEL_PROVE=1 $(BIN)/python -m pytest -m proof $(ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

audit: $(STAMP)
	$(BIN)/python tools/audit.py $(ARGS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV)
