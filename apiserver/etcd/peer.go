// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.uber.org/zap"
)

// peerYears outlasts any process: the certificate is made anew at each start.
const peerYears = 10

// newPeerTLS makes a throwaway certificate for the peer port, in a directory below
// dir. The certificate is its own and only trust anchor, and its key never leaves this
// member: no other can connect.
func newPeerTLS(dir string) (transport.TLSInfo, error) {
	dir = filepath.Join(dir, "peer")
	if err := os.RemoveAll(dir); err != nil {
		return transport.TLSInfo{}, fmt.Errorf("remove the last peer certificate: %w", err)
	}
	info, err := transport.SelfCert(zap.NewNop(), dir, []string{peerAddress}, peerYears, x509.ExtKeyUsageClientAuth)
	if err != nil {
		return transport.TLSInfo{}, fmt.Errorf("make peer certificate: %w", err)
	}
	info.TrustedCAFile, info.ClientCertAuth = info.CertFile, true
	return info, nil
}
