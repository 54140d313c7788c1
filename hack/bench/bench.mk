# docs/performance.md says what is measured. BENCH="push issue" measures some parts.
.PHONY: bench
BENCH ?=
bench: ## Measure the mesh, some 30 minutes; BENCH=NAME for one part (root).
	@hack/bench/run.sh $(BENCH)
