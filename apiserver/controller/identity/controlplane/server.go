// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controlplane is the xDS server's side of mTLS: its own certificate,
// signed in process by the mesh's root, and the demand that every client show one
// of the same root.
package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// The server's certificate lives a day and is made anew at half of it, or when
// another root signs, at the next handshake. Its life begins early for clocks that are behind.
const (
	life     = 24 * time.Hour
	renew    = life / 2
	backdate = 5 * time.Minute
)

// Server makes the TLS configuration of each handshake from the root and the
// trust bundle as they are then.
type Server struct {
	systemNamespace string
	issuer          func(life time.Duration) (leaf.CA, error)
	roots           func() []byte
	now             func() time.Time

	mu          sync.Mutex
	certificate *tls.Certificate
	// signer has signed the certificate.
	signer *x509.Certificate
}

// New makes a Server. issuer gives what signs a certificate of a life, or why
// nothing can be signed; roots gives the trust anchors of clients, PEM.
func New(systemNamespace string, issuer func(life time.Duration) (leaf.CA, error), roots func() []byte) *Server {
	return &Server{systemNamespace: systemNamespace, issuer: issuer, roots: roots, now: time.Now}
}

// TLSConfig is for the xDS listener: TLS 1.3, a client certificate that chains to
// the roots, key exchange by X25519MLKEM768, then X25519. Sessions are not
// resumed, so that no client outlives the roots that admitted it. The names in
// the client's certificate are the caller's to read, by leaf.Parse.
func (s *Server) TLSConfig() *tls.Config {
	config := s.base()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.forHandshake() }
	return config
}

// Ready tells why handshakes fail, nil if they do not.
func (s *Server) Ready() error {
	_, err := s.forHandshake()
	return err
}

func (s *Server) base() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519MLKEM768, tls.X25519},
		NextProtos:             []string{"h2"},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		SessionTicketsDisabled: true,
	}
}

func (s *Server) forHandshake() (*tls.Config, error) {
	certificate, err := s.current()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.roots()) {
		return nil, errors.New("there are no roots to verify proxies by")
	}
	config := s.base()
	config.Certificates = []tls.Certificate{*certificate}
	config.ClientCAs = pool
	return config, nil
}

// current gives the certificate, made anew when half of its life is over or another
// root signs. While nothing can be signed the old one serves until its end.
func (s *Server) current() (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	issuer, err := s.issuer(life)
	if err == nil {
		err = s.renew(issuer, now)
	}
	if s.certificate != nil && now.Before(s.certificate.Leaf.NotAfter) {
		return s.certificate, nil
	}
	if err != nil {
		return nil, fmt.Errorf("certificate of the control plane: %w", err)
	}
	return nil, errors.New("certificate of the control plane: the root has ended")
}

// renew makes the certificate anew if that is due.
func (s *Server) renew(issuer leaf.CA, now time.Time) error {
	if s.certificate != nil && now.Before(s.certificate.Leaf.NotAfter.Add(-renew)) && s.signer.Equal(issuer.Certificate) {
		return nil
	}
	fresh, err := s.sign(issuer, now)
	if err != nil {
		return err
	}
	s.certificate, s.signer = fresh, issuer.Certificate
	return nil
}

func (s *Server) sign(issuer leaf.CA, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	notBefore := now.Add(-backdate).Truncate(time.Second)
	template := leaf.ControlPlaneTemplate(s.systemNamespace, leaf.Validity{NotBefore: notBefore, NotAfter: notBefore.Add(life)})
	der, err := leaf.Sign(template, key.Public(), issuer)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: certificate}, nil
}
