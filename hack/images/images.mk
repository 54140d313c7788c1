.PHONY: images envoy
images: ## Build the images without Docker; a cluster that is up gets them.
	@hack/images/images.sh

envoy: ## Print the path of the pinned Envoy, downloading it if needed.
	@hack/images/envoy.sh
