.PHONY: demo demo-down
# EXISTING_KUBECONFIG=FILE IMAGE_REGISTRY=REGISTRY[/PATH]: in a cluster that is there already.
demo: ## Bring up a local cluster, install the mesh, run the bookstore, show that its traffic obeys.
	@artifacts/bookstore/demo.sh

demo-down: cluster-down ## Take the demo and its cluster away, leaving nothing behind.
