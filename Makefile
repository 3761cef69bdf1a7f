# make demo · make test · make lab · make check
# Each makes the environment it needs; a second call finds it ready.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

CHROMIUM_PATH := $(VENV)/.chromium

TRAINING := .venv-training
TRAINED := build/weights

.PHONY: demo test check chromium lab lock bench train train-smoke check-weights clean

demo: $(READY)
	@$(BIN)/aistrale demo

# Many tests start programs of ours: they are compiled once, whatever is in the
# environment. Tests begin in the order of tests/conftest.py.
test: $(READY) check chromium
	@$(BIN)/python -m compileall -q aistrale_lab tests
	@$(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder

check: $(READY)
	@$(BIN)/black --quiet --check . || { $(BIN)/black --check . ; exit 1; }
	@$(BIN)/flake8
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >$(VENV)/layers.log || { cat $(VENV)/layers.log; exit 1; }
	@echo "black, flake8, mypy and the layers are quiet"

lab: $(READY)
	@$(BIN)/aistrale lab

bench: $(READY)
	@$(BIN)/python tests/bench/client_cpu.py

# Train the models in the box anew, into $(TRAINED): 45 minutes on two cores.
train: $(TRAINING)/.ready
	@$(TRAINING)/bin/python -m aistrale_lab.embedded.training --out $(TRAINED)

# A minute of it, from the data to weights that numpy loads.
train-smoke: $(TRAINING)/.ready
	@$(TRAINING)/bin/python -m aistrale_lab.embedded.training --out $(TRAINED)-smoke --steps 120
	@$(TRAINING)/bin/python -m aistrale_lab.embedded.training.figures $(TRAINED)-smoke

# The weights in the box, against another engine.
check-weights: $(TRAINING)/.ready
	@$(TRAINING)/bin/python -m pytest -m training tests/embedded/training/test_transformers.py

$(TRAINING)/.ready: pyproject.toml
	@echo "Setting up $(TRAINING) (once; it holds torch) ..."
	@$(PYTHON) -m venv $(TRAINING)
	@$(TRAINING)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(TRAINING)/bin/python -m pip install --quiet --group training
	@touch $@

# Resolve the exact pins of pyproject.toml again (needs uv).
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --no-emit-index-url --all-extras --group dev \
	  pyproject.toml --output-file requirements.lock

# The environment holds exactly what the lock file names, checked by hash. It is
# marked ready last, so that an interrupted set-up is made again.
$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; one to two minutes) ..."
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --compile-bytecode --python $(BIN)/python \
	    --require-hashes --no-deps -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
	    --require-hashes --no-deps -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check \
	    --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(READY)

# A Chromium for the browser tests: the one there is, or an installed one. Looked for
# each time, for it may be gone.
chromium: $(READY)
	@sh tests/browser/chromium.sh $(BIN)/python $(CHROMIUM_PATH)

clean:
	rm -rf $(VENV) $(TRAINING) build dist .mypy_cache .pytest_cache .hypothesis
