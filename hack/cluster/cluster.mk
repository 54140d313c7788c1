.PHONY: cluster-up cluster-down env
cluster-up: ## Bring up a real Kubernetes on this machine, or repair it.
	@hack/cluster/up.sh

cluster-down: ## Take it away, leaving nothing behind.
	@hack/cluster/down.sh

env: ## Print what makes a shell use it: eval "$(make -s env)"
	@hack/cluster/env.sh
