// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

var (
	now      = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	settings = Settings{TrustDomain: "cluster.local", Lifetime: 24 * time.Hour}
)

func TestIssueGivesAStatusThatTheAPIServerTakes(t *testing.T) {
	r := generate(t, now)
	v := verdict(t)
	status, err := issue(t.Context(), v, settings, seconds(7200), builtin{r.CA()}, trust(r.PEM()), now)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode([]byte(status.CertificateChain))
	if block == nil || len(rest) != 0 {
		t.Fatalf("chain is not one certificate: %q", status.CertificateChain)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := leaf.Parse(certificate, "cluster.local"); err != nil || name != v.Name {
		t.Errorf("names %+v (%v), want %+v", name, err, v.Name)
	}
	if !status.NotBefore.Time.Equal(certificate.NotBefore) || !status.NotAfter.Time.Equal(certificate.NotAfter) {
		t.Errorf("status %s to %s, certificate %s to %s", status.NotBefore, status.NotAfter, certificate.NotBefore, certificate.NotAfter)
	}
	if got := certificate.NotAfter.Sub(certificate.NotBefore); got != 2*time.Hour {
		t.Errorf("lives %s, want 2h", got)
	}
	if len(status.Conditions) != 1 || status.Conditions[0].Type != "Issued" {
		t.Errorf("conditions %+v", status.Conditions)
	}
}

func TestIssueRefuses(t *testing.T) {
	ours, theirs := generate(t, now), generate(t, now)
	old := generate(t, now.Add(-root.Life).Add(30*time.Minute))
	ahead := generate(t, now.Add(24*time.Hour))
	for name, tc := range map[string]struct {
		settings Settings
		issuer   *root.Root
		roots    []byte
		want     string
	}{
		"a root that is not published":   {settings, ours, theirs.PEM(), "unknown authority"},
		"no published root":              {settings, ours, nil, "unknown authority"},
		"an unknown trust domain":        {Settings{Lifetime: time.Hour}, ours, ours.PEM(), "trust domain"},
		"a lifetime under an hour":       {Settings{TrustDomain: "cluster.local", Lifetime: 30 * time.Minute}, ours, ours.PEM(), "30m0s"},
		"a root that ends within hours":  {settings, old, old.PEM(), "the API server takes none under"},
		"a clock before the root's life": {settings, ahead, ahead.PEM(), "not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := issue(t.Context(), verdict(t), tc.settings, nil, builtin{tc.issuer.CA()}, trust(tc.roots), now)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestValidityIsTheShorterOfMeshConfigAndPod(t *testing.T) {
	for _, tc := range []struct {
		mesh time.Duration
		pod  *int32
		want time.Duration
	}{
		{24 * time.Hour, nil, 24 * time.Hour},
		{48 * time.Hour, nil, 24 * time.Hour},
		{48 * time.Hour, seconds(91 * 24 * 3600), 48 * time.Hour},
		{24 * time.Hour, seconds(3600), time.Hour},
		{time.Hour, seconds(86400), time.Hour},
		{90*time.Minute + 500*time.Millisecond, seconds(86400), 90 * time.Minute},
	} {
		v := want(verdict(t), Settings{Lifetime: tc.mesh}, tc.pod, now).Validity
		if got := v.Life(); got != tc.want {
			t.Errorf("%+v: lives %s", tc, got)
		}
		if v.NotBefore.Nanosecond() != 0 {
			t.Errorf("%+v: begins at %s, not at a whole second", tc, v.NotBefore)
		}
		if back := now.Sub(v.NotBefore); back < time.Minute || back >= 5*time.Minute {
			t.Errorf("%+v: begins %s ago", tc, back)
		}
	}
}

func TestRefreshIsSpreadOverTheMiddleOfLife(t *testing.T) {
	for _, life := range []time.Duration{time.Hour, 24 * time.Hour, 91 * 24 * time.Hour} {
		v := leaf.Validity{NotBefore: now, NotAfter: now.Add(life)}
		seen := map[time.Time]bool{}
		for i := range 50 {
			at := refreshAt(v, fmt.Sprintf("pod-%d", i))
			seen[at] = true
			if at.Before(now.Add(life/2-time.Second)) || at.After(now.Add(life*2/3)) {
				t.Errorf("life %s: refresh after %s", life, at.Sub(now))
			}
			if at.After(v.NotAfter.Add(-refreshMargin)) || at.Before(now.Add(refreshMargin)) {
				t.Errorf("life %s: refresh after %s, not 10 min within", life, at.Sub(now))
			}
		}
		if len(seen) < 25 {
			t.Errorf("life %s: 50 pods share %d times", life, len(seen))
		}
	}
}

// builtin signs as the mesh's own root does.
type builtin struct{ ca leaf.CA }

func (builtin) Ready() error { return nil }

func (b builtin) Issue(_ context.Context, wanted leaf.Request) ([][]byte, error) {
	der, err := b.ca.Issue(wanted)
	return [][]byte{der}, err
}

func verdict(t *testing.T) Verdict {
	t.Helper()
	key := ecdsaKey(t, elliptic.P256())
	return Verdict{Outcome: Issue, Key: &key.PublicKey, Name: leaf.Name{Namespace: "a", ServiceAccount: "b", Pod: "c", UID: "d"}}
}

func trust(roots []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(roots)
	return pool
}

func generate(t testing.TB, at time.Time) *root.Root {
	t.Helper()
	r, err := root.Generate(at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seconds(n int32) *int32 { return &n }
