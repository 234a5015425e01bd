# Every target makes .venv first when it is missing, unfinished, without its Python or older than requirements.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

# uv installs in a fraction of pip's time. It does not read pip's configuration: PIP=pip takes pip all the same.
PIP ?= $(if $(shell uv --version 2>/dev/null),uv,pip)
export UV_PYTHON_DOWNLOADS := never
ifeq ($(PIP),uv)
# The venv's own pip is slow to come and thus installed with the rest: an activated venv without one would leave
# `pip install` to the system's.
EMPTY_VENV = $(PYTHON) -m venv --without-pip $(VENV)
INSTALL = uv pip install --quiet --python $(RUN) pip
else
EMPTY_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(RUN) -m pip install --disable-pip-version-check --quiet
endif
# Two makes at a time take turns, where there is a flock: the second looks again when it has the lock, and finds all done.
ifndef LOCKED
LOCK := $(if $(shell flock --no-fork Makefile true 2>/dev/null && echo found),flock --no-fork Makefile)
endif

.DEFAULT_GOAL := help
.PHONY: help train test test-fast test-all lint sweep benchmark check-gpu tensorboard clean unusable

help:  ## this list
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / {printf "%-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Give options with ARGS: make train ARGS='model=maxout data=mnist'"

$(READY): requirements.txt pyproject.toml $(if $(shell $(RUN) -c 'import gan' 2>/dev/null && echo usable),,unusable)
ifndef LOCKED
	@$(LOCK) $(MAKE) --no-print-directory LOCKED=yes $@
else
# The stamp goes before anything is touched and comes back when all is done: what failed or was broken off is not ready.
# The commands run without a shell, so that a signal meets them.
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	@rm -f $@
	@$(DROP_LEFTOVERS)
	$(EMPTY_VENV)
	$(INSTALL) -r requirements.txt
	@touch $@
endif

# A venv whose Python is gone, or is another one than its packages are for; and packages whose installation was broken
# off, which pip and uv take for whole: both write INSTALLER and RECORD last.
define DROP_LEFTOVERS
$(RUN) -c "import os, sysconfig; os.listdir(sysconfig.get_path('purelib'))" 2>/dev/null || rm -rf $(VENV); \
for package in $(VENV)/lib/python*/site-packages/*.dist-info; do \
	test -s "$$package/INSTALLER" -a -s "$$package/RECORD" || rm -rf "$$package"; \
done
endef

train: $(READY)  ## train the default: an MLP on scikit-learn's digits, about a minute
	$(RUN) train.py $(ARGS)

test: $(READY)  ## the tests that a newcomer needs: no network, no GPU
	$(RUN) -m pytest -n auto --dist worksteal -m "not slow" $(ARGS)

test-fast: $(READY)  ## the mathematics alone, about 40 seconds; no process is started
	$(RUN) -m pytest -n auto -m fast $(ARGS)

test-all: $(READY)  ## every test, the long ones too
	$(RUN) -m pytest -n auto --dist worksteal $(ARGS)

lint: $(READY)  ## style and format, imports between packages, types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(RUN) -m mypy

sweep: $(READY)  ## both losses, k = 1 and 2, two seeds: eight short runs
	$(RUN) train.py -m loss=minimax,nonsaturating k=1,2 seed=1,2 trainer.max_epochs=20 $(ARGS)

benchmark: $(READY)  ## how long a step takes, beside the tutorials' loops: three minutes on a quiet machine
	$(RUN) -m benchmarks.speed $(ARGS)

check-gpu: $(READY)  ## what is promised, checked on this machine's GPU: a report in less than ten minutes
	$(RUN) -m benchmarks.check_gpu $(ARGS)

tensorboard: $(READY)  ## the curves of all runs
	$(VENV)/bin/tensorboard --logdir outputs

clean:  ## remove .venv and caches; outputs/ and data/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
