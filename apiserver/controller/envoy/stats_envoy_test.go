//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyNamesOfUsersAreNoPartOfAMetricsName gives accounts, policies and rules
// names with dots and with words that Envoy's own statistics have.
func TestEnvoyNamesOfUsersAreNoPartOfAMetricsName(t *testing.T) {
	t.Parallel()
	anything := []model.Match{{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValueExact, Value: "/denied"}}}}
	rule := func(name string, to []model.Match) model.Rule {
		return model.Rule{Name: name, From: []model.Source{{Anonymous: true}}, To: to}
	}
	all := []model.Match{{Kind: model.MatchAny}}
	access := model.Access{
		Closed: true,
		Deny:   []model.Rule{rule("shop/no.zebra.ssl/upstream_cx.zebra", anything)},
		Allow:  []model.Rule{rule("shop/zebra.rbac.policy/zebra.denied", all)},
		Audit: &model.Audit{
			Closed: true, Deny: []model.Rule{rule("shop/zebra.audit/a.zebra", anything)}, Allow: []model.Rule{rule("shop/zebra.audit/b.zebra", all)},
			DenyPolicies: []string{"shop/zebra.audit"}, AllowPolicies: []string{"shop/zebra.audit"},
		},
		ClosedBy: []string{"shop/zebra.allow"},
	}
	accounts := []string{"op.zebra", "zebra.ssl.handshake", "upstream_cx.zebra", "zebra.upstream_rq_5xx", strings.Repeat("zebra.", 40)}
	e := startInbound(t, testMesh, nil, access, func(cs []*clusterv3.Cluster) []*clusterv3.Cluster {
		for _, account := range accounts {
			a := model.Account{Namespace: "shop", Name: account}
			headless := HeadlessName(model.DirectService{Key: model.ServiceKey{Namespace: "shop", Name: "db"}, Number: 80}, model.Peer{Account: a})
			for _, name := range []string{AccountName(a), headless} {
				c := staticCluster(name, socketAddress("127.0.0.1", 1))
				c.TransportSocket = unverifiedTLS()
				cs = append(cs, c)
			}
		}
		return cs
	})
	for path, want := range map[string]int{"/denied": http.StatusForbidden, "/": http.StatusOK} {
		answer, err := http.Get(e.web + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, answer.Status, want)
		}
	}
	answer, err := http.Get("http://" + e.admin + "/stats/prometheus")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	labels := regexp.MustCompile(`(\w+)="([^"]*)"`)
	var said []string
	for line := range strings.Lines(string(body)) {
		name, rest, _ := strings.Cut(line, "{")
		if strings.Contains(name, "zebra") {
			t.Errorf("a name of a user is in the name of a metric: %s", line)
		}
		for _, label := range labels.FindAllStringSubmatch(rest, -1) {
			said = append(said, label[2])
		}
	}
	for _, want := range []string{
		"shop/no.zebra.ssl/upstream_cx.zebra", "shop/zebra.rbac.policy/zebra.denied", "shop/zebra.audit/a.zebra",
		"pods/shop/op_zebra", "pods/shop/zebra_ssl_handshake", "out/shop/db_80/sa/zebra_upstream_rq_5xx",
	} {
		if !slices.Contains(said, want) {
			t.Errorf("no label says %s; these have the word: %q", want, slices.Compact(slices.Sorted(slices.Values(slices.DeleteFunc(said, func(s string) bool { return !strings.Contains(s, "zebra") })))))
		}
	}
}
