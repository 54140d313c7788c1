// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import "time"

// Routes say where calls to one port of a Service go, for the callers of one
// namespace or for all others. What no route speaks of goes nowhere.
type Routes struct {
	// Consumer is the namespace whose callers obey. "" is every namespace that has
	// no Routes of its own for the port.
	Consumer string
	// HTTP is for requests. The order is the precedence: the first that matches a
	// request decides. A request that none matches is answered by 404.
	HTTP []HTTPRoute
	// TCP is for connections, which nothing tells apart. Without a share for any
	// backend they are closed.
	TCP []Backend
}

// RoutesToItself lead every call to the port that is called. They are those of a
// port that has no others.
func RoutesToItself(key ServiceKey, port uint16) Routes {
	itself := []Backend{{Service: key, Port: port, Weight: 1}}
	return Routes{HTTP: []HTTPRoute{{Backends: itself}}, TCP: itself}
}

// ConsumerView names the view of all proxies of a namespace: what a namespace's own
// routes lead to is sent in it, and comes before what is sent to everybody.
func ConsumerView(namespace string) string { return "consumer/" + namespace }

// HTTPRoute is where the requests go that match it.
type HTTPRoute struct {
	// Name is "<kind>/<namespace>/<name>/<rule>", for whoever reads a proxy's
	// configuration; "" for RoutesToItself.
	Name  string
	Match RequestMatch
	// Backends have shares of the requests by weight. Without a share for any
	// backend a request is answered by 500.
	Backends []Backend
	Timeouts Timeouts
	// Retry is nil where nothing is said: what no application has seen is tried
	// again, and what may be served twice also where its connection broke.
	Retry *Retry
	// Mirrors get copies, whose answers are thrown away.
	Mirrors []Mirror
}

// Backend is a port of a Service with a share of calls. What is called are the
// endpoints of that port: no routes of its own are followed.
type Backend struct {
	Service ServiceKey
	Port    uint16
	// Weight is relative to those of the other backends. 0 is no share.
	Weight uint32
	// Missing is true if there is no such port, if it cannot carry such calls, or if
	// the callers may not see it: its share is answered by 500, or closed.
	Missing bool
}

// RequestMatch is a set of requests; every field that is set must match.
type RequestMatch struct {
	// Path is compared as it was sent, without its query.
	Path *PathMatch
	// Method is compared with its case.
	Method string
	// Headers must all match. Several headers of one name count as one, with commas.
	Headers []HeaderMatch
	// Query are parameters, as they stand in the path; of several with one name the
	// first counts.
	Query []QueryMatch
	// GRPC demands a gRPC request. It is not set together with Path or Method.
	GRPC *GRPCMatch
}

// QueryMatch compares a query parameter.
type QueryMatch struct {
	Type        ValueMatch
	Name, Value string
}

// GRPCMatch names a method; an empty field matches all.
type GRPCMatch struct {
	// Type is ValueExact or ValueRegularExpression, for both.
	Type            ValueMatch
	Service, Method string
}

// Timeouts bound a request; a field that is 0 does not.
type Timeouts struct {
	// Request is from the whole request to the whole response, with all attempts.
	// A WebSocket has none.
	Request time.Duration
	// BackendRequest is the same for each attempt.
	BackendRequest time.Duration
	// Idle ends a stream on which nothing is sent. Without it that are 5 minutes, and
	// for gRPC and WebSockets for ever.
	Idle time.Duration
}

// Retry says what is tried again, on another endpoint where there is one.
type Retry struct {
	// Attempts are those beside the first; 0 tries nothing again.
	Attempts uint32
	// Codes are statuses of responses after which a request is tried again.
	Codes []uint32
	// BackOff is about how long the first further attempt waits; each one after it
	// waits longer, at most ten times as long. 0 is 25 ms.
	BackOff time.Duration
	// Unsafe tries requests again that must not be served twice, such as POST.
	// Without it that happens only to those that no application has seen.
	Unsafe bool
}

// Mirror gets copies of requests.
type Mirror struct {
	// Backend's weight is not looked at; nothing is sent to one that is missing.
	Backend Backend
	// PerMillion is how many requests of a million are copied.
	PerMillion uint32
}
