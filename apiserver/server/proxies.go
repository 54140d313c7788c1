// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"net/http"

	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// addProxies serves GET /debug/proxies beside the API, and behind its
// authorization: what has gone over the stream of each connected proxy, by
// "namespace/pod/uid" and type. Metrics have sums only, which do not grow with the mesh.
func (s *Server) addProxies() {
	s.generic.Handler.NonGoRestfulMux.HandleFunc("/debug/proxies", func(w http.ResponseWriter, r *http.Request) {
		out := map[string]map[string]xds.Counts{}
		for id, counts := range s.xds.Counts() {
			out[id.String()] = counts
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			klog.FromContext(r.Context()).V(2).Info("Cannot tell of the proxies", "err", err)
		}
	})
}
