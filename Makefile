# mesh-apiserver: run `make help` for the list of targets.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
BIN     := bin

# Each area keeps its own targets beside its scripts.
include hack/cluster/cluster.mk
include hack/images/images.mk
include hack/codegen.mk
include hack/bench/bench.mk
include test/test.mk
include artifacts/bookstore/demo.mk

.PHONY: help
help: ## Show this list.
	@grep -hE '^[a-zA-Z0-9_-]+:.*?## ' $(MAKEFILE_LIST) | sort | awk -F ':.*?## ' '{printf "  %-18s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build the static binaries bin/mesh-apiserver and bin/mesh-helper.
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags "-s -w" -o $(BIN)/ ./apiserver/cmd/...
