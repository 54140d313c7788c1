// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// deniedPath is pathOf for a Deny. In normal form a reserved character (RFC 3986,
// 2.2) stands as the caller has written it, plainly or as %XX, while many servers
// take both for the same: both are denied. An Allow admits only the spelling that
// it says.
func deniedPath(p model.PathMatch) *rbacv3.Permission {
	if p.Type == model.ValueRegularExpression || !strings.ContainsFunc(p.Value, hasTwoSpellings) {
		return pathOf(p)
	}
	re := eitherSpelling(p.Value)
	if p.Type == model.ValuePathPrefix {
		re = eitherSpelling(strings.TrimRight(p.Value, "/")) + `(?s:/.*)?`
	}
	return urlPath(wholly(re))
}

// hasTwoSpellings is true for all but unreserved characters and the slash, which
// stand plainly in normal form.
func hasTwoSpellings(r rune) bool {
	return r != '/' && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
}

// eitherSpelling is an expression for a path in each of its spellings.
func eitherSpelling(path string) string {
	var re strings.Builder
	for i := 0; i < len(path); i++ {
		char := path[i]
		if octet, err := strconv.ParseUint(path[min(i+1, len(path)):min(i+3, len(path))], 16, 8); char == '%' && err == nil {
			char = byte(octet)
			i += 2
		}
		switch {
		case !hasTwoSpellings(rune(char)):
			re.WriteString(regexp.QuoteMeta(string(rune(char))))
		case ' ' < char && char < 0x7f:
			fmt.Fprintf(&re, `(?:%s|(?i:%%%02x))`, regexp.QuoteMeta(string(rune(char))), char)
		default:
			fmt.Fprintf(&re, `(?i:%%%02x)`, char)
		}
	}
	return re.String()
}
