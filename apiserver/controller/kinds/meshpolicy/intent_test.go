// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

func access(t *testing.T, namespace, spec string) intent.Access {
	t.Helper()
	object, err := worldtest.DecodeOne(fmt.Appendf(nil, "apiVersion: mesh.openservicemesh.io/v1alpha1\nkind: MeshPolicy\nmetadata: {namespace: %s, name: p, uid: u, generation: 7}\nspec: %s", namespace, spec))
	if err != nil {
		t.Fatal(err)
	}
	return meshpolicy.Access(object.(*v1alpha1.MeshPolicy), "mesh-system")
}

// TestAccess translates a policy that has every field of the API.
func TestAccess(t *testing.T) {
	got := access(t, "shop", `{targetRefs: [{kind: Service, name: web}, {group: example.com, kind: Gateway, name: gate}], action: Deny, mode: Audit, rules: [
  {name: buyers, from: [{serviceAccounts: [{name: a}, {namespace: buy, name: b}], namespaces: [ops], principals: ["spiffe://td/ns/x/*"], ipBlocks: [{cidr: 192.0.2.0/24, except: [192.0.2.8/32]}]}, {authenticated: {}}, {anonymous: {}}],
   to: [{ports: [8080, web], http: {methods: [GET], paths: [{type: PathPrefix, value: /books/}], headers: [{type: Exact, name: X-User, value: A}], hosts: [Books.Example]}}, {grpc: {methods: [{service: s}]}}, {tcp: {}}, {all: {}}]},
  {}]}`)
	key := func(namespace, name string) types.NamespacedName {
		return types.NamespacedName{Namespace: namespace, Name: name}
	}
	want := intent.Access{
		Origin:         intent.Origin{Reference: intent.Reference{Kind: "MeshPolicy", Key: key("shop", "p")}, UID: "u", Generation: 7},
		Targets:        []intent.Reference{{Kind: "Service", Key: key("shop", "web")}, {Kind: "Gateway.example.com", Key: key("shop", "gate")}},
		Action:         intent.Deny,
		Audit:          true,
		MatchAnonymous: true,
		Rules: []intent.Rule{{
			Name: "buyers",
			From: []intent.Source{{
				ServiceAccounts: []types.NamespacedName{key("shop", "a"), key("buy", "b")},
				Namespaces:      []string{"ops"},
				Principals:      []model.Principal{{ID: "spiffe://td/ns/x/", Prefix: true}},
				IPBlocks:        []model.IPBlock{{CIDR: "192.0.2.0/24", Except: []string{"192.0.2.8/32"}}},
			}, {Authenticated: true}, {Anonymous: true}},
			To: []intent.Destination{{
				Ports: []intstr.IntOrString{intstr.FromInt32(8080), intstr.FromString("web")},
				Match: model.Match{
					Kind: model.MatchHTTP, Methods: []string{"GET"}, Hosts: []string{"books.example"},
					Paths:   []model.PathMatch{{Type: model.ValuePathPrefix, Value: "/books"}},
					Headers: []model.HeaderMatch{{Type: model.ValueExact, Name: "x-user", Value: "A"}},
				},
			}, {Match: model.Match{Kind: model.MatchGRPC, GRPCMethods: []model.GRPCMethod{{Service: "s"}}}},
				{Match: model.Match{Kind: model.MatchTCP}}, {Match: model.Match{Kind: model.MatchAny}}},
		}, {Name: "1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the intent (-want +got):\n%s", diff)
	}
}

func TestTarget(t *testing.T) {
	const rules = "action: Allow, rules: [{from: [{authenticated: {}}], to: [{all: {}}]}]"
	got := access(t, "shop", "{selector: {matchLabels: {app: web}}, "+rules+"}")
	if got.Administrators || got.Selector == nil || !got.Selector.Matches(labels.Set{"app": "web"}) || got.Selector.Matches(labels.Set{"app": "api"}) {
		t.Errorf("by labels: %+v", got)
	}
	got = access(t, "mesh-system", "{"+rules+"}")
	if !got.Administrators || got.Selector != nil || got.SelectorError != "" {
		t.Errorf("the administrators', of every workload: %+v", got)
	}
	// It must not mean fewer pods than its author had in mind.
	got = access(t, "shop", "{selector: {matchExpressions: [{key: app, operator: Huh}]}, "+rules+"}")
	if got.Selector != nil || got.SelectorError == "" || got.Rules[0].Broken != "" {
		t.Errorf("by labels that cannot be read: %+v", got)
	}
}

func TestOnAnonymous(t *testing.T) {
	for spec, want := range map[string]bool{
		"{action: Deny, rules: [{}]}":                                                               true,
		"{action: Deny, onAnonymous: Match, rules: [{}]}":                                           true,
		"{action: Deny, onAnonymous: Ignore, rules: [{}]}":                                          false,
		"{action: Allow, rules: [{from: [{authenticated: {}}], to: [{all: {}}]}]}":                  false,
		"{action: Deny, onAnonymous: Sometimes, rules: [{from: [{serviceAccounts: [{name: a}]}]}]}": false,
	} {
		if got := access(t, "shop", spec).MatchAnonymous; got != want {
			t.Errorf("%s: MatchAnonymous is %t", spec, got)
		}
	}
}

// A rule that cannot be read says why, and keeps whom and which ports it names.
func TestBroken(t *testing.T) {
	const from, to = "from: [{serviceAccounts: [{name: a}]}]", "to: [{ports: [web]}]"
	for spec, want := range map[string]string{
		"{action: Wish, rules: [{" + from + ", " + to + "}]}":                                                                    `action "Wish" is not known`,
		"{action: Deny, mode: Maybe, rules: [{" + from + ", " + to + "}]}":                                                       `mode "Maybe" is not known`,
		"{action: Allow, onAnonymous: Match, rules: [{" + from + ", " + to + "}]}":                                               "onAnonymous is for a Deny alone",
		"{action: Deny, onAnonymous: Huh, rules: [{" + from + ", " + to + "}]}":                                                  `onAnonymous "Huh" is not known`,
		"{action: Deny, selector: {}, targetRefs: [{kind: Service, name: s}], rules: [{" + from + ", " + to + "}]}":              "targetRefs and selector exclude each other",
		"{action: Deny, rules: [{from: [{serviceAccounts: [{name: a}]}, {}], " + to + "}]}":                                      "from[1]: names no caller",
		"{action: Deny, rules: [{from: [{serviceAccounts: [{name: a}], anonymous: {}}], " + to + "}]}":                           "from[0]: anonymous excludes fields that name identities",
		"{action: Deny, rules: [{from: [{serviceAccounts: [{name: a}], principals: [a]}], " + to + "}]}":                         `from[0]: principal "a" is neither`,
		"{action: Deny, rules: [{from: [{serviceAccounts: [{name: a}], ipBlocks: [{cidr: 10.0.0.1/8}]}], " + to + "}]}":          `from[0]: "10.0.0.1/8" is not a CIDR in canonical form`,
		"{action: Deny, rules: [{" + from + ", to: [{ports: [web], http: {}}]}]}":                                                "to[0]: http names no request",
		"{action: Deny, rules: [{" + from + ", to: [{ports: [web], http: {methods: [GET]}, tcp: {}}]}]}":                         "to[0]: http, grpc and tcp exclude each other",
		"{action: Deny, rules: [{" + from + ", to: [{ports: [web], http: {paths: [{type: RegularExpression, value: '(('}]}}]}]}": `to[0]: regular expression "((" must be`,
	} {
		got := access(t, "shop", spec).Rules[0]
		if !strings.HasPrefix(got.Broken, want) {
			t.Errorf("%s: broken is %q, want %q", spec, got.Broken, want)
		}
		if callers := got.Callers(); len(callers) != 1 || callers[0].String() != "ServiceAccount shop/a" {
			t.Errorf("%s: it names %v", spec, callers)
		}
		if diff := cmp.Diff([]intent.Destination{{Ports: []intstr.IntOrString{intstr.FromString("web")}, Match: model.Match{Kind: model.MatchAny}}}, got.To); diff != "" {
			t.Errorf("%s: where it denies (-want +got):\n%s", spec, diff)
		}
	}
	for spec, want := range map[string]string{
		"{action: Allow, rules: [{" + to + "}]}":   "from is required in an Allow",
		"{action: Allow, rules: [{" + from + "}]}": "to is required in an Allow",
	} {
		if got := access(t, "shop", spec).Rules[0]; got.Broken != want {
			t.Errorf("%s: broken is %q, want %q", spec, got.Broken, want)
		}
	}
}
