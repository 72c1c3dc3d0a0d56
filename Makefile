# Two commands do everything on a fresh machine that has Python 3.11–3.14 and make:
#
#   make run     set up, then start the gateway with the example routes and a sample receiver
#   make test    set up, then run the whole test suite
#
# `make help` lists the rest.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
# All but kustomizations, which are no resources.
MANIFESTS = $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*/*.yaml))
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Tests start some hundred processes, and pytest rewrites each file of tests: compiled once, not in each of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run demo test check faults flows bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 16

run: $(VENV)/run.stamp ## start the gateway, with a receiver that shows what arrives
	@exec $(BIN)/gateway serve --sample-receiver 127.0.0.1:8090

demo: $(VENV)/run.stamp ## see all of it at work, in this terminal
	@exec $(BIN)/gateway demo

test: $(VENV)/test.stamp ## run the whole test suite
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/test.stamp ## lint, types, import contracts, Dockerfile, what deploys
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hadolint Dockerfile
	$(BIN)/yamllint --strict compose.yaml deploy
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/kubernetes-validate --strict --quiet $(MANIFESTS)

faults: $(VENV)/test.stamp ## break everything under a real gateway; longer: make faults ROUNDS=200 SEED=7
	FAULTS_SEED=$(SEED) FAULTS_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -m faults -n 2 --dist worksteal tests

flows: $(VENV)/test.stamp ## run the eight flows against real servers, which it installs; one: make flows FLOW=8-notifications
	$(BIN)/python -m examples.flows.servers
	$(BIN)/python -m pytest -n 0 examples/flows/$(FLOW)

bench: $(VENV)/test.stamp ## measure, as ratios against the bare libraries in the same run
	$(BIN)/python -m bench

clean: ## remove what the other targets made, but for data/
	rm -rf $(VENV) .flows build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/created.stamp:
	@test -n "$(PYTHON)" || { echo "This needs Python 3.11, 3.12, 3.13 or 3.14, and none of them was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.12 …" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make virtual environments." \
		"On Debian and Ubuntu: apt install python3-venv" >&2; rm -rf $(VENV); exit 2; }
	@touch $@

$(VENV)/run.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	@echo "installing the gateway into $(VENV) …"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/created.stamp pyproject.toml constraints.txt
	@echo "installing the gateway and its test tools into $(VENV) …"
	@$(PIP) install --constraint constraints.txt --editable '.[test,check]'
	@touch $@ $(VENV)/run.stamp
