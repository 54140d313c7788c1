// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package filters is the table of Envoy's filters: which there are, where and in
// which order they stand, how each is configured, and what each tells the others.
// What carries traffic takes its filters from here. docs/decisions/filter-table.md
// says why they stand where they do, and where others will.
package filters

import (
	"slices"

	"google.golang.org/protobuf/proto"
)

// Layer is what a filter looks at.
type Layer string

// The layers, in the order in which a call meets them: what a listener reads before
// it chooses a chain, a connection, and a request of a connection manager.
const (
	Listener Layer = "listener"
	Network  Layer = "network"
	HTTP     Layer = "HTTP"
)

// Direction is whose calls they are.
type Direction string

// Inbound are calls that the pod takes, Outbound those that it makes.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// List is one list of filters in Envoy's configuration. Of is what it carries.
type List struct {
	Direction Direction
	Layer     Layer
	Of        string
}

// The lists. OutboundTCP is for a Service's connections, which routes may lead
// elsewhere; OutboundDirect for those that go where they were dialled.
// OutboundDetected is a chain of requests beside one of connections.
var (
	InboundListener   = List{Inbound, Listener, "all"}
	OutboundListener  = List{Outbound, Listener, "all"}
	DetectingListener = List{Outbound, Listener, "a port that is detected"}
	InboundTCP        = List{Inbound, Network, "connections"}
	InboundHTTP       = List{Inbound, Network, "requests"}
	OutboundTCP       = List{Outbound, Network, "connections"}
	OutboundDirect    = List{Outbound, Network, "connections without a route"}
	OutboundHTTP      = List{Outbound, Network, "requests"}
	OutboundDetected  = List{Outbound, Network, "requests that are detected"}
	InboundRequests   = List{Inbound, HTTP, "requests"}
	OutboundRequests  = List{Outbound, HTTP, "requests"}
)

// Phase is a place in a list. A later one comes later, whatever the list.
type Phase int

// The phases. Those of inbound filters and those of outbound ones share no list.
const (
	// Inspect reads ahead what a connection carries, and where it was going.
	Inspect Phase = iota
	// Prepare says what later filters need to know.
	Prepare
	// Deny refuses, whoever the caller says that it is.
	Deny
	// Allow finds out who is admitted, and refuses the others.
	Allow
	// Serve is the end of a list: it carries what has come so far.
	Serve
)

// Presence is where a filter is.
type Presence string

const (
	// Always is in every list that it is said to be in, and acts.
	Always Presence = "always"
	// Off is in every such list, and is skipped until a route enables it by its
	// typed_per_filter_config.
	Off Presence = "off until a route enables it"
	// ByNeed is in the lists of those ports alone that need it. It comes and goes
	// with the whole listener.
	ByNeed Presence = "where a port needs it"
)

// Source is what carries a filter's configuration.
type Source string

const (
	// Fixed is the same in all lists, for the life of the proxy.
	Fixed Source = "fixed"
	// LDS is said by the listener, and differs by port.
	LDS Source = "LDS"
	// RDS is said by the routes (typed_per_filter_config, under the filter's name).
	// Config holds where they say nothing.
	RDS Source = "RDS"
	// ECDS is a resource of the port's own, whose name ends in Suffix.
	ECDS Source = "ECDS"
)

// Filter is a row of the table.
type Filter struct {
	// Name is the filter's in Envoy's configuration, but where its Source is ECDS:
	// there it has the name of its resource.
	Name     string
	Lists    []List
	Phase    Phase
	Presence Presence
	Source   Source
	// Config is the configuration in the listener; its type alone where Source is
	// LDS or ECDS. It must not be changed.
	Config proto.Message
	// Suffix ends the names of the resources of a Source that is ECDS.
	Suffix string
	// Writes and Reads are what it does with dynamic metadata.
	Writes, Reads []Metadata
}

// In are the filters of a list, in their order. They must not be changed.
func In(l List) []Filter { return byList[l] }

var byList = func() map[List][]Filter {
	all := map[List][]Filter{}
	for _, l := range lists(Table) {
		all[l] = in(Table, l)
	}
	return all
}()

func in(table []Filter, l List) []Filter {
	var out []Filter
	for _, f := range table {
		if slices.Contains(f.Lists, l) {
			out = append(out, f)
		}
	}
	return out
}
