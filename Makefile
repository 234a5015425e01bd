# Every target makes .venv first when it is missing or older than requirements.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help train test lint sweep benchmark check-gpu tensorboard clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14
	@echo "Give options with ARGS: make train ARGS='model=maxout data=mnist'"

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $@

train: $(READY)  ## train the default: an MLP on scikit-learn's digits, about a minute
	$(RUN) train.py $(ARGS)

test: $(READY)  ## the tests: no network, no GPU
	$(RUN) -m pytest -n auto $(ARGS)

lint: $(READY)  ## ruff: style and format
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

sweep: $(READY)  ## both losses, k = 1 and 2, two seeds: eight short runs
	$(RUN) train.py -m loss=minimax,nonsaturating k=1,2 seed=1,2 trainer.max_epochs=20 $(ARGS)

benchmark: $(READY)  ## how long a step takes, beside the tutorials' loops: three minutes on a quiet machine
	$(RUN) -m benchmarks.speed $(ARGS)

check-gpu: $(READY)  ## what is promised, checked on this machine's GPU: a report in less than ten minutes
	$(RUN) -m benchmarks.check_gpu $(ARGS)

tensorboard: $(READY)  ## the curves of all runs
	$(VENV)/bin/tensorboard --logdir outputs

clean:  ## remove .venv and caches; outputs/ and data/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
