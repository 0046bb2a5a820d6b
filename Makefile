# Every target but `help` and `clean` first makes .venv, which costs nothing once it is there.
# The work is done by the scripts in hack/; this file only names it.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/.stamp

# E2E=1 makes `make test` build and start whatever its stages need.
export E2E ?=
export PATH := $(BIN):$(PATH)

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"; printf "\nUsage:\n  make \033[36m<target>\033[0m\n"} \
	  /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*?##/ {printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv with every package editable and the `mapreduce` command.

$(STAMP): pyproject.toml operator/pyproject.toml worker/pyproject.toml uv.lock
	@PYTHON="$(PYTHON)" hack/setup

.PHONY: demo
demo: $(STAMP) ## Count the words of the Python standard library with worker processes on this machine.
	@hack/demo

.PHONY: clean
clean: ## Remove .venv, caches and built distributions.
	@hack/clean

##@ Development

.PHONY: test
test: $(STAMP) ## Run the tests; E2E=1 also builds and starts what the cluster's tests need.
	@hack/test

.PHONY: repeat
repeat: $(STAMP) ## Run the stages that must never flake, and add each run to tests/repeats.ndjson (TIMES=1).
	@hack/repeat

.PHONY: verify
verify: $(STAMP) ## Check format, lint, types, layers, sizes and generated files; change nothing.
	@hack/verify

.PHONY: update
update: $(STAMP) ## Bring the lock, generated files and format up to date.
	@hack/update

.PHONY: fmt
fmt: $(STAMP) ## Format the code and sort its imports.
	@hack/format

.PHONY: properties
properties: $(STAMP) ## Draw many more examples for each property of the unit tests (EXAMPLES=2).
	@hack/properties

.PHONY: simulate
simulate: $(STAMP) ## Run the simulation over many seeds (SEEDS=10000).
	@hack/simulate

.PHONY: mutants
mutants: $(STAMP) ## Plant known bugs in memory, each alone; the simulation must find each (SEEDS=400).
	@hack/mutants

.PHONY: corruption
corruption: $(STAMP) ## Flip single bits of every file format; none may go unnoticed (FLIPS=100000).
	@hack/corruption

##@ Cluster

.PHONY: kind-up
kind-up: $(STAMP) ## Create the kind cluster `mapreduce`, or reuse a healthy one.
	@hack/kind-up

.PHONY: images
images: $(STAMP) ## Build the operator's and the worker's image.
	@hack/images

.PHONY: kind-load
kind-load: $(STAMP) ## Load both images into the cluster's nodes.
	@hack/kind-load

.PHONY: deploy
deploy: $(STAMP) ## Install the chart into the cluster.
	@hack/deploy

.PHONY: example
example: $(STAMP) ## Run an example on the cluster and check its output.
	@hack/example

.PHONY: e2e
e2e: $(STAMP) ## Run the end-to-end tests, starting what is missing.
	@E2E=1 hack/test e2e

.PHONY: e2e-matrix
e2e-matrix: $(STAMP) ## Run every cell of the fault matrix on the cluster: lost nodes, cut wires and more.
	@hack/e2e-matrix

.PHONY: chaos
chaos: $(STAMP) ## Run jobs on the cluster while a monkey deletes and kills (MINUTES=10, SEED=1).
	@hack/chaos

.PHONY: undeploy
undeploy: $(STAMP) ## Remove the chart from the cluster.
	@hack/undeploy

.PHONY: kind-down
kind-down: $(STAMP) ## Delete the kind cluster.
	@hack/kind-down

##@ Benchmarks

.PHONY: bench
bench: $(STAMP) ## Measure rows side by side with others (ROWS="words-keys index", SIZE=20MB, ROUNDS=5).
	@hack/bench

.PHONY: bench-start
bench-start: $(STAMP) ## Measure how long a job takes to start.
	@hack/bench-start

.PHONY: bench-recovery
bench-recovery: $(STAMP) ## Measure how fast a job goes on after a fault.
	@hack/bench-recovery
