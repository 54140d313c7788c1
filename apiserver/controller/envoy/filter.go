// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
)

// Filters of requests are the same in all connection managers of a direction, which
// share them. They must not be changed.
var (
	inboundFilters  = managerFilters(filters.In(filters.InboundRequests))
	outboundFilters = managerFilters(filters.In(filters.OutboundRequests))
)

func managerFilters(table []filters.Filter) []*hcmv3.HttpFilter {
	out := make([]*hcmv3.HttpFilter, 0, len(table))
	for _, f := range table {
		filter := httpFilter(f.Name, f.Config)
		filter.Disabled = f.Presence == filters.Off
		out = append(out, filter)
	}
	return out
}

// chainFilters are those of a chain. What the listener says of some of them is
// in configs; the resources of the others have names that begin with name.
func chainFilters(l filters.List, name string, configs ...proto.Message) []*listenerv3.Filter {
	table := filters.In(l)
	out := make([]*listenerv3.Filter, 0, len(table))
	for _, f := range table {
		if f.Source == filters.ECDS {
			out = append(out, discoveredFilter(name+f.Suffix, f.Config))
		} else {
			out = append(out, networkFilter(f.Name, configOf(f, configs)))
		}
	}
	return out
}

// listenerFilters read ahead of a listener's chains.
func listenerFilters(l filters.List, configs ...proto.Message) []*listenerv3.ListenerFilter {
	var out []*listenerv3.ListenerFilter
	for _, f := range filters.In(l) {
		out = append(out, listenerFilter(f.Name, configOf(f, configs)))
	}
	return out
}

// configOf is the one that is of the filter's type. That there is none is a fault of
// this package: the table has a filter of which a list does not know.
func configOf(f filters.Filter, configs []proto.Message) proto.Message {
	if f.Source == filters.Fixed {
		return f.Config
	}
	for _, config := range configs {
		if config.ProtoReflect().Descriptor() == f.Config.ProtoReflect().Descriptor() {
			return config
		}
	}
	panic(fmt.Sprintf("filter %s: a list has no %s for it", f.Name, f.Config.ProtoReflect().Descriptor().FullName()))
}

func httpFilter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{
		Name:       name,
		ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)},
	}
}

func networkFilter(name string, config proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name:       name,
		ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(config)},
	}
}

// discoveredFilter is a network filter that comes by ECDS under its own name:
// it changes without the listener. Until it is there connections are closed.
func discoveredFilter(name string, kind proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{
		Name: name,
		ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: fromADS(),
			TypeUrls:     []string{pack(kind).TypeUrl},
		}},
	}
}

func listenerFilter(name string, config proto.Message) *listenerv3.ListenerFilter {
	return &listenerv3.ListenerFilter{
		Name:       name,
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: pack(config)},
	}
}
