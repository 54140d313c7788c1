// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// The workload of TestRules: its web port is dialled by a Service as HTTP, its
// metrics port by nobody.
const shop = `
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: shop, uid: "1", labels: {app: shop}}
spec:
  nodeName: node
  initContainers: [{name: mesh-proxy, restartPolicy: Always}]
  volumes: [{name: mesh-identity, projected: {sources: [{podCertificate: {signerName: mesh.openservicemesh.io/workload, keyType: ECDSAP256}}]}}]
  containers: [{name: app, ports: [{name: web, containerPort: 8080}, {name: metrics, containerPort: 9090}]}]
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: shop}
spec:
  clusterIPs: [198.19.0.1]
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: web}]
---
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshConfig
metadata: {name: default}
spec: {traffic: {access: %s}}`

// callers are the accounts that there are, whose namespaces are there as well.
var callers = []string{"shop/shop", "buy/buyer", "buy/thief", "ops/admin"}

// TestWorkloadWithTooManyPortsAdmitsNobody: policies of one namespace must not
// hold up the others, nor lose a Deny among the ports that are left out.
func TestWorkloadWithTooManyPortsAdmitsNobody(t *testing.T) {
	var policies []string
	for i := range 9 {
		var ports []string
		for n := range 64 {
			ports = append(ports, fmt.Sprint(20000+64*i+n))
		}
		policies = append(policies, "{action: Deny, rules: [{to: [{ports: ["+strings.Join(ports, ", ")+"]}]}]}")
	}
	w := shopWorld(t, "Open", policies)
	workload, facts, _ := compile.Workload(w.Reader(), w.Views()[0])
	for _, c := range []call{{"buy/buyer", 8080, "GET /"}, {"buy/buyer", 20000, ""}, {"buy/buyer", 4444, ""}} {
		if passes(workload, c) {
			t.Errorf("%+v passes", c)
		}
	}
	report, _ := compile.Policy(w.Reader(), w.Policies()[0], func(string) *compile.Facts { return facts })
	if !strings.Contains(report.Message, "more than 512 ports") {
		t.Errorf("the report does not say so: %q", report.Message)
	}
}

// call is who calls what: an account "namespace/name" from 198.18.0.7, at a
// port, with "METHOD /path", or as a connection.
type call struct {
	from    string
	port    uint16
	request string
}

// TestRules holds what docs/meshpolicy.md says that rules mean, one line a case.
func TestRules(t *testing.T) {
	get, post, connection := "GET /books/1", "POST /books/1", ""
	for _, test := range []struct {
		name     string
		access   string
		policies []string
		passes   []call
		fails    []call
	}{{
		name:   "open: everybody, everywhere",
		passes: []call{{"buy/buyer", 8080, get}, {"buy/buyer", 9090, connection}, {"buy/buyer", 4444, connection}},
	}, {
		name:   "default deny: nobody, nowhere",
		access: "DefaultDeny",
		fails:  []call{{"buy/buyer", 8080, get}, {"buy/buyer", 9090, connection}, {"buy/buyer", 4444, connection}},
	}, {
		name:     "2: an Allow on a Service closes its target port alone",
		policies: []string{`{targetRefs: [{kind: Service, name: shop}], action: Allow, rules: [{from: [{serviceAccounts: [{namespace: buy, name: buyer}]}], to: [{all: {}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}, {"buy/buyer", 8080, connection}, {"buy/thief", 9090, connection}},
		fails:    []call{{"buy/thief", 8080, get}, {"buy/thief", 8080, connection}, {"shop/buyer", 8080, get}},
	}, {
		name:     "2: an Allow on the namespace closes every port, and to.ports only says where it admits",
		policies: []string{`{action: Allow, rules: [{from: [{authenticated: {}}], to: [{ports: [web]}, {ports: [4444]}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}, {"buy/buyer", 4444, connection}},
		fails:    []call{{"buy/buyer", 9090, connection}, {"buy/buyer", 5555, connection}},
	}, {
		name:     "2: a port outside the target admits nothing",
		policies: []string{`{targetRefs: [{kind: Service, name: shop}], action: Allow, rules: [{from: [{authenticated: {}}], to: [{ports: [metrics]}]}]}`},
		access:   "DefaultDeny",
		fails:    []call{{"buy/buyer", 8080, get}, {"buy/buyer", 9090, connection}},
	}, {
		name:     "2: the selector of other pods has no effect",
		policies: []string{`{selector: {matchLabels: {app: other}}, action: Allow, rules: [{from: [{serviceAccounts: [{name: nobody}]}], to: [{all: {}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}},
	}, {
		name:     "3: in a Deny absent from is any caller, absent to every port of the target",
		policies: []string{`{targetRefs: [{kind: Service, name: shop}], action: Deny, rules: [{name: all}]}`},
		passes:   []call{{"buy/buyer", 9090, connection}},
		fails:    []call{{"buy/buyer", 8080, get}, {"buy/buyer", 8080, connection}},
	}, {
		name: "3: within an item AND, between items OR",
		policies: []string{`{action: Allow, rules: [{
			from: [{namespaces: [buy], ipBlocks: [{cidr: 198.18.0.0/24, except: [198.18.0.8/32]}]}, {serviceAccounts: [{namespace: ops, name: admin}]}],
			to: [{http: {methods: [GET], paths: [{type: PathPrefix, value: /books}, {type: Exact, value: /health}]}}, {ports: [metrics]}]}]}`},
		passes: []call{{"buy/buyer", 8080, get}, {"ops/admin", 8080, "GET /health"}, {"buy/thief", 9090, connection}},
		fails:  []call{{"buy/buyer", 8080, post}, {"buy/buyer", 8080, "GET /books-admin"}, {"buy/buyer", 8080, "GET /health/x"}, {"ops/other", 8080, get}, {"sell/buyer", 9090, connection}},
	}, {
		name:     "3: fields that name nobody together admit nobody, and deny nobody",
		policies: []string{`{action: Allow, rules: [{from: [{namespaces: [buy], serviceAccounts: [{namespace: ops, name: admin}]}], to: [{ports: [8080]}]}, {from: [{authenticated: {}}], to: [{ports: [9090]}]}]}`, `{action: Deny, rules: [{from: [{namespaces: [buy], principals: ["spiffe://cluster.local/ns/ops/*"]}]}]}`},
		passes:   []call{{"buy/buyer", 9090, connection}, {"ops/admin", 9090, connection}},
		fails:    []call{{"buy/buyer", 8080, get}, {"ops/admin", 8080, get}},
	}, {
		name:     "3: principals are whole, or end in /*",
		policies: []string{`{action: Allow, rules: [{from: [{principals: ["spiffe://cluster.local/ns/buy/sa/buyer", "spiffe://cluster.local/ns/ops/*"]}], to: [{all: {}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}, {"ops/admin", 8080, get}},
		fails:    []call{{"buy/buyer2", 8080, get}, {"opsx/admin", 8080, get}},
	}, {
		name:     "4: Deny beats Allow",
		policies: []string{`{action: Allow, rules: [{from: [{authenticated: {}}], to: [{all: {}}]}]}`, `{action: Deny, rules: [{from: [{serviceAccounts: [{namespace: buy, name: thief}]}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}},
		fails:    []call{{"buy/thief", 8080, get}, {"buy/thief", 4444, connection}},
	}, {
		name:     "5: an HTTP rule never admits a connection",
		policies: []string{`{action: Allow, rules: [{from: [{authenticated: {}}], to: [{http: {methods: [GET]}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}},
		fails:    []call{{"buy/buyer", 8080, connection}, {"buy/buyer", 9090, connection}, {"buy/buyer", 8080, post}},
	}, {
		name:     "5: an HTTP rule that denies, denies a connection",
		policies: []string{`{action: Deny, rules: [{to: [{http: {methods: [POST]}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}},
		fails:    []call{{"buy/buyer", 8080, connection}, {"buy/buyer", 8080, post}, {"buy/buyer", 4444, connection}},
	}, {
		name:     "5: a tcp rule speaks of connections alone",
		policies: []string{`{action: Allow, rules: [{from: [{authenticated: {}}], to: [{tcp: {}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, connection}},
		fails:    []call{{"buy/buyer", 8080, get}},
	}, {
		name:     "8: a broken Allow rule is left out, its neighbour acts",
		policies: []string{`{action: Allow, rules: [{from: [{}], to: [{all: {}}]}, {from: [{serviceAccounts: [{namespace: buy, name: buyer}]}], to: [{http: {}}]}, {from: [{namespaces: [ops]}], to: [{all: {}}]}]}`},
		passes:   []call{{"ops/admin", 8080, get}},
		fails:    []call{{"buy/buyer", 8080, get}, {"buy/thief", 8080, get}},
	}, {
		name:     "8: an Allow of gRPC without a method is broken",
		policies: []string{`{action: Allow, rules: [{from: [{authenticated: {}}], to: [{grpc: {}}]}]}`},
		fails:    []call{{"buy/buyer", 8080, get}, {"buy/buyer", 8080, connection}},
	}, {
		name:     "8: a broken Deny denies everybody all at the ports that it names",
		policies: []string{`{action: Deny, rules: [{from: [{ipBlocks: [{cidr: nonsense}]}], to: [{ports: [web], http: {methods: [POST]}}]}]}`},
		passes:   []call{{"buy/buyer", 9090, connection}},
		fails:    []call{{"buy/buyer", 8080, get}, {"buy/buyer", 8080, connection}},
	}, {
		name:     "8: an Allow of IPv4 addresses written as IPv6 is broken, since none ever comes so",
		policies: []string{`{action: Allow, rules: [{from: [{authenticated: {}, ipBlocks: [{cidr: "::ffff:0.0.0.0/96"}]}], to: [{all: {}}]}]}`},
		fails:    []call{{"buy/buyer", 8080, get}},
	}, {
		name:     "8: a target that is not there affects nothing",
		policies: []string{`{targetRefs: [{kind: Service, name: nowhere}], action: Allow, rules: [{from: [{serviceAccounts: [{name: x}]}], to: [{all: {}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}},
	}, {
		name:     "9: an Allow admits no account that does not exist, whoever has its certificate still",
		policies: []string{`{action: Allow, rules: [{from: [{serviceAccounts: [{namespace: buy, name: gone}, {namespace: buy, name: buyer}]}], to: [{all: {}}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}, {"buy/buyer", 9090, connection}},
		fails:    []call{{"buy/gone", 8080, get}, {"buy/gone", 9090, connection}},
	}, {
		name:     "9: an item of from that has lost all its callers admits no caller, and not every caller",
		policies: []string{`{action: Allow, rules: [{from: [{serviceAccounts: [{namespace: buy, name: gone}], ipBlocks: [{cidr: 198.18.0.0/24}]}, {namespaces: [gone]}], to: [{all: {}}]}]}`},
		fails:    []call{{"buy/gone", 8080, get}, {"gone/any", 8080, get}, {"buy/buyer", 8080, get}, {"buy/buyer", 9090, connection}},
	}, {
		name: "9: an Allow by principals admits none of this trust domain that does not exist; of another it cannot know",
		policies: []string{`{action: Allow, rules: [{from: [{principals: ["spiffe://cluster.local/ns/gone/*", "spiffe://cluster.local/ns/buy/sa/gone",
			"spiffe://cluster.local/ns/ops/*", "spiffe://other/ns/gone/sa/any"]}], to: [{all: {}}]}]}`},
		passes: []call{{"ops/admin", 8080, get}, {"ops/gone", 8080, get}},
		fails:  []call{{"gone/any", 8080, get}, {"buy/gone", 8080, get}, {"buy/buyer", 8080, get}},
	}, {
		name:     "9: a Deny refuses an account that does not exist",
		policies: []string{`{action: Deny, rules: [{from: [{serviceAccounts: [{namespace: buy, name: gone}]}, {namespaces: [gone]}]}]}`},
		passes:   []call{{"buy/buyer", 8080, get}},
		fails:    []call{{"buy/gone", 8080, get}, {"gone/any", 9090, connection}},
	}} {
		t.Run(test.name, func(t *testing.T) {
			w := shopWorld(t, test.access, test.policies)
			workload, _, _ := compile.Workload(w.Reader(), w.Views()[0])
			for _, c := range test.passes {
				if !passes(workload, c) {
					t.Errorf("%+v is refused", c)
				}
			}
			for _, c := range test.fails {
				if passes(workload, c) {
					t.Errorf("%+v passes", c)
				}
			}
		})
	}
}

func shopWorld(t *testing.T, access string, policies []string) *world.World {
	t.Helper()
	if access == "" {
		access = "Open"
	}
	documents := fmt.Sprintf(shop, access)
	for _, caller := range callers {
		namespace, name, _ := strings.Cut(caller, "/")
		documents += fmt.Sprintf("\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: %[1]s, name: %s}", namespace, name)
	}
	for i, spec := range policies {
		documents += fmt.Sprintf("\n---\napiVersion: mesh.openservicemesh.io/v1alpha1\nkind: MeshPolicy\nmetadata: {namespace: shop, name: p%d}\nspec: %s", i, strings.ReplaceAll(spec, "\t", " "))
	}
	return worldtest.World(worldtest.Decode(t, []byte(documents))...)
}

// passes decides as a proxy must that was told this model.
func passes(w model.Workload, c call) bool {
	port := w.Ports[len(w.Ports)-1]
	for _, p := range w.Ports {
		if p.Number == c.port {
			port = p
		}
	}
	matched := func(deny bool) func(model.Rule) bool {
		return func(r model.Rule) bool {
			from := deny && len(r.From) == 0 || slices.ContainsFunc(r.From, c.comesFrom)
			return from && slices.ContainsFunc(r.To, func(m model.Match) bool { return c.is(m, deny) })
		}
	}
	if slices.ContainsFunc(port.Access.Deny, matched(true)) {
		return false
	}
	return !port.Access.Closed || slices.ContainsFunc(port.Access.Allow, matched(false))
}

func (c call) comesFrom(s model.Source) bool {
	namespace, name, _ := strings.Cut(c.from, "/")
	id := model.SPIFFEID("cluster.local", namespace, name)
	named := len(s.Principals) == 0 || slices.ContainsFunc(s.Principals, func(p model.Principal) bool {
		return p.ID == id || p.Prefix && strings.HasPrefix(id, p.ID)
	})
	inside := func(cidr string) bool {
		return netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr("198.18.0.7"))
	}
	near := len(s.IPBlocks) == 0 || slices.ContainsFunc(s.IPBlocks, func(b model.IPBlock) bool {
		return inside(b.CIDR) && !slices.ContainsFunc(b.Except, inside)
	})
	return named && near
}

func (c call) is(m model.Match, deny bool) bool {
	connection := c.request == ""
	switch m.Kind {
	case model.MatchAny:
		return true
	case model.MatchTCP:
		return connection
	case model.MatchGRPC:
		return connection && deny
	}
	if connection {
		return deny
	}
	method, path, _ := strings.Cut(c.request, " ")
	return (len(m.Methods) == 0 || slices.Contains(m.Methods, method)) &&
		(len(m.Paths) == 0 || slices.ContainsFunc(m.Paths, func(p model.PathMatch) bool { return matchesPath(p, path) }))
}

func matchesPath(p model.PathMatch, path string) bool {
	switch p.Type {
	case model.ValuePathPrefix:
		return path == p.Value || strings.HasPrefix(path, strings.TrimSuffix(p.Value, "/")+"/")
	case model.ValueRegularExpression:
		return regexp.MustCompile("^(?:" + p.Value + ")$").MatchString(path)
	default:
		return path == p.Value
	}
}
