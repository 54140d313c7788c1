// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

func TestHandshake(t *testing.T) {
	ours, theirs := generate(t), generate(t)
	server := New("mesh-system", issuerOf(ours), ours.PEM)

	t.Run("a workload sees one DNS SAN, TLS 1.3 and the hybrid key exchange", func(t *testing.T) {
		state, err := handshake(t, server, client(ours, workload(t, ours)))
		if err != nil {
			t.Fatal(err)
		}
		c := state.PeerCertificates[0]
		if len(c.DNSNames) != 1 || c.DNSNames[0] != "mesh-apiserver.mesh-system.svc" || len(c.URIs) != 0 || len(c.IPAddresses) != 0 {
			t.Errorf("SANs %v %v %v", c.DNSNames, c.URIs, c.IPAddresses)
		}
		if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
			t.Errorf("version %x, curve %s", state.Version, state.CurveID)
		}
	})
	for name, config := range map[string]*tls.Config{
		"no certificate":                       client(ours),
		"a workload of another root":           client(ours, workload(t, theirs)),
		"the control plane's own certificate":  client(ours, controlPlane(t, ours)),
		"TLS 1.2":                              older(client(ours, workload(t, ours))),
		"a client that expects another server": named(client(ours, workload(t, ours)), "mesh-apiserver.elsewhere.svc"),
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if _, err := handshake(t, server, config); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestRootsAreTakenUpWithoutRestart(t *testing.T) {
	first, second := generate(t), generate(t)
	roots := first.PEM()
	server := New("mesh-system", issuerOf(first), func() []byte { return roots })
	config := client(first, workload(t, second))
	if _, err := handshake(t, server, config); err == nil {
		t.Fatal("accepted before the root is known")
	}
	roots = append(roots, second.PEM()...)
	if _, err := handshake(t, server, config); err != nil {
		t.Error(err)
	}
}

func TestCertificateIsRenewedAtHalfLifeAndOutlivesALostRoot(t *testing.T) {
	r := generate(t)
	lost := false
	server := New("mesh-system", func(time.Duration) (leaf.CA, error) {
		if lost {
			return leaf.CA{}, errors.New("lost")
		}
		return r.CA(), nil
	}, r.PEM)
	start := time.Now()
	at := func(d time.Duration) (*tls.Certificate, error) {
		server.now = func() time.Time { return start.Add(d) }
		return server.current()
	}

	first, err := at(0)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := at(11 * time.Hour); again != first {
		t.Error("renewed before half of its life")
	}
	second, err := at(12 * time.Hour)
	if err != nil || second == first {
		t.Errorf("not renewed at half of its life (%v)", err)
	}
	lost = true
	if kept, err := at(30 * time.Hour); err != nil || kept != second {
		t.Errorf("not kept while the root is lost (%v)", err)
	}
	if _, err := at(40 * time.Hour); err == nil {
		t.Error("served after its end")
	}
}

func TestCertificateIsMadeAnewWhenAnotherRootSigns(t *testing.T) {
	signing, next := generate(t), generate(t)
	server := New("mesh-system", func(time.Duration) (leaf.CA, error) { return signing.CA(), nil }, signing.PEM)
	if _, err := server.current(); err != nil {
		t.Fatal(err)
	}
	signing = next
	renewed, err := server.current()
	if err != nil {
		t.Fatal(err)
	}
	if err := renewed.Leaf.CheckSignatureFrom(next.CA().Certificate); err != nil {
		t.Error(err)
	}
	if again, _ := server.current(); again != renewed {
		t.Error("made anew once more")
	}
}

func TestNothingIsServedWithoutRoots(t *testing.T) {
	r := generate(t)
	if err := New("mesh-system", issuerOf(r), func() []byte { return nil }).Ready(); err == nil {
		t.Error("ready")
	}
}

// handshake runs both ends over a pipe and reads a byte of the server's, since a
// TLS 1.3 client learns of its refusal only then.
func handshake(t *testing.T, s *Server, config *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	near, far := net.Pipe()
	deadline := time.Now().Add(time.Minute)
	for _, c := range []net.Conn{near, far} {
		if err := c.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	go func() {
		conn := tls.Server(far, s.TLSConfig())
		conn.Write([]byte{1})
		conn.Close()
	}()
	conn := tls.Client(near, config)
	_, err := conn.Read(make([]byte, 1))
	return conn.ConnectionState(), err
}

func client(trusts *root.Root, certificates ...tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusts.PEM())
	return &tls.Config{RootCAs: pool, ServerName: "mesh-apiserver.mesh-system.svc", NextProtos: []string{"h2"}, Certificates: certificates}
}

func older(c *tls.Config) *tls.Config {
	c.MaxVersion = tls.VersionTLS12
	return c
}

func named(c *tls.Config, name string) *tls.Config {
	c.ServerName = name
	return c
}

func workload(t *testing.T, r *root.Root) tls.Certificate {
	t.Helper()
	template, err := leaf.Template(leaf.Name{Namespace: "a", ServiceAccount: "b", Pod: "c", UID: "d"}, "cluster.local", hour())
	if err != nil {
		t.Fatal(err)
	}
	return pair(t, template, r)
}

func controlPlane(t *testing.T, r *root.Root) tls.Certificate {
	t.Helper()
	return pair(t, leaf.ControlPlaneTemplate("mesh-system", hour()), r)
}

func pair(t *testing.T, template *x509.Certificate, r *root.Root) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := leaf.Sign(template, key.Public(), r.CA())
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func hour() leaf.Validity {
	return leaf.Validity{NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour)}
}

func issuerOf(r *root.Root) func(time.Duration) (leaf.CA, error) {
	return func(time.Duration) (leaf.CA, error) { return r.CA(), nil }
}

func generate(t *testing.T) *root.Root {
	t.Helper()
	r, err := root.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}
