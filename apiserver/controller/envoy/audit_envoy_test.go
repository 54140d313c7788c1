//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
)

// TestEnvoyAuditsAndChangesNoVerdict has a real Envoy with Audit policies on
// an open HTTP port and an open TCP port push what its shadow rules counted.
func TestEnvoyAuditsAndChangesNoVerdict(t *testing.T) {
	t.Parallel()
	anonymousDeny := model.Rule{Name: "shop/no-admin/paths", To: []model.Match{{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValueExact, Value: "/admin"}}}}}
	readers := model.Rule{Name: "shop/readers/0", From: []model.Source{{Authenticated: true}}, To: []model.Match{{Kind: model.MatchAny}}}
	audit := model.Audit{
		Closed: true, Deny: []model.Rule{anonymousDeny}, Allow: []model.Rule{readers},
		DenyPolicies: []string{"shop/no-admin"}, AllowPolicies: []string{"shop/readers"},
	}
	server := telemetry.New(telemetry.Options{
		View:    func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit { return map[uint16]model.Audit{8080: audit, 9090: audit} },
	})
	e := startInbound(t, testMesh, server, model.Access{Audit: &audit})

	for _, path := range []string{"/admin", "/books", "/books"} {
		answer, err := http.Get(e.web + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s: an Audit policy changed the verdict", path, answer.Status)
		}
	}
	deadline := time.Now().Add(time.Minute)
	want := map[string]telemetry.Counts{"shop/no-admin": {Denied: 1}, "shop/readers": {Denied: 3}}
	for policy, counts := range want {
		for server.Counts(policy) != counts {
			if time.Now().After(deadline) {
				t.Fatalf("%s has counts %+v, want %+v", policy, server.Counts(policy), counts)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}

	conn, err := net.Dial("tcp", e.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	for server.Counts("shop/readers").Denied != 4 || server.Counts("shop/no-admin").Denied != 2 {
		if time.Now().After(deadline) {
			t.Fatalf("after a TCP connection the counts are %+v and %+v", server.Counts("shop/readers"), server.Counts("shop/no-admin"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
