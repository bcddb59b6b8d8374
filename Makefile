# Everything a person or a machine does here: `make help`.
# Needs git, make, a POSIX shell and any Python (3.12 or newer is looked for); everything else goes into .venv.

BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python $(BIN)/python --python-version 3.12 \
	--no-python-downloads --no-emit-index-url --no-annotate --custom-compile-command "make requirements"
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

# Whatever the shell says, bytecode is kept: without it every start compiles all libraries again, and takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

# Stamps: each step is done again only when what it was made from has changed.
VENV := .venv/.made
RUN := .venv/.run-installed
DEV := .venv/.dev-installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo setup test check lint bench requirements peers clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{ printf "  make %-14s%s\n", $$1, $$2 }'

demo: $(RUN) ## build the demo archive (once), serve it on loopback and print the address; options in DEMO_ARGS
	@$(BIN)/pacs-panel demo $(DEMO_ARGS)

setup: $(DEV) ## make .venv with all that developing needs

test: $(DEV) peers lint ## everything: lint, types, all tests; options for pytest in PYTEST_ARGS
	$(PYTEST) --durations=20 $(PYTEST_ARGS)

check: $(DEV) lint ## in a minute: lint, types, unit tests: all but those with a browser, peers or the mark "slow"
	$(PYTEST) -q -m "not browser and not peer and not slow" --hypothesis-profile quick $(PYTEST_ARGS)

bench: $(DEV) peers ## peers and limits beside us in one run: ratios, printed and written to a table; options in BENCH_ARGS
	$(BIN)/python -m tests.benchmarks $(BENCH_ARGS)

requirements: $(DEV) ## pin anew what pyproject.toml asks for, in requirements/
	$(COMPILE) --extra dev --output-file requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/run.txt
	$(subst pyproject.toml,requirements/peers.in,$(COMPILE)) --output-file requirements/peers.txt

clean: ## remove .venv, caches and what was built
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

peers:
	@sh .ci/peers

$(VENV): .ci/python
	@sh .ci/python --venv .venv
	@touch $@

$(RUN): $(VENV) requirements/run.txt pyproject.toml
	@echo "Installing what pacs_panel needs into .venv ..."
	@$(PIP) install --quiet --requirement requirements/run.txt
	@$(PIP) install --quiet --no-deps --editable .
	@$(BIN)/python -m compileall -q pacs_panel
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@echo "Installing what developing needs into .venv ..."
	@$(PIP) install --quiet --requirement requirements/dev.txt
	@echo "Reading the types of all libraries, once ..."
	@$(BIN)/mypy >/dev/null || true
	@touch $@
