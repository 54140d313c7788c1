// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
)

// peerLifetime outlasts any process: the certificate is made anew at each start.
const peerLifetime = 10 * 365 * 24 * time.Hour

// peerTLS names the files of the peer port's certificate. The certificate is
// its own and only trust anchor, and its key never leaves this member: nobody
// but the member itself can connect.
type peerTLS struct {
	certFile, keyFile string
}

// newPeerTLS makes a throwaway certificate in dir.
func newPeerTLS(dir string) (peerTLS, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return peerTLS{}, fmt.Errorf("make peer key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(peerLifetime),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return peerTLS{}, fmt.Errorf("make peer certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return peerTLS{}, fmt.Errorf("encode peer key: %w", err)
	}
	files := peerTLS{certFile: filepath.Join(dir, "peer.crt"), keyFile: filepath.Join(dir, "peer.key")}
	if err := writePEM(files.certFile, "CERTIFICATE", certDER); err != nil {
		return peerTLS{}, fmt.Errorf("write peer certificate: %w", err)
	}
	if err := writePEM(files.keyFile, "PRIVATE KEY", keyDER); err != nil {
		return peerTLS{}, fmt.Errorf("write peer key: %w", err)
	}
	return files, nil
}

func writePEM(path, blockType string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der}), 0o600)
}

func (p peerTLS) info() transport.TLSInfo {
	return transport.TLSInfo{
		CertFile:       p.certFile,
		KeyFile:        p.keyFile,
		TrustedCAFile:  p.certFile,
		ClientCertAuth: true,
	}
}
