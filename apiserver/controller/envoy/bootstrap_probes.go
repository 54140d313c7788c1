// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	mutationrulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	customresponsev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/custom_response/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// ProbeScheme is how the application is asked.
type ProbeScheme string

// The schemes of a container's httpGet probe, and its other actions.
const (
	ProbeHTTP  ProbeScheme = "HTTP"
	ProbeHTTPS ProbeScheme = "HTTPS"
	ProbeH2C   ProbeScheme = "H2C"
	ProbeGRPC  ProbeScheme = "GRPC"
	ProbeGRPCS ProbeScheme = "GRPCS"
	ProbeTCP   ProbeScheme = "TCP"
)

// ProbeRoute answers one rewritten probe: a GET of Path on sidecar.PortProbes
// becomes what the kubelet would have sent to Port, and nothing beside it.
type ProbeRoute struct {
	// Path is /probe/<container>/<liveness|readiness|startup>.
	Path string
	// Port and OriginalPath (with its query, if any) are the container's own.
	Port         uint16
	OriginalPath string
	// Scheme is HTTP if empty. HTTPS is not verified: the kubelet does not either.
	// H2C is HTTP/2 in plaintext, with prior knowledge (RFC 9113, 3.3).
	// GRPC asks by the gRPC health checking protocol about the service that
	// OriginalPath names after its slash, GRPCS does so by unverified TLS. TCP
	// connects and no more.
	Scheme ProbeScheme
	// Headers are those of an httpGet probe, in the order of the container's; a
	// name may stand several times.
	Headers []ProbeHeader
	// Timeout is the probe's, a second or more. The kubelet's own clock starts
	// earlier and decides.
	Timeout time.Duration
}

// ProbeHeader is a header of an httpGet probe.
type ProbeHeader struct{ Name, Value string }

//go:embed probes.lua
var probeScript string

const (
	scriptFilter        = "envoy.filters.http.lua"
	mutationFilter      = "envoy.filters.http.header_mutation"
	connectedFilter     = "envoy.filters.http.custom_response"
	originalDestination = "x-envoy-original-dst-host"
)

func probeListener(p BootstrapParams) *listenerv3.Listener {
	var routes []*routev3.Route
	idle := streamIdleTimeout
	for _, r := range p.Probes {
		routes = append(routes, probeRoute(r))
		// An application may be silent for as long as the kubelet waits.
		idle = max(idle, r.Timeout)
	}
	m := staticManager("probes", routes, "GET")
	if len(routes) > 0 {
		m.HttpFilters = append(probeFilters(), m.HttpFilters...)
	}
	// What comes is the kubelet's HTTP/1.1, and what it is made of is thrown away.
	m.CodecType = hcmv3.HttpConnectionManager_HTTP1
	m.HttpProtocolOptions = &corev3.Http1ProtocolOptions{AcceptHttp_10: true}
	m.RequestTimeout, m.StreamIdleTimeout = dur(requestHeadersTimeout), dur(idle)
	return staticListener("probes", sidecar.PortProbes, m)
}

// probeFilters connect to nothing by themselves: where a request goes the script
// says, once it is made of the probe alone.
func probeFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		httpFilter(mutationFilter, &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{
			RequestMutations: []*mutationrulesv3.HeaderMutation{removeHeader(originalDestination)},
		}}),
		httpFilter(connectedFilter, &customresponsev3.CustomResponse{}),
		httpFilter(scriptFilter, &luav3.Lua{
			DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: compact(probeScript)}},
			// The route was chosen by the probe's path, and stays.
			ClearRouteCache: no(),
		}),
	}
}

// compact drops the lines that are comments alone, and the indentation: each pod
// carries the script.
func compact(script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func probeRoute(r ProbeRoute) *routev3.Route {
	answer := route(r.Path, exactPath(r.Path), &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: probeClusterName(r.scheme())},
		Timeout:          dur(r.Timeout),
	})
	if r.grpc() {
		// The script answers by itself, or, if it could not, this does.
		answer.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: http.StatusServiceUnavailable}}
	}
	answer.TypedPerFilterConfig = map[string]*anypb.Any{scriptFilter: pack(&luav3.LuaPerRoute{FilterContext: r.context()})}
	if r.Scheme == ProbeTCP {
		answer.TypedPerFilterConfig[connectedFilter] = pack(endOnceConnected())
	}
	return answer
}

func (r ProbeRoute) scheme() ProbeScheme { return cmp.Or(r.Scheme, ProbeHTTP) }

func (r ProbeRoute) grpc() bool { return r.Scheme == ProbeGRPC || r.Scheme == ProbeGRPCS }

// context is what the script reads.
func (r ProbeRoute) context() *structpb.Struct {
	headers, host, agent := r.request()
	fields := map[string]*structpb.Value{
		"scheme":    structpb.NewStringValue(string(r.scheme())),
		"port":      structpb.NewNumberValue(float64(r.Port)),
		"path":      structpb.NewStringValue(cmp.Or(r.OriginalPath, "/")),
		"timeout":   structpb.NewNumberValue(float64(r.Timeout.Milliseconds())),
		"headers":   structpb.NewListValue(headers),
		"own_agent": structpb.NewBoolValue(agent),
	}
	if host != "" {
		fields["host"] = structpb.NewStringValue(host)
	}
	return &structpb.Struct{Fields: fields}
}

// request gives the headers that every request of the probe has, its Host, if that
// is not the address, and whether it has a User-Agent of its own. As of the kubelet,
// User-Agent and Accept are there unless the probe has its own, and an empty one
// takes them away.
func (r ProbeRoute) request() (headers *structpb.ListValue, host string, ownAgent bool) {
	headers = &structpb.ListValue{}
	add := func(name, value string) {
		headers.Values = append(headers.Values, structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"name": structpb.NewStringValue(name), "value": structpb.NewStringValue(value),
		}}))
	}
	own := map[string]bool{}
	for _, h := range r.Headers {
		name := strings.ToLower(h.Name)
		seen := own[name]
		own[name] = true
		switch name {
		case "host":
			if !seen {
				host = h.Value
			}
		case "user-agent":
			if !seen && h.Value != "" {
				add(name, h.Value)
			}
		case "accept":
			if seen || h.Value != "" {
				add(name, h.Value)
			}
		case "content-length", "transfer-encoding", "trailer", originalDestination:
		default:
			add(name, h.Value)
		}
	}
	if !own["accept"] {
		add("accept", "*/*")
	}
	return headers, host, own["user-agent"]
}

// schemes are those by which the applications are spoken to, for the probe itself
// and for its redirects.
func (r ProbeRoute) schemes() []ProbeScheme {
	if s := r.scheme(); s != ProbeHTTP && s != ProbeHTTPS {
		return []ProbeScheme{s}
	}
	return []ProbeScheme{ProbeHTTP, ProbeHTTPS}
}

func probeClusterName(s ProbeScheme) string { return "probe/" + string(s) }

// probeClusters reach what listens on the pod's own address, by each scheme that
// a probe or a redirect has. The script names the port. Each request opens its own
// connection, as the kubelet's does.
func probeClusters(p BootstrapParams) ([]*clusterv3.Cluster, error) {
	longest := map[ProbeScheme]time.Duration{}
	for _, r := range p.Probes {
		if r.Timeout < time.Second {
			return nil, fmt.Errorf("probe %s: timeout %s must be a second or more", r.Path, r.Timeout)
		}
		for _, scheme := range r.schemes() {
			longest[scheme] = max(longest[scheme], r.Timeout)
		}
	}
	var out []*clusterv3.Cluster
	for _, scheme := range slices.Sorted(maps.Keys(longest)) {
		c, err := probeCluster(scheme)
		if err != nil {
			return nil, err
		}
		c.ConnectTimeout = dur(longest[scheme])
		out = append(out, c)
	}
	return out, nil
}
