// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"strings"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// withTodaysModels serves the OpenAPI v3 of today to requests that name another
// version's by its hash. The server of k8s.io/apiserver redirects those, and the
// aggregator passes no redirect on: it has the hash of the version before for a
// minute after an upgrade, in which `kubectl explain` would fail.
func withTodaysModels(handler http.Handler, c *genericapiserver.Config) http.Handler {
	chain := genericapiserver.DefaultBuildHandlerChain(handler, c)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/openapi/v3/") {
			r = r.Clone(r.Context())
			r.URL.RawQuery = ""
		}
		chain.ServeHTTP(w, r)
	})
}
