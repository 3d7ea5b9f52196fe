# The commands of this project. `make lab` and `make test` need nothing but Python 3.11 or newer, and make.
# ARGS="..." passes on to the program that a target ends in: make lab ARGS="--no-browser --port 0"

SHELL := /bin/sh
BIN := .venv/bin
ARGS ?=
# pytest runs this many workers; a lesson and a module of tests each stay on one.
WORKERS ?= 2
export PYTHON

NBVAL := --nbval --nbval-current-env --nbval-cell-timeout=120 --nbval-kernel-startup-timeout=120 \
         --nbval-sanitize-with tests/notebooks/sanitize.cfg

.DEFAULT_GOAL := help
.PHONY: help setup lab test lint format lock notebooks screenshots bench soak clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## make .venv from the lock and fetch Apache Kafka; quick when that is done
	@tools/setup.sh

lab: setup  ## prove the set-up with a first record, then open JupyterLab on lesson 00
	@$(BIN)/kafkalab lab $(ARGS)

test: setup lint  ## run every check: lint, all tests, and all lessons and solutions under strict nbval
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m "not soak" $(NBVAL) tests notebooks $(ARGS)

lint: setup  ## check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup  ## put the code into its standard layout
	@$(BIN)/ruff check --fix --select I,RUF022 .
	@$(BIN)/ruff format .

lock: setup  ## renew requirements.lock from pyproject.toml; ARGS=--upgrade takes the newest versions
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	    --all-extras --generate-hashes --no-emit-index-url --no-emit-find-links $(ARGS) \
	    --output-file requirements.lock pyproject.toml

notebooks: setup  ## build and execute the lessons and solutions from notebooks/source; ARGS=02 for one
	@$(BIN)/python -m kafkalab.courseware.build $(ARGS)

screenshots: setup  ## take the pictures of the documents anew, in a real browser
	@$(BIN)/python docs/make_screenshots.py $(ARGS)

bench: setup  ## measure, side by side in one run, and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(ARGS)

soak: setup  ## the runs that take minutes to hours: repeated starts, load, and ten runs of the lessons
	@$(BIN)/python -m benchmarks.soak $(ARGS)

clean:  ## remove .venv and what the tools left; keeps your workspace and the fetched Kafka
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
