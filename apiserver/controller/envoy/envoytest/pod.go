// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Binary is the path of the real Envoy, from MESH_ENVOY.
func Binary(t testing.TB) string {
	t.Helper()
	binary := os.Getenv("MESH_ENVOY")
	if binary == "" {
		t.Fatal("this test needs a real Envoy: set MESH_ENVOY to the path of the binary")
	}
	return binary
}

// Pod stands for the directories of a proxy's container.
type Pod struct {
	dir string
	// Roots is a certificate, in PEM.
	Roots []byte
}

// NewPod makes a key and a certificate, and writes the files that the kubelet does.
func NewPod(t testing.TB, identitySDS, controlPlaneRootsSDS, refusalBudget string) Pod {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := Pod{dir: t.TempDir(), Roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	p.write(t, "identity.sds.yaml", []byte(identitySDS))
	p.write(t, "control-plane-roots.sds.yaml", []byte(controlPlaneRootsSDS))
	p.write(t, "refusal-budget.yaml", []byte(refusalBudget))
	p.write(t, "roots.pem", p.Roots)
	p.write(t, "credentialbundle.pem", append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), p.Roots...))
	return p
}

// Accepts demands that Envoy takes a bootstrap, with no warning that something
// in it is deprecated.
func (p Pod) Accepts(t testing.TB, binary string, bootstrap []byte) {
	t.Helper()
	file := p.write(t, "bootstrap.yaml", bootstrap)
	out, err := exec.Command(binary, "--mode", "validate", "-c", file, "--service-node", "shop/app/uid", "--service-cluster", "shop", "--log-level", "warning").CombinedOutput()
	if err != nil || strings.Contains(string(out), "Deprecated") {
		t.Errorf("%v\n%s", err, out)
	}
}

// write writes a file whose paths are those of a pod, as they are here.
func (p Pod) write(t testing.TB, name string, content []byte) string {
	t.Helper()
	here := strings.NewReplacer(
		"/var/run/secrets/mesh/identity", p.dir,
		"/var/run/secrets/mesh/roots", p.dir,
		"/var/run/mesh-run", p.dir,
		"/var/run/mesh", p.dir,
	).Replace(string(content))
	file := filepath.Join(p.dir, name)
	if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
