// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package intent

import (
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Route says how calls to a Service travel. An object with several parents is one
// Route for each.
type Route struct {
	Origin Origin
	// Created is when the object was made: where two Routes speak of the same calls,
	// the older one decides.
	Created time.Time
	// Rank is that of the object's kind.
	Rank Rank
	// Parent is the Service. If it is in another namespace than the object, the Route
	// is for callers of the object's namespace, and in the place of all Routes that
	// are for everybody.
	Parent Key
	// Port is the parent's; 0 is every port that it has.
	Port uint16
	// HTTP is for requests, in the order of the object. Empty: the Route says nothing
	// of requests.
	HTTP []HTTPRule
	// TCP is for connections; nil if the Route says nothing of them.
	TCP *TCPRule
}

// Rank decides where Routes of several kinds have one parent: only those with the
// lowest rank act.
type Rank int

// The ranks of kinds that route.
const (
	RankGatewayAPI Rank = iota + 1
	RankMeshRoute
	RankTrafficSplit
)

// HTTPRule says where the requests go that match it.
type HTTPRule struct {
	// Name is how status and proxies call the rule: by name or index.
	Name string
	// Matches are alternatives. Empty: every request.
	Matches  []model.RequestMatch
	Backends []Backend
	Timeouts model.Timeouts
	// Retry is nil if the rule says nothing of it.
	Retry   *model.Retry
	Mirrors []Mirror
}

// TCPRule says where connections go.
type TCPRule struct {
	Name     string
	Backends []Backend
}

// Backend is a port of a Service. Without a name of a Service it names nothing that
// can be called, and its share fails.
type Backend struct {
	Service Key
	Port    uint16
	// Weight is relative to those of the rule's other backends.
	Weight uint32
}

// Mirror gets copies of requests.
type Mirror struct {
	// Backend's weight is not looked at.
	Backend Backend
	// PerMillion is how many requests of a million are copied.
	PerMillion uint32
}
