// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// checkAccess refuses what no protobuf message can hold: strings that are not
// UTF-8. Those of rules are the only ones that users write freely.
func checkAccess(a model.Access) error {
	rules := slices.Concat(a.Deny, a.Allow)
	if a.Audit != nil {
		rules = slices.Concat(rules, a.Audit.Deny, a.Audit.Allow)
	}
	for _, name := range a.ClosedBy {
		if !utf8.ValidString(name) {
			return fmt.Errorf("policy %q: its name is not UTF-8", name)
		}
	}
	for _, r := range rules {
		for _, s := range stringsOf(r) {
			if !utf8.ValidString(s) {
				return fmt.Errorf("rule %q: %q is not UTF-8", r.Name, s)
			}
		}
	}
	return nil
}

func stringsOf(r model.Rule) []string {
	out := []string{r.Name}
	for _, s := range r.From {
		for _, p := range s.Principals {
			out = append(out, p.ID)
		}
	}
	for _, t := range r.To {
		out = append(out, t.Methods...)
		out = append(out, t.Hosts...)
		for _, p := range t.Paths {
			out = append(out, p.Value)
		}
		for _, h := range t.Headers {
			out = append(out, h.Name, h.Value)
		}
		for _, g := range t.GRPCMethods {
			out = append(out, g.Service, g.Method)
		}
	}
	return out
}
