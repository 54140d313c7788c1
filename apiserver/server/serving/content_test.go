// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 123, time.UTC)
	names = []string{"mesh-apiserver.mesh-system.svc", "mesh-apiserver"}
)

// The life of two renewals: at every step the bundle holds what is in use, and a
// certificate is in the bundle before it is used and after.
func TestBundleHoldsOldAndNewThroughARenewal(t *testing.T) {
	first, second, third := make3(t)

	c := content{current: first}
	wantTrust(t, c, first)
	c = c.prepare(second)
	wantTrust(t, c, first, second)
	c = c.promote()
	wantTrust(t, c, first, second)
	c = c.prepare(third)
	wantTrust(t, c, second, third)
	c = c.promote()
	wantTrust(t, c, second, third)
	if c.current.leaf != third.leaf {
		t.Error("the third pair is not in use")
	}
}

func TestContentSurvivesTheSecret(t *testing.T) {
	first, second, third := make3(t)
	for name, c := range map[string]content{
		"at first":         {current: first},
		"before promotion": content{current: first}.prepare(second),
		"after promotion":  content{current: first}.prepare(second).promote(),
		"renewed again":    content{current: first}.prepare(second).promote().prepare(third),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode(c.encode())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.encode(), got.encode()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(string(c.bundle()), string(got.bundle())); diff != "" {
				t.Errorf("bundle: -want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeRefusesAKeyOfAnotherPair(t *testing.T) {
	first, second, _ := make3(t)
	mixed := content{current: first}.encode()
	mixed["tls.key"] = second.key
	if _, err := decode(mixed); err == nil {
		t.Error("accepted for the pair in use")
	}
	mixed = content{current: first}.prepare(second).encode()
	mixed["next.key"] = first.key
	if _, err := decode(mixed); err == nil {
		t.Error("accepted for the pair to come")
	}
}

func TestTimesOfARenewal(t *testing.T) {
	first, err := generate(names, now)
	if err != nil {
		t.Fatal(err)
	}
	c := content{current: first}
	if got := c.renewAt().Sub(now).Round(time.Hour); got != 60*24*time.Hour {
		t.Errorf("renewed after %s, want 60 days of 90", got)
	}
	second, err := generate(names, c.renewAt())
	if err != nil {
		t.Fatal(err)
	}
	c = c.prepare(second)
	if got := c.promoteAt().Sub(c.renewAt()).Round(time.Second); got != settle {
		t.Errorf("used %s after it was made, want %s", got, settle)
	}
}

func TestServes(t *testing.T) {
	p, err := generate(names, now)
	if err != nil {
		t.Fatal(err)
	}
	if !p.serves(names, now) {
		t.Error("a new pair does not serve its names")
	}
	if p.serves([]string{"mesh-apiserver.elsewhere.svc"}, now) {
		t.Error("serves a name that it does not have")
	}
	if p.serves(names, now.Add(life)) {
		t.Error("serves after its end")
	}
}

// wantTrust verifies each pair by the content's bundle, as kube-apiserver does.
func wantTrust(t *testing.T, c content, pairs ...pair) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.bundle())
	if got := len(pool.Subjects()); got != len(pairs) { //nolint:staticcheck // Subjects is complete for a pool that is not the system's.
		t.Errorf("bundle has %d certificates, want %d", got, len(pairs))
	}
	for i, p := range pairs {
		if _, err := p.leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: names[0], CurrentTime: now}); err != nil {
			t.Errorf("pair %d: %v", i, err)
		}
	}
}

func make3(t *testing.T) (first, second, third pair) {
	t.Helper()
	for _, p := range []*pair{&first, &second, &third} {
		var err error
		if *p, err = generate(names, now); err != nil {
			t.Fatal(err)
		}
	}
	return first, second, third
}
