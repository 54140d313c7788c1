// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"net/http"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/filters"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// No proxy rewrites a request: the application reads the path and the host that
// the caller wrote. A rule reads the same, and an application may take another
// spelling for what the rule names. So what a rule cannot be held to is answered
// by 400, before the rules are looked at.

// hostForm is what may stand in an authority: a name, in which underscores are common,
// or an address, and a port (RFC 3986, 3.2.2). The name has no percent-encoding and
// no sub-delimiters: "u@host", "host%2eexample" and "a,b" are read as another host
// by some. It may be empty, as where the URI has no authority (RFC 9110, 7.2).
const hostForm = `(?:[-0-9A-Za-z._~]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?`

// Normal form of a path (RFC 3986, 6.2.2), its query left out. Hexadecimal digits
// are capitals; octets that need no percent-encoding are written plainly; no element
// is empty but the last, and none is "." or "..", alone or before parameters, which
// some servers drop (3.3): "/;x/a" is "/a" to them. Slash and backslash are written in no other way. Of what
// RFC 3986 has no place for, []^| stand plainly, as browsers write them.
const (
	// char is what stands in an element, but for dot and semicolon: as it is, or an
	// encoded octet that is not NUL, unreserved, a slash or a backslash.
	char     = `(?:[-0-9A-Za-z_~!$&'()*+,=:@\[\]^|]|%(?:0[1-9A-F]|1[0-9A-F]|2[0-9A-C]|3[A-F]|40|5[BDE]|60|7[BCDF]|[89A-F][0-9A-F]))`
	element  = `(?:\.{0,2}` + char + `|\.{3})(?:` + char + `|[.;])*`
	pathForm = `(?:/` + element + `)*(?:/(?:;(?:` + char + `|[.;])*)?)?`
	// anyQuery is whatever follows: no rule looks at it.
	anyQuery = `(?s:\?.*)?`
)

// refuseForms are the routes that answer 400 at a port with these rules: to an
// authority that is no host, and where a rule names paths to one that is not in
// normal form.
func refuseForms(a model.Access) []*routev3.Route {
	routes := []*routev3.Route{refuse("no-host", ":authority", hostForm, "the Host is no host name or address")}
	if namesPaths(a) {
		routes = append(routes, refuse("path-not-normal", ":path", pathForm+anyQuery, "the path is not in normal form (RFC 3986, 6.2.2)"))
	}
	return routes
}

// namesPaths is true where some rule decides by the path, of which a gRPC method is
// one. Audited rules decide nothing.
func namesPaths(a model.Access) bool {
	return slices.ContainsFunc(slices.Concat(a.Deny, a.Allow), func(r model.Rule) bool {
		return slices.ContainsFunc(r.To, func(m model.Match) bool { return len(m.Paths)+len(m.GRPCMethods) > 0 })
	})
}

// refuse answers 400 where a header has another form. The rules do not come before
// it, so that the answer is the same whatever they would say of such a request.
func refuse(name, header, form, why string) *routev3.Route {
	other := headerMatcher(header, wholly(form))
	other.InvertMatch = true
	unruled := pack(&httprbacv3.RBACPerRoute{})
	return &routev3.Route{
		Name:  name,
		Match: &routev3.RouteMatch{PathSpecifier: anyPath(), Headers: []*routev3.HeaderMatcher{other}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
			Status: http.StatusBadRequest,
			Body:   &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: why + "\n"}},
		}},
		TypedPerFilterConfig: map[string]*anypb.Any{filters.DenyRequests: unruled, filters.AllowRequests: unruled, filters.CloseRequests: unruled},
	}
}
