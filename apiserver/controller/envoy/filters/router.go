// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import (
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
)

// PlainRouter adds no x-envoy- header of its own.
func PlainRouter() *routerv3.Router { return &routerv3.Router{SuppressEnvoyHeaders: true} }
