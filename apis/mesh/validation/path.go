// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

var (
	// RFC 3986, 3.3: what a path may hold, percent-encoded octets included.
	pathPattern = regexp.MustCompile(`^/(?:[-A-Za-z0-9._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$`)
	// RFC 3986, 2.3: unreserved characters, which stand plainly in normal form:
	// - . _ ~ 0-9 A-Z a-z.
	escapedUnreserved = regexp.MustCompile(`%(?:2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])`)
	// '/' and '\', which the proxy refuses in this form.
	escapedSlash = regexp.MustCompile(`%(?:2[Ff]|5[Cc])`)
	dotSegment   = regexp.MustCompile(`/\.{1,2}(?:/|$)`)
)

// validatePath refuses what could never match: a request whose path is not in normal
// form (envoy/form.go) is refused before rules are looked at, and paths are compared
// without their query.
func validatePath(match *mesh.PathMatch, path *field.Path) field.ErrorList {
	value, valuePath := match.Value, path.Child("value")
	if value == "" {
		return nil
	}
	if match.Type == mesh.PathMatchRegularExpression {
		return validateRegularExpression(value, valuePath)
	}
	if why := whyNoPath(value); why != "" {
		return field.ErrorList{field.Invalid(valuePath, value, why)}
	}
	return nil
}

// whyNoPath says why no path in normal form has this value, or nothing.
func whyNoPath(value string) string {
	if !strings.HasPrefix(value, "/") {
		return `must begin with "/"`
	}
	if strings.ContainsAny(value, "?#") {
		return "must not have a query or fragment: paths are compared without"
	}
	if strings.Contains(value, `\`) {
		return `must not hold a backslash: requests with one are refused before paths are compared`
	}
	if strings.Contains(value, "//") {
		return `must not hold "//": requests with it are refused before paths are compared`
	}
	if dotSegment.MatchString(value) {
		return `must not hold "." or ".." as an element: requests with them are refused before paths are compared`
	}
	if !pathPattern.MatchString(value) {
		return "must be a path: characters other than letters, digits and -._~!$&'()*+,;=:@ are written as %XX"
	}
	if escaped := escapedSlash.FindString(value); escaped != "" {
		return fmt.Sprintf("must not hold %s: requests with an escaped slash are refused before paths are compared", escaped)
	}
	if escaped := escapedUnreserved.FindString(value); escaped != "" {
		return fmt.Sprintf("must not hold %s: write the character itself; requests with it in percent-encoding are refused", escaped)
	}
	return ""
}
