# Generated code and what checks the tree without running it.

TOOLS_BIN := _output/tools

.PHONY: generate
generate: ## Generate code from the types in apis/ (installs protoc if missing), and test/README.md's tables.
	hack/update-codegen.sh
	hack/update-protobuf.sh
	hack/update-test-table.sh

.PHONY: verify
verify: verify-codegen verify-protobuf verify-modules verify-test-table lint ## Check generated code, go.mod, formatting, lint and the walls.

.PHONY: verify-codegen
verify-codegen: ## Check what hack/update-codegen.sh writes.
	hack/verify-codegen.sh

.PHONY: verify-protobuf
verify-protobuf: ## Check what hack/update-protobuf.sh writes.
	hack/verify-protobuf.sh

.PHONY: verify-test-table
verify-test-table: ## Check what hack/update-test-table.sh writes, and that what test/README.md names exists.
	hack/verify-test-table.sh

.PHONY: verify-modules
verify-modules: ## Check that each module's go.mod and go.sum are tidy.
	for module in . test hack/bench hack/tools hack/images hack/cluster; do (cd $$module && $(GO) mod tidy -diff); done

.PHONY: lint
lint: $(TOOLS_BIN)/golangci-lint ## Run golangci-lint with the house's walls.
	$(TOOLS_BIN)/golangci-lint run ./...
	$(TOOLS_BIN)/golangci-lint run --config hack/tools/kube-api-linter.yml ./apis/...
	cd test && $(abspath $(TOOLS_BIN))/golangci-lint run --config $(CURDIR)/.golangci.yml ./...
	# Of hack/cluster what is its own: main.go is Kubernetes, minutes of analysis.
	cd hack/cluster && $(abspath $(TOOLS_BIN))/golangci-lint run --config $(CURDIR)/.golangci.yml ./boundlog/... ./pause/...
	cd hack/images && $(abspath $(TOOLS_BIN))/golangci-lint run --config $(CURDIR)/.golangci.yml ./...
	cd hack/bench && $(abspath $(TOOLS_BIN))/golangci-lint run --config $(CURDIR)/.golangci.yml ./...

# Built from the pinned source, once for each version. The main package is
# golangci-lint's with kube-api-linter as a plugin.
$(TOOLS_BIN)/golangci-lint: hack/tools/go.mod hack/tools/go.sum
	@mkdir -p $(TOOLS_BIN)
	@PROGRAM=lint; source hack/progress.sh; watched "building golangci-lint, minutes when cold" $(TOOLS_BIN)/golangci-lint.log \
	  $(GO) -C hack/tools build -o $(abspath $@) sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
	@touch $@
