// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import "strings"

// kind is a type of resource that proxies are served. The constants stand in
// the order in which a stream is sent what is new or changed, make before
// break: Envoy's xDS protocol, "Eventual consistency considerations", wants
// clusters, then endpoints, then listeners, then routes.
//
// Secrets and filter configurations are not named there. Secrets come right
// after endpoints, for new clusters warm up only with them. Filter
// configurations come before listeners: a narrowed access rule arrives
// together with a renamed filter chain, and a connection that the new chain
// accepts must meet the new rule.
type kind int

const (
	clusters kind = iota
	endpoints
	secrets
	filters
	listeners
	routes
	kinds
)

// removalOrder is the order of what goes away, after everything that comes:
// first what refers, then what is referred to.
var removalOrder = [...]kind{listeners, routes, filters, secrets, endpoints, clusters}

const typePrefix = "type.googleapis.com/"

var typeURLs = [kinds]string{
	clusters:  typePrefix + "envoy.config.cluster.v3.Cluster",
	endpoints: typePrefix + "envoy.config.endpoint.v3.ClusterLoadAssignment",
	secrets:   typePrefix + "envoy.extensions.transport_sockets.tls.v3.Secret",
	filters:   typePrefix + "envoy.config.core.v3.TypedExtensionConfig",
	listeners: typePrefix + "envoy.config.listener.v3.Listener",
	routes:    typePrefix + "envoy.config.route.v3.RouteConfiguration",
}

// kindOf finds a kind by its type URL.
func kindOf(typeURL string) (kind, bool) {
	for k, url := range typeURLs {
		if url == typeURL {
			return kind(k), true
		}
	}
	return 0, false
}

func (k kind) typeURL() string { return typeURLs[k] }

// label is the short name of the type, for metrics: "Cluster".
func (k kind) label() string {
	return typeURLs[k][strings.LastIndexByte(typeURLs[k], '.')+1:]
}

// takesWildcard tells the types that a proxy may ask for as a whole. The
// others are named by what refers to them.
func (k kind) takesWildcard() bool { return k == clusters || k == listeners }

// waitsForClusters tells the types that may refer to clusters.
func (k kind) waitsForClusters() bool { return k == filters || k == listeners || k == routes }
