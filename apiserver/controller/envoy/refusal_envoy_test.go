//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// shopAccess closes a port by the policy shop/readers, which admits plaintext
// callers to /books, and those of 127.0.0.2 to everything.
func shopAccess() model.Access {
	return model.Access{
		Closed:   true,
		ClosedBy: []string{"shop/readers"},
		Deny: []model.Rule{{Name: "shop/no-admin/paths", To: []model.Match{
			{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValueExact, Value: "/books/admin"}}},
		}, From: []model.Source{{Anonymous: true, IPBlocks: []model.IPBlock{{CIDR: "127.0.0.1/32"}, {CIDR: "127.0.0.3/32"}}}}}},
		Allow: []model.Rule{
			{Name: "shop/readers/books", From: []model.Source{{Anonymous: true}}, To: []model.Match{
				{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Type: model.ValuePathPrefix, Value: "/books"}}},
			}},
			{Name: "shop/readers/1", From: []model.Source{{Anonymous: true, IPBlocks: []model.IPBlock{{CIDR: "127.0.0.2/32"}}}}, To: []model.Match{{Kind: model.MatchAny}}},
		},
	}
}

// TestEnvoyRefusesARequestByTheNameOfTheRule: response_code_details and per-rule
// counters carry <namespace>/<policy>/<rule>, and where no Allow has admitted the
// caller, what closed the port.
func TestEnvoyRefusesARequestByTheNameOfTheRule(t *testing.T) {
	t.Parallel()
	e := startInbound(t, testMesh, nil, shopAccess())
	for path, want := range map[string]struct {
		status  int
		refused string
	}{
		"/books/1":     {status: http.StatusOK},
		"/books/admin": {http.StatusForbidden, "rbac_access_denied_matched_policy[shop/no-admin/paths]"},
		"/secrets":     {http.StatusForbidden, "rbac_access_denied_matched_policy[closed-by(shop/readers)]"},
	} {
		answer, err := http.Get(e.web + path + "?token=1")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want.status {
			t.Errorf("%s: %s, want %d", path, answer.Status, want.status)
		}
		if want.refused == "" {
			continue
		}
		eventually(t, path+" is logged with "+want.refused, func() bool {
			for line := range strings.Lines(e.output.String()) {
				if strings.Contains(line, `"path":"`+path+`"`) && strings.Contains(line, `"refused":"`+want.refused+`"`) {
					return true
				}
			}
			return false
		})
	}
	if log := e.output.String(); strings.Contains(log, "/books/1") || strings.Contains(log, "token") {
		t.Errorf("the log has more than refusals:\n%s", log)
	}
	for name, want := range map[string]string{
		"http.in/8080.rbac.deny.policy.shop/no-admin/paths.denied":             "1",
		"http.in/8080.rbac.allow.policy.closed-by(shop/readers).denied":        "1",
		"http.in/8080.rbac.allow.denied":                                       "1",
		"http.in/8080.rbac.admitted_.policy.shop/readers/books.shadow_allowed": "1",
	} {
		if got := e.stat(t, name); got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
}

// TestEnvoyRefusesAConnectionByTheNameOfTheRule: the same of TCP, where the
// connection's termination details say it.
func TestEnvoyRefusesAConnectionByTheNameOfTheRule(t *testing.T) {
	t.Parallel()
	audited := shopAccess()
	audited.Audit = &model.Audit{Closed: true, Allow: audited.Allow, AllowPolicies: []string{"shop/writers"}}
	for name, c := range map[string]struct {
		access        model.Access
		from, refused string
	}{
		"admitted":                    {shopAccess(), "127.0.0.2", ""},
		"refused by a rule":           {shopAccess(), "127.0.0.1", "rbac_access_denied_matched_policy[shop/no-admin/paths]"},
		"admitted by no Allow":        {shopAccess(), "127.0.0.4", "rbac_access_denied_matched_policy[closed-by(shop/readers)]"},
		"beside an Audit Allow":       {audited, "127.0.0.4", "rbac_access_denied_matched_policy[none]"},
		"admitted beside Audit Allow": {audited, "127.0.0.2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := startInbound(t, testMesh, nil, c.access)
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}}
			conn, err := dialer.DialContext(t.Context(), "tcp", e.tcp)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 5)
			_, err = io.ReadFull(conn, answer)
			if c.refused == "" {
				if string(answer) != "hello" {
					t.Errorf("read %q, %v, want the echo", answer, err)
				}
				return
			}
			if err == nil {
				t.Errorf("read %q, want a closed connection", answer)
			}
			eventually(t, "it is logged with "+c.refused, func() bool {
				return strings.Contains(e.output.String(), `"refused":"`+c.refused+`"`)
			})
		})
	}
}

// TestEnvoyLogsABoundedNumberOfRefusals: a flood of calls fills no disk, and the
// counters count them all.
func TestEnvoyLogsABoundedNumberOfRefusals(t *testing.T) {
	t.Parallel()
	const calls = 300
	begun := time.Now()
	e := startInbound(t, testMesh, nil, shopAccess())
	for range calls {
		answer, err := http.Get(e.web + "/secrets")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	eventually(t, "all are counted", func() bool { return e.stat(t, "http.in/8080.rbac.allow.denied") == "300" })
	lines := func() int { return strings.Count(e.output.String(), "closed-by") }
	eventually(t, "the burst is logged", func() bool { return lines() >= refusalBurst })
	logged := lines()
	if most := refusalBurst + int(time.Since(begun)/refusalInterval); logged > most {
		t.Errorf("%d of %d refusals are logged, want %d at most", logged, calls, most)
	}
}
