// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	downstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	fixedheapv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxConnections bounds the connections that the proxy has open downstream, those
// of probes and metrics apart. It is far above what a pod has, and below what
// would take the memory of its node.
const maxConnections = 1 << 16

// heapShare is the part of the container's memory that the heap may take. Stacks,
// and buffers of the kernel, count for the container as well.
const heapShare = 0.9

// overloadManager bounds connections, and memory where a bound is known. The
// steps of memory are those of Envoy's "Configuring Envoy as an edge proxy".
func overloadManager(p BootstrapParams) *overloadv3.OverloadManager {
	m := &overloadv3.OverloadManager{
		RefreshInterval: dur(250 * time.Millisecond),
		ResourceMonitors: []*overloadv3.ResourceMonitor{monitor("envoy.resource_monitors.global_downstream_max_connections",
			&downstreamv3.DownstreamConnectionsConfig{
				MaxActiveDownstreamConnections: maxConnections,
			})},
	}
	if p.MemoryBytes == 0 {
		return m
	}
	const heap = "envoy.resource_monitors.fixed_heap"
	m.ResourceMonitors = append(m.ResourceMonitors, monitor(heap, &fixedheapv3.FixedHeapConfig{MaxHeapSizeBytes: p.MemoryBytes}))
	m.Actions = []*overloadv3.OverloadAction{
		at("envoy.overload_actions.shrink_heap", heap, 0.92*heapShare),
		at("envoy.overload_actions.disable_http_keepalive", heap, 0.95*heapShare),
		at("envoy.overload_actions.stop_accepting_requests", heap, 0.98*heapShare),
	}
	return m
}

func monitor(name string, config proto.Message) *overloadv3.ResourceMonitor {
	return &overloadv3.ResourceMonitor{
		Name:       name,
		ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: pack(config)},
	}
}

func at(action, monitor string, threshold float64) *overloadv3.OverloadAction {
	return &overloadv3.OverloadAction{
		Name: action,
		Triggers: []*overloadv3.Trigger{{
			Name:         monitor,
			TriggerOneof: &overloadv3.Trigger_Threshold{Threshold: &overloadv3.ThresholdTrigger{Value: threshold}},
		}},
	}
}

// runtime lets regular expressions be as large as the API admits; Envoy's own
// limit is 100 instructions, too few for a list of words. It also has the
// inspector of HTTP parse as it did before Envoy 1.39, where a first byte that
// begins no method is enough: the new parser waits for a line's end, and what a
// client has sent that closes meanwhile is dropped (docs/decisions/detection.md).
func runtime() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "static",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{Fields: map[string]*structpb.Value{
			"re2.max_program_size.error_level":                          structpb.NewNumberValue(1 << 20),
			"envoy.reloadable_features.http_inspector_use_balsa_parser": structpb.NewBoolValue(false),
		}}},
	}}}
}
