// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// A header may stand in a request several times, and Envoy's RBAC looks at each
// value by itself: it matches if one does. Applications take the first, the last
// or all.

// deniedHeader matches if one of the values does.
func deniedHeader(h model.HeaderMatch) *rbacv3.Permission {
	return header(h.Name, value(h.Type, h.Value))
}

// admittedHeader matches if no value is another than the rule says. That cannot
// be asked about an expression, of which one value must match.
func admittedHeader(h model.HeaderMatch) *rbacv3.Permission {
	one := deniedHeader(h)
	if h.Type == model.ValueRegularExpression {
		return one
	}
	other := anyOf(othersThan(h.Value), func(re string) *rbacv3.Permission { return header(h.Name, wholly(re)) })
	return allOf([]*rbacv3.Permission{one, {Rule: &rbacv3.Permission_NotRule{NotRule: other}}})
}

// maxLeaves is how many octets one expression asks for. RE2 factors out what
// alternatives begin with alike, which nests as deep as there are octets, and it
// takes a depth of 1,000.
const maxLeaves = 64

// othersThan are expressions for every string but one. Envoy's invert_match is no
// such thing: it asks whether none of the values matches.
func othersThan(s string) []string {
	var all []string
	for from := 0; from < len(s); from += maxLeaves {
		all = append(all, "(?s:"+octets(s[:from])+leaves(s[from:min(from+maxLeaves, len(s))])+")")
	}
	return append(all, "(?s:"+octets(s)+".+)")
}

// leaves is an expression for what ends within s, or has another octet somewhere
// in its length and then anything.
func leaves(s string) string {
	if len(s) == 1 {
		return "(?:[^" + octets(s) + "].*)?"
	}
	half := len(s) / 2
	return "(?:" + leaves(s[:half]) + "|" + octets(s[:half]) + leaves(s[half:]) + ")"
}

// octets is an expression for s alone; Envoy's RE2 reads octets, not characters.
func octets(s string) string {
	var re strings.Builder
	for i := range len(s) {
		if c := rune(s[i]); c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c)) {
			re.WriteRune(c)
		} else {
			fmt.Fprintf(&re, `\x%02x`, s[i])
		}
	}
	return re.String()
}
