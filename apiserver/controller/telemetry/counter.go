// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// counter is what the name of a statistic says.
type counter struct {
	port uint16
	// allow is true for the filter that admits, false for the one that refuses.
	allow  bool
	denied bool
	// http is true for the filter of requests, which tells rules apart.
	http bool
	// policy is "<namespace>/<name>" if the statistic is of one rule.
	policy string
}

// counterName is how Envoy calls the statistics of shadow rules: of an HTTP
// filter http.in/<port>.rbac.<prefix>[.policy.<rule>].shadow_<verdict>, of a
// network filter in/<port>/<action>.rbac.<prefix>.shadow_<verdict>. A rule's
// name is <namespace>/<policy>/<rule>; a policy's name may hold dots.
var counterName = regexp.MustCompile(`^(?:http\.)?in/([0-9]+)(?:/deny|/allow)?\.?rbac\.audit_(deny|allow)\.?(?:policy\.([^/]+/[^/]+)/[^/]+\.)?shadow_(allowed|denied)$`)

func parse(name string) (counter, bool) {
	match := counterName.FindStringSubmatch(name)
	if match == nil {
		return counter{}, false
	}
	port, err := strconv.ParseUint(match[1], 10, 16)
	return counter{port: uint16(port), allow: match[2] == "allow", policy: match[3], denied: match[4] == "denied", http: strings.HasPrefix(name, "http.")}, err == nil
}

// policies gives the policies that a counter is about. Of HTTP a rule has its
// own; what no rule admits, and what a network filter counts, which does not
// tell rules apart, is about all Audit policies of the port and the action: what
// an Audit Deny would refuse, and what the Allow policies would admit or not.
func (c counter) policies(audit model.Audit) []string {
	own := audit.DenyPolicies
	if c.allow {
		own = audit.AllowPolicies
	}
	switch {
	case c.policy != "":
		if slices.Contains(own, c.policy) {
			return []string{c.policy}
		}
		return nil
	case c.allow && !c.http, c.denied && (c.allow || !c.http):
		return own
	default:
		// What passed a Deny, or what rules have counted for themselves.
		return nil
	}
}
