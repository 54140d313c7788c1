// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// requestMatch is false if no request can match.
func requestMatch(m model.RequestMatch) (*routev3.RouteMatch, bool) {
	out := &routev3.RouteMatch{PathSpecifier: anyPath()}
	switch {
	case m.Path != nil && !pathMatch(*m.Path, out):
		return nil, false
	case m.GRPC != nil && !grpcMatch(*m.GRPC, out):
		return nil, false
	}
	if m.Method != "" {
		out.Headers = append(out.Headers, headerMatcher(":method", exactly(m.Method)))
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, headerMatcher(h.Name, valueMatcher(h.Type, h.Value)))
	}
	for _, q := range m.Query {
		out.QueryParameters = append(out.QueryParameters, &routev3.QueryParameterMatcher{
			Name:                         q.Name,
			QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: valueMatcher(q.Type, q.Value)},
		})
	}
	return out, true
}

// anyPath is every path, that of "OPTIONS *" included.
func anyPath() *routev3.RouteMatch_Prefix { return &routev3.RouteMatch_Prefix{} }

// pathMatch is false for what no path is: one begins with a slash, and ends before
// its query and fragment.
func pathMatch(p model.PathMatch, out *routev3.RouteMatch) bool {
	if p.Type == model.ValueRegularExpression {
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: p.Value}}
		return true
	}
	if !strings.HasPrefix(p.Value, "/") || strings.ContainsAny(p.Value, "?#") {
		return false
	}
	if p.Type == model.ValueExact {
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: p.Value}
		return true
	}
	if prefix := strings.TrimSuffix(p.Value, "/"); prefix != "" {
		prefixMatch(prefix, out)
	}
	return true
}

// prefixMatch compares whole elements. Envoy's own form of it takes no prefix that
// ends in a slash, such as "/a/" of "/a//".
func prefixMatch(prefix string, out *routev3.RouteMatch) {
	if strings.HasSuffix(prefix, "/") {
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: octets(prefix) + `(?s:/.*)?`}}
		return
	}
	out.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: prefix}
}

// grpcMatch is by path: gRPC has the method there, as /<service>/<method>.
func grpcMatch(g model.GRPCMatch, out *routev3.RouteMatch) bool {
	if g.Service == "" && g.Method == "" {
		return true
	}
	if g.Type != model.ValueRegularExpression && g.Service != "" {
		path := model.PathMatch{Type: model.ValuePathPrefix, Value: "/" + g.Service}
		if g.Method != "" {
			path = model.PathMatch{Type: model.ValueExact, Value: path.Value + "/" + g.Method}
		}
		return pathMatch(path, out)
	}
	part := func(s string) string {
		switch {
		case s == "":
			return "[^/]+"
		case g.Type == model.ValueRegularExpression:
			return "(?:" + s + ")"
		default:
			return regexp.QuoteMeta(s)
		}
	}
	out.PathSpecifier = &routev3.RouteMatch_SafeRegex{
		SafeRegex: &matcherv3.RegexMatcher{Regex: "/" + part(g.Service) + "/" + part(g.Method)},
	}
	return true
}

func valueMatcher(kind model.ValueMatch, value string) *matcherv3.StringMatcher {
	if kind == model.ValueRegularExpression {
		return wholly(value)
	}
	return exactly(value)
}

func websocket() *routev3.HeaderMatcher {
	m := exactly("websocket")
	m.IgnoreCase = true
	return headerMatcher("upgrade", m)
}

func headerMatcher(name string, m *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{
		Name:                 name,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m},
	}
}
