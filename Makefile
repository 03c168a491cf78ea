# Everything the project does, from a fresh clone: `make` alone lists it.
# It needs Python 3.11 or newer (with venv) and make; `make PYTHON=/path/to/python …` chooses the Python,
# `make test ARGS="-k relu"` passes arguments on. Each target first makes .venv, if there is none, and installs into it.

# Only .venv decides what is imported, whatever the shell around it has set.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONSAFEPATH

# Paths stay relative and programs are run as modules, so the folder may have any name.
python := .venv/bin/python
pip_install := $(python) -m pip install --quiet --disable-pip-version-check --no-user --use-pep517
stopped := { echo "The installation stopped; the same command takes it up again." >&2; exit 1; }
pythons := $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3.14 python3 python)

# $(call fit,PYTHON,MODULE): it is 3.11 or newer and has the module. Asked by running it, since a pyenv shim can be
# on PATH and fail, and Debian leaves ensurepip, which venv needs, to a package of its own.
fit = $(1) -I -c 'import sys, $(2); sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1

no_python := Python 3.11 or newer with its venv module is needed, and none was found \
(tried $(subst ",,$(pythons))): install it \
(Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python; elsewhere: python.org/downloads) \
or name one (make PYTHON=/path/to/python).

.PHONY: help setup demo test test-slow compile-check device-check benchmark lint lab lessons notebooks clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s%s\n", $$1, $$2 }' Makefile
	@echo '  PYTHON=…            to make .venv with it: make PYTHON=python3.13 setup'
	@echo '  ARGS="…"            for the program that is run: make test ARGS="-k relu"'

setup: .venv/installed  ## make .venv and install the project with its tests

demo: .venv/installed  ## does transfer help here? run python -m transfer
	$(python) -m transfer $(ARGS)

test: .venv/installed  ## run the tests
	$(python) -m pytest -m "not slow and not compile_check" -n auto --maxprocesses 4 $(ARGS)

test-slow: .venv/installed-lessons  ## run the tests that take long or start processes
	$(python) -m pytest -m slow -n auto --maxprocesses 4 $(ARGS)

compile-check: .venv-compilers/installed  ## compile for a TPU and a GPU that are not here
	JAX_PLATFORMS=cpu .venv-compilers/bin/python -m pytest -m compile_check $(ARGS)

device-check: .venv/installed  ## run and time the kernels on the GPU or TPU here
	$(python) -m pytest tests/nn/kernels/on_hardware.py $(ARGS)
	$(python) -m benchmarks.on_device

benchmark: .venv-benchmarks/installed  ## time ours beside its peers
	.venv-benchmarks/bin/python -m benchmarks $(ARGS)

lint: .venv/installed-lessons  ## check style with ruff and types with pyright
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(python) -m pyright

lab: .venv/installed-lessons  ## open the lessons in Jupyter
	$(python) -m jupyter lab lessons $(ARGS)

lessons: .venv/installed-lessons  ## execute every lesson notebook in a kernel of its own
	$(python) -m lessons check $(ARGS)

notebooks: .venv/installed-lessons  ## build the lesson notebooks from their sources
	$(python) -m lessons build $(ARGS)

clean:  ## remove environments, reports and caches from this folder
	rm -rf .venv .venv-compilers .venv-benchmarks reports build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps. Each is written when its installation is complete, so one that was interrupted is taken up again.
# The first says in which folder that was; after a move, or when the Python under .venv is gone, it no longer counts.
installed_here = $(shell $(call fit,$(python),pip) && \
    [ "$$(cat .venv/installed 2>/dev/null)" = "$$(pwd -P)" ] && echo yes)
ifneq ($(installed_here),yes)
.PHONY: .venv/installed
endif

.venv/installed: pyproject.toml
	@$(call fit,$(python),pip) || ( \
	    rm -rf .venv; \
	    for python in $(pythons); do \
	        $(call fit,"$$python",ensurepip) || continue; \
	        echo "Making .venv with $$("$$python" --version)."; exec "$$python" -m venv .venv; \
	    done; \
	    uv venv --quiet --seed --python ">=3.11" .venv 2>/dev/null || { echo '$(no_python)' >&2; exit 1; } )
	@echo "Installing the project into .venv: two to five minutes the first time."
	@$(pip_install) -e ".[test]" || $(stopped)
	@pwd -P > $@

.venv/installed-lessons: .venv/installed
	@echo "Installing Jupyter for the lessons: about a minute."
	@$(pip_install) -e ".[lessons]" || $(stopped)
	@touch $@

# An environment of its own: where JAX finds libtpu or the CUDA plugin, it looks for their chips.
.venv-compilers/installed: pyproject.toml | .venv/installed
	@rm -rf .venv-compilers && $(python) -m venv .venv-compilers
	@echo "Installing the compilers for TPU and GPU into .venv-compilers: one to three minutes."
	@$(pip_install:$(python)%=.venv-compilers/bin/python%) -e ".[test,ahead-of-time]" || $(stopped)
	@touch $@

# Keras and PyTorch, which nothing else needs. PyTorch's build for CPUs alone is smaller:
# make benchmark TORCH="torch --index-url ADDRESS"
TORCH := torch
.venv-benchmarks/installed: pyproject.toml | .venv/installed
	@rm -rf .venv-benchmarks && $(python) -m venv .venv-benchmarks
	@echo "Installing Keras and PyTorch into .venv-benchmarks: two to ten minutes."
	@$(pip_install:$(python)%=.venv-benchmarks/bin/python%) $(TORCH) || $(stopped)
	@$(pip_install:$(python)%=.venv-benchmarks/bin/python%) -e ".[test,benchmark]" || $(stopped)
	@touch $@
