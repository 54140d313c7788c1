// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ack says how far proxies are with what they were sent: what the xds package
// counts, and the status package writes down.
package ack

import (
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// State is how far proxies are with what came of some units.
type State struct {
	// Known are the proxies that have to ACK something, connected or not.
	Known int
	// Connected are those of them with a stream.
	Connected int
	// Acked are those of them that have ACKed the current version of each of the
	// resources that they are due: the whole chain of listener, routes, filters and
	// secrets. A proxy that has ACKed a listener and not yet asked for what that
	// names does not obey it yet, and is not counted.
	Acked int
	// Waiting are those that are connected and have not, MaxWaiting at most: those
	// that are waited for longest, in that order. That order alone is no news.
	Waiting []Wait
	// Nacks are the refusals of the resources that still stand, sorted.
	Nacks []Nack
}

// MaxWaiting is how many proxies State.Waiting names.
const MaxWaiting = 3

// Wait is a proxy that has not ACKed something.
type Wait struct {
	Proxy model.ProxyID
	// Since is when it was first due, as far as this server knows.
	Since time.Time
}

// Nack is a refusal: a proxy did not accept a version of a resource, and keeps
// what it had. It stands until the proxy ACKs that resource.
type Nack struct {
	Proxy         model.ProxyID
	TypeURL, Name string
	// View of the resource, as in envoy.Key.
	View string
	// Message is Envoy's, cut at 2048 bytes.
	Message string
}
