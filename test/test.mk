# What the tests need beside Go is in test/README.md. A part that lacks something
# fails with a sentence, and never passes silently.
.PHONY: test test-unit test-race test-fuzz test-integration test-e2e soak soak-integration soak-e2e fuzz

test: test-unit test-race test-fuzz test-integration test-e2e ## Run all tests: unit, with the race detector, a little fuzzing, integration, e2e.

# apiserver/redirect and mesh-helper need root: they are tested with the integration tests.
test-unit: ## Run the unit tests; they need neither root nor a cluster.
	@mkdir -p _output
	@PROGRAM=test-unit; source hack/progress.sh; watched "compiling, minutes when cold" _output/test-unit.log \
	  $(GO) build $$($(GO) list -f '{{if ne .Name "main"}}{{.ImportPath}}{{end}}' ./...)
	$(GO) test $$($(GO) list ./... | grep -v -e /apiserver/redirect$$ -e /cmd/mesh-helper$$)
	$(GO) -C hack/cluster test ./boundlog
	$(GO) -C hack/bench vet .
	$(GO) -C hack/bench test .
	$(GO) -C hack/images test .
	$(GO) vet -tags 'envoy soak' ./apiserver/controller ./apiserver/controller/envoy ./apiserver/controller/xds
	$(GO) -C test vet ./...
	$(GO) -C test vet -tags soak ./...
	$(GO) -C test test ./await ./pki

# The packages with something to guard from other goroutines: those that import sync. What
# other packages do is tried a few times only (-short): it is ten times as slow here.
RACED = $(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{$$p := .ImportPath}}{{range .Imports}}{{if or (eq . "sync") (eq . "sync/atomic")}}{{$$p}}{{"\n"}}{{end}}{{end}}{{end}}' ./... | sort -u
test-race: ## Run the unit tests of packages that import sync with the race detector (C compiler).
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $$($(RACED))

# What the fuzz targets found is in their testdata, which test-unit runs.
FUZZTIME ?= 1m
fuzz: ## Fuzz what goes from an object's bytes to Envoy's resources, FUZZTIME (1m) each target.
	for target in $$($(GO) test -list '^Fuzz' ./apiserver/controller | grep ^Fuzz); do \
	  $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s ./apiserver/controller; \
	done

test-fuzz: FUZZTIME = 10s
test-fuzz: fuzz ## Fuzz each target for some seconds.

# The build of Kubernetes and the download of Envoy show their progress, which go
# test would hide.
test-integration: ## Test the server on a real kube-apiserver, proxies' configuration on Envoy, redirection on nftables (root).
	$(GO) test -count=1 ./apiserver/redirect ./apiserver/cmd/mesh-helper
	MESH_ENVOY=$$(hack/images/envoy.sh) && export MESH_ENVOY && \
	  $(GO) test -count=1 -timeout 20m -tags envoy -run Envoy -parallel 4 ./apiserver/controller ./apiserver/controller/envoy ./apiserver/controller/xds
	hack/cluster/build.sh
	$(GO) -C test test -count=1 -timeout 20m -v ./integration

test-e2e: ## Test the mesh on the local cluster, with the real Envoy in every pod (root).
	@test/e2e/run.sh

# Each part of the soak runs for up to an hour; what was seen is in docs/soak.md.
soak: soak-integration soak-e2e ## Run the long tests: outages, churn, load, races (root).

soak-integration:
	MESH_ENVOY=$$(hack/images/envoy.sh) && export MESH_ENVOY && \
	  $(GO) test -count=1 -tags 'envoy soak' -run '^TestSoak' -v ./apiserver/controller/envoy
	hack/cluster/build.sh
	$(GO) -C test test -count=1 -timeout 60m -tags soak -run '^TestSoak' -v ./integration

soak-e2e:
	@test/e2e/run.sh -tags soak -timeout 60m -run '^TestSoak'
