# Everything a newcomer needs: `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# cpu takes PyTorch's own wheels for processors, without CUDA; cuda takes PyPI's without asking.
TORCH ?=
TORCH_INDEX := $(if $(filter cpu,$(TORCH)),--index-url https://download.pytorch.org/whl/cpu)
# What is installed: Easel with its demo, what its tests need, what looks at deploy/ and the pages.
STAMP := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
DEPLOY := $(VENV)/.installed-deploy

.PHONY: help install setup demo test prove check check-deploy lock audit docs format bench clean

help:
	@echo "make setup   from nothing to a bot on your server, step by step"
	@echo "make demo    try Easel in the browser, without Discord (ARGS=--once: show and end)"
	@echo "make install set up .venv and no more; TORCH=cpu, here and above, leaves out 2.4 GB for NVIDIA cards"
	@echo "make test    run every test"
	@echo "make prove   run the slow proofs in full, which takes hours"
	@echo "make check   format, lint and types: says yes or no"
	@echo "make check-deploy  look at deploy/, .github/ and the pages with their own tools"
	@echo "make docs    write the pages as a site into build/site"
	@echo "make lock    write uv.lock and deploy/requirements.txt anew after pyproject.toml"
	@echo "make audit   look for known weaknesses of what is locked"
	@echo "make format  put the format right"
	@echo "make bench   measure the figures of docs/benchmarks.md"
	@echo "make clean   remove the virtual environment"

install: $(STAMP)

# torch and torchvision first and together, so that pip takes a matching pair.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Easel needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	@case "$(TORCH)" in ""|cpu|cuda) ;; *) echo "TORCH=$(TORCH): must be cpu or cuda"; exit 2;; esac
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),)
	@test "$$(uname)" != Linux || command -v nvidia-smi >/dev/null \
		|| $(BIN)/python -c 'import torch' 2>/dev/null \
		|| echo "No NVIDIA card is seen here: 3.2 GB will be downloaded, most of it for one;" \
			"stop this and say TORCH=cpu for less than 0.8 GB."
endif
	$(PIP) install --quiet $(TORCH_INDEX) 'torch>=2.10' 'torchvision>=0.25'
	$(PIP) install --quiet --editable '.[demo,weights,masks]'
	touch $@

$(DEV): $(STAMP)
	$(PIP) install --quiet --editable '.[dev]'
	touch $@

$(DEPLOY): $(STAMP)
	$(PIP) install --quiet --editable '.[deploy]'
	touch $@

setup: $(STAMP)
	$(BIN)/python main.py setup $(ARGS)

demo: $(STAMP)
	$(BIN)/python main.py demo $(ARGS)

# Many tests wait more than they compute; two processes of one thread each keep two cores busy.
# The bot's scenarios run in one process, which sees that nothing goes without one.
test: $(DEV)
ifeq ($(ARGS),)
	@echo "The bot's scenarios first, in one process; then everything else, in two."
	$(BIN)/python -m pytest tests/bot
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/bot
else
	$(BIN)/python -m pytest $(ARGS)
endif

# What the tests run a part of: every kill, arrangement and broken version.
prove: $(DEV)
	EASEL_PROVE=1 $(BIN)/python -m pytest -m proof $(ARGS)

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check-deploy: $(DEPLOY)
	$(BIN)/python tools/check_deploy.py $(ARGS)

lock: $(DEPLOY)
	$(BIN)/uv lock
	$(BIN)/python tools/check_deploy.py --write-requirements

# What a browser opens is build/site/index.html.
docs: $(DEPLOY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

audit: $(DEV)
	$(BIN)/python tools/audit.py $(ARGS)

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV)
