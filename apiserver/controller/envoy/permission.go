// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"regexp"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// grpcContentType is that of gRPC over HTTP/2, in any encoding. A Deny also means
// the forms for browsers (gRPC-Web), which lead to the same methods.
const (
	grpcContentType       = `(?i)application/grpc([+;].*)?`
	deniedGRPCContentType = `(?i)application/grpc.*`
)

// allowConnection: what speaks of requests never admits a connection.
func allowConnection(t model.Match) *rbacv3.Permission {
	if t.Kind == model.MatchAny || t.Kind == model.MatchTCP {
		return anyPermission()
	}
	return nil
}

// denyConnection: whatever denies some requests denies a connection that might
// carry them.
func denyConnection(model.Match) *rbacv3.Permission { return anyPermission() }

func allowRequest(t model.Match) *rbacv3.Permission {
	if t.Kind == model.MatchGRPC {
		return allOf([]*rbacv3.Permission{header(":method", exactly("POST")), header("content-type", wholly(grpcContentType)), grpcMethods(t.GRPCMethods)})
	}
	return request(t, reading{admittedMethod, admittedHost, pathOf, admittedHeader})
}

// denyRequest does not look at the content type of a named gRPC method: there
// are servers that do not either.
func denyRequest(t model.Match) *rbacv3.Permission {
	if t.Kind != model.MatchGRPC {
		return request(t, reading{deniedMethod, deniedHost, deniedPath, deniedHeader})
	}
	if len(t.GRPCMethods) == 0 {
		return header("content-type", wholly(deniedGRPCContentType))
	}
	return grpcMethods(t.GRPCMethods)
}

// reading is how the words of a rule are compared with those of a request: an
// Allow admits what it says, a Deny refuses what an application may take for it.
type reading struct {
	method func(string) *rbacv3.Permission
	host   func(string) *rbacv3.Permission
	path   func(model.PathMatch) *rbacv3.Permission
	header func(model.HeaderMatch) *rbacv3.Permission
}

// request is nil for what speaks of connections only.
func request(t model.Match, r reading) *rbacv3.Permission {
	switch t.Kind {
	case model.MatchAny:
		return anyPermission()
	case model.MatchHTTP:
		return httpRequest(t, r)
	default:
		return nil
	}
}

func httpRequest(t model.Match, r reading) *rbacv3.Permission {
	var all []*rbacv3.Permission
	all = append(all, anyOf(t.Methods, r.method))
	all = append(all, anyOf(t.Paths, r.path))
	all = append(all, anyOf(t.Hosts, r.host))
	for _, h := range t.Headers {
		all = append(all, r.header(h))
	}
	return allOf(all)
}

func admittedMethod(m string) *rbacv3.Permission { return header(":method", exactly(m)) }

// deniedMethod ignores case: by RFC 9110, 9.1, "delete" is another method than
// "DELETE", but there are frameworks that write methods in capitals.
func deniedMethod(m string) *rbacv3.Permission {
	matcher := exactly(m)
	matcher.IgnoreCase = true
	return header(":method", matcher)
}

var percentEncoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// pathOf compares whole elements for a prefix: /books is /books and /books/…
// Envoy leaves query and fragment out of url_path. Percent-encoding is compared in
// capitals, since a request that has others is refused.
func pathOf(p model.PathMatch) *rbacv3.Permission {
	if p.Type == model.ValueRegularExpression {
		return urlPath(wholly(p.Value))
	}
	path := percentEncoded.ReplaceAllStringFunc(p.Value, strings.ToUpper)
	if p.Type != model.ValuePathPrefix {
		return urlPath(exactly(path))
	}
	element := strings.TrimRight(path, "/")
	if element == "" {
		return urlPath(startsWith("/"))
	}
	return anyOf([]*matcherv3.StringMatcher{exactly(element), startsWith(element + "/")}, urlPath)
}

func urlPath(m *matcherv3.StringMatcher) *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_UrlPath{UrlPath: &matcherv3.PathMatcher{
		Rule: &matcherv3.PathMatcher_Path{Path: m},
	}}}
}

// admittedHost ignores case, a port and the dot that ends an absolute name. A port
// is digits, and a label holds what names hold: applications drop what follows a
// colon, and would take "other:1.example.com" for "other".
func admittedHost(h string) *rbacv3.Permission {
	return header(":authority", wholly(`(?i)`+hostname(h, `[a-z0-9_.-]+`)+`\.?(:[0-9]*)?`))
}

// deniedHost also matches what Envoy takes for a host and applications may take
// for this one: with anything for a port, and as one of several Host headers,
// which come joined by commas.
func deniedHost(h string) *rbacv3.Permission {
	return header(":authority", wholly(`(?is)(.*,\s*)?`+hostname(h, `.+`)+`\.*([:,].*)?`))
}

// hostname is an expression for a host or, with labels in the place of the star,
// for a wildcard.
func hostname(h, labels string) string {
	if rest, ok := strings.CutPrefix(h, "*."); ok {
		return labels + `\.` + regexp.QuoteMeta(rest)
	}
	return regexp.QuoteMeta(h)
}

func grpcMethods(methods []model.GRPCMethod) *rbacv3.Permission {
	return anyOf(methods, func(m model.GRPCMethod) *rbacv3.Permission {
		switch {
		case m.Service != "" && m.Method != "":
			return urlPath(exactly("/" + m.Service + "/" + m.Method))
		case m.Service != "":
			return urlPath(startsWith("/" + m.Service + "/"))
		case m.Method != "":
			return urlPath(wholly(`/[^/]+/` + regexp.QuoteMeta(m.Method)))
		default:
			return anyPermission()
		}
	})
}

func header(name string, m *matcherv3.StringMatcher) *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: headerMatcher(name, m)}}
}

func value(t model.ValueMatch, v string) *matcherv3.StringMatcher {
	if t == model.ValueRegularExpression {
		return wholly(v)
	}
	return exactly(v)
}

func anyPermission() *rbacv3.Permission {
	return &rbacv3.Permission{Rule: &rbacv3.Permission_Any{Any: true}}
}

// anyOf matches one of the alternatives; with none it does not look, and is nil.
func anyOf[T any](alternatives []T, permission func(T) *rbacv3.Permission) *rbacv3.Permission {
	var set []*rbacv3.Permission
	for _, a := range alternatives {
		set = append(set, permission(a))
	}
	switch len(set) {
	case 0:
		return nil
	case 1:
		return set[0]
	default:
		return &rbacv3.Permission{Rule: &rbacv3.Permission_OrRules{OrRules: &rbacv3.Permission_Set{Rules: set}}}
	}
}

// allOf matches all that are not nil.
func allOf(permissions []*rbacv3.Permission) *rbacv3.Permission {
	var set []*rbacv3.Permission
	for _, p := range permissions {
		if p != nil {
			set = append(set, p)
		}
	}
	switch len(set) {
	case 0:
		return anyPermission()
	case 1:
		return set[0]
	default:
		return &rbacv3.Permission{Rule: &rbacv3.Permission_AndRules{AndRules: &rbacv3.Permission_Set{Rules: set}}}
	}
}
