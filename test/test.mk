# What the tests need beside Go: root for a network namespace (integration) and
# the local cluster (e2e). A part that lacks something fails with a sentence.
.PHONY: test test-unit test-integration test-e2e

test: test-unit test-integration test-e2e ## Run all tests.

test-unit: ## Run the unit tests; they need neither root nor a cluster.
	$(GO) test ./...
	cd test && $(GO) vet ./...

# The build of Kubernetes shows its progress; go test would hide it.
test-integration: ## Test the API against a real kube-apiserver (root).
	hack/cluster/build.sh
	cd test && $(GO) test -count=1 -timeout 20m ./integration/...

test-e2e: ## Test the mesh on the local cluster, with the real Envoy in every pod (root).
	test/e2e/run.sh
