# make bench measures all that docs/performance.md speaks of; BENCH="push issue"
# measures some parts. The figures go to _output/bench.json and bench.md.
.PHONY: bench
BENCH ?=
bench: ## Measure the mesh, about 25 minutes; BENCH=NAME for one part (root).
	hack/cluster/build.sh >/dev/null
	mkdir -p _output
	$(GO) -C hack/bench build -o ../../_output/bench .
	_output/bench -json _output/bench.json -table _output/bench.md $(BENCH)
